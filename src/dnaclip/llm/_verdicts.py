"""Claims about genes, and what a model's verdict on them is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from dnaclip.llm._evidence import Evidence

__all__ = ["Claim", "is_about_program", "judged"]


@dataclass(frozen=True)
class Claim:
    """A statement about a program, with its verdict.

    Attributes
    ----------
    stage
        `"draft"` or `"revision"`, the text that it comes from.
    text
        The statement.
    genes
        Genes it is about; none for the whole program.
    verdict
        `"supported"`, `"partly"`, `"refuted"` or `"not checkable"`.
    evidence
        Ids of the evidence for the verdict.
    note
        Why the verdict is not the one that the model gave.
    """

    stage: str
    text: str
    genes: tuple[str, ...]
    verdict: str
    evidence: tuple[str, ...]
    note: str = ""


def is_about_program(genes: Collection[str], n_program: int) -> bool:
    """Whether a claim about these genes is one about the whole program of `n_program` genes."""
    return not genes or len(genes) > n_program / 2


def judged(
    stage: str,
    claim: Mapping[str, Any],
    answer: Mapping[str, Any],
    *,
    evidence: Mapping[str, Evidence],
    program: Collection[str],
) -> Claim:
    """Return a claim with its verdict, which the model's word alone cannot make a good one.

    Only evidence that exists counts. A claim about the whole program needs an enriched term, one about single genes
    evidence about one of them; a claim about genes outside the program is wrong.
    """
    genes = tuple(dict.fromkeys(claim["genes"]))
    cited = [evidence[name] for name in dict.fromkeys(answer["evidence"]) if name in evidence]
    whole = is_about_program(genes, len(program))
    fitting = [item for item in cited if (item.about_program if whole else set(item.genes) & set(genes))]
    strangers = [gene for gene in genes if gene not in program]
    verdict, note = answer["verdict"], ""
    if strangers:
        verdict, note = "refuted", f"not in the program: {', '.join(strangers[:5])}"
    elif verdict != "not checkable" and not fitting:
        note = f"the model said {verdict!r} without evidence " + (
            "of an enriched term" if whole else "about these genes"
        )
        verdict = "not checkable"
    return Claim(stage, claim["claim"], genes, verdict, tuple(item.id for item in fitting), note)
