"""`metrics.coherence`: equal to all pairs written out, and a fair comparison with random sets."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest

from dnaclip._errors import InputError
from dnaclip.metrics import coherence


@pytest.fixture
def vectors() -> np.ndarray:
    rows = np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_equal_to_the_mean_over_pairs(vectors: np.ndarray) -> None:
    sets = np.random.default_rng(1).integers(-1, 4, 200)
    table = coherence(vectors, sets)
    for number, mean in enumerate(table["mean"]):
        genes = np.flatnonzero(sets == number)
        pairs = [vectors[a] @ vectors[b] for a, b in combinations(genes, 2)]
        assert mean == pytest.approx(np.mean(pairs), abs=1e-6)
        assert table["n_genes"][number] == len(genes)


def test_random_sets_are_like_random_sets(vectors: np.ndarray) -> None:
    table = coherence(vectors, np.repeat([0, 1, -1], [10, 30, 160]), n_random=1000)
    cosine, rng = vectors @ vectors.T, np.random.default_rng(1)
    for number, size in enumerate([10, 30]):
        drawn = [cosine[np.ix_(*[rng.choice(200, size, replace=False)] * 2)] for _ in range(1000)]
        means = [(block.sum() - size) / (size * (size - 1)) for block in drawn]
        assert table["random"][number] == pytest.approx((cosine.sum() - 200) / (200 * 199), abs=0.005)
        assert table["random_sd"][number] == pytest.approx(np.std(means), rel=0.12)


def test_p_values_of_random_sets_are_uniform(vectors: np.ndarray) -> None:
    sets = np.random.default_rng(2).permutation(np.repeat(np.arange(40), 5))
    table = coherence(vectors, sets, n_random=400)
    assert table["p"].min() >= 1 / 401
    assert 0.35 < table["p"].mean() < 0.65
    assert abs(table["z"].mean()) < 0.5
    assert 0.7 < table["z"].std() < 1.3


def test_a_coherent_set_stands_out(vectors: np.ndarray) -> None:
    vectors[:8] = vectors[0] + 0.1 * vectors[:8]
    table = coherence(vectors, [0] * 8 + [-1] * 192)
    assert table["z"][0] > 10
    assert table["p"][0] == 1 / 201


def test_strata_explain_coherence_away(vectors: np.ndarray) -> None:
    vectors[:40] = vectors[0] + 0.3 * vectors[:40]  # abundant genes are alike
    sets = [0] * 8 + [-1] * 192
    strata = np.repeat([0, 1], [40, 160])
    assert coherence(vectors, sets)["z"][0] > 6
    assert abs(coherence(vectors, sets, strata=strata)["z"][0]) < 3


def test_the_seed_decides(vectors: np.ndarray) -> None:
    sets = [0] * 8 + [-1] * 192
    first = coherence(vectors, sets, rng=1)
    assert first.equals(coherence(vectors, sets, rng=np.random.default_rng(1)))
    assert not first.equals(coherence(vectors, sets, rng=2))


def test_sets_that_cannot_differ(vectors: np.ndarray) -> None:
    table = coherence(vectors, [0] * 200)
    assert table["z"][0] == 0
    assert table["p"][0] == 1
    one = coherence(vectors, [0] + [1] * 9 + [-1] * 190)
    assert one.loc[0, ["mean", "z", "p"]].isna().all()
    assert one.loc[1, ["mean", "z", "p"]].notna().all()
    zero = coherence(np.zeros((9, 2)), [0] * 4 + [-1] * 5)
    assert zero["z"][0] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sets": [0] * 199}, r"sets must hold 200 whole numbers, one per row of vectors, got int64 \(199,\)"),
        ({"sets": [0.5] * 200}, "got float64"),
        ({"sets": [-1] * 200}, "No gene is in a set: sets holds negative numbers only"),
        ({"strata": ["a"] * 200}, "strata must hold 200 whole numbers"),
        ({"n_random": 0}, "n_random must be a whole number of at least 1"),
        ({"vectors": np.full((200, 2), np.nan)}, "vectors has 200 of 200 rows with NaN"),
    ],
)
def test_bad_input(vectors: np.ndarray, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        coherence(**{"vectors": vectors, "sets": [0] * 100 + [-1] * 100, **options})
