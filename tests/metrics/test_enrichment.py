"""Over-representation: p-values and false discovery rates against scipy, extremes, and which parents children explain."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats

from dnaclip.errors import InputError
from dnaclip.metrics import over_representation
from dnaclip.metrics._enrichment import log_upper_tail
from dnaclip.metrics._parent_terms import explained_by_children


def random_matrices(n_genes: int = 200) -> tuple[sparse.csr_array, sparse.csr_array]:
    rng = np.random.default_rng(0)
    programs = rng.random((5, n_genes)) < rng.uniform(0.02, 0.3, (5, 1))
    sets = rng.random((40, n_genes)) < rng.uniform(0.01, 0.5, (40, 1))
    sets[:5] |= programs & (rng.random(programs.shape) < 0.7)
    return sparse.csr_array(programs), sparse.csr_array(sets)


def test_every_test_is_fishers() -> None:
    programs, sets = random_matrices()
    table = over_representation(programs, sets)
    a, b = programs.toarray(), sets.toarray()
    assert len(table) == ((a.astype(int) @ b.T.astype(int)) > 0).sum()
    row: Any
    for row in table.itertuples():
        p, s = a[row.program], b[row.set]
        both, only_p, only_s, neither = (p & s).sum(), (p & ~s).sum(), (~p & s).sum(), (~p & ~s).sum()
        assert (row.n_overlap, row.n_program, row.n_set) == (both, p.sum(), s.sum())
        expected = stats.fisher_exact([[both, only_p], [only_s, neither]], alternative="greater").pvalue
        assert np.exp(row.log_p) == pytest.approx(expected, rel=1e-9)
        assert row.odds_ratio == pytest.approx((both + 0.5) * (neither + 0.5) / ((only_p + 0.5) * (only_s + 0.5)))


def test_the_false_discovery_rate_is_over_all_pairs() -> None:
    programs, sets = random_matrices()
    table = over_representation(programs, sets)
    p = np.ones((5, 40))
    p[table["program"], table["set"]] = np.exp(table["log_p"])
    expected = stats.false_discovery_control(p.ravel()).reshape(p.shape)
    np.testing.assert_allclose(np.exp(table["log_fdr"]), expected[table["program"], table["set"]], rtol=1e-9)


def test_repeated_entries_of_a_sparse_matrix_count_once() -> None:
    twice = sparse.csr_array((np.ones(4, bool), ([0, 0, 0, 0], [1, 1, 2, 2])), shape=(1, 10))
    twice.sum_duplicates()
    numbers = sparse.csr_array(np.array([[0, 2, 5, 0, 0, 0, 0, 0, 0, 0]]))
    assert over_representation(twice, numbers)[["n_overlap", "n_set", "n_program"]].to_numpy().tolist() == [[2, 2, 2]]


def test_nothing_in_common_gives_an_empty_table() -> None:
    one, other = (sparse.csr_array(np.eye(2, dtype=bool)[[i]]) for i in range(2))
    table = over_representation(one, other)
    assert len(table) == 0
    assert {"log_p", "log_fdr", "odds_ratio"} < set(table.columns)


def test_different_genes_are_refused() -> None:
    with pytest.raises(InputError, match="the same genes, got 2 and 3"):
        over_representation(sparse.csr_array(np.eye(2, dtype=bool)), sparse.csr_array(np.eye(3, dtype=bool)))


@settings(max_examples=300, deadline=None)
@given(data=st.data(), n_genes=st.integers(1, 400))
def test_the_tail_is_that_of_scipy(data: st.DataObject, n_genes: int) -> None:
    n_set = data.draw(st.integers(1, n_genes))
    n_program = data.draw(st.integers(1, n_genes))
    k = data.draw(st.integers(max(1, n_set + n_program - n_genes), min(n_set, n_program)))
    ours = log_upper_tail([k], [n_set], [n_program], n_genes)[0]
    assert ours <= 0
    assert np.exp(ours) == pytest.approx(stats.hypergeom.sf(k - 1, n_genes, n_set, n_program), rel=1e-9)


def test_tiny_p_values_do_not_underflow() -> None:
    # All 500 genes of a set are in a program of 1,000: log10 p is about -690, far below the smallest number.
    ours = log_upper_tail([500], [500], [1000], 20_000)[0]
    expected = sum(np.log((1000 - i) / (20_000 - i)) for i in range(500))
    assert ours == pytest.approx(expected, rel=1e-9)
    assert np.exp(ours) == 0
    table = over_representation(
        sparse.csr_array(np.arange(20_000)[None] < 1000),
        sparse.csr_array(np.vstack([np.arange(20_000) < 500, np.arange(20_000) < 400])),
    )
    assert table["log_p"].is_monotonic_increasing
    assert np.isfinite(table["log_fdr"]).all()


def test_a_program_of_all_genes_is_never_enriched() -> None:
    table = over_representation(sparse.csr_array(np.ones((1, 30), bool)), sparse.csr_array(np.arange(30)[None] < 7))
    assert table["log_p"].tolist() == [0]


def parents(sets: list[np.ndarray], program: np.ndarray) -> list[bool]:
    matrix = sparse.csr_array(np.vstack(sets))
    log_p = over_representation(sparse.csr_array(program[None]), matrix)["log_p"].to_numpy()
    return explained_by_children(matrix, program, log_p).tolist()


def test_a_parent_goes_when_its_child_explains_it_and_stays_when_not() -> None:
    gene = np.arange(1000)
    child, parent, other_half = gene < 20, gene < 80, (gene >= 20) & (gene < 80)
    assert parents([parent, child], gene < 18) == [True, False]
    # The program also holds half of the rest of the parent.
    assert parents([parent, child], (gene < 18) | ((gene >= 20) & (gene < 50))) == [False, False]
    # Two children that only together explain it.
    program = (gene < 18) | ((gene >= 20) & (gene < 50))
    assert parents([parent, child, other_half], program) == [True, False, False]


def test_sets_that_overlap_without_being_inside_are_left_alone() -> None:
    gene = np.arange(1000)
    assert parents([gene < 30, (gene >= 10) & (gene < 50)], gene < 28) == [False, False]


def test_of_equal_sets_one_stays_and_a_chain_is_pruned_to_its_end() -> None:
    gene = np.arange(1000)
    assert sum(parents([gene < 20] * 3, gene < 15)) == 2
    assert parents([gene < 200, gene < 60, gene < 20], gene < 18) == [True, True, False]


def test_genes_in_none_of_the_sets_count_as_background() -> None:
    gene = np.arange(60)
    sets = sparse.csr_array(np.vstack([gene < 20, gene < 10]))
    log_p = np.array([-5.0, -9.0])
    # Ten more genes of the program lie outside both sets: among 40 others, 2 of 10 in the set are then no surprise.
    program = (gene < 12) | (gene >= 50)
    assert explained_by_children(sets, program, log_p).tolist() == [True, False]
    assert explained_by_children(sets, gene < 19, log_p).tolist() == [False, False]
