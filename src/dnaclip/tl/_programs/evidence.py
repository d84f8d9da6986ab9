"""What a description of gene programs rests on: enriched gene sets, words of gene names, and single genes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from dnaclip._errors import InputError
from dnaclip.llm import Evidence
from dnaclip.tl._programs.enrich import ENRICHMENT_KEY, enrichment_table
from dnaclip.tl._programs.enrich_genes import membership, same_names, sets_to_test
from dnaclip.tl._programs.enriched_terms import enriched_terms
from dnaclip.tl._programs.term_names import word_sets

if TYPE_CHECKING:
    import anndata

__all__ = ["enriched_sets", "enriched_words", "no_terms", "single_genes", "stored_terms"]

# Words in fewer or more names than these, and sets with fewer or more genes, do not name a program.
WORD_SIZES = (3, 500)
SET_SIZES = (5, 500)
MAX_FDR = 0.05
# Sets that a gene is said to be in, the smallest first.
TOLD_SETS = 3


def stored_terms(adata: anndata.AnnData, program_key: str) -> pd.DataFrame:
    """Return what `enrich` has found."""
    table = enrichment_table(adata, program_key)
    if "n_program" not in table:
        msg = (
            f"adata.uns[{program_key!r}][{ENRICHMENT_KEY!r}] is from method='prerank', which describe cannot read. Give "
            "gene_sets, or run dnaclip.tl.enrich(adata, gene_sets) first."
        )
        raise InputError(msg)
    return table[table["fdr"] <= MAX_FDR].astype({"program": str, "genes": str})


def enriched_words(programs: dict[str, list[str]], names: dict[str, str], measured: list[str]) -> pd.DataFrame:
    """Return the words that the names of a program's genes share more often than chance."""
    here = {gene: names[gene] for gene in measured if gene in names}
    words = {word: genes for word, genes in word_sets(here).items() if WORD_SIZES[0] <= len(genes) <= WORD_SIZES[1]}
    if not words:
        return no_terms()
    known = {program: [gene for gene in genes if gene in here] for program, genes in programs.items()}
    return enriched_sets(known, words, list(here), WORD_SIZES)


def enriched_sets(
    programs: dict[str, list[str]],
    sets: dict[str, list[str]],
    measured: list[str],
    sizes: tuple[int, int] = SET_SIZES,
) -> pd.DataFrame:
    """Test each program by itself: whether it has a function must not depend on what the others have."""
    genes = pd.Index(measured, dtype=object)
    terms, in_set = sets_to_test(same_names(sets, genes, None), genes, *sizes)
    in_program = membership(programs, genes, what="the programs")
    tables = [
        enriched_terms(
            in_program[[i]], in_set, programs=[name], terms=terms, genes=genes, max_fdr=MAX_FDR, prune_parents=True
        )
        for i, name in enumerate(programs)
    ]
    found = [table for table in tables if len(table)]
    return pd.concat(found, ignore_index=True) if found else no_terms()


def no_terms() -> pd.DataFrame:
    columns = ["program", "term", "n_overlap", "n_term", "n_program", "n_background", "fdr", "genes"]
    return pd.DataFrame({column: pd.Series(dtype=object) for column in columns})


def single_genes(
    programs: dict[str, list[str]], texts: dict[str, str], known: dict[str, list[str]]
) -> dict[str, dict[str, Evidence]]:
    """Return what is known of each gene by itself, by program and evidence id: its text, and the smallest sets with it."""
    sets_of: dict[str, list[str]] = {}
    for term in sorted(known, key=lambda term: (len(known[term]), term)):
        for gene in known[term]:
            sets_of.setdefault(gene, []).append(term)
    single: dict[str, dict[str, Evidence]] = {}
    for program, genes in programs.items():
        told = [(gene, _known_of(texts.get(gene, ""), sets_of.get(gene, []))) for gene in genes]
        single[program] = {
            f"G:{gene}": Evidence(f"G:{gene}", "gene", gene, text, (gene,), 0, float("nan"))
            for gene, text in told
            if text
        }
    return single


def _known_of(text: str, sets: list[str]) -> str:
    return " ".join([*([text] if text else []), *([f"In the sets: {'; '.join(sets[:TOLD_SETS])}."] if sets else [])])
