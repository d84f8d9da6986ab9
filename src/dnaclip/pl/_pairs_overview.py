"""What a table of pairs holds, species by species."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnaclip._errors import InputError
from dnaclip._validate import check_count, check_key
from dnaclip.pl._colors import MISSING, PALETTE, SMALLER

if TYPE_CHECKING:
    import os

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["pairs_overview"]

_BIOTYPE = "biotype_"


def pairs_overview(
    pairs: pd.DataFrame | str | os.PathLike[str], *, n_species: int = 40, axes: tuple[Axes, Axes, Axes] | None = None
) -> Figure:
    """Draw the genes of each species with and without text, their lengths and their biotypes.

    As Figure 1a of the DNACLIP paper, the species with most genes and the one with fewest are printed in bold.

    Parameters
    ----------
    pairs
        Table of pairs, path of a Parquet file of them, or what :func:`dnaclip.pp.summarize_pairs` said of either.
    n_species
        Species to show, those with most genes.
    axes
        Three axes to draw on; `None` makes a new figure.

    Returns
    -------
    The figure. Left, genes: coloured those with a text that says anything of function, grey those with a text that does
    not, light those without. Middle, lengths in bases: dot at the median, line from the 5th to the 95th percentile. Right,
    shares of biotypes.

    Raises
    ------
    InputError
        The table is empty, or the file is no Parquet table.
    MissingKeyError
        A column is absent.

    Examples
    --------
    >>> import pandas as pd
    >>> import dnaclip
    >>> pairs = pd.DataFrame(
    ...     {"species": ["A a", "A a", "B b"], "sequence": ["ACGT", "AC", "A"], "text": ["x", "", "y"]}
    ... )
    >>> figure = dnaclip.pl.pairs_overview(pairs)
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['A a', 'B b']
    """
    import matplotlib.pyplot as plt

    check_count("n_species", n_species)
    table = _summary(pairs)
    shown = table.head(n_species)
    if axes is None:
        size = (13, 1.6 + 0.24 * len(shown))
        figure, drawn = plt.subplots(1, 3, figsize=size, layout="constrained", sharey=True, width_ratios=[1.7, 1, 1])
        left, middle, right = drawn
    else:
        left, middle, right = axes
        figure = left.get_figure(root=True)  # type: ignore[assignment]
    at = np.arange(len(shown))
    _draw_genes(left, shown, at)
    _draw_lengths(middle, shown, at)
    _draw_biotypes(right, shown, at)
    names = [str(name) for name in shown.index]
    left.set_yticks(at, names, style="italic")
    left.set_ylim(len(shown) - 0.4, -0.6)
    if len(shown) > 1:
        for i in (int(np.argmax(shown["genes"])), int(np.argmin(shown["genes"]))):
            left.get_yticklabels()[i].set_fontweight("bold")
    for ax in (left, middle, right):
        ax.tick_params(axis="y", length=0)
        ax.spines[["top", "right", "left"]].set_visible(False)
    total = f"{int(table['genes'].sum()):,} genes of {len(table)} species, {int(table['with_text'].sum()):,} with text"
    left.set_title(total, loc="left", fontsize=10)
    return figure


def _summary(pairs: Any) -> pd.DataFrame:
    from dnaclip.pp import summarize_pairs

    if isinstance(pairs, pd.DataFrame) and "length_50" in pairs and "genes" in pairs:
        for column in ("genes", "with_text", "informative", "length_5", "length_95"):
            check_key(column, pairs.columns, where="the summary")
        if not len(pairs):
            msg = "The summary has no rows, so there is nothing to draw."
            raise InputError(msg)
        return pairs.sort_values("genes", ascending=False, kind="stable")
    return summarize_pairs(pairs)


def _draw_genes(ax: Axes, table: pd.DataFrame, at: np.ndarray) -> None:
    says = table["informative"].to_numpy()
    only_text = table["with_text"].to_numpy() - says
    none = table["genes"].to_numpy() - table["with_text"].to_numpy()
    ax.barh(at, says, color=PALETTE[0], label="text on function")
    ax.barh(at, only_text, left=says, color=SMALLER, label="text without function")
    ax.barh(at, none, left=says + only_text, color=MISSING, label="no text")
    for y, n in zip(at, table["genes"], strict=True):
        ax.annotate(f"{int(n):,}", (n, y), xytext=(3, 0), textcoords="offset points", va="center", fontsize=7)
    ax.set_xlabel("genes")
    ax.margins(x=0.12)
    ax.legend(loc="lower right", frameon=False, fontsize=8)


def _draw_lengths(ax: Axes, table: pd.DataFrame, at: np.ndarray) -> None:
    low, middle, high = (np.maximum(table[f"length_{q}"].to_numpy(), 1) for q in (5, 50, 95))
    ax.hlines(at, low, high, color=PALETTE[0], linewidth=1.5)
    ax.scatter(middle, at, s=22, color=PALETTE[0], zorder=3)
    ax.set_xscale("log")
    ax.set_xlabel("length in bases: median, 5 % to 95 %")


def _draw_biotypes(ax: Axes, table: pd.DataFrame, at: np.ndarray) -> None:
    names = [name for name in table.columns if name.startswith(_BIOTYPE) and table[name].sum() > 0]
    # The rest comes last, in grey.
    names.sort(key=lambda name: (name == f"{_BIOTYPE}other", -table[name].sum()))
    done = np.zeros(len(table))
    for i, name in enumerate(names):
        share = table[name].to_numpy() / table["genes"].to_numpy()
        color = MISSING if name == f"{_BIOTYPE}other" else PALETTE[i % len(PALETTE)]
        ax.barh(at, share, left=done, color=color, label=name.removeprefix(_BIOTYPE).replace("_", " "))
        done += share
    ax.set_xlim(0, 1)
    ax.set_xlabel("share of genes")
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=8)
