"""Whether intervals hold what they promise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnaclip._errors import InputError
from dnaclip._validate import check_key
from dnaclip.pl._axes import axes_or_new
from dnaclip.pl._colors import PALETTE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["expression_calibration"]


def expression_calibration(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how often intervals hold the observed expression, against how often they should.

    Parameters
    ----------
    table
        From :meth:`dnaclip.tl.ExpressionPredictor.calibration`.
    ax
        Axes to draw on; `None` makes a new figure.

    Returns
    -------
    The axes. The thick line is that of all groups, thin ones those of each; on the dashed line intervals are right, below it
    they are too narrow.

    Raises
    ------
    MissingKeyError
        A column is not in the table.
    InputError
        The table is empty.

    Examples
    --------
    >>> import pandas as pd
    >>> import dnaclip
    >>> table = pd.DataFrame({"nominal": [0.5, 0.9], "group": "all", "coverage": [0.52, 0.91], "width": [1.0, 2.0]})
    >>> ax = dnaclip.pl.expression_calibration(table)
    >>> ax.get_xlabel()
    'share that should lie inside'
    """
    for key in ("nominal", "group", "coverage"):
        check_key(key, table.columns, where="the table of coverages")
    if table.empty:
        msg = "The table of coverages is empty."
        raise InputError(msg)
    ax = axes_or_new(ax, figsize=(4.0, 4.0))
    ax.plot([0, 1], [0, 1], color="0.3", linewidth=1, linestyle="--", label="as promised")
    single = "each group"
    for group, rows in table.sort_values("nominal").groupby("group", sort=False):
        if group == "all":
            ax.plot(
                rows["nominal"], rows["coverage"], "o-", color=PALETTE[0], markersize=4, zorder=3, label="all groups"
            )
        else:
            ax.plot(rows["nominal"], rows["coverage"], color=PALETTE[4], linewidth=0.8, label=single)
            single = "_"
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    ax.set(xlabel="share that should lie inside", ylabel="share of genes inside")
    ax.legend(frameon=False, fontsize=8, loc="upper left")
    return ax
