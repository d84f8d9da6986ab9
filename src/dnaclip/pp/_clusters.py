"""Clusters of genes that must not stand on both sides of a split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from dnaclip._errors import InputError
from dnaclip.encoders._bases import Bases, encode_bases
from dnaclip.encoders._reading_frames import AMINO_ACIDS, open_reading_frames
from dnaclip.pp._shared_words import WordKind, distinct_words, near_copies

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["cluster_pairs"]

_BASE_WORDS = WordKind(letters=4, length=16, share=0.25, least=4, whole_below=600, every=8)
# Eight words: shorter frames are mostly chance, and what genes without a protein share, the bases show.
_RESIDUE_WORDS = WordKind(letters=len(AMINO_ACIDS), length=5, share=0.3, least=8, whole_below=300, every=4)
_BASES_AT_ONCE = 200_000  # arrays of this size stay in the processor's cache


def cluster_pairs(sequences: Sequence[str] | pd.Series, texts: Sequence[str] | pd.Series) -> np.ndarray:
    """Cluster genes: near copies, and genes described by the same text, fall together.

    Two genes are linked when the one with fewer words shares with the other

    * a quarter of its words of 16 bases, as copies with up to about 8 % of exchanged bases do, or
    * three tenths of the words of 5 residues in its longest open reading frame (up to about 21 % of exchanged residues),
    * or when both have the same text but for case and white space.

    Linked genes form a cluster, and so do those that are linked through others. Genes are read on their own strand; a
    gene that lies inside another counts as its copy.

    Parameters
    ----------
    sequences
        DNA or RNA of each gene.
    texts
        What each gene does; an empty or missing text links nothing.

    Returns
    -------
    int64 (n,): cluster of each gene, numbered from 0. The numbers do not depend on the order of the genes.

    Raises
    ------
    InputError
        The lengths differ, or a sequence is empty, not a string or not DNA.

    Examples
    --------
    >>> import numpy as np
    >>> from dnaclip.pp import cluster_pairs
    >>> gene, other = ("".join(np.random.default_rng(i).choice(list("ACGT"), 90)) for i in range(2))
    >>> copy = gene[:40] + "A" + gene[41:]
    >>> first, second, third = cluster_pairs([gene, copy, other], ["a kinase", "unknown", "a channel"])
    >>> first == second, first == third
    (np.True_, np.False_)
    """
    if len(sequences) != len(texts):
        msg = f"There are {len(sequences)} sequences and {len(texts)} texts. Pass one text for each sequence."
        raise InputError(msg)
    if isinstance(sequences, pd.Series):
        sequences = sequences.tolist()
    bases = encode_bases(sequences)
    if not len(bases):
        return np.zeros(0, np.int64)
    # Numbered from the longest on, and equally long ones by their letters, genes come in any order to the same clusters.
    spelt = [sequence.upper().replace("U", "T") for sequence in sequences]
    order = np.array(sorted(range(len(spelt)), key=lambda i: (-len(spelt[i]), spelt[i])))
    number = np.argsort(order)
    links = [
        *_near_copies(bases, number),
        number[_equal(pd.Series(spelt))],
        number[_equal(pd.Series(list(texts), dtype=object).str.split().str.join(" ").str.casefold())],
    ]
    first, second = np.concatenate(links, axis=1)
    graph = sparse.coo_array((np.ones(len(first), bool), (first, second)), shape=(len(order), len(order)))
    _, labels = sparse.csgraph.connected_components(graph, directed=False)
    return pd.factorize(labels)[0][number]


def _near_copies(bases: Bases, number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of genes alike in bases and pairs alike in residues, by their `number`."""
    base_lengths, frame_lengths = np.empty_like(bases.lengths), np.empty_like(bases.lengths)
    base_lengths[number] = bases.lengths
    base_words, residue_words = [], []
    for rows, part in _parts(bases):
        numbers = number[rows]
        genes = np.repeat(numbers, np.diff(part.offsets))
        base_words.append(distinct_words(part.codes, genes, base_lengths, _BASE_WORDS))
        peptides = open_reading_frames(part)
        residues, genes = peptides.residues[peptides.longest], peptides.genes[peptides.longest]
        frame_lengths[numbers] = np.bincount(genes, minlength=len(part))
        residue_words.append(distinct_words(residues, numbers[genes], frame_lengths, _RESIDUE_WORDS))
    return (
        near_copies(np.concatenate(base_words), base_lengths, _BASE_WORDS),
        near_copies(np.concatenate(residue_words), frame_lengths, _RESIDUE_WORDS),
    )


def _parts(bases: Bases) -> Iterator[tuple[slice, Bases]]:
    """Cut `bases` between genes."""
    starts = np.searchsorted(bases.offsets, np.arange(0, bases.offsets[-1], _BASES_AT_ONCE))
    bounds = np.unique([*starts, len(bases)])
    for start, stop in zip(bounds[:-1], bounds[1:], strict=True):
        offsets = bases.offsets[start : stop + 1]
        rows = slice(start, stop)
        yield rows, Bases(bases.codes[offsets[0] : offsets[-1]], offsets - offsets[0], bases.lengths[rows])


def _equal(values: pd.Series) -> np.ndarray:
    """Link each row to the first row of the same value; empty and missing values are equal to none."""
    rows = np.flatnonzero(values.notna() & (values != ""))
    _, first, same = np.unique(pd.factorize(values.iloc[rows])[0], return_index=True, return_inverse=True)
    return np.stack([rows, rows[first[same]]])
