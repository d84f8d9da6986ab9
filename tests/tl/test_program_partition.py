"""Cutting a neighbour graph, and how stable the cut is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.metrics import adjusted_rand_score

from dnaclip.tl._knn import knn_graph, nearest
from dnaclip.tl._programs.membership import programs_and_membership
from dnaclip.tl._programs.partition import METHODS, Method, partition
from dnaclip.tl._programs.stability import _choose, _graph


def blobs(sizes: list[int], noise: float = 0.2, d: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(len(sizes)), sizes)
    vectors = np.eye(d)[group] + noise * rng.normal(size=(len(group), d))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), group


def graph_of(vectors: np.ndarray, k: int = 8) -> sparse.csr_matrix:
    return knn_graph(*nearest(vectors, vectors, k, own=np.arange(len(vectors))))


@pytest.mark.parametrize("method", METHODS)
def test_blobs_are_found_and_levels_are_apart(method: Method) -> None:
    vectors, group = blobs([60, 90, 50, 80, 70])
    levels = [1.0, 6.0] if method == "leiden" else [5, 10]
    few, many = partition(vectors, graph_of(vectors), method, levels, 5, np.random.default_rng(0))
    assert adjusted_rand_score(group, few) > 0.99
    assert len(set(many)) > 5


@pytest.mark.parametrize("method", ["hierarchical", "spectral"])
def test_small_components_take_no_program(method: Method) -> None:
    vectors, group = blobs([40, 40, 3], noise=0.02)
    graph = graph_of(vectors[:80], 6)
    apart = sparse.csr_matrix(sparse.block_diag([graph, sparse.coo_matrix(np.ones((3, 3)) - np.eye(3))]))
    (found,) = partition(vectors, apart, method, [2], 5, np.random.default_rng(0))
    assert (found[80:] == -1).all()
    assert adjusted_rand_score(group[:80], found[:80]) == 1


def test_nothing_but_small_components() -> None:
    vectors, _ = blobs([4])
    for method in METHODS:
        (found,) = partition(vectors, sparse.csr_matrix((4, 4)), method, [2], 2, np.random.default_rng(0))
        assert found.tolist() == [-1] * 4


@pytest.mark.parametrize("method", METHODS)
def test_the_seed_decides(method: Method) -> None:
    vectors = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32)
    graph = graph_of(vectors)
    first, again = (partition(vectors, graph, method, [8], 5, np.random.default_rng(3))[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_leading_eigenvectors_of_large_and_small_graphs_agree() -> None:
    vectors, group = blobs([150, 100, 120])
    (found,) = partition(vectors, graph_of(vectors), "spectral", [3], 5, np.random.default_rng(0))
    assert len(group) > 200, "large enough for the iterative solver"
    assert adjusted_rand_score(group, found) == 1


def test_the_graph_of_a_subsample_is_that_of_its_genes_alone() -> None:
    vectors, _ = blobs([60, 60], noise=0.5)
    neighbors = nearest(vectors, vectors, 40, own=np.arange(120))
    kept = np.sort(np.random.default_rng(1).choice(120, 90, replace=False))
    np.testing.assert_allclose(_graph(neighbors, 10, kept).toarray(), graph_of(vectors[kept], 10).toarray(), atol=1e-6)
    np.testing.assert_allclose(_graph(neighbors, 10).toarray(), graph_of(vectors, 10).toarray(), atol=1e-6)


@pytest.mark.parametrize(
    ("n_programs", "ari", "chosen"),
    [
        ([2, 4, 8], [0.90, 0.60, 0.50], 0),
        ([2, 4, 8], [0.90, 0.899, 0.50], 1),  # as stable, and finer
        ([1, 4, 8], [1.00, 0.60, 0.50], 1),  # one program is no answer
        ([1, 1, 0], [1.00, 0.60, 0.50], 0),
        ([0, 0, 0], [1.00, 0.60, 0.50], 0),
    ],
)
def test_which_level_is_chosen(n_programs: list[int], ari: list[float], chosen: int) -> None:
    curve = pd.DataFrame({"level": [1.0, 2, 4], "n_programs": n_programs, "ari": ari, "ari_sd": [0.01] * 3})
    assert _choose(curve.assign(largest=0.4), 100, 10) == chosen


def test_a_cut_that_leaves_most_genes_together_is_not_chosen() -> None:
    curve = pd.DataFrame({"level": [1.0, 2], "n_programs": [5, 20], "ari": [0.9, 0.5], "ari_sd": [0.01] * 2})
    assert _choose(curve.assign(largest=[0.92, 0.2]), 2_000, 10) == 1
    assert _choose(curve.assign(largest=[0.5, 0.2]), 2_000, 10) == 0
    assert _choose(curve.assign(largest=[0.92, 0.6]), 2_000, 10) == 0, "unless there is nothing else"


def test_a_cut_into_huge_programs_is_not_chosen() -> None:
    curve = pd.DataFrame({"level": [1.0, 2], "n_programs": [2, 20], "ari": [0.9, 0.5], "ari_sd": [0.01] * 2})
    curve["largest"] = 0.4
    assert _choose(curve, 20_000, 10) == 1
    assert _choose(curve, 50_000, 10) == 0, "unless there is nothing else"


def test_weak_members_leave_and_programs_are_renumbered() -> None:
    # Two cliques of four and three, and a gene that hangs on both by a thread.
    graph = sparse.block_diag([sparse.coo_matrix(np.ones((size, size))) for size in (4, 3, 1)]).tolil()
    graph.setdiag(0)
    graph[7, [0, 4]] = graph[[0, 4], 7] = 0.1
    graph = sparse.csr_matrix(graph)
    communities = np.array([5, 5, 5, 5, 2, 2, 2, 2])
    programs, membership = programs_and_membership(communities, graph, 3, 0)
    assert programs.tolist() == [0] * 4 + [1] * 4
    assert membership[7].tolist() == [0.5, 0.5]
    programs, membership = programs_and_membership(communities, graph, 3, 0.6)
    assert programs.tolist() == [0] * 4 + [1] * 3 + [-1]
    assert membership[7].tolist() == [0.5, 0.5], "what it leans to is still told"
    programs, membership = programs_and_membership(communities, graph, 4, 0.6)
    assert programs.tolist() == [0] * 4 + [-1] * 4
    assert membership.shape == (8, 1)
    programs, membership = programs_and_membership(communities, graph, 9, 0)
    assert (programs == -1).all()
    assert membership.shape == (8, 0)
