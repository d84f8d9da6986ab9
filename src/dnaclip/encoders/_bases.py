"""Gene sequences as one array of base codes: the shared first step of every feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dnaclip._errors import InputError, examples

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

__all__ = ["AMBIGUOUS", "SEPARATOR", "Bases", "base_blocks", "encode_bases", "sequence_lengths"]

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
    label = _labels(names, first)
    lengths = sequence_lengths(sequences, names=names, first=first)
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


def base_blocks(
    sequences: Collection[str], *, at_once: int, names: Sequence[str] | None = None, first: int = 0
) -> Iterator[tuple[slice, Bases]]:
    """Encode sequences block by block, so that never more than a block of them is in memory.

    Parameters
    ----------
    sequences
        As in :func:`encode_bases`; a column of a table is read row after row, wherever it lies.
    at_once
        Bases of a block: it ends with the gene that reaches them.
    names, first
        As in :func:`encode_bases`.

    Yields
    ------
    Which genes, and their codes; one block without genes if there are none.

    Raises
    ------
    InputError
        As in :func:`encode_bases`, when the block is reached.
    """
    _check_several(sequences)
    block: list[str] = []
    start, size = 0, 0
    last = len(sequences) - 1
    if last < 0:
        yield slice(0, 0), encode_bases([])
    for i, sequence in enumerate(sequences):
        block.append(sequence)
        size += len(sequence) if isinstance(sequence, str) else 0
        if size >= at_once or i == last:
            genes = slice(start, i + 1)
            yield genes, encode_bases(block, names=None if names is None else names[genes], first=first + start)
            block, start, size = [], i + 1, 0


def sequence_lengths(sequences: Collection[str], *, names: Sequence[str] | None = None, first: int = 0) -> np.ndarray:
    """Count the letters of each sequence, int64 (n,); arguments and errors as in :func:`encode_bases`."""
    _check_several(sequences)
    lengths = np.array([len(sequence) if isinstance(sequence, str) else 0 for sequence in sequences], np.int64)
    wrong = np.flatnonzero(lengths == 0).tolist()
    if wrong:
        value = next(sequence for i, sequence in enumerate(sequences) if i == wrong[0])
        msg = (
            f"{len(wrong)} sequences are empty or not a string: gene {_labels(names, first)(wrong[0])} is {value!r}. "
            f"Drop these genes or give their sequence (positions {examples(first + i for i in wrong)})."
        )
        raise InputError(msg)
    return lengths


def _labels(names: Sequence[str] | None, first: int) -> Callable[[int], str]:
    return (lambda i: f"number {first + i}") if names is None else (lambda i: repr(str(names[i])))


def _check_several(sequences: object) -> None:
    if isinstance(sequences, str):
        msg = "sequences is a single string. Pass a list with one string a gene: [sequence]."
        raise InputError(msg)
