"""Name a gene program by what its genes have in common beyond chance, and say how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dnaclip.llm._evidence import ABSTENTION, Evidence
from dnaclip.tl._programs.term_names import readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = ["ProgramName", "confidence", "features", "name_program"]

# The terms that count for the confidence, from the smallest p-value, and those told in a summary.
MOST_TERMS = 10
TOLD_TERMS = 3
# Weights of the logistic model of `confidence`: constant, strength, coverage. benchmarks/program_names.py fits them.
WEIGHTS = {
    "gene set": (-2.43, 0.21, 5.84),
    "words": (-1.09, 0.13, 4.79),
}


@dataclass(frozen=True)
class ProgramName:
    """Name of a program, and what it rests on.

    Attributes
    ----------
    name, summary
        In plain words.
    confidence
        See :func:`confidence`.
    source
        `"gene sets"`, `"words in gene names"` or `"none"`.
    evidence
        Enriched terms of both kinds.
    """

    name: str
    summary: str
    confidence: float
    source: str
    evidence: tuple[Evidence, ...]


def name_program(
    n_genes: int, sets: pd.DataFrame, words: pd.DataFrame, central: Sequence[str], *, min_confidence: float
) -> ProgramName:
    """Name one program by its enriched sets or, where they are no evidence, by words of its genes' names.

    Parameters
    ----------
    n_genes
        Genes of the program.
    sets, words
        Rows of this program in tables as :func:`dnaclip.tl.enrich` returns them, by p-value.
    central
        Genes nearest to the middle of the program, told in the summary.
    min_confidence
        Below it the name is `no common function`.
    """
    evidence = {"gene set": _evidence("gene set", "S", sets), "words": _evidence("words", "W", words)}
    sure = {"gene set": confidence("gene set", sets), "words": confidence("words", words)}
    # Gene sets were written to name functions; words of names only stand in for them.
    enough = evidence["gene set"] and sure["gene set"] >= min_confidence
    best = "gene set" if enough else max(sure, key=lambda kind: sure[kind])
    both = (*evidence["gene set"], *evidence["words"])
    middle = f" Nearest to the middle of the program: {', '.join(central)}." if central else ""
    if not evidence[best] or sure[best] < min_confidence:
        summary = f"{_weak(evidence[best], n_genes)}{middle}"
        return ProgramName(ABSTENTION, summary, sure[best], "none", both)
    told = [_told(kind, evidence[kind], n_genes) for kind in (best, *(kind for kind in evidence if kind != best))]
    summary = " ".join(sentence for sentence in told if sentence) + middle
    source = {"gene set": "gene sets", "words": "words in gene names"}[best]
    return ProgramName(readable(evidence[best][0].title), summary, sure[best], source, both)


def confidence(kind: str, terms: pd.DataFrame) -> float:
    r"""Return how large a part of a program has a function in common, as far as enriched terms can tell.

    A logistic model of two features (:func:`features`), fitted on sets of genes of which all, half or none are of one
    known pathway: 1, 0.5 and 0 are what it is to return. It is 0 without an enriched term.
    """
    if terms.empty:
        return 0.0
    constant, *slopes = WEIGHTS[kind]
    return float(1 / (1 + np.exp(-(constant + np.dot(slopes, features(terms))))))


def features(terms: pd.DataFrame) -> tuple[float, float]:
    r"""Return strength and coverage of the enriched terms of one program.

    Strength is :math:`\log(1 - \log_{10} \mathrm{FDR})` of the best term. Coverage is the share of the program that
    the ten best terms hold together, above the share of the background that they would hold if they were independent.
    """
    best = terms.head(MOST_TERMS)
    n_genes, n_background = best["n_program"].iloc[0], best["n_background"].iloc[0]
    share = len({gene for genes in best["genes"] for gene in genes.split(";")}) / n_genes
    chance = 1 - np.prod(1 - best["n_term"].to_numpy() / n_background)
    strength = np.log1p(-np.log10(max(best["fdr"].iloc[0], 1e-300)))
    return float(strength), float(max(0.0, (share - chance) / max(1 - chance, 1e-9)))


def _evidence(kind: str, letter: str, terms: pd.DataFrame) -> tuple[Evidence, ...]:
    columns = ("term", "genes", "n_term", "fdr")
    rows = zip(*(terms[column].head(MOST_TERMS) for column in columns), strict=True)
    return tuple(
        Evidence(f"{letter}{i}", kind, term, "", tuple(genes.split(";")), int(n_term), float(fdr))
        for i, (term, genes, n_term, fdr) in enumerate(rows, start=1)
    )


def _told(kind: str, evidence: Sequence[Evidence], n_genes: int) -> str:
    if not evidence:
        return ""
    what = {"gene set": "Of {} genes, {}", "words": "Words in the names of {} genes: {}"}[kind]
    of = "in" if kind == "gene set" else "with"
    shares = [f"{len(e.genes)} {of} {readable(e.title)!r} (FDR {e.fdr:.1g})" for e in evidence[:TOLD_TERMS]]
    return f"{what.format(n_genes, ', '.join(shares))}."


def _weak(evidence: Sequence[Evidence], n_genes: int) -> str:
    if not evidence:
        return f"The {n_genes} genes share no gene set and no words of their names more often than chance."
    best = evidence[0]
    return (
        f"Too little is shared to name a function: at most {len(best.genes)} of {n_genes} genes have "
        f"{readable(best.title)!r} (FDR {best.fdr:.1g}) in common."
    )
