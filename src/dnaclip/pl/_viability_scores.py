"""Methods for viability compared, by what was held out."""

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

__all__ = ["viability_scores"]


def viability_scores(
    table: pd.DataFrame, metric: str = "pcc", scope: str = "within line", *, ax: Axes | None = None
) -> Axes:
    """Draw a score of several methods, such as the correlation within lines.

    Parameters
    ----------
    table
        Scores as from :meth:`dnaclip.tl.ViabilityRegressor.evaluate`, those of several regressors joined by `pandas.concat`.
    metric, scope
        Which score to draw.
    ax
        Axes to draw on; `None` makes a new figure.

    Returns
    -------
    The axes, with a row for each method, the best on top. A marker is the mean over lines (or genes) and over the rows of
    the table for the same method, its line one standard deviation of lines to either side. What a method leaves undefined,
    such as the correlation within a line of a prediction that is the same for all genes, is said in words.

    Raises
    ------
    MissingKeyError
        A column is not in the table.
    InputError
        The table has no value of this score.

    Examples
    --------
    >>> import pandas as pd
    >>> import dnaclip
    >>> table = pd.DataFrame({"method": ["hybrid", "gene_mean"], "held_out": "genes", "scope": "within line"})
    >>> table = table.assign(metric="pcc", value=[0.7, float("nan")], sd=[0.05, float("nan")], n=[58, 0])
    >>> ax = dnaclip.pl.viability_scores(table)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['hybrid', 'gene_mean']
    """
    for key in ("method", "held_out", "scope", "metric", "value", "sd"):
        check_key(key, table.columns, where="the table of scores")
    rows = table[(table["metric"] == metric) & (table["scope"] == scope)]
    if rows["value"].notna().sum() == 0:
        known = table["metric"].astype(str) + ", " + table["scope"].astype(str)
        msg = f"The table has no value of {metric!r}, {scope!r}. It has: {examples(known[table['value'].notna()].unique(), 20)}."
        raise InputError(msg)
    kinds = list(dict.fromkeys(rows["held_out"]))
    means: Any = rows.pivot_table(
        index="method", columns="held_out", values=["value", "sd"], aggfunc="mean", dropna=False
    )
    smaller = metric in ("mse", "width")
    # An undefined correlation is none.
    methods = (
        means["value"]
        .fillna(np.inf if smaller else 0.0)
        .mean(axis=1)
        .sort_values(ascending=smaller, kind="stable")
        .index.tolist()
    )

    ax = axes_or_new(ax, (6.0, 1.2 + 0.45 * len(methods)))
    at = np.arange(len(methods), dtype=float)
    for i, kind in enumerate(kinds):
        value = means.loc[methods, ("value", kind)].to_numpy(dtype=float)
        sd = means.loc[methods, ("sd", kind)].to_numpy(dtype=float) if ("sd", kind) in means else np.zeros(len(methods))
        height = at + 0.22 * (i - (len(kinds) - 1) / 2)
        color = PALETTE[i % len(PALETTE)]
        ax.errorbar(value, height, xerr=np.nan_to_num(sd), fmt="none", ecolor=color, elinewidth=1.2)
        ax.scatter(value, height, s=42, color=color, marker=MARKERS[i % len(MARKERS)], label=kind, zorder=3)
        for y in height[np.isnan(value)]:
            text: dict[str, Any] = {"xy": (0.01, y), "xycoords": ("axes fraction", "data"), "fontsize": 7}
            ax.annotate(f"{kind}: undefined (constant)", **text, va="center", color=color)
    ax.legend(title="held out", loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=8)
    ax.set_yticks(at, methods)
    name = {"pcc": "Pearson correlation", "spearman": "Spearman correlation", "mse": "mean squared error"}.get(
        metric, metric
    )
    ax.set(xlabel=f"{name}, {scope} ({'lower' if smaller else 'higher'} is better)", ylim=(len(methods) - 0.5, -0.5))
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    return ax
