"""Blocks of an expression matrix: they cover it once, along the way it is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import sparse

from dnaclip import _matrix
from dnaclip._errors import InputError
from dnaclip._matrix import blocks, gene_moments, gene_sums, group_sums, row_results, sampled_rows

if TYPE_CHECKING:
    from collections.abc import Callable

X = np.random.default_rng(0).poisson(0.4, (23, 17)).astype(np.float32)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.csc_array])
@pytest.mark.parametrize("size", [1, 40, 2**24])
def test_blocks_cover_the_matrix_once(kind: Callable[..., Any], size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_matrix, "BLOCK_VALUES", size)
    covered = np.zeros_like(X)
    n_blocks = 0
    for rows, columns, block in blocks(kind(X)):
        covered[rows, columns] += block.toarray() if sparse.issparse(block) else block
        n_blocks += 1
        assert block.shape[0] * block.shape[1] <= max(size, 23)
    np.testing.assert_array_equal(covered, X)
    by_columns = kind in (sparse.csc_matrix, sparse.csc_array)
    assert n_blocks == {1: 17 if by_columns else 23, 40: 17 if by_columns else 12, 2**24: 1}[size]


def test_csc_is_cut_by_columns() -> None:
    assert [(rows, columns) for rows, columns, _ in blocks(sparse.csc_matrix(X))] == [(slice(None), slice(0, 17))]


def test_each_chunk_of_dask_is_computed_once() -> None:
    da = pytest.importorskip("dask.array")
    seen = []

    def note(chunk: np.ndarray) -> np.ndarray:
        seen.append(chunk.shape)
        return chunk

    lazy = da.from_array(X, chunks=((10, 6, 7), (17,))).map_blocks(note, meta=np.empty((0, 0), dtype=X.dtype))
    assert [block.shape for *_, block in blocks(lazy)] == [(10, 17), (6, 17), (7, 17)]
    assert seen == [(10, 17), (6, 17), (7, 17)]


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "float32"])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
def test_sums_are_in_double_precision(kind: Callable[..., Any], dtype: str) -> None:
    x = np.random.default_rng(0).uniform(0, 9, (70_000, 2)).astype(dtype)
    sums = gene_sums(kind(x), ["a", "b"])
    np.testing.assert_allclose(sums, x.astype(np.float64).sum(axis=0), rtol=1e-13)


@pytest.fixture(params=["dense", "csr", "csc", "csr_array", "dask", "dask of csr", "dask cut by genes"])
def stored(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`X`, stored in one of many ways, and read in blocks of 40 values."""
    monkeypatch.setattr(_matrix, "BLOCK_VALUES", 40)
    how = request.param
    if how.startswith("dask"):
        da = pytest.importorskip("dask.array")
        lazy = da.from_array(X, chunks=(10, 5 if "genes" in how else 17))
        return lazy.map_blocks(sparse.csr_matrix) if "csr" in how else lazy
    kinds = {"csr": sparse.csr_matrix, "csc": sparse.csc_matrix, "csr_array": sparse.csr_array}
    return kinds.get(how, np.asarray)(X)


def test_sums_and_squares(stored: Any) -> None:
    sums, squares = gene_moments(stored, range(17))
    np.testing.assert_allclose(sums, X.sum(axis=0))
    np.testing.assert_allclose(squares, (X**2).sum(axis=0))
    np.testing.assert_allclose(gene_sums(stored, range(17)), X.sum(axis=0))


def test_squares_of_small_integers_do_not_overflow() -> None:
    x = np.full((3, 2), 200, dtype=np.uint8)
    for kind in (np.asarray, sparse.csr_matrix):
        np.testing.assert_array_equal(gene_moments(kind(x), "ab")[1], [120_000, 120_000])


def test_results_of_rows(stored: Any) -> None:
    weights = np.random.default_rng(0).random((17, 3))
    found = row_results(stored, lambda block, columns: block @ weights[columns], 3)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, X @ weights, rtol=1e-5)


def test_some_rows_and_columns(stored: Any) -> None:
    rows, columns = np.array([0, 3, 4, 11, 22]), np.array([2, 3, 16])
    found = sampled_rows(stored, rows, columns)
    assert found.format == "csr"
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found.toarray(), X[np.ix_(rows, columns)])


def test_sums_of_groups(stored: Any) -> None:
    groups = np.random.default_rng(0).integers(-1, 3, 23)
    sums, squares = group_sums(stored, groups, 4, range(17), squares=True)
    for group in range(4):
        np.testing.assert_allclose(sums[group], X[groups == group].sum(axis=0))
        np.testing.assert_allclose(squares[group], (X[groups == group] ** 2).sum(axis=0))


def test_weighted_sums_of_groups(stored: Any) -> None:
    rng = np.random.default_rng(1)
    groups, weights = rng.integers(-1, 3, 23), rng.random(23)
    (sums,) = group_sums(stored, groups, 3, range(17), weights=weights)
    for group in range(3):
        np.testing.assert_allclose(sums[group], weights[groups == group] @ X[groups == group])


def test_values_that_are_not_finite() -> None:
    x = X.copy()
    x[3, 5] = np.nan
    for function in (gene_sums, gene_moments):
        with pytest.raises(InputError, match="1 of 17 genes holds NaN or infinite values: 5"):
            function(x, range(17))
    with pytest.raises(InputError, match="1 of 17 genes"):
        group_sums(x, np.zeros(23, dtype=int), 1, range(17))
