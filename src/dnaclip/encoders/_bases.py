"""Gene sequences as one array of base codes: the shared first step of every feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dnaclip._errors import InputError, examples

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["AMBIGUOUS", "SEPARATOR", "Bases", "encode_bases"]

AMBIGUOUS = 4
"""Code of N and of every other IUPAC letter that does not name one base."""
SEPARATOR = 5
"""Code between two genes."""
_ILLEGAL = 255
MAX_AMBIGUOUS = 0.5


def _letter_codes() -> np.ndarray:
    codes = np.full(256, _ILLEGAL, np.uint8)
    for letters, code in (("A", 0), ("C", 1), ("G", 2), ("TU", 3), ("NRYKMSWBDHV", AMBIGUOUS)):
        for letter in letters:
            codes[ord(letter)] = codes[ord(letter.lower())] = code
    return codes


_CODES = _letter_codes()


@dataclass(frozen=True)
class Bases:
    """Base codes of several genes, one after the other.

    Each gene starts at a multiple of three and is followed by at least three separators, so that the array splits
    into codons of one frame by a reshape and no window spans two genes.

    Attributes
    ----------
    codes
        uint8 (total,): 0-3 for A, C, G, T; :data:`AMBIGUOUS`; :data:`SEPARATOR`.
    offsets
        int64 (n + 1,): where each gene starts in `codes`.
    lengths
        int64 (n,): bases of each gene.
    """

    codes: np.ndarray
    offsets: np.ndarray
    lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.lengths)

    def gene_of(self, positions: np.ndarray) -> np.ndarray:
        """Gene that holds each of the (sorted or unsorted) `positions` in `codes`."""
        return np.searchsorted(self.offsets, positions, side="right") - 1


def encode_bases(sequences: Sequence[str], *, names: Sequence[str] | None = None, first: int = 0) -> Bases:
    """Turn DNA or RNA sequences into base codes.

    Lower case, U and the IUPAC letters are legal; letters that do not name one base count as ambiguous.

    Parameters
    ----------
    sequences
        One string a gene, on the gene's own strand.
    names
        Gene names for error messages; by default the position in `sequences`.
    first
        Position of the first gene, for error messages about a block of a longer list.

    Returns
    -------
    The codes of all genes.

    Raises
    ------
    InputError
        A sequence is not a string, is empty, holds a letter outside IUPAC, or is ambiguous for more than half.

    Examples
    --------
    >>> from dnaclip.encoders import encode_bases
    >>> encode_bases(["ACGU", "nacg"]).codes[:12].tolist()
    [0, 1, 2, 3, 5, 5, 5, 5, 5, 4, 0, 1]
    """
    if isinstance(sequences, str):
        msg = "sequences is a single string. Pass a list with one string a gene: [sequence]."
        raise InputError(msg)
    label = (lambda i: repr(str(names[i]))) if names is not None else (lambda i: f"number {first + i}")
    wrong = [i for i, sequence in enumerate(sequences) if not isinstance(sequence, str) or not sequence]
    if wrong:
        msg = (
            f"{len(wrong)} sequences are empty or not a string: gene {label(wrong[0])} is "
            f"{sequences[wrong[0]]!r}. Drop these genes or give their sequence (positions {examples(first + i for i in wrong)})."
        )
        raise InputError(msg)
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum((lengths + 2) // 3 * 3 + 3)])
    codes = np.full(offsets[-1], SEPARATOR, np.uint8)
    for i, (sequence, start) in enumerate(zip(sequences, offsets[:-1], strict=True)):
        # A letter outside ASCII becomes '?', which is illegal and keeps its position.
        gene = _CODES[np.frombuffer(sequence.encode("ascii", "replace"), np.uint8)]
        if gene.max() == _ILLEGAL:
            at = int(np.argmax(gene == _ILLEGAL))
            msg = (
                f"Gene {label(i)} has {sequence[at]!r} at position {at + 1} (one-based). Allowed are A, C, G, T, U and "
                "the IUPAC letters RYKMSWBDHVN in upper or lower case: remove gaps, stops, digits and white space."
            )
            raise InputError(msg)
        codes[start : start + len(gene)] = gene
    # By position: few bases are ambiguous, and a sum by gene would copy every base as an eight-byte number.
    at_gene = np.searchsorted(offsets, np.flatnonzero(codes == AMBIGUOUS), side="right") - 1
    ambiguous = np.bincount(at_gene, minlength=len(lengths))
    vague = np.flatnonzero(ambiguous > MAX_AMBIGUOUS * lengths)
    if len(vague):
        i = int(vague[0])
        msg = (
            f"{len(vague)} sequences are ambiguous for more than half of their letters: gene {label(i)} has "
            f"{int(ambiguous[i])} of {lengths[i]}. Drop these genes (positions {examples(first + int(i) for i in vague)})."
        )
        raise InputError(msg)
    return Bases(codes, offsets, lengths)
