"""Which seeds of a gene to keep when there is no room for all: those that its relatives share."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from dnaclip._errors import InputError
from dnaclip.encoders._homology import MAX_GENES_PER_SEED, N_SEEDS, Neighbours

__all__ = ["conserved_seeds"]

_GENES_AT_ONCE = 2000
# Relations weaker than this (nats) say nothing about which positions are conserved.
_SURE = 8.0


def conserved_seeds(seeds: sp.csr_matrix, relatives: Neighbours | None, *, max_per_gene: int | None) -> sp.csr_matrix:
    """Keep at most `max_per_gene` seeds of each gene, the most conserved ones first.

    What a gene shares with distant relatives are the positions that evolution holds on to, so a relative yet unknown
    shares those too. Seeds that no relative shares follow in an arbitrary but fixed order. Seeds so common that the
    search leaves them out are dropped.

    Parameters
    ----------
    seeds
        CSR (n, N_SEEDS) from :func:`find_seeds`.
    relatives
        Neighbours of each gene among the same n genes, without its own near-copies; `None` only if all seeds are kept.
    max_per_gene
        Seeds to keep; `None` keeps all but the too common ones.

    Returns
    -------
    CSR of the same shape, sorted columns.

    Raises
    ------
    InputError
        `max_per_gene` is given without `relatives`.

    Examples
    --------
    >>> from dnaclip.encoders import HomologyIndex, conserved_seeds, sequence_features
    >>> seeds = sequence_features(["ATGGCCAAGTTGTGGCATCCGGAA" * 4] * 3).seeds
    >>> relatives = HomologyIndex(seeds).search(seeds)
    >>> conserved_seeds(seeds, relatives, max_per_gene=5).getnnz(axis=1).tolist()
    [5, 5, 5]
    """
    if max_per_gene is not None and relatives is None:
        msg = f"max_per_gene={max_per_gene} needs the relatives that tell which seeds to keep: give relatives."
        raise InputError(msg)
    carriers = np.bincount(seeds.indices, minlength=N_SEEDS)
    usable = carriers[seeds.indices] <= MAX_GENES_PER_SEED
    genes = np.repeat(np.arange(seeds.shape[0]), np.diff(seeds.indptr))
    kept = np.flatnonzero(usable)
    if relatives is not None and max_per_gene is not None:
        support = _support(seeds, relatives)
        # Multiplicative hashing: the order of unsupported seeds is the same for every gene, so related genes keep the
        # same ones.
        scrambled = (seeds.indices.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)
        kept = kept[np.lexsort((scrambled[kept], -support[kept], genes[kept]))]
        rank = np.arange(len(kept)) - np.searchsorted(genes[kept], genes[kept])
        kept = np.sort(kept[rank < max_per_gene])
    bounds = np.concatenate([[0], np.cumsum(np.bincount(genes[kept], minlength=seeds.shape[0]))])
    return sp.csr_matrix((np.ones(len(kept), np.float32), seeds.indices[kept], bounds), shape=seeds.shape)


def _support(seeds: sp.csr_matrix, relatives: Neighbours) -> np.ndarray:
    """How many sure relatives of its gene carry each stored seed: float32 (nnz,)."""
    n = seeds.shape[0]
    sure = (relatives.ids >= 0) & (relatives.significance >= _SURE)
    links = sp.csr_matrix(
        (np.ones(int(sure.sum()), np.float32), (np.repeat(np.arange(n), sure.sum(1)), relatives.ids[sure])),
        shape=(n, n),
    )
    support = np.zeros(seeds.nnz, np.float32)
    for first in range(0, n, _GENES_AT_ONCE):
        own = seeds[first : first + _GENES_AT_ONCE]
        # The gene's own seeds count one each, so that every stored seed stays stored and positions line up.
        counts = ((links[first : first + _GENES_AT_ONCE] @ seeds).multiply(own) + own).tocsr()
        counts.sort_indices()
        support[seeds.indptr[first] : seeds.indptr[first + own.shape[0]]] = counts.data - 1
    return support
