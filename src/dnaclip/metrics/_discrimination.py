"""Does a prediction resemble the perturbation it is meant for more than the others? A constant cannot pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["discriminate", "padded"]

# Distances held at once: 32 MiB.
DISTANCES_AT_ONCE = 2**22
# Distances that differ by less, relative to their size, differ by rounding only.
TIE = 1e-9


def discriminate(
    predicted: np.ndarray,
    observed: np.ndarray,
    targets: tuple[np.ndarray, np.ndarray],
    *,
    by: str,
    floor: float = 0.0,
) -> np.ndarray:
    r"""Return :math:`1 - (r_i - 1) / (n - 1)` for each prediction, float64 (m,).

    :math:`r_i` is the rank of the true profile among the n observed ones by distance to prediction i, from 1 for the
    nearest. Profiles as near as the true one count half, which is the mean over random orders: a prediction that
    cannot tell profiles apart scores exactly 1/2. Genes that perturbation i targets are left out of its distances to
    all profiles.

    Parameters
    ----------
    predicted, observed
        Changes (n, G).
    targets
        Positions of the genes to leave out and whether each is one, both (n, t), as from :func:`padded`.
    by
        `"l1"`, or `"cosine"` for one minus the cosine.
    floor
        With the cosine, a root mean square up to which a profile counts as zero: it resembles all others alike.
    """
    n = len(observed)
    if n < 2:
        return np.full(n, np.nan)
    missing = np.isnan(predicted).any(axis=1)
    predicted = np.where(missing[:, None], 0.0, predicted)
    distances = _l1 if by == "l1" else _cosine
    result = np.empty(n)
    step = max(1, DISTANCES_AT_ONCE // n)
    for start in range(0, n, step):
        rows = np.arange(start, min(start + step, n))
        distance, scale = distances(predicted[rows], observed, targets[0][rows], targets[1][rows], floor)
        true = distance[np.arange(len(rows)), rows][:, None]
        near, tied = distance < true - TIE * scale, np.abs(distance - true) <= TIE * scale
        result[rows] = 1 - (near.sum(axis=1) + (tied.sum(axis=1) - 1) / 2) / (n - 1)
    result[missing] = np.nan
    return result


def padded(targets: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Turn lists of positions into a table (n, longest list), and the places of the table that are in use."""
    longest = max((len(one) for one in targets), default=0)
    positions, used = np.zeros((len(targets), longest), np.int64), np.zeros((len(targets), longest), bool)
    for row, one in enumerate(targets):
        positions[row, : len(one)], used[row, : len(one)] = one, True
    return positions, used


def _l1(
    predicted: np.ndarray, observed: np.ndarray, genes: np.ndarray, used: np.ndarray, floor: float
) -> tuple[np.ndarray, np.ndarray]:
    from scipy.spatial.distance import cdist

    distance = cdist(predicted, observed, "cityblock")
    scale = distance.max(axis=1, keepdims=True)
    rows = np.arange(len(predicted))
    for gene, is_target in zip(genes.T, used.T, strict=True):
        distance -= is_target[:, None] * np.abs(predicted[rows, gene][:, None] - observed[:, gene].T)
    return distance, scale


def _cosine(
    predicted: np.ndarray, observed: np.ndarray, genes: np.ndarray, used: np.ndarray, floor: float
) -> tuple[np.ndarray, np.ndarray]:
    predicted = predicted.copy()
    rows = np.arange(len(predicted))
    squares = np.broadcast_to((observed**2).sum(axis=1), (len(predicted), len(observed))).copy()
    for gene, is_target in zip(genes.T, used.T, strict=True):
        predicted[rows[is_target], gene[is_target]] = 0
        squares -= is_target[:, None] * observed[:, gene].T ** 2
    smallest = floor * np.sqrt(observed.shape[1])
    length, other = np.linalg.norm(predicted, axis=1)[:, None], np.sqrt(np.maximum(squares, 0))
    zero = (length <= smallest) | (other <= smallest)
    cosine = np.divide(predicted @ observed.T, length * other, out=np.zeros_like(other), where=~zero)
    return 1 - cosine, np.ones((len(predicted), 1))
