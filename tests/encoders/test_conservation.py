"""Which seeds are kept, against a loop over genes."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from dnaclip._errors import InputError
from dnaclip.encoders import N_SEEDS, Neighbours, conserved_seeds
from dnaclip.encoders._homology import MAX_GENES_PER_SEED


def seed_matrix(genes: list[list[int]]) -> sp.csr_matrix:
    bounds = np.cumsum([0, *(len(set(gene)) for gene in genes)])
    codes = np.array([code for gene in genes for code in sorted(set(gene))], np.int32)
    return sp.csr_matrix((np.ones(len(codes), np.float32), codes, bounds), shape=(len(genes), N_SEEDS))


def relations(ids: list[list[int]], significance: list[list[float]]) -> Neighbours:
    strength = np.array(significance, np.float32)
    return Neighbours(np.array(ids), strength, strength, strength)


def seeds_of(matrix: sp.csr_matrix) -> list[list[int]]:
    assert matrix.has_sorted_indices
    assert (matrix.data == 1).all()
    return [row.tolist() for row in np.split(matrix.indices, matrix.indptr[1:-1])]


def test_what_most_sure_relatives_share_is_kept_first() -> None:
    genes = [[10, 20, 30, 40, 50], [10, 20, 60], [20, 70], [30, 40, 50], []]
    # The third relative is too weak to say anything.
    ids = [[1, 2, 3], [0, 2, -1], [-1, -1, -1], [-1, -1, -1], [-1, -1, -1]]
    significance = [[30.0, 20.0, 7.9], [30.0, 9.0, 0.0], [0.0] * 3, [0.0] * 3, [0.0] * 3]
    matrix = seed_matrix(genes)
    kept = [seeds_of(conserved_seeds(matrix, relations(ids, significance), max_per_gene=k)) for k in (1, 2)]
    assert kept[0][:2] == [[20], [20]]
    assert kept[1][:2] == [[10, 20], [10, 20]]
    assert kept[1][4] == []


def test_every_gene_keeps_the_best_supported_seeds() -> None:
    rng = np.random.default_rng(0)
    n = 60
    matrix = seed_matrix([rng.integers(200, size=rng.integers(30)).tolist() for _ in range(n)])
    ids = np.array([rng.permutation(np.delete(np.arange(n), i))[:6] for i in range(n)])
    ids[rng.random(ids.shape) < 0.3] = -1
    significance = np.where(ids >= 0, rng.uniform(3, 20, ids.shape), 0).astype(np.float32)
    relatives = Neighbours(ids, significance, significance, significance)
    genes = seeds_of(matrix)
    kept = seeds_of(conserved_seeds(matrix, relatives, max_per_gene=7))
    supports = 0
    for i, gene in enumerate(genes):
        sure = [genes[j] for j, s in zip(ids[i], significance[i], strict=True) if j >= 0 and s >= 8]
        support = {code: sum(code in other for other in sure) for code in gene}
        assert set(kept[i]) <= set(gene)
        assert len(kept[i]) == min(7, len(gene))
        # Which of equally supported seeds are kept is free, how well the kept ones are supported is not.
        best = sorted(support.values(), reverse=True)[:7]
        assert sorted((support[code] for code in kept[i]), reverse=True) == best
        supports += sum(best)
    assert supports > n


def test_relatives_without_support_keep_the_same_seeds() -> None:
    genes = [list(range(0, 3000, 10))] * 3
    nobody = relations([[-1]] * 3, [[0.0]] * 3)
    kept = seeds_of(conserved_seeds(seed_matrix(genes), nobody, max_per_gene=20))
    assert kept[0] == kept[1] == kept[2]
    # Not simply the smallest numbers, which would be the seeds of one kind of residue.
    assert max(kept[0]) > 1500


@pytest.mark.parametrize("limit", [None, 3])
def test_too_common_seeds_are_dropped(limit: int | None) -> None:
    genes = [[5, 1000 + i] for i in range(MAX_GENES_PER_SEED + 1)] + [[7, 8]]
    nobody = relations([[-1]] * len(genes), [[0.0]] * len(genes))
    kept = seeds_of(conserved_seeds(seed_matrix(genes), nobody, max_per_gene=limit))
    assert kept == [[1000 + i] for i in range(MAX_GENES_PER_SEED + 1)] + [[7, 8]]


def test_all_seeds_need_no_relatives() -> None:
    genes = [[3, 9], [], [4]]
    assert seeds_of(conserved_seeds(seed_matrix(genes), None, max_per_gene=None)) == genes
    with pytest.raises(InputError, match="max_per_gene=5 needs the relatives that tell which seeds to keep"):
        conserved_seeds(seed_matrix(genes), None, max_per_gene=5)


def test_the_input_is_left_alone() -> None:
    matrix = seed_matrix([[1, 2, 3], [1, 2]])
    before = matrix.copy()
    conserved_seeds(matrix, relations([[1], [0]], [[20.0], [20.0]]), max_per_gene=1)
    assert (matrix != before).nnz == 0
    np.testing.assert_array_equal(matrix.data, before.data)
