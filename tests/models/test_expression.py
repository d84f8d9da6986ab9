"""Ridge, losses, network and intervals of expression predictors, against what they must equal."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dnaclip._errors import InputError
from dnaclip.models import (
    ExpressionNet,
    ExpressionNetConfig,
    GeneRidge,
    balanced_pearson,
    expression_loss,
    fit_intervals,
)


@pytest.fixture
def genes() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 5)).astype(np.float32)
    return vectors, np.sin(vectors @ rng.normal(size=(5, 4))) + 0.1 * rng.normal(size=(60, 4)) + [0, 1, 2, 3]


@pytest.mark.parametrize("n_landmarks", [0, 20])
def test_leave_one_out_is_that_of_a_new_fit(genes: tuple[np.ndarray, np.ndarray], n_landmarks: int) -> None:
    vectors, expression = genes
    ridge = GeneRidge(n_landmarks=n_landmarks, penalties=[1.0]).fit(vectors, expression)

    class SameLandmarks(GeneRidge):
        def _choose_landmarks(self, vectors: np.ndarray) -> None:
            self.landmarks_, self.rate_, self._whiten = ridge.landmarks_, ridge.rate_, ridge._whiten

    for gene in (0, 7):
        others = np.arange(60) != gene
        again = SameLandmarks(n_landmarks=n_landmarks, penalties=[1.0]).fit(vectors[others], expression[others])
        np.testing.assert_allclose(again.predict(vectors[[gene]])[0], ridge.loo_[gene], atol=2e-4)


def test_linear_ridge_solves_the_normal_equations(genes: tuple[np.ndarray, np.ndarray]) -> None:
    vectors, expression = genes
    ridge = GeneRidge(n_landmarks=0, penalties=[2.0]).fit(vectors, expression)
    x = 0.5 * (vectors - vectors.mean(0)).astype(float)
    weights = np.linalg.solve(x.T @ x + 2 * np.eye(5), x.T @ (expression - expression.mean(0)))
    expected = expression.mean(0) + x @ weights
    np.testing.assert_allclose(ridge.predict(vectors), expected, atol=1e-4)


def test_ridge_gradient_is_the_slope(genes: tuple[np.ndarray, np.ndarray]) -> None:
    ridge = GeneRidge(n_landmarks=20).fit(*genes)
    vector = genes[0][3].astype(np.float64)
    step = 1e-2 * np.eye(5)
    slope = (ridge.predict(vector + step) - ridge.predict(vector - step)).T / 2e-2
    np.testing.assert_allclose(ridge.gradient(genes[0][3]), slope, atol=5e-3)


@pytest.mark.parametrize("options", [{"n_landmarks": -1}, {"penalties": []}, {"penalties": [0.0]}])
def test_ridge_refuses(options: dict) -> None:
    with pytest.raises(InputError):
        GeneRidge(**options)


def test_ridge_needs_genes() -> None:
    with pytest.raises(InputError, match="at least 3 genes"):
        GeneRidge().fit(np.zeros((2, 3)), np.zeros((2, 1)))


def test_losses_at_their_best_and_worst() -> None:
    y = torch.rand(30, 5, generator=torch.Generator().manual_seed(0)) + 0.1
    assert balanced_pearson(y, y).item() == pytest.approx(0, abs=1e-5)
    assert balanced_pearson(3 - y, y).item() == pytest.approx(4, abs=1e-5)
    assert balanced_pearson(torch.ones_like(y), y).item() == pytest.approx(2, abs=1e-5)
    assert expression_loss(y, y, "poisson").item() == pytest.approx(0, abs=1e-5)
    assert expression_loss(y + 0.1, y, "poisson") > 0
    nll = (y * 2 - y * torch.log(y * 2)).mean()
    torch.testing.assert_close(expression_loss(2 * y, y, "poisson_nll"), nll)
    mixed = balanced_pearson(2 * y, y) + nll + torch.nn.functional.smooth_l1_loss(2 * y, y)
    torch.testing.assert_close(expression_loss(2 * y, y, "mixture"), mixed)
    both = expression_loss(2 * y, y, "mse_pearson", pearson_weight=0.5)
    torch.testing.assert_close(both, ((2 * y - y) ** 2).mean() + 0.5 * balanced_pearson(2 * y, y))
    with pytest.raises(InputError, match="loss='l1' is not known"):
        expression_loss(y, y, "l1")


@pytest.mark.parametrize("variant", ["base", "loss_prediction", "experts", "ensemble"])
def test_a_prediction_does_not_hang_on_the_other_genes(variant: str) -> None:
    net = ExpressionNet(ExpressionNetConfig(hidden=16, variant=variant), np.zeros(4), np.ones(4), np.arange(3.0))
    vectors = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    all_at_once, std = net.predict(vectors)
    np.testing.assert_allclose(net.predict(vectors[:2])[0], all_at_once[:2], atol=1e-6)
    assert (std is not None) == (variant in ("loss_prediction", "ensemble"))
    assert not net.training
    if variant == "ensemble":
        assert std is not None
        assert std.max() > 0
        np.testing.assert_array_equal(net.predict(vectors)[0], all_at_once)
        assert np.abs(net.predict(vectors, seed=1)[0] - all_at_once).max() > 0


def test_losses_of_counts_predict_positive_values() -> None:
    centre = np.array([0.0, 2.0])
    net = ExpressionNet(ExpressionNetConfig(hidden=8, loss="poisson"), np.zeros(4), np.ones(4), centre)
    assert net.predict(10 * np.random.default_rng(0).normal(size=(50, 4)))[0].min() >= 0


@pytest.mark.parametrize(
    "options",
    [
        {"loss": "l1"},
        {"variant": "kan"},
        {"hidden": 0},
        {"dropout": 2},
        {"lr": 0},
        {"weight_decay": -1},
        {"variant": "ensemble", "dropout": 0.0},
    ],
)
def test_config_refuses(options: dict) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        ExpressionNetConfig(**options)


@pytest.mark.parametrize("coverage", [0.5, 0.9])
def test_intervals_hold_what_they_promise(coverage: float) -> None:
    rng = np.random.default_rng(0)
    predicted = rng.normal(size=(4000, 2))
    # Errors four times as large where more is predicted.
    observed = predicted + rng.normal(size=(4000, 2)) * np.where(predicted > 0, 2.0, 0.5)
    intervals = fit_intervals(predicted[:2000], observed[:2000])
    lower, upper = intervals.bounds(predicted[2000:], coverage=coverage)
    inside = (lower <= observed[2000:]) & (observed[2000:] <= upper)
    np.testing.assert_allclose(inside.mean(axis=0), coverage, atol=0.03)
    wide = (upper - lower)[predicted[2000:] > 0.5].mean() / (upper - lower)[predicted[2000:] < -0.5].mean()
    assert wide > 3
    for part in (predicted[2000:] > 0.5, predicted[2000:] < -0.5):
        assert inside[part].mean() == pytest.approx(coverage, abs=0.05)


def test_too_few_genes_give_infinite_intervals() -> None:
    intervals = fit_intervals(np.zeros((5, 1)), np.arange(5.0)[:, None])
    assert np.isinf(intervals.bounds(np.zeros((1, 1)), coverage=0.9)[1]).all()
    assert np.isfinite(intervals.bounds(np.zeros((1, 1)), coverage=0.8)[1]).all()
    with pytest.raises(InputError, match="coverage must lie between 0 and 1"):
        intervals.bounds(np.zeros((1, 1)), coverage=1.0)
