"""Open reading frames: what a gene may encode, without knowing where its protein starts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dnaclip.encoders._bases import AMBIGUOUS, SEPARATOR, Bases

__all__ = ["AMINO_ACIDS", "STOP", "UNKNOWN", "Peptides", "coding_ratio", "open_reading_frames", "translate"]

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
STOP = 20
UNKNOWN = 21
# Standard genetic code, codons in the order AAA, AAC, AAG, AAT, ACA, ... TTT.
_STANDARD_CODE = "KNKNTTTTRSRSIIMIQHQHPPPPRRRRLLLLEDEDAAAAGGGGVVVV*Y*YSSSS*CWCLFLF"
_CODON_TO_RESIDUE = np.array(
    [STOP if letter == "*" else AMINO_ACIDS.index(letter) for letter in _STANDARD_CODE] + [UNKNOWN], np.uint8
)
MIN_RESIDUES = 30
_CODON_STOP_SHARE = 3 / 64


@dataclass(frozen=True)
class Peptides:
    """Translated open reading frames of several genes, one after the other, each closed by :data:`STOP`.

    Attributes
    ----------
    residues
        uint8 (total,): index into :data:`AMINO_ACIDS`, :data:`STOP` or :data:`UNKNOWN`.
    genes
        int64 (total,): gene of each residue, rising.
    longest
        bool (total,): whether the residue belongs to the gene's longest frame.
    codon_starts
        int64 (total,): where the residue's codon starts in the base codes.
    """

    residues: np.ndarray
    genes: np.ndarray
    longest: np.ndarray
    codon_starts: np.ndarray


def translate(bases: Bases) -> np.ndarray:
    """Translate the three forward frames: uint8 (3, codons), separators read as :data:`STOP`."""
    codes = np.concatenate([bases.codes, np.full(2, SEPARATOR, np.uint8)])
    first, second, third = codes[:-2], codes[1:-1], codes[2:]
    codon = (first << 4) + (second << 2) + third  # wraps for codes above 3, which are overwritten below
    worst = np.maximum(np.maximum(first, second), third)
    codon[worst == AMBIGUOUS] = 64
    residues = np.where(worst == SEPARATOR, np.uint8(STOP), _CODON_TO_RESIDUE[np.minimum(codon, 64)])
    return np.ascontiguousarray(residues.reshape(-1, 3).T)


def _expected_longest(lengths: np.ndarray) -> np.ndarray:
    """Residues of the longest frame that a random sequence of these lengths (bases) would hold.

    A random frame ends at each codon with probability 3/64, so among `m` frames the longest has about
    ``log(m) / -log(1 - 3/64)`` residues, with `m` = bases x 3/64 over the three frames.
    """
    frames = np.maximum(lengths * _CODON_STOP_SHARE, 2.0)
    return np.log(frames) / -np.log1p(-_CODON_STOP_SHARE)


def open_reading_frames(bases: Bases, *, rigour: float = 0.9) -> Peptides:
    """Translate each gene's longest stop-to-stop frame, and every other one too long to be chance.

    Frames run from stop to stop, not from the first methionine: gene spans begin in introns and fragments begin
    anywhere. A gene always keeps its longest frame, whatever its length.

    Parameters
    ----------
    bases
        Genes on their own strand.
    rigour
        Further frames are kept from `rigour` times the length that chance would give, and from 30 residues.

    Returns
    -------
    The kept frames, in the order of the genes.

    Examples
    --------
    >>> from dnaclip.encoders import encode_bases, open_reading_frames
    >>> open_reading_frames(encode_bases(["ATGGCCAAGTAA"])).residues.tolist()  # M, A, K and the stop
    [10, 0, 8, 20]
    """
    streams = translate(bases)
    frame, start, length = [], [], []
    for f, stream in enumerate(streams):
        stops = np.concatenate([[-1], np.flatnonzero(stream == STOP)])
        gaps = np.diff(stops) - 1
        kept = gaps > 0
        frame.append(np.full(int(kept.sum()), f))
        start.append(stops[:-1][kept] + 1)
        length.append(gaps[kept])
    frames, starts, sizes = np.concatenate(frame), np.concatenate(start), np.concatenate(length)
    genes = np.searchsorted(bases.offsets // 3, starts, side="right") - 1
    order = np.lexsort((frames, starts, -sizes, genes))
    frames, starts, sizes, genes = frames[order], starts[order], sizes[order], genes[order]
    longest = np.diff(genes, prepend=-1) != 0
    enough = np.maximum(MIN_RESIDUES, rigour * _expected_longest(bases.lengths))
    kept = longest | (sizes >= enough[genes])
    frames, starts, genes, longest = frames[kept], starts[kept], genes[kept], longest[kept]
    sizes = sizes[kept] + 1  # with the closing stop
    ends = np.cumsum(sizes)
    codons = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - sizes), sizes)
    frame_of = np.repeat(frames, sizes)
    return Peptides(
        residues=streams[frame_of, codons],
        genes=np.repeat(genes, sizes),
        longest=np.repeat(longest, sizes),
        codon_starts=codons * 3 + frame_of,
    )


def coding_ratio(bases: Bases, peptides: Peptides) -> np.ndarray:
    """Length of each gene's longest frame over the length that chance would give: float32 (n,)."""
    residues = np.bincount(peptides.genes[peptides.longest], minlength=len(bases)) - 1  # less the closing stop
    return (np.maximum(residues, 0) / _expected_longest(bases.lengths)).astype(np.float32)
