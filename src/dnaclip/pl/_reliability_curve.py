"""Whether stated confidence keeps its word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dnaclip.metrics import reliability
from dnaclip.pl._axes import axes_or_new
from dnaclip.pl._colors import PALETTE, SMALLER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

__all__ = ["reliability_curve"]


def reliability_curve(
    confidence: ArrayLike,
    right: ArrayLike,
    *,
    n_bins: int = 10,
    label: str | None = None,
    color: str = PALETTE[0],
    ax: Axes | None = None,
) -> Axes:
    """Draw the share of right statements against their stated confidence.

    Parameters
    ----------
    confidence, right, n_bins
        As in :func:`dnaclip.metrics.reliability`.
    label
        What the statements are, for the legend of several curves on the same axes.
    color
        Colour of the curve.
    ax
        Axes to draw on; `None` makes a new figure.

    Returns
    -------
    The axes. A point is a bin of confidence, its area grows with the number of statements, and the line through it is the 95 %
    interval. On the dashed diagonal confidence is exact; above it, confidence is too low, below it too high.

    Raises
    ------
    InputError
        As in :func:`dnaclip.metrics.reliability`.

    Examples
    --------
    >>> import dnaclip
    >>> ax = dnaclip.pl.reliability_curve([0.9, 0.9, 0.8, 0.1], [1, 1, 0, 0], n_bins=5)
    >>> ax.get_xlabel()
    'stated confidence'
    """
    table = reliability(confidence, right, n_bins=n_bins)
    first = ax is None or not ax.lines
    ax = axes_or_new(ax, (4.8, 4.6))
    if first:
        ax.plot([0, 1], [0, 1], linestyle="--", color=SMALLER, linewidth=1.2, zorder=1)
    x, y = table["confidence"].to_numpy(), table["accuracy"].to_numpy()
    spread = np.abs(table[["lower", "upper"]].to_numpy().T - y).clip(min=0)
    ax.errorbar(x, y, yerr=spread, color=color, linewidth=1.2, elinewidth=1, zorder=2)
    name = f"{label or 'annotations'}: {table['n'].sum():,}, ECE {table.attrs['ece']:.3f}"
    size = 20 + 180 * table["n"] / table["n"].max()
    ax.scatter(x, y, s=size, color=color, linewidths=0, zorder=3, label=name)
    ax.set(
        xlabel="stated confidence", ylabel="share that is right", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal"
    )
    legend = ax.legend(frameon=False, fontsize=8, loc="upper left")
    for handle in legend.legend_handles:
        handle.set_sizes([40])  # type: ignore[union-attr]
    ax.spines[["top", "right"]].set_visible(False)
    return ax
