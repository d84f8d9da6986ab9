"""Names beside points, where they cover neither each other nor the points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

__all__ = ["write_labels"]

DIRECTIONS = 16
DISTANCES = (7, 14, 24, 36, 50, 70)  # in typographic points


def write_labels(
    ax: Axes, at: np.ndarray, names: Sequence[str], others: np.ndarray, *, colors: Sequence[str], fontsize: float = 8
) -> list[Annotation]:
    """Write a name beside each point of `at` (n, 2), away from the points `others` (m, 2) and from the names before it.

    Each name takes, of a ring of places around its point, the one that covers least; a thin line leads to it. Call
    this last: it fixes the layout of the figure.
    """
    figure: Any = ax.figure
    figure.draw_without_rendering()
    scale = figure.dpi / 72
    points, crowd = ax.transData.transform(at), ax.transData.transform(others)
    frame = np.array(ax.get_window_extent().extents)
    angles = np.linspace(0, 2 * np.pi, DIRECTIONS, endpoint=False)
    ring = np.array([[d * np.cos(a), d * np.sin(a)] for d in DISTANCES for a in angles])
    boxes = np.empty((0, 2, 2))  # low and high corner of the names there are
    lines = np.empty((0, 2))  # points along the lines there are
    labels = []
    for point, (x, y), name, color in zip(points, at, names, colors, strict=True):
        label = ax.annotate(
            name,
            (x, y),
            xytext=(0, 0),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=fontsize,
            color=color,
            arrowprops={"arrowstyle": "-", "linewidth": 0.5, "color": "#888888", "shrinkA": 0, "shrinkB": 2},
        )
        extent = label.get_window_extent()
        half = np.array([extent.width, extent.height]) / 2 + scale
        # From the ring outwards, so that the edge of the text, not its middle, keeps the distance.
        offsets = ring * scale + np.sign(np.round(ring, 6)) * half * [1, 0.5]
        leaders = [point + np.linspace(0.1, 0.9, 12)[:, None] * offset for offset in offsets]
        cost = [
            _cost(np.stack([point + offset - half, point + offset + half]), leader, crowd, lines, boxes, frame)
            + np.hypot(*offset) / 1e3
            for offset, leader in zip(offsets, leaders, strict=True)
        ]
        best = int(np.argmin(cost))
        label.set_position(tuple(offsets[best] / scale))
        boxes = np.concatenate([boxes, [[point + offsets[best] - half, point + offsets[best] + half]]])
        lines = np.concatenate([lines, leaders[best]])
        labels.append(label)
    return labels


def _cost(
    box: np.ndarray, leader: np.ndarray, crowd: np.ndarray, lines: np.ndarray, boxes: np.ndarray, frame: np.ndarray
) -> float:
    """Say how bad it is to put a name into `box`: outside the axes, on other names, on lines or on points."""
    low, high = box
    outside = bool((low < frame[:2]).any() or (high > frame[2:]).any())
    clash = bool(((low < boxes[:, 1]) & (high > boxes[:, 0])).all(axis=1).any())
    crossed = ((leader[:, None] >= boxes[:, 0]) & (leader[:, None] <= boxes[:, 1])).all(axis=2).any(axis=0).sum()
    covered, on_lines = (int(((dots >= low) & (dots <= high)).all(axis=1).sum()) for dots in (crowd, lines))
    return 1000.0 * outside + 100.0 * clash + 5.0 * crossed + 2.0 * min(on_lines, 3) + covered
