"""From AnnData to genes with vectors and expression in groups. Every check is here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dnaclip._errors import InputError, examples
from dnaclip._matrix import blocks, expression, gene_sums
from dnaclip.tl._adata import check_adata
from dnaclip.tl._expression.pseudobulk import pseudobulk

if TYPE_CHECKING:
    from collections.abc import Sequence

    import anndata
    import pandas as pd

__all__ = ["Targets", "read_targets"]

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
