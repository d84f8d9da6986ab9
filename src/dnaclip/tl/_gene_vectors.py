"""The genes of an AnnData object that can be compared, and their vectors of length one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from dnaclip._errors import InputError, examples
from dnaclip._validate import check_key

if TYPE_CHECKING:
    import anndata
    from numpy.typing import ArrayLike

__all__ = ["gene_mask", "gene_vectors"]


def gene_vectors(adata: anndata.AnnData, use_rep: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the genes that have an embedding, and their L2-normalised vectors, float32 (n, d).

    A row of NaN or of zeros is no embedding. An infinite value is an error.
    """
    check_key(use_rep, adata.varm, where="adata.varm", hint="Run dnaclip.tl.embed(adata) first.")
    stored = adata.varm[use_rep]
    values = stored.toarray() if sparse.issparse(stored) else np.asarray(stored)
    if values.ndim != 2 or not (np.issubdtype(values.dtype, np.floating) or np.issubdtype(values.dtype, np.integer)):
        msg = f"adata.varm[{use_rep!r}] must be a matrix of numbers (genes x dimensions), got {values.dtype} {values.shape}."
        raise InputError(msg)
    values = values.astype(np.float32)
    infinite = np.isinf(values).any(axis=1)
    if infinite.any():
        names = adata.var_names[infinite]
        msg = f"adata.varm[{use_rep!r}] has infinite values for {len(names)} genes: {examples(names)}."
        raise InputError(msg)
    length = np.linalg.norm(values, axis=1)
    positions = np.flatnonzero(length > 0)  # False for NaN too
    return positions, values[positions] / length[positions, None]


def gene_mask(adata: anndata.AnnData, mask_var: str | ArrayLike | None) -> np.ndarray:
    """Return `mask_var` (nothing, a boolean column of `var`, or a boolean array) as a boolean array (n_vars,)."""
    if mask_var is None:
        return np.ones(adata.n_vars, dtype=bool)
    if isinstance(mask_var, str):
        check_key(mask_var, adata.var.columns, where="adata.var")
        name, values = f"adata.var[{mask_var!r}]", adata.var[mask_var]
    else:
        name, values = "mask_var", pd.Series(np.asarray(mask_var))
    if not pd.api.types.is_bool_dtype(values.dtype) or values.isna().any() or len(values) != adata.n_vars:
        msg = (
            f"{name} must hold {adata.n_vars} booleans, one per gene, got {len(values)} values of type {values.dtype}."
        )
        raise InputError(msg)
    return values.to_numpy(dtype=bool)
