"""The longest open reading frame of each gene, as letters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dnaclip.encoders._bases import encode_bases
from dnaclip.encoders._reading_frames import AMINO_ACIDS, open_reading_frames

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["longest_proteins"]

# After the twenty amino acids come the stop and what cannot be read.
_LETTERS = np.frombuffer(f"{AMINO_ACIDS}*X".encode("ascii"), np.uint8)
_GENES_AT_ONCE = 1000


def longest_proteins(sequences: Sequence[str]) -> list[str]:
    """Translate the longest frame between stop codons on each gene's own strand.

    Parameters
    ----------
    sequences
        One string a gene.

    Returns
    -------
    One protein a gene, `X` where a codon cannot be read; empty if the gene is shorter than a codon.

    Examples
    --------
    >>> from dnaclip.encoders._alignment.proteins import longest_proteins
    >>> longest_proteins(["ATGGCCAAGTAA"])
    ['MAK']
    """
    proteins: list[str] = []
    for start in range(0, len(sequences), _GENES_AT_ONCE):
        bases = encode_bases(sequences[start : start + _GENES_AT_ONCE], first=start)
        peptides = open_reading_frames(bases)
        letters = _LETTERS[peptides.residues[peptides.longest]]
        ends = np.cumsum(np.bincount(peptides.genes[peptides.longest], minlength=len(bases)))
        proteins += [part.tobytes().decode("ascii").rstrip("*") for part in np.split(letters, ends[:-1])]
    return proteins
