"""Vectors of expression: their inner products are correlations, however the expression is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pytest
from scipy import sparse

from dnaclip import _matrix
from dnaclip.tl._programs import coexpression as _coexpression
from dnaclip.tl._programs.coexpression import coexpression_vectors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EVERY = np.arange(40)


def counts(n_obs: int = 120, n_vars: int = 40) -> np.ndarray:
    rng = np.random.default_rng(0)
    activity = rng.gamma(2, 1, (n_obs, 3)) @ rng.gamma(0.5, 1, (3, n_vars))
    return np.log1p(rng.poisson(activity)).astype(np.float32)


def vectors(adata: ad.AnnData, positions: np.ndarray = EVERY, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    return coexpression_vectors(adata, options.get("layer"), positions, np.random.default_rng(0))


def test_inner_products_are_correlations() -> None:
    x = counts()
    found, mean = vectors(ad.AnnData(x))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found @ found.T, np.corrcoef(x.T), atol=1e-5)
    np.testing.assert_allclose(mean, x.mean(axis=0), rtol=1e-5)


def test_of_many_genes_the_best_approximation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_coexpression, "N_COMPONENTS", 3)
    x = counts(300, 80)
    found, _ = vectors(ad.AnnData(sparse.csr_matrix(x)), np.arange(80))
    assert found.shape == (80, 3)
    values, axes = np.linalg.eigh(np.corrcoef(x.T))
    best = (axes[:, -3:] * values[-3:]) @ axes[:, -3:].T
    np.testing.assert_allclose(found @ found.T, best, atol=1e-4)


@pytest.mark.parametrize("size", [1, 500, 2**24])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
def test_every_kind_of_matrix_gives_the_same(
    kind: Callable[..., Any], size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_matrix, "BLOCK_VALUES", size)
    monkeypatch.setattr(_coexpression, "N_CELLS", 60)
    x, some = counts(), np.array([3, 7, 8, 30])
    expected, mean = vectors(ad.AnnData(x), some)
    adata = ad.AnnData(kind(x))
    for form in ("memory", "file"):
        if form == "file":
            adata.write_h5ad(tmp_path / "cells.h5ad")
            adata = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r")
        found, found_mean = vectors(adata, some)
        np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-6)
        np.testing.assert_allclose(found_mean, mean, rtol=1e-6)
    adata.file.close()


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csr_array])
def test_dask(kind: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    da = pytest.importorskip("dask.array")
    monkeypatch.setattr(_coexpression, "N_CELLS", 60)
    x = counts()
    expected, _ = vectors(ad.AnnData(x))
    found, _ = vectors(ad.AnnData(da.from_array(x, chunks=(50, 40)).map_blocks(kind)))
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-6)


def test_of_many_cells_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    x = counts(4000)
    monkeypatch.setattr(_coexpression, "N_CELLS", 2000)
    found, _ = vectors(ad.AnnData(x))
    difference = np.abs(found @ found.T - np.corrcoef(x.T)).max()
    assert 1e-4 < difference < 0.1


def test_a_gene_that_never_varies_is_zero() -> None:
    x = counts()
    x[:, 3], x[:, 5] = 0, 1.1
    found, _ = vectors(ad.AnnData(x))
    assert not found[[3, 5]].any()
    assert found[[0, 1, 2, 4]].any(axis=1).all()
