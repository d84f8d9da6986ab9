"""The axes that a plot is drawn on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["axes_or_new", "length_in_points"]


def axes_or_new(ax: Axes | None, figsize: tuple[float, float]) -> Axes:
    """Return `ax`, or the axes of a new figure of `figsize` inches."""
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=figsize, layout="constrained")
    return ax


def length_in_points(ax: Axes) -> float:
    """Return about how long the shorter side of the axes is, in points, when a colour bar and labels have their room."""
    return 0.8 * min(ax.bbox.width, ax.bbox.height) * 72 / ax.figure.dpi
