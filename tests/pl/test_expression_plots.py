"""Plots of predicted expression: what is drawn, asserted on the artists, and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from dnaclip import pl
from dnaclip._errors import InputError, MissingKeyError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


def pair(n_genes: int) -> tuple[ad.AnnData, ad.AnnData]:
    rng = np.random.default_rng(0)
    observed = ad.AnnData(rng.random((2, n_genes)))
    observed.obs_names = ["B", "T"]
    predicted = observed[:, : n_genes - 1].copy()
    predicted.X = predicted.X + 0.1
    predicted.layers["lower"], predicted.layers["upper"] = predicted.X - 0.3, predicted.X + 0.3
    return predicted, observed


def test_few_genes_are_dots_with_intervals() -> None:
    predicted, observed = pair(20)
    _, given = plt.subplots()
    ax = pl.expression_scatter(predicted, observed, "T", n_labels=2, intervals=True, ax=given)
    assert ax is given
    lines: Any
    lines, dots = ax.collections
    np.testing.assert_allclose(
        np.asarray(dots.get_offsets()), np.column_stack([observed["T"].X[0, :19], predicted["T"].X[0]])
    )
    assert len(lines.get_segments()) == 19
    assert len(ax.texts) == 2
    assert ax.get_title() == "T: r = 1.00, MSE = 0.01, 19 genes"
    assert ax.get_xlabel() == "observed expression"


def test_many_genes_are_a_density() -> None:
    ax = pl.expression_scatter(*pair(700), "B")
    assert np.asarray(ax.collections[0].get_array()).sum() == 699
    assert ax.get_xlim() == ax.get_ylim()


def test_scatter_refuses() -> None:
    predicted, observed = pair(20)
    with pytest.raises(MissingKeyError, match=r"'C' is not in predicted\.obs_names"):
        pl.expression_scatter(predicted, observed, "C")
    observed.var_names = [f"x{i}" for i in range(20)]
    with pytest.raises(InputError, match="share 0 genes"):
        pl.expression_scatter(predicted, observed, "B")


@pytest.fixture
def scores() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    parts = [
        pd.DataFrame({"method": method, "vectors": vectors, "metric": "gene_pcc_centred", "value": values})
        for method, vectors, values in (
            ("train_mean", "none", np.full(30, np.nan)),
            ("ridge", "permuted", rng.normal(0, 0.1, 30)),
            ("ridge", "given", rng.normal(0.5, 0.1, 30)),
        )
    ]
    return pd.concat(parts, ignore_index=True)


def test_the_best_method_is_on_top_and_the_undefined_last(scores: pd.DataFrame) -> None:
    ax = pl.expression_scores(scores)
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["ridge (30)", "ridge, permuted (30)", "train_mean (0)"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    assert [text.get_text() for text in ax.texts] == ["undefined"]
    assert ax.get_xlabel() == "PCC over groups, centred, by gene"
    legend: Any = ax.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["median", "mean"]
    unsorted = pl.expression_scores(scores, sort=False)
    assert unsorted.get_yticklabels()[0].get_text() == "train_mean (0)"


def test_scores_refuse(scores: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="no value of 'mse'"):
        pl.expression_scores(scores, "mse")
    with pytest.raises(MissingKeyError, match="'vectors'"):
        pl.expression_scores(scores.drop(columns="vectors"))


def test_calibration_draws_each_group() -> None:
    table = pd.DataFrame(
        {"nominal": [0.9, 0.5, 0.9, 0.5], "group": ["B", "B", "all", "all"], "coverage": [0.8, 0.4, 0.9, 0.5]}
    )
    ax = pl.expression_calibration(table)
    assert [np.asarray(line.get_xydata()).tolist() for line in ax.lines[1:]] == [
        [[0.5, 0.4], [0.9, 0.8]],
        [[0.5, 0.5], [0.9, 0.9]],
    ]
    legend: Any = ax.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["as promised", "each group", "all groups"]
    with pytest.raises(InputError, match="empty"):
        pl.expression_calibration(table.iloc[:0])
    with pytest.raises(MissingKeyError, match="'coverage'"):
        pl.expression_calibration(table.drop(columns="coverage"))
