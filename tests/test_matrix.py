"""Blocks of an expression matrix: they cover it once, along the way it is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import sparse

from dnaclip import _matrix
from dnaclip._matrix import blocks, gene_sums

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
