"""How often the right text, or the right gene, is among the first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dnaclip._errors import InputError, examples
from dnaclip._validate import check_key
from dnaclip.pl._axes import axes_or_new
from dnaclip.pl._colors import MARKERS, PALETTE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["retrieval_accuracy"]


def retrieval_accuracy(
    table: pd.DataFrame, *, direction: str = "dna->text", sort: bool = True, ax: Axes | None = None
) -> Axes:
    """Draw accuracy@k by species or biotype, beside chance.

    Parameters
    ----------
    table
        From :func:`dnaclip.metrics.retrieval_by`.
    direction
        `"dna->text"` or `"text->dna"`.
    sort
        Whether the part with the highest accuracy comes first, below that of all; otherwise in the order of the table.
    ax
        Axes to draw on; `None` makes a new figure.

    Returns
    -------
    The axes: a dot for each k, the largest k with a line to zero, and a grey tick for its chance. Behind the name of a part stands
    its number of questions.

    Raises
    ------
    MissingKeyError
        A column is not in the table.
    InputError
        The table has no row of this direction, or no accuracy.

    Examples
    --------
    >>> import numpy as np
    >>> import dnaclip
    >>> vectors = np.eye(4)
    >>> table = dnaclip.metrics.retrieval_by(vectors, vectors, ["mouse", "mouse", "fly", "fly"], ks=(1, 2))
    >>> ax = dnaclip.pl.retrieval_accuracy(table)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['all (4)', 'fly (2)', 'mouse (2)']
    """
    for key in ("part", "direction", "n_queries"):
        check_key(key, table.columns, where="the table of retrieval")
    rows = table[table["direction"] == direction]
    ks = sorted(int(str(column).split("@")[1]) for column in table if str(column).startswith("accuracy@"))
    if not len(rows) or not ks:
        msg = f"The table has no accuracy for direction={direction!r}. Its directions: {examples(table['direction'].unique())}."
        raise InputError(msg)
    if sort:
        rows = rows.sort_values(f"accuracy@{ks[-1]}", ascending=False, kind="stable")
        rows = rows.iloc[np.argsort(rows["part"] != "all", kind="stable")]
    at = np.arange(len(rows))
    ax = axes_or_new(ax, (6.4, 1.3 + 0.32 * len(rows)))
    ax.hlines(at, 0, rows[f"accuracy@{ks[-1]}"], color="#DDDDDD", linewidth=1.5, zorder=1)
    for i, k in enumerate(ks):
        look: dict[str, Any] = {
            "color": PALETTE[i % len(PALETTE)],
            "marker": MARKERS[i % len(MARKERS)],
            "label": f"right among the first {k}",
        }
        ax.scatter(rows[f"accuracy@{k}"], at, s=34, linewidths=0, zorder=3, **look)
    chance = rows[f"chance@{ks[-1]}"]
    ax.scatter(chance, at, marker="|", s=90, color="#777777", zorder=2, label=f"chance, first {ks[-1]}")
    names = [f"{part} ({n:,})" for part, n in zip(rows["part"], rows["n_queries"], strict=True)]
    ax.set_yticks(at, names)
    source, target = direction.replace("dna", "DNA").split("->")
    ax.set(
        xlabel=f"share of questions answered ({source} to {target})", xlim=(-0.01, 1.01), ylim=(len(rows) - 0.5, -0.5)
    )
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=8)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    return ax
