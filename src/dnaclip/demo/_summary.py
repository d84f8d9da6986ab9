"""The tables of the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._keys import DEFAULT_KEY, PROGRAM_KEY
from dnaclip.tl import similar_genes
from dnaclip.tl._gene_vectors import gene_vectors
from dnaclip.tl._group_scores import group_scores, standardised

if TYPE_CHECKING:
    import anndata

__all__ = ["neighbour_table", "program_table"]

# Genes that everyone who works with blood cells knows: T cell, B cell, monocyte, natural killer cell.
KNOWN_GENES = ("CD3D", "CD79A", "LYZ", "NKG7")


def program_table(adata: anndata.AnnData, groupby: str) -> pd.DataFrame:
    """Return one row per program: name, size, most central genes, most active group, and both coherences beside chance."""
    positions, vectors = gene_vectors(adata, DEFAULT_KEY)
    record = adata.uns[PROGRAM_KEY]
    names, coherence = record["descriptions"].set_index("program")["name"], record["coherence"]
    program = adata.var[PROGRAM_KEY].iloc[positions]
    deviation = standardised(group_scores(adata, groupby, PROGRAM_KEY))
    rows = []
    for label in program.cat.categories:
        members = np.flatnonzero(program == label)
        central = members[np.argsort(-vectors[members] @ vectors[members].mean(axis=0), kind="stable")]
        rows.append(
            {
                "program": label,
                "named for": names[label],
                "genes": len(members),
                "central genes": ", ".join(adata.var_names[positions[central[:10]]]),
                "most active in": str(deviation[label].idxmax()),
                "z": deviation[label].max(),
            }
        )
    table, suffixes = pd.DataFrame(rows), ("", "_coherence")
    return table.merge(coherence, how="left", left_on="program", right_index=True, suffixes=suffixes)


def neighbour_table(adata: anndata.AnnData, programs: pd.DataFrame, n_neighbors: int = 8) -> pd.DataFrame:
    """Return the nearest genes of well-known genes, or of the most central gene of each large program where those lack."""
    found = set(adata.var_names[gene_vectors(adata, DEFAULT_KEY)[0]])
    known = [gene for gene in KNOWN_GENES if gene in found]
    queries = known or [genes.split(", ")[0] for genes in programs["central genes"][:4]]
    similar = similar_genes(adata, queries, n_neighbors=n_neighbors)
    similar["shown"] = similar["gene"] + similar["similarity"].map(" ({:.2f})".format)
    return (
        similar.groupby("query", sort=False)["shown"]
        .agg(", ".join)
        .rename_axis("gene")
        .reset_index(name="nearest genes")
    )
