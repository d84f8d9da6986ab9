"""How alike the genes of a program are, beside random sets of as many genes."""

from __future__ import annotations

import numpy as np

__all__ = ["coherence", "mean_cosine"]

N_RANDOM = 200


def mean_cosine(vectors: np.ndarray) -> float:
    r"""Return the mean cosine over all pairs of rows; rows have length one, or zero for a gene that never varies.

    No pair is formed: :math:`\sum_{i \ne j} v_i \cdot v_j = \lVert \sum_i v_i \rVert^2 - \sum_i \lVert v_i \rVert^2`.
    """
    n = len(vectors)
    total = vectors.sum(axis=0, dtype=np.float64)
    return float((total @ total - np.square(vectors, dtype=np.float64).sum()) / (n * (n - 1)))


def coherence(vectors: np.ndarray, members: np.ndarray, rng: np.random.Generator) -> tuple[float, float, float]:
    """Return the mean cosine of the rows `members`, and its mean and standard deviation over random sets of as many rows."""
    random = [mean_cosine(vectors[rng.choice(len(vectors), len(members), replace=False)]) for _ in range(N_RANDOM)]
    return mean_cosine(vectors[members]), float(np.mean(random)), float(np.std(random))
