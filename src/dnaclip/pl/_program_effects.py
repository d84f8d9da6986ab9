"""How the activity of gene programs differs between conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._errors import InputError, examples
from dnaclip._keys import PROGRAM_KEY
from dnaclip._validate import check_count
from dnaclip.pl._axes import axes_or_new
from dnaclip.pl._colors import MARKERS, PALETTE
from dnaclip.tl._adata import check_adata
from dnaclip.tl._programs.rank_programs import RANKING_KEY, ranking_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import anndata
    from matplotlib.axes import Axes

__all__ = ["program_effects"]


def program_effects(
    data: anndata.AnnData | pd.DataFrame,
    *,
    programs: Sequence[str] | None = None,
    condition: str | None = None,
    n_programs: int = 8,
    max_fdr: float = 0.05,
    program_key: str = PROGRAM_KEY,
    ranking_key: str = RANKING_KEY,
    ax: Axes | None = None,
) -> Axes:
    """Draw the difference in activity of gene programs between two conditions, in each type of cell.

    Parameters
    ----------
    data
        Annotated data after :func:`dnaclip.tl.rank_programs`, or the table that it returned. Nothing is written.
    programs
        Programs to show; `None` takes the `n_programs` with the smallest p-values.
    condition
        Which condition to show against the reference; needed when there are several.
    n_programs
        Number of programs when `programs` is not given.
    max_fdr
        Differences up to this false discovery rate have a filled marker, the others an open one.
    program_key, ranking_key
        Names under which the table was written.
    ax
        Axes to draw on; `None` makes a new figure that fits the programs.

    Returns
    -------
    The axes, with one line per program and type of cells: the difference in mean score and its 95 % confidence
    interval. Colour and shape tell types of cells apart.

    Raises
    ------
    MissingKeyError
        There is no ranking under these names.
    InputError
        There is nothing to draw, or the table has several conditions and `condition` names none of them.

    Examples
    --------
    >>> import pandas as pd
    >>> import dnaclip
    >>> table = pd.DataFrame(
    ...     {"condition": "ill", "group": ["T cell", "B cell"], "program": "P1", "difference": [0.5, 0.1]}
    ... )
    >>> table = table.assign(ci_low=[0.2, -0.3], ci_high=[0.8, 0.5], p_value=[0.001, 0.6], fdr=[0.002, 0.6])
    >>> ax = dnaclip.pl.program_effects(table)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['P1']
    """
    check_count("n_programs", n_programs)
    if not isinstance(data, pd.DataFrame):
        check_adata(data)
        data = ranking_table(data, program_key, ranking_key)
    conditions = list(dict.fromkeys(data["condition"].astype(str)))
    if condition is None and len(conditions) == 1:
        condition = conditions[0]
    if condition not in conditions:
        msg = f"condition={condition!r}: name one of the conditions compared, {examples(conditions, 10) or 'of which there are none'}."
        raise InputError(msg)
    table = data[(data["condition"].astype(str) == condition) & data["p_value"].notna()]
    table = table.sort_values("p_value", kind="stable")
    present = list(dict.fromkeys(table["program"].astype(str)))
    shown = present[:n_programs] if programs is None else [str(name) for name in programs if str(name) in present]
    if not shown:
        msg = f"There is no difference to draw. Programs with one: {examples(present) or 'none'}."
        raise InputError(msg)
    groups = sorted(table["group"].astype(str).unique())

    ax = axes_or_new(ax, (6.5, 1.4 + len(shown) * (0.25 + 0.13 * len(groups))))
    # The groups of a program share 70 % of its row.
    offsets = 0.7 * ((np.arange(len(groups)) + 0.5) / len(groups) - 0.5)
    for i, group in enumerate(groups):
        rows = table[(table["group"].astype(str) == group) & table["program"].astype(str).isin(shown)]
        y = rows["program"].astype(str).map(shown.index).to_numpy(dtype=float) + offsets[i]
        color, marker = PALETTE[i % len(PALETTE)], MARKERS[i // len(PALETTE) % len(MARKERS)]
        ax.hlines(y, rows["ci_low"], rows["ci_high"], color=color, linewidth=1.4, zorder=1)
        clear = (rows["fdr"] <= max_fdr).to_numpy()
        ax.scatter(
            rows["difference"],
            y,
            s=28,
            marker=marker,
            facecolors=[color if found else "white" for found in clear],
            edgecolors=color,
            linewidths=1.2,
            zorder=2,
        )
        ax.scatter([], [], s=28, marker=marker, color=color, label=group)
    ax.scatter([], [], s=28, facecolors="black", edgecolors="black", label=f"FDR ≤ {max_fdr:g}")
    ax.scatter([], [], s=28, facecolors="white", edgecolors="black", label=f"FDR > {max_fdr:g}")
    ax.axvline(0, color="#888888", linewidth=0.8, zorder=0)
    for edge in np.arange(len(shown) - 1) + 0.5:
        ax.axhline(edge, color="#EEEEEE", linewidth=0.8, zorder=0)
    ax.set_yticks(range(len(shown)), shown)
    ax.set(ylim=(len(shown) - 0.5, -0.5), ylabel=program_key.replace("_", " "))
    ax.set_xlabel(f"difference in mean score, {condition} - reference (95 % CI)")
    ax.locator_params(axis="x", nbins=5)  # small differences have long numbers
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=8)
    return ax
