"""Near copies among many sequences, found by the words that they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["WordKind", "distinct_words", "near_copies"]

GENE_BITS = np.uint64(32)
_FREQUENT = 400
_FIRST_HOLDERS = 50
_GENES_AT_ONCE = 512


@dataclass(frozen=True)
class WordKind:
    """Which words of a sequence count, and how many of them two near copies share.

    Attributes
    ----------
    letters
        Size of the alphabet. Symbols from this number on belong to no word.
    length
        Letters of a word; ``letters ** length`` is at most 2**32.
    share
        Near copies share this part of the distinct words, measured on the sequence that has fewer.
    least
        Near copies share this many words, however few they have.
    whole_below
        A sequence of this many symbols or more gives only a sample of its words.
    every
        One word in `every` is in the sample. It is the same one for all sequences, so that samples can be compared.
    """

    letters: int
    length: int
    share: float
    least: int
    whole_below: int
    every: int

    def in_sample(self, words: np.ndarray) -> np.ndarray:
        """Tell which words (uint32) belong to the sample."""
        # Multiplication by 2**32 / golden ratio, modulo 2**32, spreads neighbouring numbers evenly.
        return words * np.uint32(2654435769) <= np.uint32((2**32 - 1) // self.every)


def distinct_words(symbols: np.ndarray, genes: np.ndarray, lengths: np.ndarray, kind: WordKind) -> np.ndarray:
    """List the words of each gene once.

    Parameters
    ----------
    symbols
        uint8 (total,): sequences one after the other, with a symbol outside the alphabet after each.
    genes
        int (total,): gene of each symbol.
    lengths
        int (number of genes,): symbols of each gene.
    kind
        The words to list.

    Returns
    -------
    uint64 (number of words,), rising: the word times 2**32 plus its gene.
    """
    n = max(len(symbols) - kind.length + 1, 0)
    words, foreign = np.zeros(n, np.uint32), np.zeros(n, bool)
    for k in range(kind.length):
        words *= np.uint32(kind.letters)
        words += symbols[k : k + n]
        foreign |= symbols[k : k + n] >= kind.letters
    whole = (lengths < kind.whole_below)[genes[:n]]
    kept = np.flatnonzero(~foreign & (whole | kind.in_sample(words)))
    return np.unique(words[kept].astype(np.uint64) << GENE_BITS | genes[kept].astype(np.uint64))


def near_copies(ranges: Iterable[np.ndarray], lengths: np.ndarray, kind: WordKind) -> np.ndarray:
    """Find the pairs of genes that share enough words.

    Words of more than 400 genes are mostly repeats: a gene that holds one is no copy of all the others that do. Such
    words link two genes only if they make up enough of the one that has more words. There a gene is compared with the
    first holders alone, which bounds the work and yet joins a family of any size, as all its members meet the same few.

    Parameters
    ----------
    ranges
        What :func:`distinct_words` returned, of all genes, rising; cut anywhere between two words.
    lengths
        int (number of genes,): symbols of each gene.
    kind
        The words in `ranges`.

    Returns
    -------
    int32 (2, number of pairs).
    """
    n = len(lengths)
    n_words, n_sampled = np.zeros(n, np.int64), np.zeros(n, np.int64)
    rare, frequent, first = [], [], []
    for keys in ranges:
        words, genes = (keys >> GENE_BITS).astype(np.uint32), keys.astype(np.uint32).astype(np.int32)
        n_words += np.bincount(genes, minlength=n)
        n_sampled += np.bincount(genes[kind.in_sample(words)], minlength=n)
        begins = np.flatnonzero(np.diff(words, prepend=~words[:1]))
        n_holders = np.diff(begins, append=len(words))
        rare.append(_holders(genes, n_holders, (n_holders > 1) & (n_holders <= _FREQUENT)))
        frequent.append(_holders(genes, n_holders, n_holders > _FREQUENT))
        first.append(_holders(genes, n_holders, n_holders > _FREQUENT, at_most=_FIRST_HOLDERS))

    whole = lengths < kind.whole_below
    pairs = []
    for left, right, measure in ((rare, rare, np.minimum), (frequent, first, np.maximum)):
        by_gene = _by_word(left, n, np.int8).T.tocsr()  # small numbers, which the product with large ones widens
        by_word = _by_word(right, n, np.int32)
        for start in range(0, n, _GENES_AT_ONCE):
            shared = by_gene[start : start + _GENES_AT_ONCE] @ by_word
            many = shared.data >= kind.least
            a = np.repeat(np.arange(start, start + shared.shape[0], dtype=np.int32), np.diff(shared.indptr))[many]
            b, count = shared.indices[many], shared.data[many]
            # Of a long gene only the sample is known, so all that it can share with a short one is sampled.
            words_of = np.where(
                whole[a] & whole[b], measure(n_words[a], n_words[b]), measure(n_sampled[a], n_sampled[b])
            )
            near = (count >= kind.share * words_of) & (a != b)
            pairs.append(np.stack([a[near], b[near]]))
    return np.concatenate(pairs, axis=1)


def _holders(
    genes: np.ndarray, n_holders: np.ndarray, chosen: np.ndarray, *, at_most: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Holders of the chosen words, word after word, or the first of them, and how many each word has.

    `genes` lists the holders of each word, word after word, and `n_holders` says how many each has.
    """
    genes, n_holders = genes[np.repeat(chosen, n_holders)], n_holders[chosen]
    if at_most is not None:
        position = np.arange(len(genes)) - np.repeat(np.cumsum(n_holders) - n_holders, n_holders)
        genes, n_holders = genes[position < at_most], np.minimum(n_holders, at_most)
    return genes, n_holders.astype(np.int32)


def _by_word(holders: list[tuple[np.ndarray, np.ndarray]], n: int, dtype: type) -> sparse.csr_array:
    """Table (words, n): 1 where the gene holds the word."""
    genes = np.concatenate([part[0] for part in holders])
    n_holders = np.concatenate([part[1] for part in holders])
    bounds = np.concatenate([[0], np.cumsum(n_holders, dtype=np.int64)])
    return sparse.csr_array((np.ones(len(genes), dtype), genes, bounds), shape=(len(n_holders), n))
