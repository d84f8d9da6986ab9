"""Features of many genes, block by block."""

from __future__ import annotations

import numpy as np
import pytest

from dnaclip._errors import InputError
from dnaclip.encoders import (
    N_SEEDS,
    _features,
    composition,
    composition_names,
    encode_bases,
    find_seeds,
    open_reading_frames,
    sequence_features,
)
from dnaclip.encoders._reading_frames import coding_ratio


def genes(n: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list("ACGTN"), rng.integers(1, 400), p=[0.24] * 4 + [0.04])) for _ in range(n)]


@pytest.mark.parametrize("bases_at_once", [1, 500, 10**9])
def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch, bases_at_once: int) -> None:
    sequences = [*genes(20), "ATGGCCAAGTTGTGGCATCCGGAA" * 20]
    bases = encode_bases(sequences)
    peptides = open_reading_frames(bases)
    monkeypatch.setattr(_features, "_BASES_AT_ONCE", bases_at_once)
    features = sequence_features(sequences)
    np.testing.assert_array_equal(features.composition, composition(bases, peptides))
    np.testing.assert_array_equal(features.coding_ratio, coding_ratio(bases, peptides))
    assert features.seeds.shape == (21, N_SEEDS)
    assert (features.seeds != find_seeds(peptides, 21)).nnz == 0
    assert {features.composition.dtype, features.coding_ratio.dtype, features.seeds.dtype} == {np.dtype(np.float32)}


def test_proteins_have_a_high_coding_ratio() -> None:
    rng = np.random.default_rng(1)
    coding = "ATG" + "".join(rng.choice(["GCC", "AAG", "CTG", "GAT", "TGG"], 300)) + "TAA"
    random = "".join(rng.choice(list("ACGT"), 900))
    protein, noise = sequence_features([coding, random]).coding_ratio
    # 301 residues (the stop ends the frame) against log(m) / -log(1 - 3/64) with m = 906 * 3/64.
    assert protein == pytest.approx(301 / (np.log(906 * 3 / 64) / -np.log(1 - 3 / 64)), rel=0.02)
    assert noise < 1.6


def test_no_genes_give_empty_features() -> None:
    features = sequence_features([])
    assert features.composition.shape == (0, len(composition_names()))
    assert features.seeds.shape == (0, N_SEEDS)
    assert features.coding_ratio.shape == (0,)


def test_an_illegal_letter_is_found_in_a_later_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_features, "_BASES_AT_ONCE", 8)
    with pytest.raises(InputError, match=r"^Gene number 13 has '-' at position 3 \(one-based\)"):
        sequence_features(["ACGTAC", "ACGT", "ACGTACGT", "AC-T"], first=10)
    with pytest.raises(InputError, match="^Gene 'd' has '-' at position 3 "):
        sequence_features(["ACGTAC", "ACGT", "ACGTACGT", "AC-T"], names=list("abcd"))


def test_values_that_are_no_strings_are_refused() -> None:
    with pytest.raises(InputError, match="empty or not a string: gene number 1 is None"):
        sequence_features(["ACGT", None])  # type: ignore[list-item]
    with pytest.raises(InputError, match="single string"):
        sequence_features("ACGT")


def test_progress_is_silent_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    sequence_features(["ACGT"])
    assert capsys.readouterr().err == ""
    sequence_features(["ACGT"], progress=True)
    assert "DNA features: 100%" in capsys.readouterr().err
