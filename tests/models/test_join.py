"""How the two parts of the DNA side are joined."""

from __future__ import annotations

import numpy as np
import pytest

from dnaclip.models import Gate, fit_gate, join_parts


def unit(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    vectors = rng.normal(size=(n, d))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_share_is_a_logistic_curve() -> None:
    gate = Gate(centre=2.0, width=0.4)
    significance = np.array([0.0, 0.5, 3.0, np.expm1(2.0), 20.0, 5000.0], np.float32)
    expected = [1 / (1 + np.exp(-(np.log(1 + s) - 2.0) / 0.4)) for s in significance]
    expected[0] = 0.0  # nothing was found
    share = gate.share(significance)
    np.testing.assert_allclose(share, expected, rtol=1e-5)
    assert share.dtype == np.float32
    assert (np.diff(share) > 0).all()
    assert share[3] == pytest.approx(0.5)


def test_join_mixes_and_brings_to_length_one() -> None:
    rng = np.random.default_rng(0)
    homology, composition = unit(rng, 5, 8), unit(rng, 5, 8)
    significance = np.array([0.0, 2.0, 10.0, 40.0, 900.0], np.float32)
    homology[0] = 0
    gate = Gate()
    g = gate.share(significance)[:, None].astype(float)
    expected = g * homology + (1 - g) * composition
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    joined = join_parts(homology, composition, significance, gate)
    np.testing.assert_allclose(joined, expected, atol=1e-6)
    np.testing.assert_allclose(joined[0], composition[0], atol=1e-6)
    assert joined.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(joined, axis=1), 1, atol=1e-6)


def test_opposite_parts_give_no_nan() -> None:
    part = np.array([[1.0, 0.0]])
    joined = join_parts(part, -part, np.array([np.expm1(2.5)]), Gate(centre=2.5))
    assert np.isfinite(joined).all()


@pytest.mark.parametrize("border", [6.0, 14.0, 28.0])
def test_fitted_gate_switches_where_homology_becomes_right(border: float) -> None:
    """Below the border homology points at another gene's text, above it at the own one; composition the reverse."""
    rng = np.random.default_rng(1)
    n = 300
    text = unit(rng, n, 16)
    significance = rng.uniform(1, 40, n)
    sure = (significance > border)[:, None]
    wrong = np.roll(text, 1, axis=0)
    homology, composition = np.where(sure, text, wrong), np.where(sure, wrong, text)
    gate = fit_gate(homology, composition, text, significance, np.arange(n))
    decided = (gate.share(significance) > 0.5) == sure[:, 0]
    assert decided.mean() > 0.85
    found = (join_parts(homology, composition, significance, gate) @ text.T).argmax(1) == np.arange(n)
    default = (join_parts(homology, composition, significance, Gate(3.5, 0.8)) @ text.T).argmax(1) == np.arange(n)
    assert found.mean() > 0.8
    assert found.mean() >= default.mean()


def test_equal_texts_count_as_one() -> None:
    text = np.eye(4)[[0, 0, 1, 2]]
    gate = fit_gate(text, np.roll(text, 1, axis=0), text, np.full(4, 12.0), np.array([0, 0, 1, 2]))
    assert gate.share(np.array([12.0]))[0] > 0.5
