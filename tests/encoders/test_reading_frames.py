"""Open reading frames against a translator that goes codon by codon."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from dnaclip.encoders import Peptides, encode_bases, open_reading_frames
from dnaclip.encoders._reading_frames import AMINO_ACIDS, MIN_RESIDUES, STOP, UNKNOWN, coding_ratio

# Written by amino acid, in the way of the tables in textbooks, not by codon as the package has it.
CODONS_OF = {
    "A": "GCT GCC GCA GCG",
    "C": "TGT TGC",
    "D": "GAT GAC",
    "E": "GAA GAG",
    "F": "TTT TTC",
    "G": "GGT GGC GGA GGG",
    "H": "CAT CAC",
    "I": "ATT ATC ATA",
    "K": "AAA AAG",
    "L": "TTA TTG CTT CTC CTA CTG",
    "M": "ATG",
    "N": "AAT AAC",
    "P": "CCT CCC CCA CCG",
    "Q": "CAA CAG",
    "R": "CGT CGC CGA CGG AGA AGG",
    "S": "TCT TCC TCA TCG AGT AGC",
    "T": "ACT ACC ACA ACG",
    "V": "GTT GTC GTA GTG",
    "W": "TGG",
    "Y": "TAT TAC",
    "*": "TAA TAG TGA",
}
RESIDUE_OF = {codon: residue for residue, codons in CODONS_OF.items() for codon in codons.split()}
LETTERS = np.array([*AMINO_ACIDS, "*", "X"])

Frame = tuple[int, str]  # where its first codon starts in the gene, its residues


def all_frames(gene: str) -> list[Frame]:
    """Every run of codons without a stop, in the three forward frames."""
    frames = []
    for shift in range(3):
        start, residues = shift, ""
        for at in range(shift, len(gene) - 2, 3):
            residue = RESIDUE_OF.get(gene[at : at + 3], "X")
            if residue == "*":
                frames.append((start, residues))
                start, residues = at + 3, ""
            else:
                residues += residue
        frames.append((start, residues))
    return [frame for frame in frames if frame[1]]


def enough_residues(gene: str, rigour: float) -> float:
    runs = max(len(gene) * 3 / 64, 2)
    return max(MIN_RESIDUES, rigour * math.log(runs) / -math.log(61 / 64))


def kept_frames(gene: str, rigour: float) -> tuple[Frame | None, set[Frame]]:
    """The longest frame (of several, the first), and the others that are long enough."""
    frames = sorted(all_frames(gene), key=lambda frame: (-len(frame[1]), frame[0]))
    others = {frame for frame in frames[1:] if len(frame[1]) >= enough_residues(gene, rigour)}
    return (frames[0] if frames else None), others


def found_frames(peptides: Peptides, offsets: np.ndarray, n_genes: int) -> list[tuple[Frame | None, set[Frame]]]:
    """Cut the arrays at the stops, and check that they agree with each other."""
    assert len(peptides.residues) == len(peptides.genes) == len(peptides.longest) == len(peptides.codon_starts)
    assert (np.diff(peptides.genes) >= 0).all()
    found: list[tuple[Frame | None, set[Frame]]] = [(None, set()) for _ in range(n_genes)]
    ends = np.flatnonzero(peptides.residues == STOP)
    assert len(peptides.residues) == (ends[-1] + 1 if len(ends) else 0)
    for start, end in zip([0, *(ends[:-1] + 1)], ends, strict=False):
        (gene,) = set(peptides.genes[start : end + 1].tolist())
        (is_longest,) = set(peptides.longest[start : end + 1].tolist())
        assert (np.diff(peptides.codon_starts[start : end + 1]) == 3).all()
        frame = int(peptides.codon_starts[start] - offsets[gene]), "".join(LETTERS[peptides.residues[start:end]])
        longest, others = found[gene]
        if is_longest:
            assert longest is None
            found[gene] = frame, others
        else:
            assert frame not in others
            others.add(frame)
    return found


def check(genes: list[str], rigour: float = 0.9) -> None:
    bases = encode_bases(genes)
    peptides = open_reading_frames(bases, rigour=rigour)
    found = found_frames(peptides, bases.offsets, len(genes))
    expected = [kept_frames(gene, rigour) for gene in genes]
    assert found == expected
    ratios = [len(frame[1]) if frame else 0 for frame, _ in expected]
    chance = [math.log(max(len(gene) * 3 / 64, 2)) / -math.log(61 / 64) for gene in genes]
    np.testing.assert_allclose(coding_ratio(bases, peptides), np.array(ratios) / chance, rtol=1e-5)


def random_gene(rng: np.random.Generator, n: int, letters: str = "ACGT") -> str:
    return "".join(rng.choice(list(letters), n))


def test_the_oracle_knows_all_codons() -> None:
    assert len(RESIDUE_OF) == 64


@given(
    st.lists(st.text(alphabet="ACGTACGTACGTN", min_size=1, max_size=80), max_size=5), st.sampled_from([0.0, 0.5, 0.9])
)
@example(["A", "TAA", "TAATAA", "ACGTA"], 0.9)
@example(["TAAGCC"], 0.0)  # three frames of one residue, of which the one that starts first is not in the first frame
def test_equals_the_translator(genes: list[str], rigour: float) -> None:
    assume(all(2 * gene.count("N") <= len(gene) for gene in genes))
    check(genes, rigour)


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.sampled_from(["ACGT", "ACG", "ACGTACGTACGTN", "CCGGGCA"]))
def test_equals_the_translator_on_long_genes(seed: int, letters: str) -> None:
    rng = np.random.default_rng(seed)
    check([random_gene(rng, int(rng.integers(1, 1500)), letters) for _ in range(4)])


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_tiny_genes(n: int) -> None:
    genes = ["".join(letters) for letters in product("ACGT", repeat=n)]
    check(genes[:: max(1, len(genes) // 100)])


def test_genes_too_short_or_of_stops_only_have_no_frame() -> None:
    bases = encode_bases(["A", "AC", "TAA", "TAG", "ATG"])
    peptides = open_reading_frames(bases)
    assert LETTERS[peptides.residues].tolist() == ["M", "*"]
    assert peptides.genes.tolist() == [4, 4]
    empty = open_reading_frames(encode_bases([]))
    assert len(empty.residues) == len(empty.genes) == 0


def test_every_codon_is_read_by_the_standard_code() -> None:
    for codon, residue in RESIDUE_OF.items():
        peptides = open_reading_frames(encode_bases([codon]))
        assert "".join(LETTERS[peptides.residues]) == ("" if residue == "*" else residue + "*")


@pytest.mark.parametrize("codon", ["NCG", "GNC", "GCN", "RCG", "TAR"])
def test_an_ambiguous_codon_is_unknown_and_no_stop(codon: str) -> None:
    peptides = open_reading_frames(encode_bases(["ATG" + codon + "ATG"]))
    longest = peptides.residues[peptides.longest]
    assert longest.tolist() == [AMINO_ACIDS.index("M"), UNKNOWN, AMINO_ACIDS.index("M"), STOP]


def test_lower_case_and_rna_have_the_same_frames() -> None:
    gene = random_gene(np.random.default_rng(0), 600)
    plain, other = (open_reading_frames(encode_bases([g])) for g in (gene, gene.lower().replace("t", "u")))
    np.testing.assert_array_equal(plain.residues, other.residues)


# Leucine, threonine, aspartate; the other two frames of a row of these have a stop in each.
LTD = "CTAACTGAC"


@pytest.mark.parametrize(("n", "n_frames"), [(23, 1), (24, 1), (25, 2), (26, 2)])
def test_a_second_frame_is_kept_from_the_length_of_chance_on(n: int, n_frames: int) -> None:
    gene = LTD * n + "TAA" + LTD * 100
    assert MIN_RESIDUES < 72 < enough_residues(gene, 0.9) < 75
    check([gene])
    peptides = open_reading_frames(encode_bases([gene]))
    assert (peptides.residues == STOP).sum() == n_frames
    assert peptides.longest.sum() == 301


@pytest.mark.parametrize(("n", "n_frames"), [(9, 1), (10, 2)])
def test_a_second_frame_has_at_least_thirty_residues(n: int, n_frames: int) -> None:
    gene = LTD * n + "TAA" + LTD * 11
    peptides = open_reading_frames(encode_bases([gene]), rigour=0.1)
    assert (peptides.residues == STOP).sum() == n_frames


def test_of_two_equally_long_frames_the_first_is_the_longest() -> None:
    peptides = open_reading_frames(encode_bases([LTD * 12 + "TAA" + LTD * 12]), rigour=0)
    assert peptides.longest.tolist() == [True] * 37 + [False] * 37
    assert peptides.codon_starts[0] == 0


def test_neighbours_change_nothing() -> None:
    rng = np.random.default_rng(3)
    genes = [random_gene(rng, n) for n in (1, 700, 2, 301, 5, 1000, 44)]
    together = open_reading_frames(encode_bases(genes))
    for i, gene in enumerate(genes):
        alone = open_reading_frames(encode_bases([gene]))
        np.testing.assert_array_equal(together.residues[together.genes == i], alone.residues)
        np.testing.assert_array_equal(together.longest[together.genes == i], alone.longest)
