"""Which known gene sets each gene program is enriched in."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dnaclip import __version__
from dnaclip._errors import InputError
from dnaclip._keys import PROGRAM_KEY, EmbeddingKeys
from dnaclip._validate import check_choice, check_count, check_key, clean_params
from dnaclip.datasets import gene_sets as read_gene_sets
from dnaclip.tl._adata import check_adata, quiet_view
from dnaclip.tl._programs.enrich_genes import background_genes, membership, program_genes, same_names, sets_to_test
from dnaclip.tl._programs.enriched_terms import enriched_terms
from dnaclip.tl._programs.prerank import prerank, rankings

if TYPE_CHECKING:
    from collections.abc import Iterable

    import anndata
    import pandas as pd

__all__ = ["ENRICHMENT_KEY", "enrich", "enrichment_table"]

logger = logging.getLogger(__name__)

ENRICHMENT_KEY = "enrichment"


def enrich(
    data: anndata.AnnData | Mapping[str, Iterable[Any]] | Iterable[Any],
    gene_sets: Any,
    *,
    method: str = "ora",
    program_key: str = PROGRAM_KEY,
    gene_symbols: str | None = None,
    organism: str | None = None,
    background: Iterable[Any] | str | None = None,
    min_size: int = 5,
    max_size: int = 500,
    max_fdr: float = 0.05,
    prune_parents: bool = True,
    n_permutations: int = 1000,
    key_added: str = ENRICHMENT_KEY,
    rng: int | np.random.Generator | None = 0,
) -> pd.DataFrame:
    """Find the known gene sets that gene programs are enriched in.

    By default the programs are tested for over-representation (:func:`dnaclip.metrics.over_representation`) against
    the measured genes, which is what a set of genes from an experiment can be compared with; genes of a set that were
    not measured do not count. The false discovery rate is over all programs and all sets tested. Nothing is
    downloaded unless `gene_sets` names a library.

    Parameters
    ----------
    data
        Annotated data with gene programs. Or programs as they are: a dictionary of lists of genes, or one list of
        genes, which then needs a `background`. For `method="prerank"`: annotated data, whose genes are ranked by the
        cosine of their embedding to the centroid of the program; or a dictionary of series of scores indexed by gene,
        or one such series, in which a gene that occurs again has the mean of its scores.
    gene_sets
        Whatever :func:`dnaclip.datasets.gene_sets` reads: a GMT file, a dictionary, a long table with the columns
        `source` and `target`, or the name of a library.
    method
        `"ora"`, over-representation, or `"prerank"`, gene set enrichment analysis :cite:p:`Subramanian2005` by gseapy
        :cite:p:`Fang2023` on all genes ranked by score, some hundred times slower.
    program_key
        Column of `adata.var` that holds the program of each gene, NaN for none.
    gene_symbols
        Column of `adata.var` with the names that the gene sets use; `None` is `adata.var_names`.
    organism
        Species of the embedding table by which names on both sides become approved symbols: Ensembl and Entrez ids,
        aliases and previous symbols then match. `None` compares names as they are, upper and lower case included.
    background
        Genes to compare with: a list, or a boolean column of `adata.var`; `None` is all genes of `adata`. If the
        programs were made from few of them, such as highly variable ones, `f"{program_key}_used"` is the stricter
        choice: it asks what tells a program from the genes that it was chosen from.
    min_size, max_size
        Sets with fewer or more genes in the background are not tested.
    max_fdr
        Terms above this false discovery rate are left out; 1 keeps every set with a gene in common.
    prune_parents
        Leave out a set that is enriched only because smaller enriched sets inside it are: without their genes it is no
        more enriched (p > 0.05). The hierarchy is read from the sets; no ontology is needed. For `method="ora"`.
    n_permutations
        For `method="prerank"`.
    key_added
        Name of the result below `adata.uns[program_key]`.
    rng
        Seed or generator of the permutations of `method="prerank"`.

    Returns
    -------
    One row per program and enriched term, by program and p-value; no row when nothing is enriched. Columns `program`,
    `term`, `n_overlap`, `n_term`, `n_program`, `n_background` (genes, all counted within the background),
    `odds_ratio`, `log10_p`, `p_value`, `fdr` and `genes`, those in common, joined by `;`. `p_value` is 0 below
    1e-308; `log10_p` is not. With `method="prerank"`, `n_overlap` and `genes` are those of the leading edge,
    `n_background` the ranked genes, `es` and `nes` (enrichment scores) stand in place of `n_program`, `odds_ratio`
    and `log10_p`, a p-value of 0 is one below `1 / n_permutations`, and the false discovery rate is gseapy's, over the
    sets of each program.

    With annotated data, the table is also written to `adata.uns[program_key][key_added]["table"]`, the parameters to
    `adata.uns[program_key][key_added]["params"]`.

    Raises
    ------
    MissingKeyError
        `program_key`, `gene_symbols` or `background` is not in `adata.var`.
    InputError
        No gene is in a program, there is no background, no set has a size to be tested, or the names of the genes and
        of the sets do not fit together, as when they are of two species.

    Warns
    -----
    UserWarning
        Genes of programs are not in the background; they are left out.

    Examples
    --------
    >>> import dnaclip
    >>> programs = {"P1": ["CD3D", "CD3E", "CD4"], "P2": ["ACTB", "LYZ"]}
    >>> sets = {"T cell receptor": ["CD3D", "CD3E", "CD3G"], "B cell receptor": ["CD79A", "CD79B", "CD19"]}
    >>> measured = ["CD3D", "CD3E", "CD3G", "CD4", "CD79A", "CD79B", "CD19", "ACTB", "LYZ"]
    >>> table = dnaclip.tl.enrich(programs, sets, background=measured, min_size=2, max_fdr=1)
    >>> table[["program", "term", "n_overlap", "p_value", "genes"]]
      program             term  n_overlap  p_value      genes
    0      P1  T cell receptor          2  0.22619  CD3D;CD3E
    """
    adata = _annotated(data)
    check_choice("method", method, ("ora", "prerank"))
    EmbeddingKeys(key_added)
    check_count("min_size", min_size)
    check_count("max_size", max_size, least=min_size)
    check_count("n_permutations", n_permutations, least=10)
    if isinstance(max_fdr, bool) or not isinstance(max_fdr, (int, float, np.number)) or not 0 < max_fdr <= 1:
        msg = f"max_fdr must be a number above 0 and at most 1, got {max_fdr!r}."
        raise InputError(msg)
    record = {} if adata is None else adata.uns.get(program_key, {})
    if not isinstance(record, Mapping) or "table" not in record.get(key_added, ["table"]):
        msg = f"adata.uns[{program_key!r}][{key_added!r}] exists and is no enrichment. Use another key_added."
        raise InputError(msg)

    known = read_gene_sets(gene_sets)
    if method == "prerank":
        ranked = rankings(data, program_key, gene_symbols, organism)
        known = same_names(known, set().union(*(scores.index for scores in ranked.values())), organism)
        sizes = {"min_size": min_size, "max_size": max_size}
        table = prerank(ranked, known, **sizes, n_permutations=n_permutations, rng=rng)
        table = table[table["fdr"] <= max_fdr].reset_index(drop=True)
    else:
        programs = program_genes(data, program_key, gene_symbols, organism)
        genes = background_genes(adata, background, gene_symbols, organism)
        known = same_names(known, genes, organism)
        in_program = membership(programs, genes, what="the programs")
        terms, in_set = sets_to_test(known, genes, min_size, max_size)
        table = enriched_terms(
            in_program,
            in_set,
            programs=list(programs),
            terms=terms,
            genes=genes,
            max_fdr=max_fdr,
            prune_parents=prune_parents,
        )
    logger.info("%d enriched terms in %d programs.", len(table), table["program"].nunique())

    if adata is not None:
        params: dict[str, Any] = {
            "method": method,
            "program_key": program_key,
            "gene_symbols": gene_symbols,
            "organism": organism,
            "background": background if background is None or isinstance(background, str) else "list",
            "min_size": min_size,
            "max_size": max_size,
            "max_fdr": float(max_fdr),
            "prune_parents": prune_parents,
            "n_gene_sets": len(known),
            "dnaclip_version": __version__,
        }
        if method == "prerank":
            params |= {"n_permutations": n_permutations, "rng": rng}
        # Tables in `uns` come back from a file with text as row names.
        stored = {"table": table.set_axis(table.index.astype(str)), "params": clean_params(params)}
        with quiet_view():
            adata.uns[program_key] = {**record, key_added: stored}
    return table


def enrichment_table(
    adata: anndata.AnnData, program_key: str = PROGRAM_KEY, enrichment_key: str = ENRICHMENT_KEY
) -> pd.DataFrame:
    """Return the table that :func:`enrich` wrote, with a fresh index; raise when there is none."""
    hint = "Run dnaclip.tl.enrich(adata, gene_sets) first."
    check_key(program_key, adata.uns, where="adata.uns", hint=hint)
    record = adata.uns[program_key]
    check_key(enrichment_key, record, where=f"adata.uns[{program_key!r}]", hint=hint)
    check_key("table", record[enrichment_key], where=f"adata.uns[{program_key!r}][{enrichment_key!r}]", hint=hint)
    return record[enrichment_key]["table"].reset_index(drop=True)


def _annotated(data: Any) -> anndata.AnnData | None:
    """Return `data` if it is an AnnData object to read from and write to, None if it holds the programs themselves."""
    if not hasattr(data, "uns"):
        return None
    check_adata(data)
    return data
