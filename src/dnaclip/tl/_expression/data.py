"""From AnnData to genes with vectors and expression in groups. Every check is here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._errors import InputError, examples
from dnaclip._matrix import blocks, expression, gene_sums
from dnaclip._validate import check_key
from dnaclip.tl._adata import check_adata
from dnaclip.tl._expression.pseudobulk import pseudobulk

if TYPE_CHECKING:
    from collections.abc import Sequence

    import anndata
    from numpy.typing import ArrayLike

__all__ = ["Targets", "gene_mask", "read_targets", "split_masks"]

# Values of a table without groups above which it is surely one of single cells.
MOST_VALUES = 2**29


@dataclass(frozen=True, eq=False)
class Targets:
    """Expression of genes in groups.

    Parameters
    ----------
    values
        float32 (n_genes, n_groups).
    obs
        A row for each group.
    genes
        Names of the genes.
    """

    values: np.ndarray
    obs: pd.DataFrame
    genes: pd.Index


def read_targets(
    adata: anndata.AnnData, groupby: str | Sequence[str] | None, donor_key: str | None, layer: str | None
) -> Targets:
    """Return the expression of all genes in groups of cells, or in the rows of `adata` as they are.

    Raises
    ------
    MissingKeyError
        A column or layer is absent.
    InputError
        Genes have the same name, values are NaN or infinite, or the table is empty or too large to be one of groups.
    """
    check_adata(adata)
    if 0 in adata.shape:
        msg = f"adata has {adata.n_obs} rows and {adata.n_vars} genes, so there is nothing to learn from."
        raise InputError(msg)
    repeated = adata.var_names[adata.var_names.duplicated()].unique()
    if len(repeated):
        msg = (
            f"{len(repeated)} names stand more than once in adata.var_names: {examples(repeated)}. "
            "Predictions are told apart by name: use adata.var_names_make_unique()."
        )
        raise InputError(msg)
    if groupby is not None:
        bulk = pseudobulk(adata, groupby, donor_key, layer)
        return Targets(np.asarray(bulk.X).T.copy(), bulk.obs, adata.var_names)
    if donor_key is not None:
        msg = "donor_key goes with groupby: name the column of cell types."
        raise InputError(msg)
    x = expression(adata, layer)
    if adata.n_obs * adata.n_vars > MOST_VALUES:
        msg = f"adata has {adata.n_obs} rows, which look like single cells: name the column of their types as groupby."
        raise InputError(msg)
    gene_sums(x, adata.var_names)
    values = np.empty((adata.n_vars, adata.n_obs), np.float32)
    for rows, columns, block in blocks(x):
        dense = block.toarray() if hasattr(block, "toarray") else np.asarray(block)
        values[columns, rows] = dense.T
    return Targets(values, adata.obs.copy(), adata.var_names)


def split_masks(adata: anndata.AnnData, train: str | ArrayLike | None) -> tuple[np.ndarray, np.ndarray]:
    """Return which genes train and which are for validation, bool (n_vars,)."""
    nobody = np.zeros(adata.n_vars, dtype=bool)
    if train is None:
        return ~nobody, nobody
    training = gene_mask(adata, train, "train")
    if isinstance(train, str) and not pd.api.types.is_bool_dtype(adata.var[train].dtype):
        return training, np.asarray(adata.var[train] == "validation", dtype=bool)
    return training, nobody


def gene_mask(adata: anndata.AnnData, genes: str | ArrayLike, word: str) -> np.ndarray:
    """Return as bool (n_vars,) the genes of a boolean array or column of var, or those that hold `word` in a column."""
    if isinstance(genes, str):
        check_key(genes, adata.var.columns, where="adata.var", hint="Run dnaclip.tl.split_genes(adata) first.")
        name, values = f"adata.var[{genes!r}]", adata.var[genes]
        if not pd.api.types.is_bool_dtype(values.dtype):
            mask = np.asarray(values == word, dtype=bool)
            if not mask.any():
                msg = f"{name} marks no gene as {word!r}; it holds {examples(values.dropna().unique().tolist())}."
                raise InputError(msg)
            return mask
    else:
        name, values = f"The array of {word} genes", pd.Series(np.asarray(genes))
    if not pd.api.types.is_bool_dtype(values.dtype) or values.isna().any() or len(values) != adata.n_vars:
        msg = (
            f"{name} must hold {adata.n_vars} booleans, one per gene, got {len(values)} values of type {values.dtype}."
        )
        raise InputError(msg)
    mask = values.to_numpy(dtype=bool)
    if not mask.any():
        msg = f"{name} marks no gene at all."
        raise InputError(msg)
    return mask
