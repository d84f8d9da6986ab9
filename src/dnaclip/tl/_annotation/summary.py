"""What the nearest texts say together, in their own sentences."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["extractive_summary"]

_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9(])")
_WORD = re.compile(r"\w+")
_LONGEST = 240
# How much a sentence loses by each rank of its text.
_DECAY = 0.8


def extractive_summary(texts: Sequence[str], *, n_sentences: int = 2) -> str:
    """Choose the sentences that say best what several texts have in common.

    A sentence counts by how much of its words the other texts share, rare words of this set first, and by the rank of its text;
    the next one must add something. Sentences are quoted as they are. The same texts always give the same summary.

    Parameters
    ----------
    texts
        The nearest text first.
    n_sentences
        At most so many.

    Returns
    -------
    The sentences; empty without texts.

    Examples
    --------
    >>> from dnaclip.tl._annotation.summary import extractive_summary
    >>> extractive_summary(["Kinase of the heart. Found in mice.", "A kinase of the brain.", "Kinase of the liver."])
    'Kinase of the heart.'
    """
    distinct = list(dict.fromkeys(" ".join(text.split()) for text in texts if text.strip()))
    if not distinct:
        return ""
    if len(distinct) == 1:
        return " ".join(_shortened(s) for s in _sentences(distinct[0])[:n_sentences])
    places = [(rank, sentence) for rank, text in enumerate(distinct) for sentence in _sentences(text)]
    bags = [_words(sentence) for _, sentence in places]
    text_bags = [_words(text) for text in distinct]
    chosen: list[int] = []
    said: set[str] = set()
    for _ in range(n_sentences):
        worth = [
            0.0
            if i in chosen
            else _DECAY**rank * _shared(bag - said, bag, [b for r, b in enumerate(text_bags) if r != rank])
            for i, ((rank, _), bag) in enumerate(zip(places, bags, strict=True))
        ]
        best = int(np.argmax(worth))
        if worth[best] < 0.15:
            break
        chosen.append(best)
        said |= bags[best]
    if not chosen:
        chosen = [0]
    return " ".join(_shortened(places[i][1]) for i in chosen)


def _shared(new: set[str], bag: set[str], others: list[set[str]]) -> float:
    """Mean share of the sentence's words that are new and that each other text has too."""
    return float(np.mean([len(new & other) for other in others]) / (3 + len(bag))) if others else 0.0


def _sentences(text: str) -> list[str]:
    return [part for part in _END.split(text) if part.strip()] or [text]


def _words(text: str) -> set[str]:
    return {word for word in _WORD.findall(text.lower()) if len(word) > 2}


def _shortened(sentence: str) -> str:
    return sentence if len(sentence) <= _LONGEST else f"{sentence[:_LONGEST].rsplit(' ', 1)[0]} ..."
