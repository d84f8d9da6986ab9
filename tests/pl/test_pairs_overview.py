"""The figure of what a table of pairs holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import dnaclip
from dnaclip.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture
def pairs() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "species": ["A a"] * 5 + ["B b"] * 2 + ["C c"],
            "sequence": ["A" * n for n in (10, 20, 30, 40, 50, 5, 7, 9)],
            "text": ["x", "x", "x", "", "", "y", "", "z"],
            "informative": [True, False, True, False, False, True, False, True],
            "biotype": ["protein_coding"] * 6 + ["lncRNA"] * 2,
        }
    )


def test_bars_are_the_counts_and_the_largest_and_smallest_species_are_bold(pairs: pd.DataFrame, tmp_path: Path) -> None:
    figure = dnaclip.pl.pairs_overview(pairs)
    genes, lengths, biotypes = figure.axes
    widths = [[bar.get_width() for bar in group] for group in genes.containers]
    assert widths == [[2, 1, 1], [1, 0, 0], [2, 1, 0]]
    assert [label.get_text() for label in genes.get_yticklabels()] == ["A a", "B b", "C c"]
    assert [label.get_fontweight() for label in genes.get_yticklabels()] == ["bold", "normal", "bold"]
    assert genes.get_title(loc="left") == "8 genes of 3 species, 5 with text"
    assert np.asarray(lengths.collections[1].get_offsets())[:, 0].tolist() == [30, 6, 9]
    shares = [[bar.get_width() for bar in group] for group in biotypes.containers]
    assert shares == [[1, 0.5, 0], [0, 0.5, 1]]
    assert biotypes.get_legend_handles_labels()[1] == ["protein coding", "lncRNA"]
    pairs.to_parquet(tmp_path / "pairs.parquet")
    from_file = dnaclip.pl.pairs_overview(tmp_path / "pairs.parquet").axes[0]
    assert [[bar.get_width() for bar in group] for group in from_file.containers] == widths


def test_it_draws_a_summary_on_given_axes_and_only_so_many_species(pairs: pd.DataFrame) -> None:
    figure, axes = plt.subplots(1, 3)
    summary = dnaclip.pp.summarize_pairs(pairs)
    assert dnaclip.pl.pairs_overview(summary, n_species=2, axes=tuple(axes)) is figure
    assert len(axes[0].containers[0]) == 2
    assert "8 genes of 3 species" in axes[0].get_title(loc="left")
    with pytest.raises(InputError, match="The summary has no rows"):
        dnaclip.pl.pairs_overview(summary.iloc[:0])
    with pytest.raises(InputError, match="n_species must be"):
        dnaclip.pl.pairs_overview(summary, n_species=0)
