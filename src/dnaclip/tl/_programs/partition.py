"""Three ways to cut the genes of a neighbour graph into communities, each at several levels of detail."""

from __future__ import annotations

import random
import warnings
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from dnaclip._validate import torch_seed

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["METHODS", "Method", "partition"]

Method = Literal["leiden", "hierarchical", "spectral"]
METHODS: tuple[Method, ...] = ("leiden", "hierarchical", "spectral")


def partition(
    vectors: np.ndarray,
    graph: sparse.csr_matrix,
    method: Method,
    levels: Sequence[float],
    min_genes: int,
    rng: np.random.Generator,
) -> list[np.ndarray]:
    """Return the community of each gene at each level, int (n,); -1 where a gene hangs together with too few others.

    Parameters
    ----------
    vectors, graph
        Vectors (n, d) and undirected neighbour graph (n, n) of the genes.
    method
        `"leiden"` maximises modularity; `"hierarchical"` merges neighbours by Ward's criterion; `"spectral"` runs
        k-means on the leading eigenvectors of the graph.
    levels
        Resolutions for Leiden, numbers of communities for the other two.
    min_genes
        Connected components with fewer genes are set aside first: a number of communities is not spent on them.
    """
    component = connected_components(graph, directed=False)[1]
    kept = np.flatnonzero(np.bincount(component)[component] >= min_genes)
    if kept.size == 0:
        return [np.full(len(component), -1) for _ in levels]
    graph = graph if kept.size == len(component) else graph[kept][:, kept]
    if method == "leiden":
        found = [_leiden(graph, float(level), rng) for level in levels]
    elif method == "hierarchical":
        found = _ward(vectors[kept], graph, [int(level) for level in levels])
    else:
        found = _spectral(graph, [int(level) for level in levels], rng)
    communities = []
    for labels in found:
        everyone = np.full(len(component), -1)
        everyone[kept] = labels
        communities.append(everyone)
    return communities


def _leiden(graph: sparse.csr_matrix, resolution: float, rng: np.random.Generator) -> np.ndarray:
    """Return the community of each node under modularity, after two iterations (more change next to nothing)."""
    import igraph

    edges = sparse.triu(graph, k=1).tocoo()
    network = igraph.Graph(n=graph.shape[0], edges=np.column_stack([edges.row, edges.col]))
    # igraph draws from Python's global generator unless it is given another one for the time being.
    igraph.set_random_number_generator(random.Random(torch_seed(rng)))
    try:
        communities = network.community_leiden(
            objective_function="modularity", weights=edges.data, resolution=resolution, n_iterations=2
        )
    finally:
        igraph.set_random_number_generator(random)
    return np.asarray(communities.membership)


def _ward(vectors: np.ndarray, graph: sparse.csr_matrix, levels: Sequence[int]) -> list[np.ndarray]:
    """Return the communities after merging neighbours until `level` are left: one tree serves all levels."""
    from sklearn.cluster import ward_tree

    n = len(vectors)
    with warnings.catch_warnings():
        # Components are joined where they are closest, which is what is wanted.
        warnings.filterwarnings("ignore", message="the number of connected components")
        children = ward_tree(vectors.astype(np.float64), connectivity=graph)[0]
    communities = []
    for level in levels:
        merges = max(n - level, 0)
        parents = np.repeat(np.arange(n, n + merges), 2)
        tree = sparse.coo_array((np.ones(2 * merges), (children[:merges].ravel(), parents)), shape=(2 * n, 2 * n))
        communities.append(connected_components(tree, directed=False)[1][:n])
    return communities


def _spectral(graph: sparse.csr_matrix, levels: Sequence[int], rng: np.random.Generator) -> list[np.ndarray]:
    r"""Return k-means communities of the rows of the k leading eigenvectors of :math:`D^{-1/2} W D^{-1/2}` :cite:p:`Ng2001`."""
    from sklearn.cluster import KMeans

    n = graph.shape[0]
    levels = [min(level, n) for level in levels]
    scale = sparse.diags_array(1 / np.sqrt(np.asarray(graph.sum(axis=1)).ravel().astype(np.float64)))
    leading = _leading_vectors(sparse.csr_array(scale @ graph @ scale), max(levels), rng)
    communities = []
    for level in levels:
        rows = leading[:, :level]
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        rows = rows / np.where(length > 0, length, 1)
        communities.append(KMeans(level, n_init=3, random_state=torch_seed(rng)).fit_predict(rows))
    return communities


def _leading_vectors(matrix: sparse.csr_array, k: int, rng: np.random.Generator) -> np.ndarray:
    """Return the eigenvectors (n, k) of the k largest eigenvalues of a symmetric matrix, the largest first."""
    from scipy.sparse.linalg import eigsh

    n = matrix.shape[0]
    if n <= max(4 * k, 200):
        return np.linalg.eigh(matrix.toarray())[1][:, ::-1][:, :k]
    values, vectors = eigsh(matrix, k=k, which="LA", v0=rng.normal(size=n), tol=1e-6)
    return vectors[:, np.argsort(-values, kind="stable")]
