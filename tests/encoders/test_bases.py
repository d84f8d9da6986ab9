"""Base codes against a dictionary, and every sequence that is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnaclip._errors import InputError
from dnaclip.encoders import encode_bases
from dnaclip.encoders._bases import AMBIGUOUS, SEPARATOR

CODE = {"A": 0, "C": 1, "G": 2, "T": 3, "U": 3} | dict.fromkeys("NRYKMSWBDHV", AMBIGUOUS)
# Every legal letter, and enough plain ones that a gene of these is not mostly ambiguous.
GENES = st.text(alphabet="ACGTUacgtu" * 3 + "".join(CODE) + "".join(CODE).lower(), min_size=1, max_size=30)


def is_vague(gene: str) -> bool:
    return sum(CODE[letter.upper()] == AMBIGUOUS for letter in gene) > len(gene) / 2


@given(st.lists(GENES, max_size=6))
def test_equals_a_dictionary(genes: list[str]) -> None:
    vague = [i for i, gene in enumerate(genes) if is_vague(gene)]
    if vague:
        with pytest.raises(InputError, match=f"^{len(vague)} sequences are ambiguous .* gene number {vague[0]} has"):
            encode_bases(genes)
        return
    bases = encode_bases(genes)
    assert len(bases) == len(genes)
    assert bases.codes.dtype == np.uint8
    assert bases.lengths.tolist() == [len(gene) for gene in genes]
    assert (bases.offsets % 3 == 0).all()
    assert bases.offsets[-1] == len(bases.codes)
    for i, gene in enumerate(genes):
        own = bases.codes[bases.offsets[i] : bases.offsets[i + 1]].tolist()
        assert own[: len(gene)] == [CODE[letter.upper()] for letter in gene]
        closing = own[len(gene) :]
        assert len(closing) >= 3
        assert set(closing) == {SEPARATOR}
    everywhere = np.arange(len(bases.codes))
    assert bases.gene_of(everywhere).tolist() == np.repeat(np.arange(len(genes)), np.diff(bases.offsets)).tolist()


def test_no_genes_give_no_codes() -> None:
    bases = encode_bases([])
    assert (len(bases), len(bases.codes), bases.offsets.tolist()) == (0, 0, [0])


def test_lower_case_and_rna_are_the_same_gene() -> None:
    np.testing.assert_array_equal(encode_bases(["ACGTTN"]).codes, encode_bases(["acguUn"]).codes)


def test_half_ambiguous_is_legal() -> None:
    assert (encode_bases(["ACNN"]).codes == AMBIGUOUS).sum() == 2


@pytest.mark.parametrize(
    "letter", ["-", "*", ".", "1", " ", "\n", "\t", "\0", "?", "X", "E", "\u0391", "\u00e4", "\U0001f9ec"]
)
@pytest.mark.parametrize("position", [1, 4, 7])
def test_a_letter_outside_iupac_is_named_with_its_one_based_position(letter: str, position: int) -> None:
    gene = "ACGTAC"
    genes = ["ACGT", gene[: position - 1] + letter + gene[position - 1 :], "--"]
    with pytest.raises(InputError) as caught:
        encode_bases(genes, names=["first", "second", "third"])
    assert f"Gene 'second' has {letter!r} at position {position} (one-based)" in str(caught.value)
    with pytest.raises(InputError, match=f"Gene number 1 has .* at position {position} "):
        encode_bases(genes)
    with pytest.raises(InputError, match=f"Gene number 101 has .* at position {position} "):
        encode_bases(genes, first=100)


@pytest.mark.parametrize("wrong", ["", None, float("nan"), b"ACGT", 5, ["A", "C"]])
def test_what_is_empty_or_no_string_is_named_with_its_position(wrong: str) -> None:
    with pytest.raises(InputError) as caught:
        encode_bases(["ACGT", wrong, "ACGT", wrong], names=["a", "b", "c", "d"])
    assert str(caught.value).startswith(f"2 sequences are empty or not a string: gene 'b' is {wrong!r}.")
    assert "positions 1, 3" in str(caught.value)


def test_mostly_ambiguous_genes_are_counted_and_named() -> None:
    with pytest.raises(InputError, match=r"^2 sequences .* gene 'b' has 3 of 5\. .*positions 1, 2"):
        encode_bases(["ACGTN", "ACNRY", "N", "AN"], names=["a", "b", "c", "d"])


def test_a_single_string_is_no_list_of_genes() -> None:
    with pytest.raises(InputError, match=r"single string.*\[sequence\]"):
        encode_bases("ACGT")
