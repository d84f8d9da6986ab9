"""The weight of each gene in each program, as `tl.score_programs` reads it from AnnData."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from dnaclip._errors import InputError, examples
from dnaclip._validate import check_key

if TYPE_CHECKING:
    import anndata

__all__ = ["program_members", "program_weights"]


def program_members(adata: anndata.AnnData, program_key: str) -> tuple[np.ndarray, sparse.csc_array]:
    """Return the names of the programs, and a matrix (n_vars, n_programs) with 1 for the genes of each."""
    check_key(program_key, adata.var.columns, where="adata.var", hint="Run dnaclip.tl.gene_programs(adata) first.")
    member = adata.var[program_key].astype("category").cat.remove_unused_categories()
    if member.isna().all():
        msg = f"No gene is in a program: adata.var[{program_key!r}] holds nothing but NaN."
        raise InputError(msg)
    names = member.cat.categories.astype(str).to_numpy(dtype=object)
    codes = member.cat.codes.to_numpy()
    genes = np.flatnonzero(codes >= 0)
    ones = np.ones(len(genes))
    return names, sparse.csc_array((ones, (genes, codes[genes])), shape=(len(codes), len(names)))


def program_weights(adata: anndata.AnnData, program_key: str, weights: str) -> tuple[np.ndarray, sparse.csc_array]:
    """Return the names of the programs, and the weights (n_vars, n_programs) in `adata.varm[weights]`."""
    check_key(weights, adata.varm, where="adata.varm", hint="Run dnaclip.tl.gene_programs(adata) first.")
    stored = adata.varm[weights]
    if isinstance(stored, pd.DataFrame):
        names = stored.columns.astype(str).to_numpy(dtype=object)
    else:
        record = adata.uns.get(program_key, {})
        check_key("programs", record, where=f"adata.uns[{program_key!r}]", hint="It names the columns of the weights.")
        names = np.asarray(record["programs"], dtype=object)
    values = sparse.csc_array(stored, dtype=np.float64)
    if values.shape[1] != len(names):
        msg = (
            f"adata.varm[{weights!r}] has {values.shape[1]} columns, but there are {len(names)} programs in "
            f"adata.uns[{program_key!r}]."
        )
        raise InputError(msg)
    if not (np.isfinite(values.data) & (values.data >= 0)).all():
        msg = f"adata.varm[{weights!r}] holds NaN, infinite or negative values; weights are 0 or more."
        raise InputError(msg)
    empty = values.sum(axis=0) == 0
    if empty.any():
        msg = f"{empty.sum()} of {len(names)} programs have no gene with a weight above 0: {examples(names[empty])}."
        raise InputError(msg)
    return names, values
