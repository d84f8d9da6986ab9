"""Clusters of genes that must not stand on both sides of a split."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from dnaclip._errors import InputError
from dnaclip.encoders._bases import base_blocks, sequence_lengths
from dnaclip.encoders._reading_frames import AMINO_ACIDS, open_reading_frames
from dnaclip.pp._plain_text import plain_text
from dnaclip.pp._shared_words import WordKind, distinct_words, near_copies
from dnaclip.pp._word_file import WordFile

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    return cluster_twice(sequences, texts)[1]


def cluster_twice(
    sequences: Sequence[str] | pd.Series, texts: Sequence[str] | pd.Series
) -> tuple[np.ndarray, np.ndarray]:
    """Cluster by sequence alone, and by sequence and text, as :func:`cluster_pairs` does, for one reading of the sequences."""
    if len(sequences) != len(texts):
        msg = f"There are {len(sequences)} sequences and {len(texts)} texts. Pass one text for each sequence."
        raise InputError(msg)
    lengths = sequence_lengths(sequences)
    if not len(lengths):
        return lengths, lengths
    number, equal = _order(sequences, lengths)
    alike = np.concatenate([equal, *_near_copies(sequences, lengths, number)], axis=1)
    described = number[_equal(plain_text(texts))]
    return _components(alike, number), _components(np.concatenate([alike, described], axis=1), number)


def _order(sequences: Sequence[str] | pd.Series, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the genes, (n,), and link equal ones by these numbers, (2, links).

    Numbered from the longest on, and equally long ones by their letters, genes come in any order to the same clusters.
    """
    at = sequences.iloc if isinstance(sequences, pd.Series) else sequences
    order = np.argsort(-lengths, kind="stable")
    bounds = np.flatnonzero(np.diff(lengths[order], prepend=-1, append=-1))
    links = []
    for start, stop in pairwise(bounds.tolist()):  # only equally long ones are in memory together
        spelt = pd.Series([at[i].upper().replace("U", "T") for i in order[start:stop].tolist()], dtype=object)
        by_letters = np.argsort(spelt.to_numpy(), kind="stable")
        order[start:stop] = order[start:stop][by_letters]
        links.append(start + _equal(spelt.iloc[by_letters]))
    return np.argsort(order), np.concatenate(links, axis=1)


def _near_copies(
    sequences: Sequence[str] | pd.Series, lengths: np.ndarray, number: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of genes alike in bases and pairs alike in residues, by their `number`."""
    base_lengths, frame_lengths = np.empty_like(lengths), np.empty_like(lengths)
    base_lengths[number] = lengths
    with WordFile(_BASE_WORDS) as base_words, WordFile(_RESIDUE_WORDS) as residue_words:
        for rows, part in base_blocks(sequences, at_once=_BASES_AT_ONCE):
            numbers = number[rows]
            genes = np.repeat(numbers, np.diff(part.offsets))
            base_words.add(distinct_words(part.codes, genes, base_lengths, _BASE_WORDS))
            peptides = open_reading_frames(part)
            residues, genes = peptides.residues[peptides.longest], peptides.genes[peptides.longest]
            frame_lengths[numbers] = np.bincount(genes, minlength=len(part))
            residue_words.add(distinct_words(residues, numbers[genes], frame_lengths, _RESIDUE_WORDS))
        return (
            near_copies(base_words.ranges(), base_lengths, _BASE_WORDS),
            near_copies(residue_words.ranges(), frame_lengths, _RESIDUE_WORDS),
        )


def _equal(values: pd.Series) -> np.ndarray:
    """Link each row to the first row of the same value; empty values are equal to none."""
    rows = np.flatnonzero(values != "")
    _, first, same = np.unique(pd.factorize(values.iloc[rows])[0], return_index=True, return_inverse=True)
    return np.stack([rows, rows[first[same]]])


def _components(links: np.ndarray, number: np.ndarray) -> np.ndarray:
    """Number the sets of genes that `links` join, int64 (n,), in the order of `number`."""
    first, second = links
    graph = sparse.coo_array((np.ones(len(first), bool), (first, second)), shape=(len(number), len(number)))
    _, labels = sparse.csgraph.connected_components(graph, directed=False)
    return pd.factorize(labels)[0][number]
