"""The protein that a gene may make: its longest open reading frame, translated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dnaclip._errors import InputError, examples
from dnaclip.encoders._bases import encode_bases
from dnaclip.encoders._reading_frames import AMINO_ACIDS, STOP, open_reading_frames

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["longest_proteins"]

_LETTERS = np.frombuffer(f"{AMINO_ACIDS}*X".encode(), dtype=np.uint8)


def longest_proteins(sequences: Sequence[str]) -> list[str]:
    """Translate the longest open reading frame of each sequence, in the three forward frames.

    A frame runs from stop to stop, as in :func:`dnaclip.encoders.open_reading_frames`: what stands before the first methionine is kept, since
    nothing tells whether a sequence begins at a start codon. In a gene without a protein it is what chance makes.

    Parameters
    ----------
    sequences
        DNA or RNA, spliced (mRNA or coding sequence), on the gene's own strand. In a gene with introns the longest frame is often
        a single exon.

    Returns
    -------
    One protein a sequence, one letter a residue, X where a base is not known.

    Raises
    ------
    InputError
        A sequence is no DNA, or has no codon but stops.

    Examples
    --------
    >>> from dnaclip.encoders import longest_proteins
    >>> longest_proteins(["ATGGCCAAGTAA"])
    ['MAK']
    """
    bases = encode_bases(sequences)
    frames = open_reading_frames(bases)
    kept = frames.longest & (frames.residues != STOP)
    letters, genes = _LETTERS[frames.residues[kept]], frames.genes[kept]
    edges = np.searchsorted(genes, np.arange(len(sequences) + 1))
    proteins = [letters[start:stop].tobytes().decode() for start, stop in zip(edges, edges[1:], strict=False)]
    if empty := [i for i, protein in enumerate(proteins) if not protein]:
        shown = examples(sequences[i][:20] for i in empty)
        msg = f"{len(empty)} of {len(sequences)} sequences hold no codon but stops: {shown} (positions {examples(empty)})."
        raise InputError(msg)
    return proteins
