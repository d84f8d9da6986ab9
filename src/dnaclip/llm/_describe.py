"""Draft a description, check its claims, revise it, check again: the loop of GeneAgent with local evidence."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from dnaclip._errors import InputError
from dnaclip.llm._answers import AnswerError, plain, read_draft, read_summary, read_verdicts
from dnaclip.llm._client import ChatClient
from dnaclip.llm._evidence import ABSTENTION
from dnaclip.llm._prompts import messages
from dnaclip.llm._verdicts import Claim, is_about_program, judged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dnaclip.llm._evidence import Evidence

    LanguageModel = Callable[[list[dict[str, str]]], str]

__all__ = ["Description", "describe_program"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Of a large program the model sees this many genes, and of each text this many characters.
MOST_GENES = 150
LONGEST_TEXT = 300
MOST_TERMS = 20


@dataclass(frozen=True)
class Description:
    """What a language model made of a program, checked.

    Attributes
    ----------
    name, summary
        The description; empty when none stands.
    support
        Share of the revision's claims that are supported, partly supported ones counted half; NaN when none stands.
    claims
        All claims with their verdicts.
    status
        What became of it, as a sentence.
    """

    name: str
    summary: str
    support: float
    claims: tuple[Claim, ...]
    status: str


def describe_program(
    llm: LanguageModel, genes: Sequence[str], evidence: Sequence[Evidence], *, context: str = ""
) -> Description:
    """Let a language model name a program, and keep what local evidence bears out.

    Five questions: a draft from the genes alone, with claims; verdicts on them by the evidence; a revision, with
    claims; verdicts on these; the last form of the summary. An answer that cannot be read is asked for once more. The loop follows
    GeneAgent :cite:p:`Wang2025`, but the evidence is given, so that the number of questions is bounded; and verdicts
    need evidence that exists (see :class:`Claim`). The name stands if a claim about the whole program is supported, at
    least partly, by an enriched term.

    Parameters
    ----------
    llm
        Messages in (a list of dictionaries with `role` and `content`), text out.
    genes
        Genes of the program.
    evidence
        What the claims are checked against.
    context
        What the genes come from, such as a tissue; given to the model as data.

    Raises
    ------
    LanguageModelError
        From `llm`: there is no answer, or a limit is reached.

    Examples
    --------
    >>> from dnaclip.llm import describe_program
    >>> mute = lambda messages: "I cannot help with that."
    >>> describe_program(mute, ["CD3D", "CD3E"], []).status
    "the model's answers could not be used: no JSON object in the answer; perhaps a refusal"
    """
    claims: tuple[Claim, ...] = ()
    try:
        texts = {item.title: item.text for item in evidence if item.kind == "gene"}
        shown = [{"gene": gene, "text": _cut(texts.get(gene, ""))} for gene in genes[:MOST_GENES]]
        described = {"n_genes": len(genes), "genes": shown, "context": _cut(context)}
        draft = _ask(llm, "draft", described, read_draft)
        if _abstains(draft["name"]):
            return _without("the model sees no common function", claims)
        claims = _verified(llm, "draft", draft["claims"], genes, evidence)
        known = {"evidence": _terms(evidence), "n_genes": len(genes)}
        revision = _ask(llm, "revise", {"draft": _text_of(draft), "claims": _shown(claims), **known}, read_draft)
        if _abstains(revision["name"]):
            return _without("after checking, the model sees no common function", claims)
        last = _verified(llm, "revision", revision["claims"], genes, evidence)
        claims += last
        if not any(c.verdict in ("supported", "partly") for c in last if is_about_program(c.genes, len(genes))):
            return _without("no enriched term bears out the model's name", claims)
        summary = _ask(llm, "finish", {"draft": _text_of(revision), "claims": _shown(last)}, read_summary)
    except AnswerError as error:
        return _without(f"the model's answers could not be used: {error}", claims)
    return Description(revision["name"], summary, _support(last), claims, "described by the model, and checked")


def _without(status: str, claims: tuple[Claim, ...]) -> Description:
    return Description("", "", float("nan"), claims, status)


def _ask(llm: LanguageModel, step: str, data: dict[str, Any], read: Callable[[str], T]) -> T:
    """Ask, and once more when the answer is of no use."""
    asked = messages(step, data)
    try:
        return _answer(llm, asked, read)
    except AnswerError as error:
        logger.info("Asking for the %s again: %s.", step, error)
        again = f"An earlier answer could not be used: {error}. Answer with one JSON object of the form given."
    return _answer(llm, [*asked, {"role": "user", "content": again}], read)


def _answer(llm: LanguageModel, asked: list[dict[str, str]], read: Callable[[str], T]) -> T:
    answer = llm(asked)
    if not isinstance(answer, str):
        msg = f"llm must return text, got {type(answer).__name__}."
        raise InputError(msg)
    try:
        return read(answer)
    except AnswerError:
        # A cache must not bring back an answer of no use.
        if isinstance(llm, ChatClient):
            llm.forget(asked)
        raise


def _verified(
    llm: LanguageModel, stage: str, claims: Sequence[dict[str, Any]], genes: Sequence[str], evidence: Sequence[Evidence]
) -> tuple[Claim, ...]:
    """Have claims judged by the enriched terms and by what is known of the genes that they name."""
    named = {gene for claim in claims for gene in claim["genes"]}
    single = [item for item in evidence if item.kind == "gene" and item.title in named][:MOST_GENES]
    at_hand = {item.id: item for item in [*(e for e in evidence if e.about_program), *single]}
    if not claims or not at_hand:
        silent = {"verdict": "not checkable", "evidence": []}
        return tuple(judged(stage, claim, silent, evidence={}, program=genes) for claim in claims)
    data = {
        "n_genes": len(genes),
        "claims": [{"number": i, **claim} for i, claim in enumerate(claims, start=1)],
        "evidence": [*_terms(evidence), *({"id": e.id, "gene": e.title, "text": _cut(e.text)} for e in single)],
    }
    answers = _ask(llm, "verify", data, lambda answer: read_verdicts(answer, len(claims)))
    return tuple(
        judged(stage, claim, answer, evidence=at_hand, program=genes)
        for claim, answer in zip(claims, answers, strict=True)
    )


def _terms(evidence: Sequence[Evidence]) -> list[dict[str, Any]]:
    return [
        {
            "id": e.id,
            "enriched": _cut(e.title),
            "n_genes": len(e.genes),
            "genes": list(e.genes[:30]),
            "fdr": f"{e.fdr:.1e}",
        }
        for e in [item for item in evidence if item.about_program][:MOST_TERMS]
    ]


def _shown(claims: Sequence[Claim]) -> list[dict[str, Any]]:
    return [
        {"claim": c.text, "genes": list(c.genes), "verdict": c.verdict, "evidence": list(c.evidence)} for c in claims
    ]


def _text_of(draft: dict[str, Any]) -> dict[str, str]:
    return {"name": draft["name"], "summary": draft["summary"]}


def _abstains(name: str) -> bool:
    return name.strip(" .").casefold() == ABSTENTION


def _support(claims: Sequence[Claim]) -> float:
    worth = {"supported": 1.0, "partly": 0.5}
    return sum(worth.get(claim.verdict, 0.0) for claim in claims) / len(claims)


def _cut(text: str) -> str:
    text = plain(text)
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}..."
