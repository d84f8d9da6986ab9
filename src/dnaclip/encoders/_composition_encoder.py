"""The default features, words of one to four letters and the like, as an encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from tqdm.auto import tqdm

from dnaclip.encoders._bases import encode_bases
from dnaclip.encoders._composition import composition, composition_names
from dnaclip.encoders._reading_frames import open_reading_frames

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CompositionEncoder"]

_GENES_AT_ONCE = 1000


class CompositionEncoder:
    """Shares of words, codons and amino acids, and a few numbers such as length and GC content; see :func:`dnaclip.encoders.composition`.

    No weights and no network; the simplest thing that any other encoder of DNA has to beat.

    Attributes
    ----------
    name
        `"composition"`.

    Examples
    --------
    >>> from dnaclip.encoders import CompositionEncoder
    >>> CompositionEncoder().encode(["ATGGCC" * 20, "ATATAT"]).shape
    (2, 831)
    """

    name = "composition"

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return len(composition_names())

    def check(self, sequences: Sequence[str]) -> None:
        """Raise an InputError for a sequence that :meth:`encode` would refuse."""
        encode_bases(sequences)

    def encode(self, sequences: Sequence[str], *, progress: bool = False) -> np.ndarray:
        """Turn sequences into vectors.

        Parameters
        ----------
        sequences
            DNA or RNA, one string a gene, on the gene's own strand.
        progress
            Whether to show a progress bar.

        Returns
        -------
        float32 (n, dimension).

        Raises
        ------
        InputError
            A sequence is empty, not a string or holds what is no base.
        """
        vectors = np.empty((len(sequences), self.dimension), dtype=np.float32)
        for first in tqdm(range(0, len(sequences), _GENES_AT_ONCE), disable=not progress, unit="block"):
            bases = encode_bases(sequences[first : first + _GENES_AT_ONCE], first=first)
            vectors[first : first + len(bases)] = composition(bases, open_reading_frames(bases))
        return vectors
