"""Plots of viability: they show what the table and the prediction hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from dnaclip import pl
from dnaclip._errors import InputError, MissingKeyError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    import matplotlib.pyplot as plt

    plt.switch_backend("agg")
    yield
    plt.close("all")


def both(n_lines: int = 6, n_genes: int = 20) -> tuple[ad.AnnData, ad.AnnData]:
    rng = np.random.default_rng(0)
    observed = ad.AnnData(rng.normal(size=(n_lines, n_genes)))
    predicted = ad.AnnData(np.asarray(observed.X) + 0.1 * rng.normal(size=observed.shape))
    predicted.obs["in_training"] = np.arange(n_lines) > 0
    predicted.var["in_training"] = np.arange(n_genes) > 3
    return predicted, observed


@pytest.mark.parametrize(("held_out", "n"), [("genes", 20), ("lines", 16), ("both", 4), ("any", 40), (None, 120)])
def test_predictions_draw_the_pairs_that_are_asked_for(held_out: str | None, n: int) -> None:
    predicted, observed = both()
    ax = pl.viability_predictions(predicted, observed, held_out=held_out)
    assert len(np.asarray(ax.collections[0].get_offsets())) == n
    assert f"({n} pairs)" in ax.get_title()
    assert ax.get_xlabel() == "observed (gene effect)"


def test_predictions_find_names_and_draw_many_pairs_as_a_density() -> None:
    predicted, observed = both(60, 100)
    ax = pl.viability_predictions(predicted, observed[::-1, ::-1], held_out=None)
    assert "r = 0.9" in ax.get_title()
    assert len(ax.figure.axes) == 2  # the second is the colour bar
    assert ax.collections[0].get_cmap().name == "viridis_r", "darker for more, as in the other densities"


def test_predictions_refuse() -> None:
    predicted, observed = both()
    with pytest.raises(InputError, match="observed lacks 1 of the 20 predicted genes: '19'"):
        pl.viability_predictions(predicted, observed[:, :19])
    with pytest.raises(InputError, match="held_out='x' is not known"):
        pl.viability_predictions(predicted, observed, held_out="x")
    predicted.obs["in_training"] = predicted.var["in_training"] = True
    with pytest.raises(InputError, match="No observed pair is held out by 'any'"):
        pl.viability_predictions(predicted, observed)


@pytest.fixture
def table() -> pd.DataFrame:
    rows = [
        ("two_way", "genes", np.nan),
        ("two_way", "lines", 0.95),
        ("hybrid", "genes", 0.7),
        ("hybrid", "lines", 0.95),
        ("ridge", "genes", 0.6),
        ("ridge", "lines", 0.8),
    ]
    found = pd.DataFrame(rows, columns=["method", "held_out", "value"])
    return found.assign(scope="within line", metric="pcc", sd=0.05, n=10)


def test_scores_are_sorted_and_what_is_undefined_is_said(table: pd.DataFrame) -> None:
    ax = pl.viability_scores(table)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["hybrid", "ridge", "two_way"]
    assert [text.get_text() for text in ax.texts] == ["genes: undefined (constant)"]
    assert ax.get_xlabel() == "Pearson correlation, within line (higher is better)"


def test_scores_of_errors_have_the_smallest_on_top(table: pd.DataFrame) -> None:
    ax = pl.viability_scores(table.assign(metric="mse").fillna(2.0), "mse")
    assert "lower is better" in ax.get_xlabel()
    assert ax.get_yticklabels()[0].get_text() == "ridge"


def test_scores_refuse(table: pd.DataFrame) -> None:
    with pytest.raises(MissingKeyError, match="'held_out' is not in the table of scores"):
        pl.viability_scores(table.drop(columns="held_out"))
    with pytest.raises(InputError, match=r"no value of 'mse', 'within line'. It has: 'pcc, within line'"):
        pl.viability_scores(table, "mse")
