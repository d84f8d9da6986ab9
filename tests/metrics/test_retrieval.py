"""Accuracy@k against a brute-force oracle, and the promises about ties, groups and bad input."""

from __future__ import annotations

from itertools import permutations
from math import comb

import numpy as np
import pytest

from dnaclip._errors import InputError
from dnaclip.metrics import retrieval, retrieval_both, retrieval_hits


def signs(rng: np.random.Generator, n: int, d: int = 4) -> np.ndarray:
    """Rows of +-1: cosines are exact in float32 and tie often."""
    return rng.choice([-1.0, 1.0], size=(n, d))


def oracle(scores: np.ndarray, right: np.ndarray, k: int) -> float:
    """Share of all orders of the candidates, consistent with the scores, whose first k hold a right one."""
    orders = np.array(list(permutations(range(len(scores)))))
    sorted_scores = scores[orders]
    consistent = orders[(np.diff(sorted_scores, axis=1) <= 0).all(axis=1)]
    return float(right[consistent[:, :k]].any(axis=1).mean())


@pytest.mark.parametrize("seed", range(5))
def test_ties_equal_the_mean_over_all_orders(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = np.array([0, 1, 1, 2, 3, 3, 3])
    dna, text = signs(rng, 7), signs(rng, 4)[groups]
    to_text = retrieval_hits(dna, text, groups=groups, ks=(1, 2, 3))
    to_dna = retrieval_hits(text, dna, groups=groups, repeated="queries", ks=(1, 2, 3))
    assert list(to_text.index) == list(range(7))
    assert list(to_dna.index) == [0, 1, 3, 4]
    for k in (1, 2, 3):
        distinct = text[[0, 1, 3, 4]]
        for i, hit in zip(range(7), to_text[f"accuracy@{k}"], strict=True):
            assert hit == pytest.approx(oracle(dna[i] @ distinct.T, np.arange(4) == groups[i], k))
        for i, hit in zip((0, 1, 3, 4), to_dna[f"accuracy@{k}"], strict=True):
            assert hit == pytest.approx(oracle(text[i] @ dna.T, groups == groups[i], k))


def test_without_ties_equals_argsort() -> None:
    rng = np.random.default_rng(0)
    text = rng.normal(size=(300, 16))
    dna = text + rng.normal(size=text.shape) * 2
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (dna, text)]
    order = np.argsort(-(unit[0] @ unit[1].T), axis=1)
    result = retrieval(dna, text, ks=(1, 5, 10))
    assert set(np.unique(retrieval_hits(dna, text, ks=(1,))["accuracy@1"])) == {0.0, 1.0}
    for k in (1, 5, 10):
        expected = (order[:, :k] == np.arange(300)[:, None]).any(axis=1).mean()
        assert 0 < expected < 1
        assert result[f"accuracy@{k}"] == pytest.approx(expected)
        assert result[f"chance@{k}"] == pytest.approx(k / 300)
    assert result["n_queries"] == result["n_candidates"] == 300


def test_chance_counts_how_often_a_text_repeats() -> None:
    groups = np.array([5, 5, 5, -1, 9, 9])
    rng = np.random.default_rng(0)
    dna, text = rng.normal(size=(6, 3)), rng.normal(size=(10, 3))[groups]
    both = retrieval_both(dna, text, groups=groups, ks=(2,))
    assert both.loc["dna->text", "chance@2"] == pytest.approx(2 / 3)
    by_text = [1 - comb(6 - m, 2) / comb(6, 2) for m in (1, 3, 2)]
    assert both.loc["text->dna", "chance@2"] == pytest.approx(np.mean(by_text))
    assert both["n_queries"].tolist() == [6, 3]
    assert both["n_candidates"].tolist() == [3, 6]


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_collapsed_embedding_scores_chance(value: float) -> None:
    groups = np.arange(40) // 2
    text = np.random.default_rng(0).normal(size=(20, 4))[groups]
    both = retrieval_both(np.full((40, 4), value), text if value == 0 else np.ones((40, 4)), groups=groups)
    for k in (1, 5, 10):
        np.testing.assert_allclose(both[f"accuracy@{k}"], both[f"chance@{k}"])


@pytest.mark.parametrize("block_size", [1, 7, 100])
def test_blocks_and_row_order_change_nothing(block_size: int) -> None:
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 20, size=50)
    dna, text = signs(rng, 50, 16), signs(rng, 20, 16)[groups]
    expected = retrieval_both(dna, text, groups=groups)
    order = rng.permutation(50)
    shuffled = retrieval_both(dna[order], text[order], groups=groups[order], block_size=block_size)
    np.testing.assert_allclose(shuffled, expected)


def test_more_candidates_asked_for_than_there_are() -> None:
    result = retrieval(np.eye(3), np.eye(3)[[1, 2, 0]], ks=(1, 3, 100))
    assert [result[f"accuracy@{k}"] for k in (1, 3, 100)] == [0, 1, 1]
    assert result["chance@100"] == 1


def test_scale_of_rows_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    dna, text = rng.normal(size=(30, 8)), rng.normal(size=(30, 8))
    scaled = retrieval(dna * rng.uniform(0.1, 9, size=(30, 1)), text)
    assert scaled == pytest.approx(retrieval(dna, text))


@pytest.mark.parametrize("seed", range(5))
def test_the_right_score_is_rounded_as_its_rivals_are(seed: int) -> None:
    # All genes in one point whose squares do not add up exactly: a score computed apart would beat all rivals, or none.
    point = np.random.default_rng(seed).normal(size=(1, 128)).repeat(64, axis=0)
    assert retrieval(point, point, ks=(32,))["accuracy@32"] == pytest.approx(0.5, abs=0.2)


def test_swapped_sides_are_noticed() -> None:
    groups = np.array([0, 0, 1])
    dna, text = np.eye(3), np.eye(3)[[0, 0, 1]]
    with pytest.raises(
        InputError, match=r"targets differ within a group in 1 rows \(first: row 1\).*repeated='queries'"
    ):
        retrieval(text, dna, groups=groups)
    with pytest.raises(InputError, match=r"queries differ within a group.*repeated='targets'"):
        retrieval(dna, text, groups=groups, repeated="queries")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"queries": np.full((3, 2), np.nan)}, r"queries has 3 of 3 rows with NaN.*0, 1, 2"),
        ({"targets": np.array([[1, 0], [np.inf, 1], [0, 1]])}, r"targets has 1 of 3 rows.*rows 1\."),
        ({"queries": np.ones(3)}, r"queries must have shape .* got \(3,\)"),
        ({"queries": np.ones((0, 2))}, r"at least one gene, got \(0, 2\)"),
        ({"targets": np.ones((4, 2))}, r"same shape, got \(3, 2\) and \(4, 2\)"),
        ({"ks": ()}, r"ks=\(\) must name at least one"),
        ({"ks": (1, 0)}, r"ks=\(1, 0\)"),
        ({"groups": [0, 1]}, r"groups must be 3 integers, one per row, got shape \(2,\)"),
        ({"groups": ["a", "b", "c"]}, r"groups must be 3 integers"),
        ({"block_size": 0}, r"block_size=0 must be 1 or more"),
        ({"repeated": "both"}, r"repeated='both' is not known\. Use one of: 'targets', 'queries'"),
    ],
)
def test_bad_input(change: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {"queries": np.ones((3, 2)), "targets": np.ones((3, 2))} | change
    with pytest.raises(InputError, match=message):
        retrieval(**arguments)  # type: ignore[arg-type]
