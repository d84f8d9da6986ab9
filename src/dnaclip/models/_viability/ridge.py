"""Ridge regression whose penalty is chosen by leaving out one row at a time, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Decomposed", "LinearMap", "fit_ridge"]

# Relative to the mean squared length of a row of features; infinite is the mean alone.
PENALTIES = (*np.logspace(-3, 2, 11).tolist(), np.inf)
# Columns of targets that choose the penalty.
MAX_JUDGED = 64


@dataclass(frozen=True, eq=False)
class LinearMap:
    """`(features - centre) @ weights + offset`.

    Parameters
    ----------
    centre
        Mean of the features (r,).
    weights
        Float64 (r, t).
    offset
        Mean of the targets (t,).
    penalty
        The penalty chosen; infinite when the mean alone did better.
    error
        Mean squared leave-one-out error of the columns that it was chosen by.
    """

    centre: np.ndarray
    weights: np.ndarray
    offset: np.ndarray
    penalty: float
    error: float

    def __call__(self, features: np.ndarray) -> np.ndarray:
        return (features - self.centre) @ self.weights + self.offset


@dataclass(frozen=True, eq=False)
class Decomposed:
    """Features by their singular values, so that several regressions share the work: ``x - centre = axes * spread @ right.T``.

    Parameters
    ----------
    centre
        Mean of the features (r,).
    axes, spread, right
        Left singular vectors (n, q), singular values (q,) and right singular vectors (r, q), without what is zero.
    """

    centre: np.ndarray
    axes: np.ndarray
    spread: np.ndarray
    right: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray) -> Decomposed:
        """Decompose `features` (n, r)."""
        centre = features.mean(axis=0)
        x = features - centre
        wide = x.shape[1] > x.shape[0]
        # The smaller of the two products is quicker than a decomposition of the whole.
        squares, vectors = np.linalg.eigh(x @ x.T if wide else x.T @ x)
        real = squares > 1e-12 * max(squares.max(initial=0), 1e-300)
        spread, vectors = np.sqrt(squares[real]), vectors[:, real]
        other = (x.T if wide else x) @ vectors / spread
        return cls(centre, vectors, spread, other) if wide else cls(centre, other, spread, vectors)


def fit_ridge(features: Decomposed, targets: np.ndarray) -> LinearMap:
    """Fit ridge from `features` (n, r) to `targets` (n, t), one penalty for all columns.

    The leave-one-out error of row i is its residual divided by ``1 - 1/n - h_ii``, h being the hat matrix of the centred
    features: the mean is fitted as well, hence the ``1/n``.
    """
    axes, spread, n = features.axes, features.spread, len(targets)
    offset = targets.mean(axis=0)
    y = targets - offset
    scale = max((spread**2).sum() / n, 1e-300)
    judged = y[:, np.unique(np.linspace(0, y.shape[1] - 1, min(MAX_JUDGED, y.shape[1])).astype(int))]
    along, squared = axes.T @ judged, axes**2
    errors = []
    for penalty in PENALTIES:
        kept = spread**2 / (spread**2 + penalty * scale)
        left = (1 - 1 / n - squared @ kept).clip(1e-9)
        errors.append(float((((judged - axes @ (kept[:, None] * along)) / left[:, None]) ** 2).mean()))
    # Of equal errors the strongest penalty: features that say nothing are not read.
    best = len(PENALTIES) - 1 - int(np.argmin(errors[::-1]))
    shrunk = spread / (spread**2 + PENALTIES[best] * scale)
    weights = features.right @ (shrunk[:, None] * (axes.T @ y))
    return LinearMap(features.centre, weights, offset, PENALTIES[best], errors[best])
