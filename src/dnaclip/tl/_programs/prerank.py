"""Gene set enrichment analysis of ranked genes, by gseapy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnaclip._errors import InputError, examples
from dnaclip._validate import as_generator
from dnaclip.tl._gene_vectors import gene_vectors
from dnaclip.tl._programs.centroids import made_from, program_centroids, program_vectors
from dnaclip.tl._programs.enrich_genes import gene_names, unified_names

if TYPE_CHECKING:
    import anndata

__all__ = ["prerank", "rankings"]


def rankings(data: Any, program_key: str, gene_symbols: str | None, organism: str | None) -> dict[str, pd.Series]:
    """Return the score of each gene for each program, its closeness in an AnnData object, or as given in a dictionary of series or one series.

    Genes without a score are left out; a gene that stands there more than once has the mean of its scores.
    """
    if hasattr(data, "uns"):
        given = _closeness(data, program_key, gene_symbols, organism)
    else:
        named = data if isinstance(data, Mapping) else {"genes": data}
        wrong = [name for name, scores in named.items() if not isinstance(scores, pd.Series)]
        if wrong or not named:
            msg = f"method='prerank' needs a pandas.Series of scores indexed by gene for each program; not so: {examples(wrong)}."
            raise InputError(msg)
        given = {
            str(name): pd.Series(scores.to_numpy(dtype=float), index=unified_names(scores.index, organism))
            for name, scores in named.items()
        }
    ranked = {
        name: scores[scores.notna().to_numpy() & scores.index.notna()].groupby(level=0).mean()
        for name, scores in given.items()
    }
    for name, scores in ranked.items():
        if len(scores) < 2 or np.isinf(scores).any():
            msg = f"The ranking of {name!r} needs finite scores of at least two genes; it has {len(scores)} genes with a score."
            raise InputError(msg)
    return ranked


def _closeness(
    adata: anndata.AnnData, program_key: str, gene_symbols: str | None, organism: str | None
) -> dict[str, pd.Series]:
    """Return the cosine of each gene with an embedding to the centroid of each program.

    The membership that :func:`dnaclip.tl.gene_programs` writes is 0 for most genes, and ties have no rank.
    """
    centroids = program_centroids(*program_vectors(adata, None, program_key))
    positions, vectors = gene_vectors(adata, made_from(adata, program_key))
    genes = gene_names(adata, gene_symbols, organism).iloc[positions].to_numpy()
    cosine = vectors.astype(np.float64) @ centroids.to_numpy().T
    return {str(name): pd.Series(column, index=genes) for name, column in zip(centroids.index, cosine.T, strict=True)}


def prerank(
    ranked: Mapping[str, pd.Series],
    sets: Mapping[str, list[str]],
    *,
    min_size: int,
    max_size: int,
    n_permutations: int,
    rng: int | np.random.Generator | None,
) -> pd.DataFrame:
    """Return one row per program and gene set, by program and p-value; columns as :func:`dnaclip.tl.enrich` says."""
    import gseapy

    seeds = as_generator(rng).integers(2**31 - 1, size=len(ranked))
    tables = []
    for (program, scores), seed in zip(ranked.items(), seeds, strict=True):
        within = {term: [gene for gene in dict.fromkeys(genes) if gene in scores.index] for term, genes in sets.items()}
        within = {term: genes for term, genes in within.items() if min_size <= len(genes) <= max_size}
        if not within:
            msg = f"None of the {len(sets)} gene sets has between {min_size} and {max_size} genes in the ranking of {program!r}."
            raise InputError(msg)
        done = gseapy.prerank(
            rnk=scores.sort_values(ascending=False, kind="stable"),
            gene_sets=within,
            min_size=min_size,
            max_size=max_size,
            permutation_num=n_permutations,
            seed=int(seed),
            threads=1,
            outdir=None,
            no_plot=True,
        ).res2d
        leading = done["Lead_genes"].fillna("").astype(str)
        tables.append(
            pd.DataFrame(
                {
                    "program": program,
                    "term": done["Term"].astype(str),
                    "n_overlap": leading.str.split(";").str.len().where(leading != "", 0),
                    "n_term": done["Term"].map(lambda term, within=within: len(within[term])),
                    "n_background": len(scores),
                    "es": done["ES"].astype(float),
                    "nes": done["NES"].astype(float),
                    "p_value": done["NOM p-val"].astype(float),
                    "fdr": done["FDR q-val"].astype(float),
                    "genes": leading,
                }
            ).sort_values(
                ["p_value", "nes", "term"], key=lambda column: -column.abs() if column.name == "nes" else column
            )
        )
    return pd.concat(tables, ignore_index=True)
