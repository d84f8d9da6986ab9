"""Weights of clues, profiles of relatives, and calibrated confidence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from dnaclip._errors import InputError
from dnaclip.models._annotation.calibration import FEATURES, Calibration, Reliability
from dnaclip.models._annotation.fit import Task, fit_weights, limit_embedding
from dnaclip.models._annotation.relatives import Relatives, profiles_of
from dnaclip.models._annotation.scores import CLUES, GATE, CandidateTexts, clue_scores, combined_scores
from dnaclip.models._annotation.wording import Wording

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = ["DNA helicase UvrD", "ribosomal protein S1", "ribosomal protein S2", "sodium channel"]


def hits(rows: list[tuple[int, int, float, str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["query", "hit", "bitscore", "level"])


def test_relatives_weigh_by_squared_bits_and_keep_genes_without_hits() -> None:
    found = Relatives.from_hits(hits([(0, 1, 100.0, "protein"), (0, 2, 50.0, "protein"), (2, 3, 60.0, "bases")]), 3, 4)
    np.testing.assert_allclose(found.weights.toarray()[0], [0, 0.8, 0.2, 0], rtol=1e-6)
    np.testing.assert_allclose(found.weights.sum(axis=1).ravel(), [[1, 0, 1]], rtol=1e-6)
    assert found.bits.tolist() == [100, 0, 60]
    assert found.bases.tolist() == [False, False, True]
    assert found.gate()[1].tolist() == [1, 0, 0]


def test_no_hits_at_all() -> None:
    found = Relatives.from_hits(hits([]), 2, 4)
    profiles = profiles_of(found, np.eye(4, dtype=np.float32), TEXTS, Wording(TEXTS))
    assert not profiles.meaning.any()
    assert profiles.words.nnz == profiles.letters.nnz == 0


def test_wording_tells_texts_apart_that_differ_in_one_sign() -> None:
    words, _ = Wording(TEXTS).rows(["ribosomal protein S1"])
    known, _ = Wording(TEXTS).rows(TEXTS)
    alike = (words @ known.T).toarray()[0]
    assert alike.argmax() == 1
    assert alike[1] > alike[2] > alike[0]


def test_combined_scores_are_the_weighted_clues() -> None:
    rng = np.random.default_rng(0)
    wording = Wording(TEXTS)
    vectors = rng.normal(size=(4, 8)).astype(np.float32)
    relatives = Relatives.from_hits(hits([(0, 1, 100.0, "protein"), (1, 2, 50.0, "bases")]), 3, 4)
    profiles = profiles_of(relatives, vectors, TEXTS, wording)
    candidates = CandidateTexts.of(vectors, TEXTS, wording)
    dna = rng.normal(size=(3, 8)).astype(np.float32)
    weights = rng.normal(size=(len(GATE), len(CLUES))).astype(np.float32)
    clues = clue_scores(dna, profiles, candidates)
    expected = np.einsum("nmj,nj->nm", clues, relatives.gate() @ weights)
    scores = combined_scores(dna, profiles, candidates, relatives.gate(), weights)
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)
    # Without a hit the order is that of the embedding.
    assert np.argsort(scores[2] * np.sign(weights[0, 0])).tolist() == np.argsort(clues[2, :, 0]).tolist()


def test_fitted_weights_follow_the_clue_that_is_right() -> None:
    rng = np.random.default_rng(0)
    clues = rng.normal(size=(60, 10, len(CLUES))).astype(np.float32)
    right = clues[:, :, 2].argmax(axis=1)
    weights = fit_weights([Task(clues, np.tile([1, 0, 0], (60, 1)).astype(np.float32), right)])
    assert weights[0].argmax() == 2
    with pytest.raises(InputError, match="no genes"):
        fit_weights([])


def test_the_embedding_is_limited_where_it_does_harm() -> None:
    """Alignment is right in three of four cases of one bin; an embedding that is never right gets the least weight."""
    rng = np.random.default_rng(0)
    clues = rng.normal(size=(80, 30, len(CLUES))).astype(np.float32)
    right = np.where(np.arange(80) % 4 > 0, clues[:, :, 1].argmax(axis=1), 5)
    gate = np.tile([1, 0, 0], (80, 1)).astype(np.float32)
    weights = np.zeros((len(GATE), len(CLUES)), np.float32)
    weights[0] = 2, 2, 0, 0
    bins = [np.repeat(["< 30 %", "> 50 %"], 40)]
    harmful = limit_embedding([Task(clues, gate, right)], bins, weights)
    assert harmful[0, 0] == pytest.approx(0.1)
    assert harmful[0, 1:].tolist() == [2, 0, 0]
    # One that is right wherever alignment is wrong keeps more.
    clues[np.arange(80), right, 0] += 5
    assert limit_embedding([Task(clues, gate, right)], bins, weights)[0, 0] > 1


@pytest.fixture(scope="module")
def made_up() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, true probability of being right, and what came of it."""
    rng = np.random.default_rng(1)
    features = rng.normal(size=(6000, 3))
    chance = 1 / (1 + np.exp(-(2 * features[:, 0] + features[:, 1] - 0.5)))
    return features, chance, rng.random(6000) < chance


def test_confidence_keeps_its_word_on_new_genes(made_up: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    features, chance, right = made_up
    curve = Reliability.fit(features[:3000], right[:3000])
    confidence = curve.confidence(features[3000:])
    above = confidence >= 0.8
    assert above.sum() > 300
    assert right[3000:][above].mean() >= 0.8
    assert np.corrcoef(confidence, chance[3000:])[0, 1] > 0.97
    assert (np.diff(curve.shares) >= 0).all()


def test_confidence_errs_on_the_side_of_caution(made_up: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    features, _, right = made_up
    assert Reliability.fit(features, right).confidence(features).mean() < right.mean()


def test_rows_of_the_same_gene_bear_out_no_more_than_one(made_up: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    features, _, right = (part[:1000] for part in made_up)
    once = Reliability.fit(features, right)
    thrice = Reliability.fit(np.tile(features, (3, 1)), np.tile(right, 3), repeats=3)
    np.testing.assert_allclose(thrice.confidence(features), once.confidence(features), atol=0.02)


def test_nothing_to_calibrate() -> None:
    with pytest.raises(InputError, match="nothing to calibrate"):
        Reliability.fit(np.zeros((50, 3)), np.ones(50))


def test_default_calibration_is_small_and_sound() -> None:
    found = Calibration.load()
    assert found.model == "dnaclip-base"
    for kind, names in FEATURES.items():
        low, high = np.zeros((1, len(names))), np.full((1, len(names)), 2.0)
        assert found.reliability[kind].confidence(low)[0] < 0.2
        assert found.reliability[kind].confidence(high)[0] > 0.75


def test_calibration_survives_the_disk(tmp_path: Path) -> None:
    original = Calibration.load()
    again = Calibration.load(original.save(tmp_path / "mine.json"))
    assert again.reliability == original.reliability
    np.testing.assert_array_equal(again.weights, original.weights)
    assert (tmp_path / "mine.json").stat().st_size < 3000


@pytest.mark.parametrize("damage", ["absent", "not json", "other shape", "short curve"])
def test_a_file_that_is_no_calibration_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "bad.json"
    stored = json.loads(Calibration.load().save(tmp_path / "good.json").read_text())
    if damage == "other shape":
        stored["weights"] = [[1.0]]
    if damage == "short curve":
        stored["embedding"]["coefficients"] = [1.0]
    if damage != "absent":
        path.write_text("{" if damage == "not json" else json.dumps(stored))
    with pytest.raises(InputError, match="is not a calibration"):
        Calibration.load(path)
