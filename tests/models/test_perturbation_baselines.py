"""Each baseline on numbers small enough to check by hand."""

from __future__ import annotations

import numpy as np
import pytest

from dnaclip.errors import InputError
from dnaclip.models import MEAN_METHODS, Additive, LinearPca, NearestNeighbours, NoChange, OtherContext, PerturbedMean

A, B, C, AB = ("A",), ("B",), ("C",), ("A", "B")


def test_perturbed_mean_is_that_of_the_context() -> None:
    method = PerturbedMean().fit([[1.0], [3.0], [8.0]], [A, B, A], contexts=[0, 0, 1])
    np.testing.assert_array_equal(method.predict([C, C, C], contexts=[0, 1, 5]), [[2], [8], [4]])
    np.testing.assert_array_equal(method.predict([C]), [[2]])


def test_additive_sums_singles_and_takes_their_mean_for_the_rest() -> None:
    method = Additive().fit([[1.0], [3.0], [50.0]], [A, B, ("A", "C")])
    np.testing.assert_array_equal(method.predict([AB, ("A", "C"), ("C", "D"), ("A", "B", "C")]), [[4], [3], [4], [6]])


def test_additive_takes_a_single_from_another_context_when_it_has_to() -> None:
    method = Additive().fit([[1.0], [3.0], [7.0]], [A, B, A], contexts=[0, 0, 1])
    # B was seen in context 0 only; A in both, and a new context takes the mean of what is known.
    np.testing.assert_array_equal(method.predict([AB, AB, AB], contexts=[0, 1, 2]), [[4], [10], [7]])


def test_additive_without_singles_counts_per_gene() -> None:
    method = Additive().fit([[4.0], [6.0]], [AB, ("A", "C")])
    np.testing.assert_array_equal(method.predict([A, ("A", "B", "C")]), [[2.5], [7.5]])


def test_other_context_never_copies_from_its_own() -> None:
    method = OtherContext().fit([[1.0], [5.0], [9.0]], [A, A, B], contexts=[0, 1, 1])
    np.testing.assert_array_equal(method.predict([A, A, A, B], contexts=[0, 1, 2, 1]), [[5], [1], [3], [7]])


def test_neighbours_by_angle() -> None:
    vectors = {"A": [1.0, 0.0], "B": [0.0, 1.0], "C": [-1.0, 0.0], "D": [9.0, 1.0], "0": [0.0, 0.0]}
    deltas = [[1.0], [2.0], [4.0]]
    assert NearestNeighbours(n_neighbors=1).fit(deltas, [A, B, C], vectors).predict([("D",)]) == 1
    assert NearestNeighbours(n_neighbors=2).fit(deltas, [A, B, C], vectors).predict([("D",)]) == 1.5
    assert NearestNeighbours().fit(deltas, [A, B, C], vectors).predict([("0",)]) == pytest.approx(7 / 3)


def test_neighbours_of_the_same_context_come_first() -> None:
    vectors = {"A": [1.0, 0.0], "B": [0.0, 1.0]}
    method = NearestNeighbours(n_neighbors=1).fit([[1.0], [2.0], [3.0]], [A, B, B], vectors, contexts=[0, 0, 1])
    np.testing.assert_array_equal(method.predict([A, A, B], contexts=[0, 1, -1]), [[1], [3], [2]])


def test_linear_pca_by_its_formula() -> None:
    rng = np.random.default_rng(0)
    deltas, vectors = rng.normal(size=(3, 5)), {g: rng.normal(size=2) for g in "ABC"}
    found = LinearPca(n_components=2).fit(deltas, [A, B, C], vectors).predict([AB])
    mean = deltas.mean(axis=0)
    loadings = np.linalg.svd(deltas - mean)[2][:2].T
    p = np.stack([vectors[g] for g in "ABC"])
    w = np.linalg.inv(loadings.T @ loadings + 0.1 * np.eye(2)) @ loadings.T @ (deltas - mean).T
    w = w @ p @ np.linalg.inv(p.T @ p + 0.1 * np.eye(2))
    np.testing.assert_allclose(found[0], mean + loadings @ w @ (vectors["A"] + vectors["B"]), rtol=1e-5)


def test_linear_pca_with_its_own_loadings_needs_no_vectors() -> None:
    rng = np.random.default_rng(1)
    deltas = rng.normal(size=(3, 4))
    method = LinearPca(genes=["A", "x", "B", "C"], n_components=2).fit(deltas, [A, B, C])
    assert not np.allclose(method.predict([A]), method.predict([B]))
    # An unmeasured gene has the vector 0, which says the mean.
    np.testing.assert_allclose(method.predict([("Z",)])[0], deltas.mean(axis=0), rtol=1e-5)


@pytest.mark.parametrize("name", MEAN_METHODS)
def test_every_method_keeps_the_common_promises(name: str) -> None:
    rng = np.random.default_rng(2)
    genes = list("ABCDEFGH")
    vectors = {gene: rng.normal(size=3) for gene in genes}
    conditions = [(g,) for g in genes[:6]] + [AB, ("C", "D")]
    deltas, contexts = rng.normal(size=(8, 5)), np.array([0, 1] * 4)
    before = deltas.copy()
    method = MEAN_METHODS[name]()
    asked = [("G",), (), ("A", "B", "H"), A]
    found = method.fit(deltas, conditions, vectors, np.full(8, 50), contexts=contexts).predict(
        asked, contexts=[0, 0, 1, -1]
    )
    assert found.shape == (4, 5)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert (found[1] == 0).all()
    np.testing.assert_array_equal(deltas, before)
    again = MEAN_METHODS[name]().fit(deltas, conditions, vectors, np.full(8, 50), contexts=contexts)
    np.testing.assert_array_equal(again.predict(asked, contexts=[0, 0, 1, -1]), found)
    assert method.predict([]).shape == (0, 5)
    if not method.needs_vectors:
        np.testing.assert_array_equal(
            MEAN_METHODS[name]().fit(deltas, conditions, contexts=contexts).predict(asked, contexts=[0, 0, 1, -1]),
            found,
        )
    with pytest.raises(InputError, match="contexts must have one entry per condition"):
        method.predict([A], contexts=[0, 1])


def test_no_change_is_no_change() -> None:
    np.testing.assert_array_equal(NoChange().fit([[1.0, 2.0]], [A]).predict([A, AB]), np.zeros((2, 2)))


@pytest.mark.parametrize("make", [NearestNeighbours, LinearPca])
def test_counts_of_neighbours_and_components_are_checked(make: type) -> None:
    option = "n_neighbors" if make is NearestNeighbours else "n_components"
    with pytest.raises(InputError, match=f"{option} must be a whole number of at least 1, got 0"):
        make(**{option: 0})
