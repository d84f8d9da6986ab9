"""Exact neighbours: equal to a full sort, whatever the blocks, with ties settled by position."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from dnaclip.tl import _knn
from dnaclip.tl._knn import knn_graph, nearest


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def by_sorting(queries: np.ndarray, base: np.ndarray, k: int, own: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    cosine = np.round(queries @ base.T, 6)
    if own is not None:
        cosine[np.arange(len(queries)), own] = -np.inf
    order = np.argsort(-cosine, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(cosine, order, axis=1)


@given(
    n=st.integers(2, 120),
    n_distinct=st.integers(1, 120),
    k=st.integers(1, 119),
    block=st.sampled_from([1, 50, 700, 2**20]),
    seed=st.integers(0, 5),
)
def test_equal_to_sorting_all_pairs(n: int, n_distinct: int, k: int, block: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    distinct = unit(rng.normal(size=(n_distinct, 3)))
    vectors = distinct[rng.integers(0, n_distinct, n)]  # equal rows: ties
    k, own = min(k, n - 1), np.arange(n)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_knn, "BLOCK_VALUES", block)
        indices, similarities = nearest(vectors, vectors, k, own=own)
    order, cosine = by_sorting(vectors, vectors, k, own)
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_allclose(similarities, cosine, atol=1e-9)


def test_queries_need_not_be_in_the_base() -> None:
    rng = np.random.default_rng(0)
    queries, base = unit(rng.normal(size=(5, 4))), unit(rng.normal(size=(300, 4)))
    indices, similarities = nearest(queries, base, 300)
    order, cosine = by_sorting(queries, base, 300, None)
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_allclose(similarities, cosine, atol=1e-9)


def test_single_precision_stays_single() -> None:
    vectors = unit(np.random.default_rng(0).normal(size=(20, 4))).astype(np.float32)
    indices, similarities = nearest(vectors, vectors, 3, own=np.arange(20))
    assert similarities.dtype == np.float32
    assert indices.dtype == np.int64
    assert (indices != np.arange(20)[:, None]).all()


def test_the_graph_is_undirected_and_mutual_neighbours_weigh_double() -> None:
    indices = np.array([[1], [0], [0], [0]])
    graph = knn_graph(indices, np.array([[0.8], [0.8], [0.6], [-0.4]]))
    expected = np.zeros((4, 4))
    expected[0, 1] = expected[1, 0] = 0.8
    expected[0, 2] = expected[2, 0] = 0.3
    np.testing.assert_allclose(graph.toarray(), expected)
    assert isinstance(graph, sparse.csr_matrix)
    assert graph.nnz == 4, "a similarity below zero makes no edge"
