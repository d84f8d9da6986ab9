"""`metrics.interaction` and the distance correlation under it, against plain formulas and known cases."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from dnaclip._errors import InputError
from dnaclip.metrics import _distance_correlation, interaction
from dnaclip.metrics._distance_correlation import distance_correlation


def naive_distance_correlation(a: np.ndarray, b: np.ndarray) -> float:
    centred = []
    for side in (a, b):
        d = cdist(side, side)
        centred.append(d - d.mean(axis=0) - d.mean(axis=1, keepdims=True) + d.mean())
    x, y = centred
    return float(np.sqrt((x * y).mean() / np.sqrt((x * x).mean() * (y * y).mean())))


@pytest.mark.parametrize("at_once", [1, 100, 2**21])
@pytest.mark.parametrize("width", [1, 2])
def test_distance_correlation_is_that_of_centred_matrices(
    at_once: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_distance_correlation, "DISTANCES_AT_ONCE", at_once)
    rng = np.random.default_rng(0)
    a = rng.normal(size=(60, width))
    b = np.abs(a[:, :1]) + 0.5 * rng.normal(size=(60, 1))
    assert distance_correlation(a, b) == pytest.approx(naive_distance_correlation(a, b), rel=1e-10)


def test_distance_correlation_knows_lines_and_curves() -> None:
    x = np.random.default_rng(1).normal(size=2000)
    assert distance_correlation(x, 3 - 2 * x) == pytest.approx(1)
    assert distance_correlation(x, x**2) > 0.4 > 5 * abs(np.corrcoef(x, x**2)[0, 1])
    assert distance_correlation(x, np.random.default_rng(2).normal(size=2000)) < 0.08
    assert np.isnan(distance_correlation(x, np.full(2000, 0.1)))


@pytest.fixture
def singles() -> tuple[np.ndarray, np.ndarray]:
    a, b = np.random.default_rng(3).normal(size=(2, 300))
    return a, b


@pytest.mark.parametrize("fit", ["theil_sen", "least_squares"])
def test_coefficients_are_recovered(singles: tuple[np.ndarray, np.ndarray], fit: str) -> None:
    a, b = singles
    found = interaction(a, b, 2 * a - 0.5 * b, fit=fit)  # type: ignore[arg-type]
    assert found["c1"] == pytest.approx(2)
    assert found["c2"] == pytest.approx(-0.5)
    assert found["magnitude"] == pytest.approx(4.25**0.5)
    assert found["dominance"] == pytest.approx(np.log10(4))
    assert found["model_fit"] == pytest.approx(1)


def test_additive_pairs_score_zero(singles: tuple[np.ndarray, np.ndarray]) -> None:
    found = interaction(*singles, sum(singles))
    for name in ("synergy", "suppression", "neomorphism", "deviation", "dominance"):
        assert found[name] == pytest.approx(0, abs=1e-6)
    assert found["equality"] == pytest.approx(1, abs=0.15)


def test_each_score_finds_its_interaction(singles: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = singles
    new = np.random.default_rng(4).normal(size=300)
    pairs = {
        "synergy": (a, b, 2 * (a + b)),
        "suppression": (a, b, 0.3 * (a + b)),
        "neomorphism": (a, b, a + b + 2 * new),
        "redundancy": (a, a + 0.1 * b, a),
        "epistasis": (a, b, a),
    }
    found = {name: interaction(*pair) for name, pair in pairs.items()}
    for name in pairs:
        assert max(found, key=lambda pair: found[pair][name]) == name


def test_outlying_genes_do_not_move_the_robust_fit(singles: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = singles
    double = a + b
    double[:20] += 30
    robust, plain = (interaction(a, b, double, fit=fit) for fit in ("theil_sen", "least_squares"))
    for name in ("c1", "c2"):
        assert abs(robust[name] - 1) < 0.1
    assert max(abs(plain[name] - 1) for name in ("c1", "c2")) > 0.2


def test_the_seed_makes_it_repeatable(singles: tuple[np.ndarray, np.ndarray]) -> None:
    double = sum(singles) + np.random.default_rng(5).normal(size=300)
    first, again, other = (interaction(*singles, double, fit="theil_sen", rng=rng)["c1"] for rng in (0, 0, 1))
    assert first == again
    assert first == pytest.approx(other, abs=0.1)


def test_a_change_without_variation_has_no_interaction(singles: tuple[np.ndarray, np.ndarray]) -> None:
    assert np.isnan([*interaction(singles[0], np.zeros(300), singles[0]).values()]).all()


@pytest.mark.parametrize(
    ("double", "message"),
    [
        (np.zeros(299), r"over the same genes, three or more, got \(300,\), \(300,\) and \(299,\)"),
        (np.full(300, np.nan), "must not hold NaN or infinite values"),
    ],
)
def test_wrong_changes_are_refused(singles: tuple[np.ndarray, np.ndarray], double: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        interaction(*singles, double)
