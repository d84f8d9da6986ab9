"""What ridge reads: principal components of line profiles, and features of gene vectors that stand for a kernel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["GeneFeatures", "LineComponents"]

SHARPNESS = (0.1, 0.3, 1.0)
# Rows whose distances to all landmarks are in memory at once.
ROWS_AT_ONCE = 4096
JITTER = 1e-6


@dataclass(frozen=True, eq=False)
class LineComponents:
    """Principal components of the training profiles; a line without a profile (a row of NaN) is in the middle of them.

    Parameters
    ----------
    centre
        Mean profile (p,).
    axes
        Components (p, k), scaled so that a training line has a mean squared length of 1.
    """

    centre: np.ndarray
    axes: np.ndarray

    @classmethod
    def fit(cls, profiles: np.ndarray, n_components: int) -> LineComponents:
        """Fit to `profiles` (L, p), some not NaN; at most `n_components`, and no more than the profiles span."""
        known = profiles[np.isfinite(profiles).all(axis=1)]
        centre = known.mean(axis=0)
        x = known - centre
        _, spread, right = np.linalg.svd(x, full_matrices=False)
        real = spread[:n_components] > 1e-9 * max(spread.max(initial=0), 1e-300)
        axes = right[:n_components][real].T
        # The sign of a component is free: the largest loading is positive.
        axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]) if axes.size else axes
        total = np.sqrt((spread[:n_components] ** 2).sum() / len(x))
        return cls(centre, axes / (total or 1.0))

    def __call__(self, profiles: np.ndarray) -> np.ndarray:
        """Return the components of each profile, float64 (n, k)."""
        return np.nan_to_num(profiles - self.centre) @ self.axes


@dataclass(frozen=True, eq=False)
class GeneFeatures:
    """Features whose inner products are a kernel between genes: the mean over blocks of vectors of a kernel on each.

    Columns are standardised. With `sharpness` above 0 the kernel of a block is ``exp(-sharpness d² / median d²)``, d being
    the distance; with 0 it is the inner product. A gene that lacks a block (a row of NaN) is like no gene in it. With more
    genes than `n_landmarks` the kernel goes through a sample of them (Nyström).

    Parameters
    ----------
    blocks
        Widths of the blocks.
    centre, scale
        Mean and standard deviation of each column (d,).
    sharpness
        How quickly likeness fades; 0 for the linear kernel.
    medians
        Median squared distance in each block.
    landmarks
        Standardised vectors (m, d).
    projection
        From kernels with the landmarks to features (m, m).
    """

    blocks: tuple[int, ...]
    centre: np.ndarray
    scale: np.ndarray
    sharpness: float
    medians: np.ndarray
    landmarks: np.ndarray
    projection: np.ndarray

    @classmethod
    def fit(
        cls, vectors: np.ndarray, blocks: tuple[int, ...], sharpness: float, n_landmarks: int, rng: np.random.Generator
    ) -> GeneFeatures:
        """Fit to `vectors` (G, d), whose columns are the blocks side by side."""
        known = np.isfinite(vectors)
        count = known.sum(axis=0).clip(1)
        filled = np.where(known, vectors, 0.0)
        centre = filled.sum(axis=0) / count
        scale = np.sqrt((np.where(known, vectors - centre, 0.0) ** 2).sum(axis=0) / count)
        scale = np.where(scale > 1e-12, scale, np.inf)  # a constant column says nothing
        standard = (vectors - centre) / scale
        if sharpness == 0:
            return cls(blocks, centre, scale, 0.0, np.ones(len(blocks)), np.zeros((0, 0)), np.zeros((0, 0)))
        chosen = np.sort(rng.permutation(len(standard))[:n_landmarks])
        landmarks = standard[chosen]
        medians = np.array([_median_distance(part) for part in _parts(landmarks, blocks)])
        kernel = _kernel(landmarks, landmarks, blocks, sharpness, medians)
        # Genes with equal vectors, or with none, make the kernel singular.
        root = np.linalg.cholesky(kernel + JITTER * np.eye(len(kernel)))
        projection = np.linalg.inv(root).T
        return cls(blocks, centre, scale, sharpness, medians, landmarks, projection)

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """Return the features of each gene, float64 (n, q)."""
        standard = (vectors - self.centre) / self.scale
        if self.sharpness == 0:
            parts = [np.nan_to_num(part) / np.sqrt(part.shape[1]) for part in _parts(standard, self.blocks)]
            return np.concatenate([np.zeros((len(vectors), 0)), *parts], axis=1)
        rows = (standard[start : start + ROWS_AT_ONCE] for start in range(0, len(standard), ROWS_AT_ONCE))
        made = [
            _kernel(row, self.landmarks, self.blocks, self.sharpness, self.medians) @ self.projection for row in rows
        ]
        return np.concatenate([np.zeros((0, self.projection.shape[1])), *made])


def _parts(vectors: np.ndarray, blocks: tuple[int, ...]) -> list[np.ndarray]:
    return np.split(vectors, np.cumsum(blocks)[:-1], axis=1) if blocks else []


def _kernel(
    left: np.ndarray, right: np.ndarray, blocks: tuple[int, ...], sharpness: float, medians: np.ndarray
) -> np.ndarray:
    total = np.zeros((len(left), len(right)))
    for a, b, median in zip(_parts(left, blocks), _parts(right, blocks), medians, strict=True):
        known = np.outer(np.isfinite(a).all(axis=1), np.isfinite(b).all(axis=1))
        total += np.where(known, np.exp(-sharpness * _distances(a, b) / median), 0.0)
    return total / max(len(blocks), 1)


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distances; rows of NaN count as 0 here."""
    a, b = np.nan_to_num(a), np.nan_to_num(b)
    return ((a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T).clip(min=0)


def _median_distance(block: np.ndarray) -> float:
    known = block[np.isfinite(block).all(axis=1)]
    if len(known) < 2:
        return 1.0
    return max(float(np.median(_distances(known, known)[np.triu_indices(len(known), 1)])), 1e-9)
