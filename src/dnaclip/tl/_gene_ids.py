"""Which identifiers of an AnnData object name its genes, and where they stand in an embedding table."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from dnaclip._errors import InputError
from dnaclip._validate import check_key
from dnaclip.pp._match import GeneMatch, find_genes

if TYPE_CHECKING:
    import anndata

    from dnaclip.datasets._table import EmbeddingTable

__all__ = ["match_var"]

logger = logging.getLogger(__name__)

# Columns of var that usually hold gene identifiers: Cell Ranger, CELLxGENE, scanpy, Monocle, BioMart exports.
_USUAL_COLUMNS = {
    *("gene_ids", "gene_id", "ensembl_id", "ensembl_ids", "ensembl", "ensembl_gene_id", "feature_id"),
    *("gene_symbols", "gene_symbol", "symbol", "symbols", "hgnc_symbol", "mgi_symbol"),
    *("gene_names", "gene_name", "gene_short_name", "feature_name", "gene", "genes", "name"),
    *("entrez_id", "entrez", "entrezgene", "entrezgene_id", "ncbi_gene_id"),
}


def match_var(
    adata: anndata.AnnData, gene_ids: str | Iterable[object] | None, table: EmbeddingTable
) -> tuple[str, GeneMatch, str]:
    """Match the genes of `adata` by their names, by a column of `var`, or by given identifiers.

    Returns
    -------
    What was matched (`"var_names"`, the column, or `"array"`), the match, and advice on a better choice (or `""`).
    """
    if gene_ids is None:
        return _match_names(adata, table)
    if isinstance(gene_ids, str):
        hint = "gene_ids must name one of them, or be None for the var_names."
        check_key(gene_ids, adata.var.columns, where="adata.var", hint=hint)
        return gene_ids, find_genes(adata.var[gene_ids], table), ""
    if not isinstance(gene_ids, Iterable):
        msg = f"gene_ids must be None, a column of adata.var, or {adata.n_vars} identifiers, got {gene_ids!r}."
        raise InputError(msg)
    match = find_genes(gene_ids, table)
    if len(match.rows) != adata.n_vars:
        msg = f"gene_ids has {len(match.rows)} identifiers, but adata has {adata.n_vars} genes: one per gene is needed."
        raise InputError(msg)
    if isinstance(gene_ids, pd.Series) and _shuffled(gene_ids.index, adata.var_names):
        msg = "gene_ids is a Series indexed by the genes of adata in another order. Use gene_ids.reindex(adata.var_names)."
        raise InputError(msg)
    return "array", match, ""


def _match_names(adata: anndata.AnnData, table: EmbeddingTable) -> tuple[str, GeneMatch, str]:
    match = find_genes(adata.var_names, table)
    n = match.found.sum()
    # Ids of another species say that `organism` is wrong; symbols beside them would only hide that.
    if n >= adata.n_vars / 2 or len(match.foreign) > adata.n_vars / 2:
        return "var_names", match, ""
    columns = [column for column in adata.var.columns if str(column).lower() in _USUAL_COLUMNS]
    others = {column: find_genes(adata.var[column], table) for column in columns}
    best = max(others, key=lambda column: others[column].found.sum(), default="")
    n_best = others[best].found.sum() if best else 0
    if n_best >= max(adata.n_vars / 2, 2 * n):
        logger.warning(
            "var_names fit %d of %d genes of the %s table, var[%r] fits %d: using gene_ids=%r.",
            *(n, adata.n_vars, table.species, best, n_best, best),
        )
        return best, others[best], ""
    advice = f"The column {best!r} of var fits {n_best} genes: try gene_ids={best!r}." if n_best > n else ""
    return "var_names", match, advice


def _shuffled(index: pd.Index, names: pd.Index) -> bool:
    return not index.equals(names) and index.sort_values().equals(names.sort_values())
