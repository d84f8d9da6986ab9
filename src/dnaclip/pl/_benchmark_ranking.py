"""Embeddings ranked by one score of a gene-level benchmark, ours among the published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dnaclip._errors import InputError
from dnaclip._validate import check_key
from dnaclip.pl._axes import axes_or_new
from dnaclip.pl._colors import PALETTE, SMALLER

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["benchmark_ranking"]

LABELS = {
    "go": "GO terms: mean AUROC",
    "omim": "OMIM diseases: mean AUROC",
    "sl_sum": "synthetic lethality (sum): AUROC",
    "sl_sum_auprc": "synthetic lethality (sum): average precision",
}
OURS, TEXT, OTHER = PALETTE[1], PALETTE[0], SMALLER


def benchmark_ranking(
    table: pd.DataFrame, score: str = "go", *, n_top: int | None = None, ax: Axes | None = None
) -> Axes:
    """Rank embeddings by one score, with those of the run standing out.

    Parameters
    ----------
    table
        From :func:`dnaclip.benchmark.compare`.
    score
        A column of it, such as `"go"`, `"omim"` or `"sl_sum"`.
    n_top
        Draw so many of the best; those of the run are always drawn. `None` draws all.
    ax
        Axes to draw on; `None` makes a new figure.

    Returns
    -------
    The axes: one dot per embedding at its score, the best on top, with its rank and name. Filled dots are embeddings made
    from text about genes, hollow ones are made without or nothing is known about them.

    Raises
    ------
    MissingKeyError
        The column is not in the table.
    InputError
        No embedding has the score.

    Examples
    --------
    >>> import pandas as pd
    >>> import dnaclip
    >>> table = pd.DataFrame(
    ...     {"go": [0.7, 0.9], "ours": [True, False], "reads_text": [False, True]}, index=["mine", "other"]
    ... )
    >>> ax = dnaclip.pl.benchmark_ranking(table)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['1  other', '2  mine']
    """
    for column in (score, "ours", "reads_text"):
        check_key(column, table.columns, where="the table", hint="Give what dnaclip.benchmark.compare returned.")
    known = table[table[score].notna()].sort_values(score, ascending=False, kind="stable")
    if known.empty:
        msg = f"No embedding has the score {score!r}."
        raise InputError(msg)
    rank = np.arange(1, len(known) + 1)
    ours = known["ours"].to_numpy(dtype=bool)
    shown = ours | (rank <= (n_top or len(known)))
    known, rank, ours = known[shown], rank[shown], ours[shown]
    reads_text = np.array([value is True or value == 1 for value in known["reads_text"]])

    ax = axes_or_new(ax, (6.5, 1.3 + 0.2 * len(known)))
    values, at = known[score].to_numpy(dtype=float), np.arange(len(known))
    color = np.where(ours, OURS, np.where(reads_text, TEXT, OTHER))
    ax.hlines(at, values.min() - 0.01, values, color="#EEEEEE", linewidth=1, zorder=1)
    for kind, label in (
        (ours & reads_text, "this run, made from text"),
        (ours & ~reads_text, "this run, not from text"),
        (~ours & reads_text, "published, made from text"),
        (~ours & ~reads_text, "published, not from text"),
    ):
        if kind.any():
            look: dict[str, Any] = {"edgecolors": color[kind], "facecolors": "white"}
            look = {"color": color[kind]} if (kind & reads_text).any() else look
            ax.scatter(values[kind], at[kind], s=np.where(ours[kind], 55, 28), zorder=3, label=label, **look)
    ax.set_yticks(at, [f"{place}  {name}" for place, name in zip(rank, known.index, strict=True)], fontsize=8)
    for tick, mine in zip(ax.get_yticklabels(), ours, strict=True):
        if mine:
            tick.set(color=OURS, fontweight="bold")
    ax.set(xlabel=LABELS.get(score, score.replace("_", " ")), ylim=(len(known) - 0.3, -0.7))
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.legend(loc="lower right", frameon=False, fontsize=8)
    return ax
