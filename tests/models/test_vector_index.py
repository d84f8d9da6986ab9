"""Nearest vectors: exact in blocks, through faiss, and approximate."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from dnaclip._errors import InputError, MissingDependencyError
from dnaclip.models import VectorIndex, _vector_index


@pytest.fixture(scope="module")
def vectors() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(5003, 16)), rng.normal(size=(37, 16))


def brute_force(base: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (queries, base)]
    return np.argsort(-(unit[0] @ unit[1].T), axis=1)[:, :k]


@pytest.mark.parametrize("k", [1, 10, 100])
@pytest.mark.parametrize("n", [20, 1000, 5003])
def test_exact_search_finds_what_a_full_sort_finds(vectors: tuple[np.ndarray, np.ndarray], n: int, k: int) -> None:
    base, queries = vectors[0][:n], vectors[1]
    rows, similarity = VectorIndex(base).search(queries, k)
    np.testing.assert_array_equal(rows, brute_force(base, queries, min(k, n)))
    assert (np.diff(similarity, axis=1) <= 0).all()


def test_blocks_change_nothing(vectors: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = VectorIndex(vectors[0]).search(vectors[1], 10)[0]
    monkeypatch.setattr(_vector_index, "_VALUES_AT_ONCE", 3 * len(vectors[0]))
    np.testing.assert_array_equal(VectorIndex(vectors[0]).search(vectors[1], 10)[0], whole)


def test_faiss_flat_is_exact_and_lists_say_what_they_miss(vectors: tuple[np.ndarray, np.ndarray]) -> None:
    pytest.importorskip("faiss", reason="needs faiss-cpu")
    exact = VectorIndex(vectors[0], "faiss")
    np.testing.assert_array_equal(exact.search(vectors[1], 10)[0], brute_force(*vectors, 10))
    few, many = (VectorIndex(vectors[0], "ivf", n_lists=64, n_probe=n) for n in (1, 64))
    assert few.recall(vectors[1], 10) < 0.9
    assert many.recall(vectors[1], 10) == 1


def test_without_faiss_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingDependencyError, match="pip install"):
        VectorIndex(np.eye(3), "faiss")


@pytest.mark.parametrize(
    ("base", "match"),
    [(np.zeros((2, 3)), "2 rows that are zero"), (np.full((1, 3), np.nan), "NaN"), (np.zeros((0, 3)), "at least one")],
)
def test_rows_without_direction_are_refused(base: np.ndarray, match: str) -> None:
    with pytest.raises(InputError, match=match):
        VectorIndex(base)


def test_other_mistakes() -> None:
    with pytest.raises(InputError, match="dimensions"):
        VectorIndex(np.eye(3)).search(np.eye(4), 1)
    with pytest.raises(InputError, match="method='hnsw' is not known"):
        VectorIndex(np.eye(3), "hnsw")
