"""A language model's summary of the nearest genes, whose claims are checked against their texts."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from dnaclip.llm import Evidence, describe_program

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dnaclip.llm import Description

__all__ = ["llm_summary"]

_CONTEXT = (
    "known genes that are most similar to one gene of unknown function; what most of them share may be its function"
)
_WORD = re.compile(r"[A-Za-z][A-Za-z-]{3,}")
_EMPTY = {
    "gene",
    "genes",
    "protein",
    "proteins",
    "encodes",
    "encoded",
    "this",
    "that",
    "with",
    "from",
    "family",
    "member",
}


def llm_summary(llm: Callable[[list[dict[str, str]]], str], genes: Sequence[str], texts: Sequence[str]) -> Description:
    """Describe the nearest genes with :func:`dnaclip.llm.describe_program`: same questions, limits and checks.

    The evidence for a claim about all of them are the words that most of their texts share; for a claim about one gene, its text.
    """
    names = list(dict.fromkeys(genes))
    text_of = dict(zip(genes, texts, strict=True))
    carriers = {gene: {word.lower() for word in _WORD.findall(text_of[gene])} - _EMPTY for gene in names}
    counts = Counter(word for words in carriers.values() for word in words)
    shared = [word for word, n in counts.most_common() if n > len(names) / 2][:12]
    evidence = []
    if shared:
        with_them = tuple(gene for gene in names if carriers[gene] & set(shared))
        evidence.append(Evidence("W1", "words", ", ".join(shared), "", with_them, len(with_them), float("nan")))
    evidence += [
        Evidence(f"G{i}", "gene", gene, text_of[gene], (gene,), 1, float("nan"))
        for i, gene in enumerate(names, start=1)
    ]
    return describe_program(llm, names, evidence, context=_CONTEXT)
