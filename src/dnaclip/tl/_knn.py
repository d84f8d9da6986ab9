"""Exact nearest neighbours by cosine: matrix products in blocks, so memory does not grow with the number of pairs."""

from __future__ import annotations

import numpy as np
from scipy import sparse

__all__ = ["knn_graph", "nearest"]

# Similarities held at a time: 32 MiB as float32, about four times that with the sorting.
BLOCK_VALUES = 2**23
# Similarities are compared to this many decimals: equal vectors tie, although BLAS may differ in the last bit.
DECIMALS = 6


def nearest(
    queries: np.ndarray, base: np.ndarray, n_neighbors: int, *, own: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Find the rows of `base` with the highest cosine to each query, the most similar first.

    Parameters
    ----------
    queries, base
        L2-normalised rows, (n, d) and (m, d).
    n_neighbors
        Neighbours per query, at most m, or m - 1 with `own`.
    own
        Row of `base` that is the query itself and never its own neighbour, (n,).

    Returns
    -------
    Indices into `base` and cosine similarities rounded to six decimals, both (n, n_neighbors). The earlier row
    wins a tie.
    """
    indices = np.empty((len(queries), n_neighbors), dtype=np.int64)
    similarities = np.empty((len(queries), n_neighbors), dtype=queries.dtype)
    step = max(1, BLOCK_VALUES // len(base))
    for start in range(0, len(queries), step):
        band = slice(start, start + step)
        cosine = queries[band] @ base.T
        each = np.arange(len(cosine))
        if own is not None:
            cosine[each, own[band]] = -np.inf
        # A tie with the last neighbour is settled below, so whatever rounds to its similarity is a candidate.
        floor = _floor(cosine, n_neighbors) - 10.0**-DECIMALS
        row, column = np.divmod(np.flatnonzero(cosine >= floor), len(base))
        value = np.round(cosine[row, column], DECIMALS)
        order = np.lexsort((column, -value, row))
        best = order[np.searchsorted(row, each)[:, None] + np.arange(n_neighbors)]
        indices[band], similarities[band] = column[best], value[best]
    return indices, similarities


def _floor(cosine: np.ndarray, k: int) -> np.ndarray:
    """Return a lower bound of the k-th highest value in each row, (n, 1), three times faster than the value itself.

    The columns are dealt into at least k groups. The k-th highest of the groups' maxima is exceeded by a value in
    each of k - 1 other groups, hence it is not above the k-th highest value of the row.
    """
    n_groups = min(cosine.shape[1], max(4 * k, cosine.shape[1] // 64))
    depth = cosine.shape[1] // n_groups
    best = cosine[:, : depth * n_groups].reshape(len(cosine), depth, n_groups).max(axis=1)
    return np.partition(best, n_groups - k, axis=1)[:, [n_groups - k]]


def knn_graph(indices: np.ndarray, similarities: np.ndarray) -> sparse.csr_matrix:
    """Return the undirected neighbour graph (n, n): an edge weighs the mean of its two directions.

    A neighbour in both directions so weighs twice one in a single direction. Similarities of zero or less make no
    edge. It is a `csr_matrix`, not a `csr_array`, because scanpy 1.11 reads only the former.
    """
    n, k = indices.shape
    weights = np.maximum(similarities, 0).ravel()
    directed = sparse.csr_matrix((weights, (np.repeat(np.arange(n), k), indices.ravel())), shape=(n, n))
    graph = sparse.csr_matrix((directed + directed.T) / 2)
    graph.eliminate_zeros()
    return graph
