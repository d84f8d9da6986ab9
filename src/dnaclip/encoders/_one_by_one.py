"""Encode DNA piece by piece with a model that fills a GPU by itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from tqdm.auto import tqdm

from dnaclip.encoders._pieces import pieces
from dnaclip.encoders._strings import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["OneByOneEncoder"]


class OneByOneEncoder(ABC):
    """An encoder that reads one piece of DNA at a time: padding would change what its model reads, or there is no room for two."""

    piece_length: int

    @abstractmethod
    def _sum(self, sequence: str) -> np.ndarray:
        """Sum over the bases of a piece, float64 (dimension,)."""

    @cached_property
    def dimension(self) -> int:
        """Length of the vectors."""
        return len(self._sum("ACGT"))

    def check(self, sequences: Sequence[str]) -> None:
        """Raise an InputError for a sequence that :meth:`encode` would refuse."""
        clean(sequences, "dna")

    def encode(self, sequences: Sequence[str], *, progress: bool = False) -> np.ndarray:
        """Turn sequences into vectors, the mean over the bases of each.

        Parameters
        ----------
        sequences
            DNA, one string each, on the gene's own strand: what the model reads depends on it. Lower case counts as upper case.
        progress
            Whether to show a progress bar, in bases.

        Returns
        -------
        float32 (n, dimension), in the order of `sequences`. A sequence that comes twice is encoded once; one longer than
        `piece_length` is cut into pieces of like length, without overlap.

        Raises
        ------
        InputError
            A sequence is blank or not a string, or the model does not give what is asked of it.
        """
        cleaned = clean(sequences, "dna")
        distinct = sorted(set(cleaned))
        row = {sequence: i for i, sequence in enumerate(distinct)}
        lengths = [len(sequence) for sequence in distinct]
        sums = np.zeros((len(distinct), self.dimension))
        with tqdm(total=sum(lengths), unit="base", unit_scale=True, disable=not progress) as bar:
            # The longest first: if the memory does not suffice, that shows at once.
            for piece in reversed(pieces(lengths, self.piece_length)):
                sums[piece.string] += self._sum(distinct[piece.string][piece.start : piece.stop])
                bar.update(len(piece))
        means = sums / np.array(lengths, dtype=float).reshape(-1, 1)
        return means.astype(np.float32)[[row[sequence] for sequence in cleaned]]
