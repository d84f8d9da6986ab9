"""Composition against counting by hand."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from dnaclip.encoders import _composition, composition, composition_names, encode_bases, open_reading_frames
from dnaclip.encoders._composition import LONGEST_WORD
from dnaclip.encoders._reading_frames import AMINO_ACIDS, STOP

NAMES = composition_names()


def compose(genes: list[str]) -> np.ndarray:
    bases = encode_bases(genes)
    return composition(bases, open_reading_frames(bases))


def root_shares(counts: dict[str, int]) -> dict[str, float]:
    total = max(sum(counts.values()), 1)
    return {name: math.sqrt(count / total) for name, count in counts.items()}


def oracle(gene: str) -> dict[str, float]:
    """All columns of one gene by name; words are counted where a whole longest word begins."""
    heads = [gene[i : i + LONGEST_WORD] for i in range(len(gene) - LONGEST_WORD + 1)]
    heads = [head for head in heads if set(head) <= set("ACGT")]
    values: dict[str, float] = {}
    counts: dict[str, int] = {}
    for k in range(1, LONGEST_WORD + 1):
        words = ["".join(letters) for letters in product("ACGT", repeat=k)]
        of_this_length = {word: sum(head.startswith(word) for head in heads) for word in words}
        counts |= of_this_length
        values |= root_shares(of_this_length)

    bases = encode_bases([gene])
    peptides = open_reading_frames(bases)
    starts = peptides.codon_starts[peptides.longest & (peptides.residues != STOP)]
    frame = [gene[start : start + 3] for start in starts]  # one gene: it starts at base 0
    residues = ["" if "N" in codon else residue_of(codon) for codon in frame]
    codons = {"".join(letters): frame.count("".join(letters)) for letters in product("ACGT", repeat=3)}
    values |= {f"codon_{name}": value for name, value in root_shares(codons).items()}
    values |= {f"residue_{name}": v for name, v in root_shares({aa: residues.count(aa) for aa in AMINO_ACIDS}).items()}
    pairs = list(zip(residues, residues[1:], strict=False))
    pair_counts = {a + b: pairs.count((a, b)) for a in AMINO_ACIDS for b in AMINO_ACIDS}
    values |= {f"pair_{name}": value for name, value in root_shares(pair_counts).items()}

    n_residues = sum(residue != "" for residue in residues)
    third = [codon[2] for codon in frame if "N" not in codon]
    chance = max(counts["C"] * counts["G"], 1) / max(len(heads), 1)
    return values | {
        "log_length": math.log(len(gene)),
        "log_frame_length": math.log(1 + n_residues),
        "frame_share": 3 * n_residues / len(gene),
        "gc": (counts["C"] + counts["G"]) / max(len(heads), 1),
        "gc_third_codon_position": sum(base in "CG" for base in third) / max(len(third), 1),
        "cpg_ratio": min(counts["CG"] / chance, 4),
        "ambiguous_share": gene.count("N") / len(gene),
    }


def residue_of(codon: str) -> str:
    peptides = open_reading_frames(encode_bases([codon]))
    return AMINO_ACIDS[peptides.residues[0]]


GENES = st.text(alphabet="ACGTACGTACGTN", min_size=1, max_size=60)


@given(st.lists(GENES, min_size=1, max_size=4))
@example(["A", "AC", "ACG", "ACGT", "ACGTA", "TAATAATAA", "NACGTN", "CGCGCGCG", "AAAAAAAACGAAAAAAAA"])
def test_equals_counting_by_hand(genes: list[str]) -> None:
    assume(all(2 * gene.count("N") <= len(gene) for gene in genes))
    found = compose(genes)
    assert found.shape == (len(genes), len(NAMES))
    assert found.dtype == np.float32
    for row, gene in zip(found, genes, strict=True):
        expected = oracle(gene)
        assert list(expected) == NAMES
        np.testing.assert_allclose(row, list(expected.values()), rtol=1e-5, atol=1e-6, err_msg=gene)


def test_names_are_unique_and_complete() -> None:
    n_words = sum(4**k for k in range(1, LONGEST_WORD + 1))
    assert len(NAMES) == len(set(NAMES)) == n_words + 64 + 20 + 400 + 7
    assert NAMES[:5] == ["A", "C", "G", "T", "AA"]
    assert NAMES[n_words - 1] == "T" * LONGEST_WORD


def test_shares_are_those_of_all_words_of_a_gene() -> None:
    # Close to the plain count of words, of which the last few bases of a gene are left out.
    gene = "".join(np.random.default_rng(0).choice(list("ACGT"), 3000, p=[0.4, 0.3, 0.2, 0.1]))
    row = dict(zip(NAMES, compose([gene])[0].tolist(), strict=True))
    for k in range(1, LONGEST_WORD + 1):
        windows = [gene[i : i + k] for i in range(len(gene) - k + 1)]
        for letters in product("ACGT", repeat=k):
            word = "".join(letters)
            assert row[word] ** 2 == pytest.approx(windows.count(word) / len(windows), abs=LONGEST_WORD / len(gene))


def test_each_block_of_shares_has_length_one() -> None:
    row = compose(["ATGGCCAAGTTGCCGATTACA" * 9])[0]
    blocks = [4**k for k in range(1, LONGEST_WORD + 1)] + [64, 20, 400]
    for block in np.split(row, np.cumsum(blocks))[:-1]:
        assert np.linalg.norm(block) == pytest.approx(1, abs=1e-6)


def random_genes(n: int) -> list[str]:
    rng = np.random.default_rng(1)
    return ["".join(rng.choice(list("ACGTACGTACGTN"), length)) + "ACG" for length in rng.integers(1, 200, n)]


def test_the_order_of_genes_and_their_neighbours_change_nothing() -> None:
    genes = random_genes(30)
    together = compose(genes)
    np.testing.assert_array_equal(compose(genes[::-1]), together[::-1])
    np.testing.assert_array_equal(np.concatenate([compose([gene]) for gene in genes]), together)


def test_the_size_of_a_block_of_genes_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    genes = random_genes(23)
    together = compose(genes)
    for size in (1, 7, 23):
        monkeypatch.setattr(_composition, "_GENES_AT_ONCE", size)
        np.testing.assert_array_equal(compose(genes), together)


def test_lower_case_and_rna_are_the_same() -> None:
    gene = random_genes(1)[0]
    np.testing.assert_array_equal(compose([gene]), compose([gene.lower().replace("t", "u")]))


@pytest.mark.parametrize("gene", ["A", "CG", "TAA", "ACN", "TAATAGTGA", "CG" * 20, "A" * 50, "NA" * 30])
def test_whatever_a_gene_lacks_is_zero_and_never_nan(gene: str) -> None:
    row = compose([gene])[0]
    assert np.isfinite(row).all()
    lacking = [i for i, name in enumerate(NAMES) if len(name) <= LONGEST_WORD and name.isupper() and name not in gene]
    assert lacking
    assert (row[lacking] == 0).all()


def test_no_genes_give_no_rows() -> None:
    assert compose([]).shape == (0, len(NAMES))
