"""The tables of the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from dnaclip._keys import DEFAULT_KEY, PROGRAM_KEY
from dnaclip.demo._coherence import coherence
from dnaclip.tl import similar_genes
from dnaclip.tl._gene_vectors import gene_vectors
from dnaclip.tl._group_scores import group_scores, standardised

if TYPE_CHECKING:
    import anndata

__all__ = ["neighbour_table", "program_table"]

# Genes that everyone who works with blood cells knows: T cell, B cell, monocyte, natural killer cell.
KNOWN_GENES = ("CD3D", "CD79A", "LYZ", "NKG7")
# Enough cells for a correlation, few enough to hold all genes densely.
MAX_CELLS = 1000


def program_table(adata: anndata.AnnData, groupby: str, rng: np.random.Generator) -> pd.DataFrame:
    """Return one row per program: size, most central genes, most active group, and both coherences beside chance.

    Random sets are drawn from the genes that have an embedding.
    """
    positions, vectors = gene_vectors(adata, DEFAULT_KEY)
    profiles = _profiles(adata, positions, rng)
    program = adata.var[PROGRAM_KEY].iloc[positions]
    deviation = standardised(group_scores(adata, groupby, PROGRAM_KEY))
    rows = []
    for name in program.cat.categories:
        members = np.flatnonzero(program == name)
        central = members[np.argsort(-vectors[members] @ vectors[members].mean(axis=0), kind="stable")]
        embedding, expression = (coherence(side, members, rng) for side in (vectors, profiles))
        rows.append(
            {
                "program": name,
                "genes": len(members),
                "central genes": ", ".join(adata.var_names[positions[central[:10]]]),
                "most active in": str(deviation[name].idxmax()),
                "z": deviation[name].max(),
                "cosine": embedding[0],
                "cosine, random": embedding[1],
                "cosine, random sd": embedding[2],
                "correlation": expression[0],
                "correlation, random": expression[1],
                "correlation, random sd": expression[2],
            }
        )
    return pd.DataFrame(rows)


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


def _profiles(adata: anndata.AnnData, positions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the expression of each gene over cells, centred and of length one: cosines are correlations."""
    cells = np.sort(rng.choice(adata.n_obs, min(adata.n_obs, MAX_CELLS), replace=False))
    x = adata.X[cells][:, positions]
    profiles = (x.toarray() if sparse.issparse(x) else np.asarray(x)).T.astype(np.float64)
    profiles -= profiles.mean(axis=1, keepdims=True)
    length = np.linalg.norm(profiles, axis=1, keepdims=True)
    return profiles / np.where(length > 1e-8, length, np.inf)
