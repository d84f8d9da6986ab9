"""Colour points on given axes: by category with a colour-blind-safe palette, or by number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection

__all__ = ["MARKERS", "MISSING", "PALETTE", "SMALLER", "draw_categories", "draw_numbers"]

# Paul Tol's "muted" scheme, distinguishable with every common colour blindness, and its grey for what has no value.
PALETTE = ("#332288", "#CC6677", "#117733", "#DDCC77", "#88CCEE", "#882255", "#44AA99", "#AA4499", "#999933")
MISSING = "#DDDDDD"
SMALLER = "#AAAAAA"
# With more categories than colours the marker changes too, so that no two categories look alike.
MARKERS = ("o", "^", "s")


def draw_numbers(ax: Axes, points: np.ndarray, values: np.ndarray, *, label: str, size: float) -> None:
    """Scatter `points` (n, 2) coloured by `values` (n,) with a colour bar; values that are not finite stay grey.

    Points with NaN are not drawn, here and in :func:`draw_categories`.
    """
    drawn, known = np.isfinite(points[:, 0]), np.isfinite(values)
    _scatter(ax, points[drawn & ~known], MISSING, size=0.6 * size)
    known &= drawn
    order = np.flatnonzero(known)[np.argsort(values[known], kind="stable")]  # high values on top
    dots = _scatter(ax, points[order], values[order], size=size, cmap="viridis")
    ax.figure.colorbar(dots, ax=ax, label=label, shrink=0.7)


def draw_categories(
    ax: Axes, points: np.ndarray, values: pd.Series, *, size: float, n_labels: int, legend: str | None
) -> None:
    """Scatter `points` (n, 2) coloured by category, with the names of the `n_labels` largest on the map.

    Beyond 27 categories, nine colours by three markers, the smaller ones share one grey. What is not drawn counts for
    the size of a category, so that maps of the same genes by different embeddings have the same colours. `legend` is
    the title of the legend, which gives the number of points drawn.
    """
    category = pd.Series(pd.Categorical(values)).cat.remove_unused_categories()
    # Equal sizes stay in the order of the categories: P9 before P10.
    names = category.value_counts().sort_index().sort_values(ascending=False, kind="stable").index
    shown, rest = names[: len(PALETTE) * len(MARKERS)], names[len(PALETTE) * len(MARKERS) :]
    drawn = np.isfinite(points[:, 0])

    def draw(which: pd.Series, name: str, color: str, *, named: bool = False, **options: Any) -> PathCollection | None:
        members = points[drawn & which.to_numpy()]
        if len(members) == 0:
            return None
        if named:
            _write_name(ax, name, members)
        return _scatter(ax, members, color, label=f"{name} ({len(members)})", **options)

    # What says least is drawn first, below the rest, and named last.
    none = draw(category.isna(), "none", MISSING, size=0.6 * size)
    others = draw(category.isin(rest), f"{len(rest)} smaller", SMALLER, size=size)
    dots = []
    for i, name in enumerate(shown):
        look = {"color": PALETTE[i % len(PALETTE)], "marker": MARKERS[i // len(PALETTE)]}
        dots.append(draw(category == name, str(name), named=i < n_labels, size=size, **look))
    if legend is not None:
        _write_legend(ax, [part for part in (*dots, others, none) if part is not None], title=legend)


def _scatter(ax: Axes, points: np.ndarray, color: str | np.ndarray, *, size: float, **options: Any) -> PathCollection:
    return ax.scatter(points[:, 0], points[:, 1], s=size, c=color, linewidths=0, rasterized=True, **options)


def _write_name(ax: Axes, name: str, members: np.ndarray) -> None:
    """Write `name` on the member that is nearest to the middle, so that it never stands among other points."""
    from matplotlib import patheffects

    distance = np.linalg.norm(members - np.median(members, axis=0), axis=1)
    x, y = members[distance.argmin()]
    halo = [patheffects.withStroke(linewidth=2.5, foreground="white")]
    ax.text(x, y, name, ha="center", va="center", fontsize=9, fontweight="bold", path_effects=halo)


def _write_legend(ax: Axes, dots: list[PathCollection], *, title: str) -> None:
    legend = ax.legend(
        handles=dots,
        title=title,
        loc="center left",
        bbox_to_anchor=(1.01, 0.5),
        ncols=1 + len(dots) // 18,
        frameon=False,
        fontsize=8,
    )
    handles: list[Any] = legend.legend_handles
    for handle in handles:
        handle.set_sizes([30])
