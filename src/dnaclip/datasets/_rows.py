"""Rows of vectors: scale them to length one, keep one copy of each."""

from __future__ import annotations

import numpy as np

__all__ = ["distinct_rows", "unit_rows"]


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Scale every row to length one.

    Returns
    -------
    float32 (n, d). A row without a direction (all zero, or NaN) becomes NaN.
    """
    vectors = np.asarray(vectors, dtype=np.float32)
    # Dividing by the largest entry first keeps the squares of huge and tiny numbers inside float32.
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = vectors / np.abs(vectors).max(axis=1, keepdims=True, initial=0)
        scaled /= np.sqrt(np.einsum("ij,ij->i", scaled, scaled))[:, None]
    return scaled


def distinct_rows(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keep one copy of each distinct unit vector: many genes share a text, hence a vector.

    Vectors that agree when rounded to multiples of 1/127 count as one, because those of the same text differ in their
    last digits when they were computed in different batches.

    Returns
    -------
    The distinct rows in the order of their first appearance, and for each input row its place among them (int32).
    """
    rounded = np.ascontiguousarray(np.rint(vectors * 127).astype(np.int8))
    keys = rounded.view(np.dtype((np.void, rounded.shape[1]))).ravel()
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return vectors[first[order]], rank[inverse].astype(np.int32)
