"""`metrics.e_distance` against a double loop and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import energy_distance

from dnaclip._errors import InputError
from dnaclip.metrics import _e_distance, e_distance


def naive(a: np.ndarray, b: np.ndarray, power: float) -> float:
    def mean(x: np.ndarray, y: np.ndarray, *, same: bool) -> float:
        pairs = [(i, j) for i in range(len(x)) for j in range(len(y)) if not (same and i == j)]
        return float(np.mean([((x[i] - y[j]) ** 2).sum() ** power for i, j in pairs]))

    return 2 * mean(a, b, same=False) - mean(a, a, same=True) - mean(b, b, same=True)


@pytest.fixture
def groups() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(9, 5)), rng.normal(1, 2, size=(7, 5))


@pytest.mark.parametrize("at_once", [1, 20, 2**22])
@pytest.mark.parametrize(("metric", "power"), [("euclidean", 0.5), ("sqeuclidean", 1.0)])
def test_it_equals_a_double_loop(
    groups: tuple[np.ndarray, np.ndarray], metric: str, power: float, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_e_distance, "DISTANCES_AT_ONCE", at_once)
    assert e_distance(*groups, metric=metric) == pytest.approx(naive(*groups, power), rel=1e-12)  # type: ignore[arg-type]


def test_far_from_the_origin_no_digits_are_lost(groups: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = groups
    assert e_distance(a + 1e5, b + 1e5) == pytest.approx(e_distance(a, b), rel=1e-8)


def test_one_dimension_has_a_closed_form() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=40), rng.normal(0.5, 2, size=60)
    within = [np.abs(x[:, None] - x).sum() * (1 / len(x) ** 2 - 1 / (len(x) * (len(x) - 1))) for x in (a, b)]
    # scipy has the root of the biased estimate, with a cell's distance to itself among the pairs
    assert e_distance(a[:, None], b[:, None]) == pytest.approx(energy_distance(a, b) ** 2 + sum(within))


def test_squared_distances_see_the_means_only() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(30, 4)), rng.normal(1, 5, size=(50, 4))
    noise = sum(x.var(axis=0, ddof=1).sum() / len(x) for x in (a, b))
    expected = 2 * (((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum() - noise)
    assert e_distance(a, b, metric="sqeuclidean") == pytest.approx(expected)


def test_halves_of_one_population_are_at_zero() -> None:
    rng = np.random.default_rng(3)
    found = [e_distance(*rng.normal(size=(2, 10, 3))) for _ in range(400)]
    assert abs(np.mean(found)) < 3 * np.std(found) / 20
    assert min(found) < 0 < max(found)


def test_a_group_of_one_has_no_distance() -> None:
    assert np.isnan(e_distance([[1.0]], [[1.0], [2.0]]))


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([[1.0, 2.0]], [[1.0]], r"the same genes, got \(1, 2\) and \(1, 1\)"),
        ([1.0], [[1.0]], r"must be \(cells, genes\)"),
        ([[np.nan], [1.0]], [[1.0], [1.0]], "must not hold NaN or infinite values"),
    ],
)
def test_wrong_cells_are_refused(a: list[list[float]], b: list[list[float]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        e_distance(a, b)


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(InputError, match="metric='cosine' is not known. Use one of: 'euclidean', 'sqeuclidean'"):
        e_distance([[1.0]], [[1.0]], metric="cosine")  # type: ignore[arg-type]
