"""What is known of a program's genes, as a claim can be checked against it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ABSTENTION", "Evidence"]

# The name of a program whose genes share nothing that could be shown.
ABSTENTION = "no common function"


@dataclass(frozen=True)
class Evidence:
    """One piece of evidence about a program.

    Attributes
    ----------
    id
        Its name within the program, such as `S1`.
    kind
        `"gene set"`, enriched in the program; `"words"`, enriched in the names of its genes; `"gene"`, what is known of
        one gene.
    title
        The set, the words, or the gene.
    text
        What is known of a gene; empty for the other kinds.
    genes
        Genes of the program that it is about.
    n_term
        Genes of the background with it.
    fdr
        False discovery rate; NaN for a gene.
    """

    id: str
    kind: str
    title: str
    text: str
    genes: tuple[str, ...]
    n_term: int
    fdr: float

    @property
    def about_program(self) -> bool:
        """Whether it says something of the program as a whole."""
        return self.kind != "gene"
