"""The weight of the network beside the other methods, and where contexts lie among each other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dnaclip.models._perturbation.blend import fit_blend, network_weight
from dnaclip.models._perturbation.folds import SITUATIONS
from dnaclip.models._perturbation.means import Shifts
from dnaclip.models._perturbation.vae_method import context_coordinates
from dnaclip.train._perturbation.blend import held_out_rows


def noisy(truth: np.ndarray, noise: float, seed: int) -> np.ndarray:
    return truth + noise * np.random.default_rng(seed).normal(size=truth.shape)


def test_the_weight_is_that_of_least_squared_error() -> None:
    truth = np.random.default_rng(0).normal(size=(40, 30))
    one, other = noisy(truth, 1.0, 1), noisy(truth, 0.5, 2)
    weights = np.linspace(0, 1, 1001)
    errors = [((truth - (1 - w) * one - w * other) ** 2).sum() for w in weights]
    assert network_weight(truth, one, other) == pytest.approx(weights[np.argmin(errors)], abs=1e-3)
    assert network_weight(truth, one, truth) == 1
    assert network_weight(truth, truth, other) == 0


def test_a_network_that_only_adds_noise_gets_nothing() -> None:
    truth = np.random.default_rng(0).normal(size=(40, 30))
    plain = noisy(truth, 0.5, 1)
    assert network_weight(truth, plain, noisy(plain, 1.0, 2)) == 0
    assert network_weight(truth[:1], plain[:1], truth[:1]) == 0, "one row proves nothing"
    assert network_weight(truth, plain, plain) == 0


def test_situations_with_few_rows_share_a_weight() -> None:
    truth = np.random.default_rng(0).normal(size=(43, 30))
    plain, network = noisy(truth, 0.5, 1), noisy(truth, 0.5, 2)
    network[:20] = truth[:20]
    situation = np.repeat([0, 1, 3], [20, 20, 3])
    blend = fit_blend(truth, plain, network, situation)
    together = network_weight(truth, plain, network)
    assert blend.weights[0] == 1
    assert 0.3 < blend.weights[1] < 0.7
    assert blend.weights[2] == blend.weights[3] == together
    assert blend.n_rows.tolist() == [20, 20, 0, 3]
    np.testing.assert_allclose(blend.mse[[0, 1]], ((truth - network)[[0, 25]] ** 2).mean(axis=1), atol=0.2)
    assert np.isnan(blend.pcc[2])
    parts = pd.DataFrame({"situation": np.repeat(SITUATIONS, 2), "part": ["a", "b"] * 4, "weight": [0.5, 0.5] * 4})
    table = blend.with_network(parts, "net")
    np.testing.assert_allclose(table.groupby("situation")["weight"].sum(), 1)
    assert table["part"].tolist() == ["a", "b", "net"] * 4


def test_rows_are_held_out_in_every_situation() -> None:
    conditions = [(f"g{i}",) for i in range(20)] + [(f"g{i}", f"g{i + 1}") for i in range(19)]
    rows = [(condition, context) for condition in conditions for context in (0, 1)]
    shifts = Shifts(
        np.zeros((len(rows), 2)), tuple(c for c, _ in rows), np.ones(len(rows)), np.array([c for _, c in rows])
    )
    held_out = held_out_rows(shifts, np.random.default_rng(0))
    rest = shifts.take(np.setdiff1d(np.arange(len(rows)), held_out))
    asked = shifts.take(held_out)
    unseen = [condition for condition in asked.conditions if not rest.genes.issuperset(condition)]
    assert len({gene for condition in unseen for gene in condition} - rest.genes) == 4, "a fifth of the genes"
    both = set(asked.conditions) & set(rest.conditions)
    assert both, "some conditions are held out in one context only"
    assert any(len(c) == 2 and rest.genes.issuperset(c) and c not in rest.conditions for c in asked.conditions)
    np.testing.assert_array_equal(held_out_rows(shifts, np.random.default_rng(0)), held_out)
    assert 0 < len(held_out) < len(shifts)


def test_contexts_lie_where_their_control_cells_are() -> None:
    rng = np.random.default_rng(0)
    means = rng.normal(size=(4, 50))
    means[3] = means[2] + 0.01
    where = context_coordinates(np.vstack([means, np.full((1, 50), np.nan)]))
    assert where.shape == (5, 3)
    assert where.dtype == np.float32
    np.testing.assert_allclose((where[:4] ** 2).sum() / 4, 1, rtol=1e-5)
    assert (where[4] == 0).all()
    apart = np.linalg.norm(where[:4, None] - where[:4], axis=2)
    assert apart[2, 3] < 0.1 * apart[0, 1]
    true = np.linalg.norm(means[:, None] - means, axis=2)
    np.testing.assert_allclose(apart / apart[0, 1], true / true[0, 1], atol=1e-4)
    assert (context_coordinates(np.ones((1, 3))) == 0).all()
