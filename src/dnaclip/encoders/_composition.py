"""Composition features of a gene: what can be counted without looking at any other gene."""

from __future__ import annotations

import numpy as np

from dnaclip.encoders._bases import AMBIGUOUS, Bases
from dnaclip.encoders._reading_frames import AMINO_ACIDS, Peptides

__all__ = ["composition", "composition_names"]

LONGEST_WORD = 4
_GENES_AT_ONCE = 1024
_RESIDUES = len(AMINO_ACIDS)


def composition_names() -> list[str]:
    """Names of the columns of :func:`composition`, in order.

    Examples
    --------
    >>> from dnaclip.encoders import composition_names
    >>> composition_names()[:6]
    ['A', 'C', 'G', 'T', 'AA', 'AC']
    """
    words = [""]
    names = []
    for _ in range(LONGEST_WORD):
        words = [word + base for word in words for base in "ACGT"]
        names += words
    codons = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT"]
    return [
        *names,
        *(f"codon_{codon}" for codon in codons),
        *(f"residue_{residue}" for residue in AMINO_ACIDS),
        *(f"pair_{first}{second}" for first in AMINO_ACIDS for second in AMINO_ACIDS),
        "log_length",
        "log_frame_length",
        "frame_share",
        "gc",
        "gc_third_codon_position",
        "cpg_ratio",
        "ambiguous_share",
    ]


def composition(bases: Bases, peptides: Peptides) -> np.ndarray:
    """Composition of genes and of the protein that each may encode.

    Shares of DNA words of 1 to 4 bases, read on the gene's own strand; shares of codons, residues and residue pairs
    in the longest open reading frame; lengths, GC and CpG. Shares enter as square roots (Hellinger), which makes
    Euclidean distances between them sensible and keeps rare words from vanishing beside common ones.

    Parameters
    ----------
    bases
        Genes on their own strand.
    peptides
        Their open reading frames; of these the longest of each gene counts.

    Returns
    -------
    float32 (n, len(composition_names())). What a gene lacks (a word in a two-base gene) is 0, never NaN.

    Examples
    --------
    >>> from dnaclip.encoders import composition, encode_bases, open_reading_frames
    >>> bases = encode_bases(["ATGGCC" * 20, "ATATAT"])
    >>> composition(bases, open_reading_frames(bases)).shape
    (2, 831)
    """
    words = np.concatenate(
        [
            _word_counts(bases, first, min(first + _GENES_AT_ONCE, len(bases)))
            for first in range(0, len(bases), _GENES_AT_ONCE)
        ]
        or [np.zeros((0, 4**LONGEST_WORD))]
    )
    counts_by_length = _shorter_words(words)
    codons, residues, pairs = _frame_counts(bases, peptides)
    frame_length = residues.sum(1)
    singles, doubles = counts_by_length[:2]
    total = np.maximum(singles.sum(1), 1)
    gc = (singles[:, 1] + singles[:, 2]) / total
    third = codons.reshape(-1, 16, 4).sum(1)
    gc_third = (third[:, 1] + third[:, 2]) / np.maximum(third.sum(1), 1)
    cpg = doubles[:, 6] * total / np.maximum(singles[:, 1] * singles[:, 2], 1)
    ambiguous = np.bincount(bases.gene_of(np.flatnonzero(bases.codes == AMBIGUOUS)), minlength=len(bases))
    scalars = np.column_stack(
        [
            np.log(bases.lengths),
            np.log1p(frame_length),
            3 * frame_length / bases.lengths,
            gc,
            gc_third,
            np.minimum(cpg, 4.0),
            ambiguous / bases.lengths,
        ]
    )
    word_shares = [_root_shares(counts) for counts in counts_by_length]
    blocks = [*word_shares, _root_shares(codons), _root_shares(residues), _root_shares(pairs), scalars]
    return np.concatenate(blocks, axis=1, dtype=np.float32, casting="same_kind")


def _root_shares(counts: np.ndarray) -> np.ndarray:
    return np.sqrt(counts / np.maximum(counts.sum(1, keepdims=True), 1))


def _shorter_words(longest: np.ndarray) -> list[np.ndarray]:
    """Counts of words of 1, 2, ... bases from those of the longest: a word is the head of its continuations.

    Words in the last three bases of a clean stretch head no longest word and are not counted.
    """
    counts = [longest]
    while counts[0].shape[1] > 4:
        counts.insert(0, counts[0].reshape(len(longest), counts[0].shape[1] // 4, 4).sum(2))
    return counts


def _word_counts(bases: Bases, first: int, stop: int) -> np.ndarray:
    """Count the words of :data:`LONGEST_WORD` bases in genes `first` to `stop`."""
    start, end = bases.offsets[first], bases.offsets[stop]
    codes = bases.codes[start:end].astype(np.int32)
    # A negative code below every sum of positive ones marks the words that hold an ambiguous letter or a separator.
    codes[codes > 3] = -(4 ** (LONGEST_WORD + 1))
    n = len(codes) - LONGEST_WORD + 1
    word = np.zeros(n, np.int32)
    for k in range(LONGEST_WORD):
        word *= 4
        word += codes[k : k + n]
    genes = np.repeat(np.arange(stop - first, dtype=np.int32), np.diff(bases.offsets[first : stop + 1]))[:n]
    clean = word >= 0
    size = 4**LONGEST_WORD
    return np.bincount(genes[clean] * size + word[clean], minlength=(stop - first) * size).reshape(-1, size)


def _frame_counts(bases: Bases, peptides: Peptides) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count codons, residues and residue pairs of the longest frame of each gene."""
    n = len(bases)
    valid = peptides.residues < _RESIDUES
    chosen = peptides.longest & valid
    genes, residues, starts = peptides.genes[chosen], peptides.residues[chosen], peptides.codon_starts[chosen]
    codes = bases.codes
    codon = codes[starts] * 16 + codes[starts + 1] * 4 + codes[starts + 2]
    codons = np.bincount(genes * 64 + codon, minlength=n * 64).reshape(n, 64)
    counts = np.bincount(genes * _RESIDUES + residues, minlength=n * _RESIDUES).reshape(n, _RESIDUES)
    paired = chosen[:-1] & chosen[1:]  # frames end in a stop, so neighbours are of one frame
    pair = peptides.residues[:-1][paired].astype(np.int64) * _RESIDUES + peptides.residues[1:][paired]
    size = _RESIDUES**2
    pairs = np.bincount(peptides.genes[:-1][paired] * size + pair, minlength=n * size).reshape(n, size)
    return codons, counts, pairs
