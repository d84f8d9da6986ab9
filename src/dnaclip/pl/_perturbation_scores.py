"""Methods compared by one metric, beside what the data allow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dnaclip._errors import InputError, examples
from dnaclip._validate import as_generator, check_key
from dnaclip.metrics._score_table import HIGHER_IS_BETTER
from dnaclip.pl._axes import axes_or_new
from dnaclip.pl._colors import MARKERS, PALETTE, SMALLER

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["perturbation_scores"]


def perturbation_scores(
    table: pd.DataFrame,
    metric: str = "pcc_delta",
    *,
    groupby: str = "method",
    points: str = "perturbation",
    color: str | None = None,
    sort: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw the scores of several methods in one metric, with the ceiling and the baseline.

    Parameters
    ----------
    table
        Scores as from :func:`dnaclip.tl.evaluate_perturbations`, those of several methods joined by `pandas.concat` with a
        column that names the method.
    metric
        Which metric to draw.
    groupby
        Column of `table` with the methods: one row of the plot each.
    points
        Column of `table` that a dot stands for, such as `perturbation` or `fold`; scores are averaged over the rest.
    color
        Column of `table` to colour dots by, such as `group`; it splits the average too.
    sort
        Whether the best mean is on top; otherwise methods stand in the order of the table.
    ax
        Axes to draw on; `None` makes a new figure.

    Returns
    -------
    The axes. A dot is the score of one of `points`, the black mark a method's mean over dots and the line one standard
    deviation to either side. Dashed is the mean `ceiling` of the table, dotted its mean `baseline`, where it has them.
    Scores that are undefined or unavailable have no dot; behind the name stands how many have one, and a method without any
    is called undefined.

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
    >>> table = pd.DataFrame({"method": list("aabb"), "perturbation": list("xyxy"), "metric": "mse"})
    >>> table["value"] = [0.3, 0.4, 0.1, 0.2]
    >>> ax = dnaclip.pl.perturbation_scores(table, "mse")
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['b (2)', 'a (2)']
    """
    for key in ("metric", "value", groupby, points, *([] if color is None else [color])):
        check_key(key, table.columns, where="the table of scores")
    rows = table[(table["metric"] == metric) & table["value"].notna()]
    if not len(rows):
        msg = f"The table has no value of {metric!r}. Its metrics: {examples(table['metric'].unique(), 20)}."
        raise InputError(msg)
    keys = [groupby, points, *([] if color in (None, groupby, points) else [color])]
    dots = rows.groupby(keys, observed=True, sort=False)["value"].mean().reset_index()
    methods = list(dict.fromkeys(table.loc[table["metric"] == metric, groupby]))
    means = dots.groupby(groupby, observed=True)["value"].agg(["mean", "std", "count"]).reindex(methods)
    count = means["count"].fillna(0).astype(int)
    higher = HIGHER_IS_BETTER.get(metric, True)
    if sort:
        # Methods without a value come last.
        methods = means["mean"].sort_values(ascending=not higher, kind="stable").index.tolist()

    ax = axes_or_new(ax, (6.5, 1.2 + 0.42 * len(methods)))
    place = dots[groupby].map({name: i for i, name in enumerate(methods)}).to_numpy(dtype=float)
    # Not random: the same table gives the same plot.
    height = place + as_generator(0).uniform(-0.28, 0.28, size=len(dots))
    kinds = [None] if color is None else list(dict.fromkeys(rows[color]))
    for i, kind in enumerate(kinds):
        which = np.ones(len(dots), bool) if kind is None else (dots[color] == kind).to_numpy()
        look: dict[str, Any] = {"color": PALETTE[i % len(PALETTE)] if color else PALETTE[4], "label": kind}
        marker = MARKERS[i // len(PALETTE) % len(MARKERS)]
        ax.scatter(dots["value"][which], height[which], s=14, alpha=0.75, linewidths=0, marker=marker, **look)
    mean, sd = (means.loc[methods, name].to_numpy() for name in ("mean", "std"))
    at = np.arange(len(methods))
    ax.errorbar(mean, at, xerr=np.nan_to_num(sd), fmt="none", ecolor="black", elinewidth=1.2, zorder=3)
    ax.scatter(mean, at, marker="|", s=260, color="black", linewidths=2.2, zorder=4)
    for place in at[np.isnan(mean)]:
        ax.text(0.02, place, "undefined", va="center", fontsize=8, color="0.35", transform=ax.get_yaxis_transform())
    lines = _reference_lines(ax, rows)
    if color is not None or lines:
        ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=8, title=color)
    ax.set_yticks(at, [f"{name} ({count[name]})" for name in methods])
    ax.set(
        xlabel=f"{metric.replace('_', ' ')} ({'higher' if higher else 'lower'} is better)",
        ylim=(len(methods) - 0.5, -0.5),
    )
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    return ax


def _reference_lines(ax: Axes, rows: pd.DataFrame) -> int:
    """Draw the mean ceiling and baseline, and return how many of them there are."""
    drawn = 0
    for column, style, shade in (("ceiling", "--", "black"), ("baseline", ":", SMALLER)):
        if column in rows and rows[column].notna().any():
            value = rows[column].mean()
            ax.axvline(value, linestyle=style, color=shade, linewidth=1.2, zorder=1, label=f"{column} ({value:.3g})")
            drawn += 1
    return drawn
