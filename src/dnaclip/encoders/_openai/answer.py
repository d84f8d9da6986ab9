"""What is asked of an embeddings endpoint in one request, and what comes back."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

import numpy as np

from dnaclip._errors import LanguageModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MOST_INPUTS", "MOST_TOKENS", "MOST_TOKENS_AN_INPUT", "read_vectors", "requests_of"]

# As documented by OpenAI.
MOST_INPUTS = 2048
MOST_TOKENS = 300_000
MOST_TOKENS_AN_INPUT = 8192


def requests_of(tokens: Sequence[int]) -> list[list[int]]:
    """Share texts of so many tokens out over requests, in order, within the limits of one request.

    Returns
    -------
    Positions in `tokens`, one list a request.

    Examples
    --------
    >>> from dnaclip.encoders._openai.answer import requests_of
    >>> requests_of([200_000, 100_000, 1])
    [[0, 1], [2]]
    """
    made: list[list[int]] = []
    total = 0
    for i, n in enumerate(tokens):
        if not made or len(made[-1]) == MOST_INPUTS or total + n > MOST_TOKENS:
            made.append([])
            total = 0
        made[-1].append(i)
        total += n
    return made


def read_vectors(answer: dict[str, Any], n: int, dimension: int | None) -> np.ndarray:
    """Return the vectors of an answer in the order of the texts, float32 (n, dimension).

    Raises
    ------
    LanguageModelError
        There is not exactly one vector of the right length and with finite numbers for each text.
    """
    try:
        entries = {int(entry["index"]): _vector(entry["embedding"]) for entry in answer["data"]}
        if sorted(entries) != list(range(n)) or len(answer["data"]) != n:
            msg = f"{len(answer['data'])} vectors came for {n} texts"
            raise ValueError(msg)
        vectors = np.stack([entries[i] for i in range(n)])
        if dimension is not None and vectors.shape[1:] != (dimension,):
            msg = f"vectors of {vectors.shape[1:]} came, not of ({dimension},)"
            raise ValueError(msg)
        if vectors.ndim != 2 or not vectors.size or not np.isfinite(vectors).all():
            msg = "what came are no finite vectors"
            raise ValueError(msg)
    except (LookupError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        msg = f"The endpoint's answer cannot be used ({error}): is it an OpenAI-compatible embeddings API?"
        raise LanguageModelError(msg) from error
    return vectors


def _vector(value: Any) -> np.ndarray:
    if isinstance(value, str):
        return np.frombuffer(base64.b64decode(value, validate=True), dtype="<f4").astype(np.float32)
    return np.asarray(value, dtype=np.float32)
