"""Protein encoders, given proteins or genes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from dnaclip._errors import InputError
from dnaclip.encoders import ProteinEncoder, longest_proteins

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROTEINS = ["MKLAVR*", "MKLLV" * 10, "AC", "mklavr"]


@pytest.mark.parametrize("architecture", ["esm2", "esmc"])
def test_vectors_are_those_of_a_plain_forward_pass(tiny_models: Callable[[str], Path], architecture: str) -> None:
    from transformers import AutoTokenizer

    folder = tiny_models(architecture)
    encoder = ProteinEncoder(folder, device="cpu")
    vectors = encoder.encode(PROTEINS)
    assert vectors.shape == (4, encoder.dimension) == (4, 32)
    import torch
    from transformers import AutoModel

    with torch.random.fork_rng(devices=[]):
        model = AutoModel.from_pretrained(folder).eval()
    ids = AutoTokenizer.from_pretrained(folder)("MKLAVR", return_tensors="pt")["input_ids"]
    assert ids.shape == (1, 8)  # one token a residue, between two special ones
    with torch.inference_mode():
        hidden = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0, 1:-1]
    np.testing.assert_allclose(vectors[0], hidden.mean(0), atol=1e-5)
    np.testing.assert_array_equal(vectors[0], vectors[3])  # case and the stop make no difference
    alone = np.concatenate([encoder.encode([protein]) for protein in PROTEINS])
    np.testing.assert_allclose(vectors, alone, atol=1e-5)


def test_genes_are_read_as_their_longest_frame(tiny_models: Callable[[str], Path]) -> None:
    folder = tiny_models("esm2")
    genes = ["ATGAAACTGGCTGTTCGTTAA", "CCATGAAACTGGCTGTTCGTTAACC"]
    encoder = ProteinEncoder(folder, input="dna", device="cpu", name="mine")
    expected = ProteinEncoder(folder, device="cpu").encode(["MKLAVR", longest_proteins(genes)[1]])
    np.testing.assert_array_equal(encoder.encode(genes), expected)
    assert encoder.settings["input"] == "dna"
    assert repr(encoder) == "ProteinEncoder('mine', input='dna')"
    encoder.check(genes)
    with pytest.raises(InputError, match="sequences hold no codon but stops"):
        encoder.check(["AT"])


def test_longest_frames() -> None:
    assert longest_proteins(["ATGGCCAAGTAA", "AUGGCCNAGUAA"]) == ["MAK", "MAX"]
    assert longest_proteins([]) == []
    with pytest.raises(InputError, match=r"1 of 2 sequences hold no codon but stops: 'AT' \(positions 1\)"):
        longest_proteins(["ATGAAA", "AT"])
    with pytest.raises(InputError, match="IUPAC"):
        longest_proteins(["MKLAVR"])


def test_other_inputs_are_refused() -> None:
    with pytest.raises(InputError, match="input='rna' is not known"):
        ProteinEncoder("no/such", input="rna")  # type: ignore[arg-type]
