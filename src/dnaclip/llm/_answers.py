"""Answers of a language model, checked: nothing of them is used that does not have the shape asked for."""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["VERDICTS", "AnswerError", "plain", "read_draft", "read_summary", "read_verdicts"]

VERDICTS = ("supported", "partly", "refuted", "not checkable")
LONGEST_ANSWER = 20_000
LONGEST_NAME = 100
LONGEST_SUMMARY = 1500
LONGEST_CLAIM = 400
MOST_CLAIMS = 8
MOST_GENES = 200


class AnswerError(ValueError):
    """An answer cannot be used."""


def read_summary(answer: str) -> str:
    """Read `summary`."""
    return _string(_object(answer), "summary", LONGEST_SUMMARY)


def read_draft(answer: str) -> dict[str, Any]:
    """Read `name`, `summary` and `claims`, a list of dictionaries with `claim` and `genes`."""
    value = _object(answer)
    return {
        "name": _string(value, "name", LONGEST_NAME),
        "summary": _string(value, "summary", LONGEST_SUMMARY),
        "claims": [
            {"claim": _string(claim, "claim", LONGEST_CLAIM), "genes": _strings(claim, "genes", MOST_GENES)}
            for claim in _list(value, "claims", MOST_CLAIMS)
        ],
    }


def read_verdicts(answer: str, n_claims: int) -> list[dict[str, Any]]:
    """Read `verdict` and `evidence` (ids) for each of the claims, in their order."""
    found: dict[int, dict[str, Any]] = {}
    for value in _list(_object(answer), "verdicts", 2 * MOST_CLAIMS):
        number, verdict = value.get("number"), value.get("verdict")
        if type(number) is not int or not 1 <= number <= n_claims or number in found:
            msg = f"number {number!r:.20} is not that of a claim, or comes twice"
            raise AnswerError(msg)
        if verdict not in VERDICTS:
            msg = f"verdict {verdict!r:.40} is not one of {', '.join(VERDICTS)}"
            raise AnswerError(msg)
        found[number] = {"verdict": verdict, "evidence": _strings(value, "evidence", MOST_GENES)}
    if len(found) < n_claims:
        msg = f"{n_claims - len(found)} of {n_claims} claims have no verdict"
        raise AnswerError(msg)
    return [found[number] for number in range(1, n_claims + 1)]


def plain(text: str) -> str:
    """Return text on one line, without control, formatting and private characters."""
    return " ".join("".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text).split())


def _object(answer: str) -> dict[str, Any]:
    """Return the JSON object in an answer, which may stand in a code fence or among sentences."""
    if len(answer) > LONGEST_ANSWER:
        msg = f"an answer of {len(answer):,} characters, more than {LONGEST_ANSWER:,}"
        raise AnswerError(msg)
    start = answer.find("{")
    if start < 0:
        msg = "no JSON object in the answer; perhaps a refusal"
        raise AnswerError(msg)
    try:
        value, _ = json.JSONDecoder().raw_decode(answer, start)
    except (ValueError, RecursionError):
        msg = "broken JSON"
        raise AnswerError(msg) from None
    return value


def _string(value: dict[str, Any], field: str, longest: int) -> str:
    text = value.get(field)
    if not isinstance(text, str) or not plain(text):
        msg = f"{field!r} is not a text"
        raise AnswerError(msg)
    if len(plain(text)) > longest:
        msg = f"{field!r} has more than {longest} characters"
        raise AnswerError(msg)
    return plain(text)


def _list(value: dict[str, Any], field: str, most: int) -> Sequence[dict[str, Any]]:
    items = value.get(field)
    if not isinstance(items, list) or len(items) > most or not all(isinstance(item, dict) for item in items):
        msg = f"{field!r} is not a list of at most {most} objects"
        raise AnswerError(msg)
    return items


def _strings(value: dict[str, Any], field: str, most: int) -> list[str]:
    items = value.get(field, [])
    if not isinstance(items, list) or len(items) > most or not all(isinstance(item, str) for item in items):
        msg = f"{field!r} is not a list of at most {most} texts"
        raise AnswerError(msg)
    return [plain(item)[:LONGEST_NAME] for item in items]
