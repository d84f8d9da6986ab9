"""The genes of programs as unit vectors, and the middle of each program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._errors import InputError
from dnaclip._keys import DEFAULT_KEY
from dnaclip._validate import check_key
from dnaclip.tl._gene_vectors import gene_vectors

if TYPE_CHECKING:
    import anndata

__all__ = ["made_from", "program_centroids", "program_vectors"]


def made_from(adata: anndata.AnnData, program_key: str) -> str:
    """Return the key of the embeddings that the programs were made from."""
    return adata.uns.get(program_key, {}).get("params", {}).get("use_rep") or DEFAULT_KEY


def program_vectors(adata: anndata.AnnData, use_rep: str | None, program_key: str) -> tuple[np.ndarray, pd.Series]:
    """Return unit vectors (n, d) and programs (n,) of the genes that have both; `None` is what the programs were made from."""
    check_key(program_key, adata.var.columns, where="adata.var", hint="Run dnaclip.tl.gene_programs(adata) first.")
    use_rep = made_from(adata, program_key) if use_rep is None else use_rep
    positions, vectors = gene_vectors(adata, use_rep)
    program = adata.var[program_key].astype("category").iloc[positions].reset_index(drop=True)
    member = program.notna().to_numpy()
    if not member.any():
        msg = f"No gene with an embedding in adata.varm[{use_rep!r}] is in a program of adata.var[{program_key!r}]."
        raise InputError(msg)
    return vectors[member], program[member].cat.remove_unused_categories().reset_index(drop=True)


def program_centroids(vectors: np.ndarray, program: pd.Series) -> pd.DataFrame:
    """Return the mean of the unit vectors of each program (rows), again of length one, in the order of the categories."""
    means = pd.DataFrame(vectors).groupby(program, observed=True).mean()
    length = np.linalg.norm(means.to_numpy(), axis=1, keepdims=True)
    return means.div(np.where(length > 0, length, 1).ravel(), axis=0)
