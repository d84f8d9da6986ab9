"""The energy distance between two groups of cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from dnaclip._errors import InputError
from dnaclip._validate import check_choice

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["e_distance"]

# Distances held at once: 32 MiB.
DISTANCES_AT_ONCE = 2**22


def e_distance(
    cells_a: ArrayLike, cells_b: ArrayLike, *, metric: Literal["euclidean", "sqeuclidean"] = "euclidean"
) -> float:
    r"""Energy distance between two groups of cells, without bias.

    .. math:: E = 2\,\overline{d(a, b)} - \overline{d(a, a')} - \overline{d(b, b')},

    where the means run over all pairs of cells, and within a group over pairs of *different* cells: with a cell's
    distance to itself left out, small groups are not further apart than large ones, and two halves of one population
    have the expectation 0 :cite:p:`Szekely2013`. So a value can be slightly negative.

    Parameters
    ----------
    cells_a, cells_b
        Shape (n, G) and (m, G), at least two cells each. Distances are held in blocks of bounded size.
    metric
        `"euclidean"` compares whole distributions. `"sqeuclidean"`, as some published tables have it, is twice the
        squared distance of the two means, less what their noise adds: it does not see variance.

    Returns
    -------
    A number in the units of the distance; NaN when a group has fewer than two cells.

    Raises
    ------
    InputError
        The groups have different genes, or values are NaN or infinite.

    Examples
    --------
    >>> from dnaclip.metrics import e_distance
    >>> e_distance([[0.0], [2.0]], [[5.0], [7.0]])
    6.0
    """
    check_choice("metric", metric, ("euclidean", "sqeuclidean"))
    a, b = (np.asarray(cells, dtype=np.float64) for cells in (cells_a, cells_b))
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        msg = f"cells_a and cells_b must be (cells, genes) with the same genes, got {a.shape} and {b.shape}."
        raise InputError(msg)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        msg = "cells_a and cells_b must not hold NaN or infinite values."
        raise InputError(msg)
    if min(len(a), len(b)) < 2:
        return float("nan")
    # Near the origin the expanded square loses no digits.
    middle = a.mean(axis=0)
    a, b = a - middle, b - middle
    between = _sum_of_distances(a, b, metric) / (len(a) * len(b))
    within = sum(_sum_of_distances(x, x, metric) / (len(x) * (len(x) - 1)) for x in (a, b))
    return float(2 * between - within)


def _sum_of_distances(a: np.ndarray, b: np.ndarray, metric: str) -> float:
    """Sum the distances of all pairs, by blocks of rows; a cell's distance to itself is exactly 0."""
    squares = (b**2).sum(axis=1)
    step = max(1, DISTANCES_AT_ONCE // len(b))
    total = 0.0
    for start in range(0, len(a), step):
        block = a[start : start + step]
        distance = (block**2).sum(axis=1)[:, None] + squares - 2 * block @ b.T
        np.maximum(distance, 0, out=distance)
        if a is b:
            rows = np.arange(len(block))
            distance[rows, start + rows] = 0
        total += (np.sqrt(distance) if metric == "euclidean" else distance).sum()
    return total
