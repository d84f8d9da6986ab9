"""Search for related genes without alignment: shared spaced seeds of a reduced amino-acid alphabet.

Two proteins of common descent keep residues of the same kind at the same distances long after their sequences differ.
A seed is the kinds of residues at six of eight neighbouring positions; how many seeds two genes share, against how
many they would share by chance, says how surely they are related.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from dnaclip.encoders._reading_frames import AMINO_ACIDS, STOP, UNKNOWN, Peptides

__all__ = ["EVIDENCE", "N_SEEDS", "HomologyIndex", "Neighbours", "find_seeds", "seeds_by_frequency"]

EVIDENCE = ("log_significance", "relative_significance", "query_share", "target_share", "inverse_rank")
"""Columns of :meth:`Neighbours.evidence`."""

# Ten kinds of amino acids that replace each other in evolution (Murphy, Wallqvist & Levy 2000).
RESIDUE_KINDS = ("LVIM", "C", "A", "G", "ST", "P", "FYW", "EDNQ", "KR", "H")
# Their shares among the residues of known proteins, to two digits.
KIND_FREQUENCIES = (0.25, 0.02, 0.08, 0.07, 0.12, 0.05, 0.08, 0.20, 0.11, 0.02)
SEED_SHAPE = (1, 1, 1, 0, 1, 0, 1, 1)
N_SEEDS = len(RESIDUE_KINDS) ** sum(SEED_SHAPE)
# Chance that two random positions show the same seed: larger than 1 / N_SEEDS because kinds differ in
# frequency. 1 / 300,000 ranked related genes better than 1 / 150,000 and 1 / 1,000,000 on held-out genes.
CHANCE_MATCH = 1 / 3e5
MAX_GENES_PER_SEED = 600
_QUERIES_AT_ONCE = 256
_KIND = np.zeros(UNKNOWN + 1, np.int32)
for _number, _letters in enumerate(RESIDUE_KINDS):
    _KIND[[AMINO_ACIDS.index(letter) for letter in _letters]] = _number


@dataclass(frozen=True)
class Neighbours:
    """The most surely related genes of each query, best first.

    Attributes
    ----------
    ids
        int64 (n, k): position in the index, -1 where there are fewer than k.
    significance
        float32 (n, k): -log of the probability of as many shared seeds by chance (nats), 0 where there is none.
    query_share, target_share
        float32 (n, k): shared seeds as a share of the query's and of the target's seeds.
    """

    ids: np.ndarray
    significance: np.ndarray
    query_share: np.ndarray
    target_share: np.ndarray

    def take(self, rows: np.ndarray) -> Neighbours:
        """Neighbours of some of the queries."""
        return Neighbours(self.ids[rows], self.significance[rows], self.query_share[rows], self.target_share[rows])

    def evidence(self) -> np.ndarray:
        """What is known of each neighbour, on scales near 1: float32 (n, k, len(EVIDENCE))."""
        best = np.maximum(self.significance[:, :1], 1e-3)
        rank = np.broadcast_to(1 / np.arange(1, self.ids.shape[1] + 1, dtype=np.float32), self.ids.shape)
        columns = [np.log1p(self.significance) / 2, self.significance / best, self.query_share, self.target_share, rank]
        return np.stack(columns, axis=-1).astype(np.float32)


def seeds_by_frequency() -> np.ndarray:
    """All seeds, the most frequent to be expected first: int32 (N_SEEDS,).

    Frequent seeds close together make sorted lists of seeds compress better.

    Examples
    --------
    A seed of the commonest kind of residues only, then one with a single residue of the second:

    >>> from dnaclip.encoders import seeds_by_frequency
    >>> seeds_by_frequency()[:2].tolist()
    [0, 7]
    """
    frequency = np.ones(1)
    for _ in range(sum(SEED_SHAPE)):
        frequency = np.outer(frequency, KIND_FREQUENCIES).ravel()
    return np.argsort(-frequency, kind="stable").astype(np.int32)


def find_seeds(peptides: Peptides, n_genes: int) -> sp.csr_matrix:
    """Find the distinct seeds of each gene.

    Parameters
    ----------
    peptides
        Open reading frames of the genes.
    n_genes
        Number of genes, those without a frame included.

    Returns
    -------
    float32 CSR (n_genes, N_SEEDS), 1 where a gene has a seed, columns sorted.

    Examples
    --------
    >>> from dnaclip.encoders import encode_bases, find_seeds, open_reading_frames
    >>> bases = encode_bases(["ATGGCCAAGTTGTGGCATCCGGAA", "TAA"])
    >>> find_seeds(open_reading_frames(bases), len(bases)).getnnz(axis=1).tolist()
    [1, 0]
    """
    residues = peptides.residues
    n = len(residues) - len(SEED_SHAPE) + 1
    if n <= 0:
        return sp.csr_matrix((n_genes, N_SEEDS), dtype=np.float32)
    kinds = _KIND[residues]
    code = np.zeros(n, np.int32)
    for shift, used in enumerate(SEED_SHAPE):
        if used:
            code *= len(RESIDUE_KINDS)
            code += kinds[shift : shift + n]
    breaks = np.concatenate([[0], np.cumsum(residues >= STOP)])
    whole = breaks[len(SEED_SHAPE) :][:n] == breaks[:n]
    counts = np.bincount(peptides.genes[:n][whole], minlength=n_genes)
    bounds = np.concatenate([[0], np.cumsum(counts)])
    # Residues are in the order of their genes, so the codes are the rows of a matrix already. Sorting each short row is
    # several times faster than one long sort.
    codes = code[whole]
    seeds = sp.csr_matrix((np.ones(len(codes), np.float32), codes, bounds), shape=(n_genes, N_SEEDS))
    seeds.sum_duplicates()
    seeds.data[:] = 1
    return seeds


class HomologyIndex:
    """Genes to compare with, by their seeds.

    Parameters
    ----------
    seeds
        CSR (genes, N_SEEDS) from :func:`find_seeds` or :func:`prune_seeds`.
    """

    def __init__(self, seeds: sp.csr_matrix) -> None:
        self.seeds = seeds
        carriers = np.bincount(seeds.indices, minlength=N_SEEDS)
        # A seed tells more the fewer genes carry it (squared inverse document frequency); the commonest are left out.
        rarity = np.log1p(len(self) / np.maximum(carriers, 1)) ** 2
        rarity[(carriers == 0) | (carriers > MAX_GENES_PER_SEED)] = 0.0
        mean_rarity = (rarity * carriers).sum() / max(carriers[rarity > 0].sum(), 1)
        weight = (rarity / max(mean_rarity, 1e-12)).astype(np.float32)
        self._sizes = np.maximum(np.diff(seeds.indptr), 1)
        weighted = seeds.copy()  # eliminate_zeros works in place
        weighted.data = weight[seeds.indices]
        weighted.eliminate_zeros()
        self._by_seed = weighted.T.tocsr()

    def __len__(self) -> int:
        return self.seeds.shape[0]

    def search(
        self,
        queries: sp.csr_matrix,
        *,
        k: int = 16,
        min_significance: float = 3.0,
        exclude: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> Neighbours:
        """Find the `k` most surely related genes of each query.

        If `lam` seeds would be shared by chance (the product of both genes' numbers of seeds times the chance of one
        match) and `m` are shared (rare ones counting more), the significance is the exponent of the Poisson tail
        (Chernoff bound), ``m log(m / lam) - (m - lam)`` for `m > lam`, else 0.

        Parameters
        ----------
        queries
            CSR (n, N_SEEDS) from :func:`find_seeds`.
        k
            Neighbours wanted.
        min_significance
            Weaker relations are left out (nats).
        exclude
            Group of each query and group of each indexed gene: genes of the query's own group are left out. With it,
            training sees what a new gene sees: relatives, not copies of itself.

        Returns
        -------
        The neighbours.
        """
        n = queries.shape[0]
        found = Neighbours(
            ids=np.full((n, k), -1, np.int64),
            significance=np.zeros((n, k), np.float32),
            query_share=np.zeros((n, k), np.float32),
            target_share=np.zeros((n, k), np.float32),
        )
        sizes = np.maximum(np.diff(queries.indptr), 1)
        for first in range(0, n, _QUERIES_AT_ONCE):
            shared = (queries[first : first + _QUERIES_AT_ONCE] @ self._by_seed).tocsr()
            rows = first + np.repeat(np.arange(shared.shape[0]), np.diff(shared.indptr))
            ids, matches = shared.indices, shared.data
            by_chance = (sizes[rows] * self._sizes[ids] * CHANCE_MATCH).astype(np.float32)
            score = matches * np.log(matches / by_chance) - (matches - by_chance)
            kept = (matches > by_chance) & (score >= min_significance)
            if exclude is not None:
                kept &= exclude[0][rows] != exclude[1][ids]
            rows, ids, matches, score = rows[kept], ids[kept], matches[kept], score[kept]
            order = np.lexsort((ids, -score, rows))
            rows, ids, matches, score = rows[order], ids[order], matches[order], score[order]
            rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
            best = rank < k
            at = rows[best], rank[best]
            found.ids[at] = ids[best]
            found.significance[at] = score[best]
            found.query_share[at] = np.minimum(matches[best] / sizes[rows[best]], 1)
            found.target_share[at] = np.minimum(matches[best] / self._sizes[ids[best]], 1)
        return found
