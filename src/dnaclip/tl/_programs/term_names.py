"""Terms as a reader wants them: without accession, without the shouting of some collections; and words of gene names."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["readable", "word_sets"]

# "DNA repair (GO:0006281)", "Apoptosis R-HSA-109581", "p53 signaling pathway WP707"
_ACCESSION = re.compile(r"\s*(\((GO|HP|MP|DOID|CL|UBERON):\d+\)|R-[A-Z]{3}-\d+|\bWP\d+|\bhsa\d{5})$")
# "HALLMARK_DNA_REPAIR"
_SHOUTED = re.compile(r"[A-Z0-9]+(_[A-Z0-9/,.\-]+)+")
_WORD = re.compile(r"[a-z][a-z-]*[a-z]")
# Words that join others and name nothing.
_JOINTS = {"and", "or", "of", "the", "with", "in", "to", "for", "by", "like", "non", "type", "containing"}


def readable(term: str) -> str:
    """Return the name of a gene set as it reads in a sentence.

    Examples
    --------
    >>> readable("DNA repair (GO:0006281)"), readable("HALLMARK_DNA_REPAIR")
    ('DNA repair', 'dna repair')
    """
    if _SHOUTED.fullmatch(term):
        return " ".join(term.split("_")[1:]).lower()
    return _ACCESSION.sub("", term).strip() or term


def word_sets(names: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the genes with each word, and each pair of neighbouring words, in their names.

    Of words that always stand together, the longest phrase is kept.

    Examples
    --------
    >>> word_sets({"RPL3": "ribosomal protein L3", "RPS2": "ribosomal protein S2", "ALB": "albumin"})
    {'ribosomal protein': ['RPL3', 'RPS2'], 'albumin': ['ALB']}
    """
    sets: dict[str, list[str]] = {}
    for gene, name in names.items():
        words = _WORD.findall(name.lower())
        single = [word for word in words if word not in _JOINTS and len(word) > 2]
        double = [f"{a} {b}" for a, b in pairwise(words) if a not in _JOINTS and b not in _JOINTS]
        for phrase in dict.fromkeys([*single, *double]):
            sets.setdefault(phrase, []).append(gene)
    longest: dict[tuple[str, ...], str] = {}
    for phrase, genes in sets.items():
        longest[tuple(genes)] = max(longest.get(tuple(genes), ""), phrase, key=len)
    return {phrase: list(genes) for genes, phrase in longest.items()}
