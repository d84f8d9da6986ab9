"""Reliability curve, and retrieval by species."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pytest

from dnaclip._errors import InputError, MissingKeyError
from dnaclip.metrics import retrieval_by
from dnaclip.pl import reliability_curve, retrieval_accuracy

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from matplotlib.axes import Axes


def legend_of(ax: Axes) -> list[str]:
    legend = ax.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    plt.close("all")


def test_curve_shows_shares_and_intervals() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.random(500)
    right = rng.random(500) < confidence
    ax = reliability_curve(confidence, right, n_bins=5, label="model")
    points = np.asarray(ax.collections[-1].get_offsets())
    assert points.shape == (5, 2)
    np.testing.assert_allclose(points[:, 0], [0.1, 0.3, 0.5, 0.7, 0.9], atol=0.05)
    np.testing.assert_allclose(points[:, 1], points[:, 0], atol=0.15)
    assert legend_of(ax)[0].startswith("model: 500, ECE 0.0")
    again = reliability_curve(confidence, ~right, label="liar", ax=ax)
    assert again is ax
    assert [text.split(":")[0] for text in legend_of(ax)] == ["model", "liar"]
    assert sum(line.get_linestyle() == "--" for line in ax.lines) == 1


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    text = rng.normal(size=(60, 8))
    species = np.repeat(["fly", "mouse"], 30)
    noise = np.where(species == "fly", 3.0, 0.1)[:, None]
    return retrieval_by(text + noise * rng.normal(size=(60, 8)), text, species, ks=(1, 10))


def test_parts_are_sorted_below_all(table: pd.DataFrame) -> None:
    ax = retrieval_accuracy(table)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["all (60)", "mouse (30)", "fly (30)"]
    assert legend_of(ax) == ["right among the first 1", "right among the first 10", "chance, first 10"]
    dots = np.asarray(ax.collections[1].get_offsets())
    rows = table[table["direction"] == "dna->text"].set_index("part").loc[["all", "mouse", "fly"]]
    np.testing.assert_allclose(dots[:, 0], rows["accuracy@1"])
    unsorted = retrieval_accuracy(table, direction="text->dna", sort=False)
    assert [label.get_text()[:3] for label in unsorted.get_yticklabels()] == ["all", "fly", "mou"]
    assert "text to DNA" in unsorted.get_xlabel()


def test_tables_of_another_kind_are_refused(table: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="direction='up'"):
        retrieval_accuracy(table, direction="up")
    with pytest.raises(MissingKeyError, match="part"):
        retrieval_accuracy(table.drop(columns="part"))
