"""Encode DNA piece by piece with a model that fills a GPU by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from tqdm.auto import tqdm

from dnaclip.encoders._pieces import pieces
from dnaclip.encoders._strings import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["encode_one_by_one"]


def encode_one_by_one(
    sequences: Sequence[str], piece_length: int, read: Callable[[str], np.ndarray], dimension: int, *, progress: bool
) -> np.ndarray:
    """Mean over the bases of each sequence, float32 (n, dimension), where `read` gives the sum over those of a piece.

    Sequences are cut into pieces of like length, without overlap. One that comes twice is read once.
    """
    cleaned = clean(sequences, "dna")
    distinct = sorted(set(cleaned))
    row = {sequence: i for i, sequence in enumerate(distinct)}
    lengths = [len(sequence) for sequence in distinct]
    sums = np.zeros((len(distinct), dimension))
    with tqdm(total=sum(lengths), unit="base", unit_scale=True, disable=not progress) as bar:
        # The longest first: if the memory does not suffice, that shows at once.
        for piece in reversed(pieces(lengths, piece_length)):
            sums[piece.string] += read(distinct[piece.string][piece.start : piece.stop])
            bar.update(len(piece))
    means = sums / np.array(lengths, dtype=float).reshape(-1, 1)
    return means.astype(np.float32)[[row[sequence] for sequence in cleaned]]
