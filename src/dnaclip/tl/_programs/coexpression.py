"""Vectors of genes whose inner products are the correlations of their expression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from dnaclip._errors import InputError, examples
from dnaclip._matrix import expression, sampled_rows

if TYPE_CHECKING:
    import anndata

__all__ = ["coexpression_vectors"]

# Enough for correlations with a standard error of .015, and a bound on time and memory for atlases.
N_CELLS = 5_000
N_COMPONENTS = 50


def coexpression_vectors(
    adata: anndata.AnnData, layer: str | None, positions: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    r"""Return vectors of the genes at `positions`, float32 (n, at most 50), and their mean expression, float64 (n,).

    With :math:`Z` the expression standardised per gene, the correlations are :math:`R = Z^\top Z / (n - 1)`. The rows
    of :math:`U` hold the leading 50 principal axes of :math:`Z`, scaled by their standard deviations, so that
    :math:`U U^\top` is the best approximation of :math:`R` of rank 50; it is exact for up to 50 genes or cells. A gene
    that never varies is a row of zeros. Of more than 5,000 cells, a random 5,000 are used; no matrix of genes by genes
    is formed, nor a sparse one made dense.
    """
    x = expression(adata, layer)
    cells = np.arange(adata.n_obs)
    if adata.n_obs > N_CELLS:
        cells = np.sort(rng.choice(adata.n_obs, N_CELLS, replace=False))
    values = sampled_rows(x, cells, positions)
    _check_finite(values, adata.var_names[positions])
    mean = np.asarray(values.mean(axis=0)).ravel()
    square = np.asarray(values.multiply(values).mean(axis=0)).ravel()
    variance = square - mean**2
    # Rounding leaves a gene that never varies with a variance of 1e-17 of its square, not of 0.
    varies = variance > 1e-10 * square
    scale = np.zeros(len(mean))
    if len(cells) > 1:
        scale[varies] = 1 / np.sqrt(variance[varies] * len(cells) / (len(cells) - 1))
    vectors = _principal_axes(sparse.csr_matrix(values @ sparse.diags_array(scale)))
    vectors[scale == 0] = 0  # rounding leaves 1e-17
    return vectors, mean


def _principal_axes(z: sparse.csr_matrix) -> np.ndarray:
    """Return the principal axes of the rows of `z` (columns, components), each as long as the spread along it."""
    from sklearn.decomposition import PCA

    if min(z.shape) < 2 or z.nnz == 0:
        return np.zeros((z.shape[1], 1), dtype=np.float32)
    if min(z.shape) <= N_COMPONENTS:
        pca = PCA(svd_solver="full").fit(z.toarray())
    else:
        # The start of the iteration decides about the last bits only.
        pca = PCA(N_COMPONENTS, svd_solver="arpack", random_state=0).fit(z)
    return (pca.components_.T * np.sqrt(np.maximum(pca.explained_variance_, 0))).astype(np.float32)


def _check_finite(values: Any, genes: Any) -> None:
    bad = np.unique(values.tocoo().col[~np.isfinite(values.tocoo().data)])
    if bad.size:
        msg = (
            f"The expression of {bad.size} of {len(genes)} genes holds NaN or infinite values: {examples(genes[bad])}. "
            "Replace these values, leave out these genes, or use coherence=False and expression_weight=0 to read no "
            "expression."
        )
        raise InputError(msg)
