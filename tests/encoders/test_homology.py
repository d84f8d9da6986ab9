"""Seeds and the search for relatives against plain Python and dense arrays."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dnaclip.encoders import HomologyIndex, Neighbours, Peptides, encode_bases, find_seeds, open_reading_frames
from dnaclip.encoders._homology import CHANCE_MATCH, MAX_GENES_PER_SEED, N_SEEDS, RESIDUE_KINDS, SEED_SHAPE
from dnaclip.encoders._reading_frames import AMINO_ACIDS

if TYPE_CHECKING:
    import pytest

LETTERS = AMINO_ACIDS + "*X"
KIND = {letter: number for number, letters in enumerate(RESIDUE_KINDS) for letter in letters}
CODONS = "GCC TGC GAC GAG TTC GGC CAC ATC AAG CTG ATG AAC CCC CAG CGC TCC ACC GTC TGG TAC"
CODON = dict(zip(AMINO_ACIDS, re.split(" ", CODONS), strict=True))


def peptides_of(proteins: list[list[str]]) -> Peptides:
    """Frames of each gene, given as their residues; X is unknown."""
    rows = [(LETTERS.index(r), i) for i, frames in enumerate(proteins) for frame in frames for r in frame + "*"]
    residues, genes = (np.array(column) for column in zip(*rows, strict=True)) if rows else (np.zeros(0, int),) * 2
    n = len(rows)
    return Peptides(residues.astype(np.uint8), genes.astype(np.int64), np.ones(n, bool), np.arange(n) * 3)


def seeds_by_hand(frames: list[str]) -> set[int]:
    seeds = set()
    for frame in frames:
        for i in range(len(frame) - len(SEED_SHAPE) + 1):
            window = frame[i : i + len(SEED_SHAPE)]
            if "X" not in window:
                digits = [KIND[letter] for letter, used in zip(window, SEED_SHAPE, strict=True) if used]
                seeds.add(int("".join(map(str, digits))))
    return seeds


def seeds_of(proteins: list[list[str]]) -> sp.csr_matrix:
    return find_seeds(peptides_of(proteins), len(proteins))


def protein(rng: np.random.Generator, n: int) -> str:
    return "".join(rng.choice(list(AMINO_ACIDS), n))


def mutate(rng: np.random.Generator, residues: str, share: float) -> str:
    return "".join(protein(rng, 1) if rng.random() < share else letter for letter in residues)


FRAMES = st.lists(st.text(alphabet=AMINO_ACIDS * 2 + "X", min_size=1, max_size=25), max_size=3)


@given(st.lists(FRAMES, max_size=5))
@example([])
@example([[], [], []])
@example([["ACDEFGH"], ["A"], []])  # too short for a seed
@example([["ACDEFGHI"], ["ACDXFGHI"], ["ACDEF", "GHIKLMNP"]])
def test_seeds_equal_those_found_by_hand(proteins: list[list[str]]) -> None:
    seeds = seeds_of(proteins)
    assert seeds.shape == (len(proteins), N_SEEDS)
    assert seeds.has_canonical_format
    assert (seeds.data == 1).all()
    for i, frames in enumerate(proteins):
        assert seeds.indices[seeds.indptr[i] : seeds.indptr[i + 1]].tolist() == sorted(seeds_by_hand(frames))


def test_the_oracle_covers_every_residue_once() -> None:
    assert sorted(KIND) == sorted(AMINO_ACIDS)
    assert len(RESIDUE_KINDS) == 10  # one decimal digit a residue


def test_seeds_ignore_residues_of_one_kind_and_the_unused_positions() -> None:
    one, same_kinds, unused, other = (
        seeds_by_hand([frame]) for frame in ("LCAGSPFD", "VCAGTPYE", "LCAHSHFD", "LCAGSPFH")
    )
    assert one == same_kinds == unused != other
    for frame in ("LCAGSPFD", "VCAGTPYE", "LCAHSHFD"):
        assert set(seeds_of([[frame]]).indices) == one


def test_seeds_of_dna_are_those_of_its_reading_frames() -> None:
    rng = np.random.default_rng(0)
    proteins = [protein(rng, n) for n in (5, 60, 200)]
    peptides = open_reading_frames(encode_bases(["".join(CODON[r] for r in residues) for residues in proteins]))
    seeds = find_seeds(peptides, 3)
    for i, residues in enumerate(proteins):
        assert seeds_by_hand([residues]) <= set(seeds.indices[seeds.indptr[i] : seeds.indptr[i + 1]].tolist())


def search_by_hand(
    index: sp.csr_matrix, queries: sp.csr_matrix, k: int, least: float, exclude: tuple[Any, Any] | None
) -> list[list[tuple[int, float, float, float]]]:
    """For each query the neighbours: position, significance and both shares; all pairs, one after the other."""
    targets = [set(row.indices.tolist()) for row in index]
    carriers: dict[int, int] = {}
    for target in targets:
        for seed in target:
            carriers[seed] = carriers.get(seed, 0) + 1
    weight = {s: math.log1p(len(targets) / c) ** 2 for s, c in carriers.items() if c <= MAX_GENES_PER_SEED}
    occurrences = sum(carriers[seed] for seed in weight)
    mean = sum(weight[seed] * carriers[seed] for seed in weight) / max(occurrences, 1)
    found = []
    for q, row in enumerate(queries):
        query, hits = set(row.indices.tolist()), []
        for t, target in enumerate(targets):
            if exclude is not None and exclude[0][q] == exclude[1][t]:
                continue
            matches = sum(weight.get(seed, 0) / mean for seed in query & target)
            by_chance = max(len(query), 1) * max(len(target), 1) * CHANCE_MATCH
            if matches > by_chance:
                score = matches * math.log(matches / by_chance) - (matches - by_chance)
                if score >= least:
                    hits.append((t, score, min(matches / len(query), 1), min(matches / len(target), 1)))
        found.append(sorted(hits, key=lambda hit: (-hit[1], hit[0]))[:k])
    return found


def check(found: Neighbours, expected: list[list[tuple[int, float, float, float]]], k: int) -> None:
    arrays = found.ids, found.significance, found.query_share, found.target_share
    assert [array.dtype for array in arrays] == [np.int64, *[np.float32] * 3]
    assert all(array.shape == (len(expected), k) for array in arrays)
    for q, hits in enumerate(expected):
        n = len(hits)
        assert (found.ids[q, n:] == -1).all()
        for array in arrays[1:]:
            assert (array[q, n:] == 0).all()
        # Equal but for rounding, so genes of equal significance may change places.
        assert sorted(found.ids[q, :n]) == sorted(hit[0] for hit in hits)
        by_id = {hit[0]: hit[1:] for hit in hits}
        for rank in range(n):
            values = [array[q, rank] for array in arrays[1:]]
            np.testing.assert_allclose(values, by_id[found.ids[q, rank]], rtol=2e-4, atol=1e-5)
        np.testing.assert_allclose(found.significance[q, :n], [hit[1] for hit in hits], rtol=2e-4)


def families(seed: int, changed: float = 0.3) -> list[list[str]]:
    """Five families of four genes of one ancestor, one gene without a frame, and one of unknown residues."""
    rng = np.random.default_rng(seed)
    genes: list[list[str]] = []
    for _ in range(5):
        ancestor = protein(rng, int(rng.integers(20, 120)))
        genes += [[mutate(rng, ancestor, changed), protein(rng, 12)] for _ in range(4)]
    return [*genes, [], ["X" * 30]]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([1, 3, 50]), st.sampled_from([0.5, 3.0, 40.0]), st.booleans())
def test_search_equals_the_formula_on_all_pairs(seed: int, k: int, least: float, grouped: bool) -> None:  # noqa: FBT001
    seeds = seeds_of(families(seed))
    index, queries = seeds[:-3], seeds[2:]
    rng = np.random.default_rng(seed)
    exclude = (rng.integers(0, 4, queries.shape[0]), rng.integers(0, 4, index.shape[0])) if grouped else None
    expected = search_by_hand(index, queries, 10**6, least, exclude)
    found = HomologyIndex(index).search(queries, k=k, min_significance=least, exclude=exclude)
    # Where rounding could decide between the last neighbour and the next, either is right.
    clear = [len(hits) <= k or hits[k - 1][1] > hits[k][1] * 1.001 for hits in expected]
    assert any(clear)
    picked = Neighbours(
        found.ids[clear], found.significance[clear], found.query_share[clear], found.target_share[clear]
    )
    check(picked, [hits[:k] for hits, is_clear in zip(expected, clear, strict=True) if is_clear], k)


def test_the_number_of_queries_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from dnaclip.encoders import _homology

    seeds = seeds_of(families(1))
    together = HomologyIndex(seeds).search(seeds)
    monkeypatch.setattr(_homology, "_QUERIES_AT_ONCE", 3)
    blocks = HomologyIndex(seeds).search(seeds)
    alone = [HomologyIndex(seeds).search(seeds[i]) for i in range(seeds.shape[0])]
    for name in ("ids", "significance", "query_share", "target_share"):
        np.testing.assert_array_equal(getattr(blocks, name), getattr(together, name))
        np.testing.assert_array_equal(np.concatenate([getattr(one, name) for one in alone]), getattr(together, name))


def test_a_gene_is_its_own_best_relative_unless_its_group_is_left_out() -> None:
    seeds = seeds_of(families(2, changed=0.05))
    n = seeds.shape[0]
    index = HomologyIndex(seeds)
    has_seeds = np.diff(seeds.indptr) > 0
    own = np.where(has_seeds, np.arange(n), -1)
    np.testing.assert_array_equal(index.search(seeds).ids[:, 0], own)
    each = np.arange(n)
    others = index.search(seeds, exclude=(each, each))
    assert not (others.ids == each[:, None]).any()
    family = np.append(np.repeat(np.arange(5), 4), [5, 6])
    assert (others.ids[:20, :3] >= 0).all()
    np.testing.assert_array_equal(family[others.ids[:20, :3]], np.repeat(family[:20, None], 3, axis=1))
    assert (index.search(seeds, exclude=(family, family)).ids == -1).all()


def test_a_mutated_copy_is_found_first_and_unrelated_proteins_are_not() -> None:
    rng = np.random.default_rng(4)
    proteins = [protein(rng, 300) for _ in range(60)]
    copies = [mutate(rng, residues, 0.4) for residues in proteins]
    strangers = [protein(rng, 300) for _ in range(60)]
    index = HomologyIndex(seeds_of([[residues] for residues in proteins]))
    found = index.search(seeds_of([[residues] for residues in copies]))
    np.testing.assert_array_equal(found.ids[:, 0], np.arange(60))
    unrelated = index.search(seeds_of([[residues] for residues in strangers]))
    assert found.significance[:, 0].min() > 2 * unrelated.significance.max()


def test_seeds_of_too_many_genes_tell_nothing() -> None:
    n = MAX_GENES_PER_SEED
    for n_carriers, is_found in ((n, True), (n + 1, False)):
        # Seed 0 in all of them; seed i + 1 in the i-th gene only, so that something else is left.
        rows = np.repeat(np.arange(n_carriers), 2)
        columns = np.stack([np.zeros(n_carriers, int), np.arange(n_carriers) + 1], axis=1).ravel()
        seeds = sp.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=(n_carriers, N_SEEDS))
        query = sp.csr_matrix((np.ones(1, np.float32), ([0], [0])), shape=(1, N_SEEDS))
        found = HomologyIndex(seeds).search(query, k=2, min_significance=0.0)
        assert (found.ids[0, 0] >= 0) == is_found


def test_index_and_search_leave_the_seeds_as_they_are() -> None:
    n = MAX_GENES_PER_SEED + 1
    # Seed 7 is too common to tell anything, seed 9 is not.
    rows, columns = np.append(np.arange(n), [0, 1]), np.append(np.full(n, 7), [9, 9])
    seeds = sp.csr_matrix((np.ones(n + 2, np.float32), (rows, columns)), shape=(n, N_SEEDS))
    before = seeds.copy()
    HomologyIndex(seeds).search(seeds)
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(seeds, name), getattr(before, name))


def test_nothing_to_search_or_to_search_in() -> None:
    some, none = seeds_of(families(5)), seeds_of([])
    blank = seeds_of([[], ["X" * 9], ["ACD"]])
    assert HomologyIndex(some).search(none, k=4).ids.shape == (0, 4)
    for index, queries in ((none, some), (some, blank), (blank, some), (blank, blank)):
        found = HomologyIndex(index).search(queries, k=4)
        assert len(HomologyIndex(index)) == index.shape[0]
        assert found.ids.shape == (queries.shape[0], 4)
        assert (found.ids == -1).all()
        assert (found.significance == 0).all()


def test_evidence_is_made_from_the_neighbours() -> None:
    seeds = seeds_of(families(6))
    found = HomologyIndex(seeds).search(seeds, k=5)
    evidence = found.evidence()
    assert evidence.shape == (seeds.shape[0], 5, 5)
    assert evidence.dtype == np.float32
    assert np.isfinite(evidence).all()
    i = 3
    best = found.significance[i, 0]
    for rank in range(5):
        significance = found.significance[i, rank]
        shares = found.query_share[i, rank], found.target_share[i, rank]
        expected = [math.log1p(significance) / 2, significance / best, *shares, 1 / (rank + 1)]
        np.testing.assert_allclose(evidence[i, rank], expected, rtol=1e-6)
