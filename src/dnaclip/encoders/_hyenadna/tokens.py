"""HyenaDNA's alphabet: one token a base, by a look-up table of bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from dnaclip._errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "PAD",
    "SPECIAL_TOKENS",
    "UNKNOWN",
    "SpecialTokens",
    "check_sequences",
    "n_special",
    "padded",
    "tokenize",
]

SpecialTokens = Literal["none", "sep", "cls_sep"]
SPECIAL_TOKENS: tuple[SpecialTokens, ...] = ("none", "sep", "cls_sep")

CLS, SEP, PAD, UNKNOWN = 0, 1, 4, 6
BASES = {"A": 7, "C": 8, "G": 9, "T": 10, "N": 11}

_TABLE = np.full(256, UNKNOWN, dtype=np.uint8)
for _base, _token in BASES.items():
    _TABLE[[ord(_base), ord(_base.lower())]] = _token


def tokenize(sequence: str, special_tokens: SpecialTokens = "none") -> np.ndarray:
    """Turn bases into tokens; lower case, with which genomes mark repeats, reads as upper case.

    Parameters
    ----------
    sequence
        DNA. What is none of A, C, G, T and N becomes the unknown token, U too.
    special_tokens
        `"none"`; `"sep"` puts an end mark behind the bases; `"cls_sep"` a start mark before them too.

    Returns
    -------
    uint8 (n_bases + special tokens,).

    Examples
    --------
    >>> from dnaclip.encoders._hyenadna.tokens import tokenize
    >>> tokenize("acGTNr", "sep")
    array([ 7,  8,  9, 10, 11,  6,  1], dtype=uint8)
    """
    tokens = _TABLE[np.frombuffer(sequence.encode("ascii", "replace"), dtype=np.uint8)]
    if special_tokens == "none":
        return tokens
    return np.concatenate([[CLS] if special_tokens == "cls_sep" else [], tokens, [SEP]]).astype(np.uint8)


def n_special(special_tokens: SpecialTokens) -> int:
    """How many tokens `special_tokens` adds."""
    return SPECIAL_TOKENS.index(special_tokens)


def padded(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Put rows of tokens together, uint8 (n, longest). Padding stands on the right, where a causal model does not see it."""
    tokens = np.full((len(rows), max(map(len, rows), default=0)), PAD, dtype=np.uint8)
    for i, row in enumerate(rows):
        tokens[i, : len(row)] = row
    return tokens


def check_sequences(sequences: Sequence[str]) -> None:
    """Raise for what is no list of DNA."""
    if isinstance(sequences, str):
        msg = "sequences is a single string. Pass a list with one string a sequence: [sequence]."
        raise InputError(msg)
    for i, sequence in enumerate(sequences):
        if not isinstance(sequence, str) or not sequence:
            msg = f"Sequence {i} is {sequence!r}; it must be a string of at least one base. Drop it or give its bases."
            raise InputError(msg)
        if np.mean(tokenize(sequence[:1000]) == UNKNOWN) > 0.5:
            msg = f"Sequence {i} does not look like DNA: {sequence[:40]!r}. HyenaDNA knows A, C, G, T and N; write RNA with T."
            raise InputError(msg)
