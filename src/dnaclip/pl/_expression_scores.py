"""How well methods predict the pattern of single genes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dnaclip._errors import InputError, examples
from dnaclip._validate import check_key
from dnaclip.metrics._expression import EXPRESSION_METRICS
from dnaclip.pl._axes import axes_or_new
from dnaclip.pl._colors import PALETTE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["expression_scores"]


def expression_scores(
    table: pd.DataFrame, metric: str = "gene_pcc_centred", *, sort: bool = True, ax: Axes | None = None
) -> Axes:
    """Draw the distribution over genes of a score, one violin per method.

    Parameters
    ----------
    table
        From :meth:`dnaclip.tl.ExpressionPredictor.evaluate` with `by_gene=True`; tables of several predictors may be joined
        by `pandas.concat`.
    metric
        `"gene_pcc"`, `"gene_pcc_centred"` or `"mse"`.
    sort
        Whether the best mean is on top; otherwise methods stand in the order of the table.
    ax
        Axes to draw on; `None` makes a new figure.

    Returns
    -------
    The axes. The black mark is the mean, the white one the median; behind the name stands for how many genes the score is
    defined. Methods without a single value, such as the centred correlation of a constant, are named and left empty.

    Raises
    ------
    MissingKeyError
        A column is not in the table.
    InputError
        The table has no value of the metric.

    Examples
    --------
    >>> import pandas as pd
    >>> import dnaclip
    >>> table = pd.DataFrame({"method": list("aaabbb"), "vectors": "given", "metric": "mse"})
    >>> table["value"] = [0.3, 0.4, 0.5, 0.1, 0.2, 0.3]
    >>> ax = dnaclip.pl.expression_scores(table, "mse")
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['b (3)', 'a (3)']
    """
    for key in ("method", "vectors", "metric", "value"):
        check_key(key, table.columns, where="the table of scores")
    rows = table[table["metric"] == metric]
    if not rows["value"].notna().any():
        msg = f"The table has no value of {metric!r}. Its metrics: {examples(table['metric'].unique(), 20)}."
        raise InputError(msg)
    plain = rows["vectors"].isin(["given", "none"])
    names = rows["method"].astype(str).where(plain, rows["method"].astype(str) + ", " + rows["vectors"].astype(str))
    values = {name: some.dropna().to_numpy(float) for name, some in rows["value"].groupby(names, sort=False)}
    order = list(values)
    if sort:
        sign = 1 if metric == "mse" else -1
        means = {name: sign * one.mean() if len(one) else np.inf for name, one in values.items()}
        order.sort(key=lambda name: means[name])
    ax = axes_or_new(ax, figsize=(5.2, 0.9 + 0.55 * len(order)))
    for place, name in enumerate(order):
        one = values[name]
        if not len(one):
            ax.text(0.02, place, "undefined", va="center", fontsize=8, color="0.35", transform=ax.get_yaxis_transform())
            continue
        if np.ptp(one) > 0:
            parts: Any = ax.violinplot(
                [one], positions=[place], orientation="horizontal", widths=0.85, showextrema=False
            )
            for body in parts["bodies"]:
                body.set(facecolor=PALETTE[4], edgecolor="none", alpha=0.9)
        ax.plot(
            np.median(one), place, "o", color="white", markeredgecolor="0.2", markersize=5, zorder=3, label="median"
        )
        ax.plot(one.mean(), place, "|", color="black", markersize=14, markeredgewidth=2, zorder=4, label="mean")
    if metric != "mse":
        ax.axvline(0, color="0.6", linewidth=0.8, zorder=0)
        ax.set(xlim=(-1.05, 1.05), xticks=[-1, -0.5, 0, 0.5, 1])
    ax.set_yticks(range(len(order)), [f"{name} ({len(values[name])})" for name in order])
    ax.set_ylim(len(order) - 0.4, -0.6)
    marks = dict(zip(*ax.get_legend_handles_labels()[::-1], strict=True))  # one of each, not one per method
    ax.legend(marks.values(), marks.keys(), loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=8)
    ax.set_xlabel(f"{EXPRESSION_METRICS.get(metric, metric)}, by gene")
    return ax
