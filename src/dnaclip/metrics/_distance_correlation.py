"""Distance correlation: dependence of any form between two sets of measurements of the same genes."""

from __future__ import annotations

import numpy as np

__all__ = ["distance_correlation"]

# Distances held at once, per side: 16 MiB.
DISTANCES_AT_ONCE = 2**21


def distance_correlation(a: np.ndarray, b: np.ndarray) -> float:
    r"""Return the distance correlation of the rows of `a` (n, p) and `b` (n, q), between 0 and 1.

    .. math:: R = \sqrt{\operatorname{dCov}^2(a, b) / \sqrt{\operatorname{dVar}^2(a) \operatorname{dVar}^2(b)}},
        \quad \operatorname{dCov}^2(a, b) = \overline{A_{ij} B_{ij}},

    with A and B the matrices of Euclidean distances, centred by rows and columns. It is NaN when a side is constant.
    Distances are computed by blocks of rows, so that memory grows with n and time with its square.
    """
    sides = [np.asarray(side, dtype=np.float64).reshape(len(a), -1) for side in (a, b)]
    n = len(a)
    means = np.zeros((2, n))
    products = np.zeros(3)  # sums of A B, A A and B B before centring
    step = max(1, DISTANCES_AT_ONCE // max(n, 1))
    for start in range(0, n, step):
        rows = slice(start, start + step)
        one, two = (_distances(side[rows], side) for side in sides)
        means[0, rows], means[1, rows] = one.mean(axis=1), two.mean(axis=1)
        products += (one * two).sum(), (one * one).sum(), (two * two).sum()
    total = means.mean(axis=1)
    pairs = ((0, 1), (0, 0), (1, 1))
    covariance, *variances = (
        products[k] / n**2 - 2 * (means[i] * means[j]).mean() + total[i] * total[j] for k, (i, j) in enumerate(pairs)
    )
    scale = np.sqrt(max(variances[0], 0) * max(variances[1], 0))
    if not scale > 1e-15 * np.sqrt(products[1] * products[2]) / n**2:
        return float("nan")
    return float(np.sqrt(min(max(covariance, 0) / scale, 1)))


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    from scipy.spatial.distance import cdist

    return np.abs(a - b.T) if a.shape[1] == 1 else cdist(a, b)
