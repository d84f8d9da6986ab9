"""Viability methods: mean effects, ridge in factored form, trees as arrays, and how wide intervals are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dnaclip.models._viability.conformal import half_widths, situation
from dnaclip.models._viability.effects import mean_effects
from dnaclip.models._viability.features import GeneFeatures, LineComponents
from dnaclip.models._viability.method import Pairs
from dnaclip.models._viability.methods import METHODS, make_method
from dnaclip.models._viability.ridge import PENALTIES, Decomposed, fit_ridge
from dnaclip.models._viability.trees import Trees

SETTINGS = {"n_components": 4, "n_landmarks": 50, "n_estimators": 8, "max_pairs": 400, "seed": 0}


@pytest.fixture
def screen() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Effects of 12 lines x 60 genes that follow from profiles and vectors, and those."""
    rng = np.random.default_rng(0)
    profiles, vectors = rng.normal(size=(12, 6)), rng.normal(size=(60, 5))
    effects = vectors[:, 0] + 0.4 * profiles[:, :1] + 0.05 * rng.normal(size=(12, 60))
    return effects, profiles, vectors


def test_mean_effects_of_a_full_table_are_the_means() -> None:
    x = np.random.default_rng(1).normal(size=(5, 8))
    means = mean_effects(x)
    np.testing.assert_allclose(means.line, x.mean(axis=1) - x.mean(), atol=1e-12)
    np.testing.assert_allclose(means.gene, x.mean(axis=0) - x.mean(), atol=1e-12)
    np.testing.assert_allclose(means.residual(x).sum(axis=0), 0, atol=1e-12)


def test_mean_effects_see_through_missing_values() -> None:
    rng = np.random.default_rng(2)
    truth = rng.normal(size=(9, 1)) + rng.normal(size=(1, 14))
    holed = np.where(rng.random(truth.shape) < 0.3, np.nan, truth)
    means = mean_effects(holed)
    np.testing.assert_allclose(means.predict(np.arange(9), np.arange(14)), truth, atol=1e-3)


def test_an_unknown_line_or_gene_has_no_effect() -> None:
    means = mean_effects(np.array([[0.0, 1.0], [2.0, 5.0]]))
    np.testing.assert_allclose(means.predict(np.array([-1]), np.array([-1])), [[2.0]])
    np.testing.assert_allclose(means.only_gene(np.array([0, -1]), np.array([1, -1])), [[3.0, 2.0], [3.0, 2.0]])
    np.testing.assert_allclose(means.only_line(np.array([0, -1]), np.array([1, -1])), [[0.5, 0.5], [2.0, 2.0]])


@pytest.mark.parametrize("width", [4, 30])
def test_the_leave_one_out_error_is_that_of_fitting_again(width: int) -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(15, width)), rng.normal(size=(15, 2))
    fitted = fit_ridge(Decomposed.of(x), y)
    scale = ((x - x.mean(axis=0)) ** 2).sum() / 15
    errors = []
    for i in range(15):
        kept = np.arange(15) != i
        centre, offset = x[kept].mean(axis=0), y[kept].mean(axis=0)
        a = x[kept] - centre
        if np.isinf(fitted.penalty):
            guess = offset
        else:
            # The penalty is relative to the features of all rows.
            weights = np.linalg.solve(a.T @ a + fitted.penalty * scale * np.eye(width), a.T @ (y[kept] - offset))
            guess = (x[i] - centre) @ weights + offset
        errors.append((y[i] - guess) ** 2)
    assert fitted.error == pytest.approx(np.mean(errors), rel=1e-6)


def test_ridge_finds_a_signal_and_says_nothing_about_noise() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(80, 3))
    real = fit_ridge(Decomposed.of(x), x @ rng.normal(size=(3, 1)))
    assert real.penalty == PENALTIES[0]
    constant = fit_ridge(Decomposed.of(x), np.ones((80, 1)))
    assert np.isinf(constant.penalty)
    np.testing.assert_allclose(constant(x), 1.0)


def test_gene_features_stand_for_their_kernel() -> None:
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(20, 7))
    vectors[3, :4] = np.nan  # a gene without the first block
    features = GeneFeatures.fit(vectors, (4, 3), 0.5, 100, rng)(vectors)
    kernel = features @ features.T
    assert kernel[0, 0] == pytest.approx(1.0, abs=1e-4)
    assert kernel[3, 3] == pytest.approx(0.5, abs=1e-4)
    assert np.diag(kernel).argmin() == 3
    assert 0 < kernel[0, 1] < 1


def test_landmarks_come_close_to_the_whole_kernel() -> None:
    rng = np.random.default_rng(6)
    vectors = rng.normal(size=(300, 3))
    whole, part = (GeneFeatures.fit(vectors, (3,), 0.1, n, np.random.default_rng(0))(vectors) for n in (300, 60))
    assert part.shape == (300, 60)
    np.testing.assert_allclose(part @ part.T, whole @ whole.T, atol=0.05)


def test_components_are_those_of_training_and_of_equal_total_length() -> None:
    rng = np.random.default_rng(7)
    profiles = rng.normal(size=(10, 30))
    components = LineComponents.fit(profiles, 4)
    scores = components(profiles)
    assert scores.shape == (10, 4)
    assert (scores**2).sum() / 10 == pytest.approx(1.0)
    np.testing.assert_allclose(components(np.full((1, 30), np.nan)), 0.0)


@pytest.mark.parametrize("name", METHODS)
def test_what_is_restored_predicts_the_same(name: str, screen: tuple[np.ndarray, ...]) -> None:
    effects, profiles, vectors = screen
    pairs = Pairs.training(profiles[:9], vectors[:50])
    method = make_method(name, blocks=(3, 2), **SETTINGS).fit(effects[:9, :50], pairs)
    config, arrays = method.state()
    other = METHODS[name]()
    other.restore(config, arrays)
    asked = Pairs(profiles, vectors, np.r_[np.arange(9), [-1] * 3], np.r_[np.arange(50), [-1] * 10])
    predicted = method.predict(asked)
    assert predicted.shape == (12, 60)
    assert np.isfinite(predicted).all()
    np.testing.assert_array_equal(other.predict(asked), predicted)


@pytest.mark.parametrize("name", ["hybrid", "ridge", "random_forest", "hist_gradient_boosting"])
def test_genes_never_seen_follow_from_their_vectors(name: str, screen: tuple[np.ndarray, ...]) -> None:
    effects, profiles, vectors = screen
    settings = SETTINGS | {"max_pairs": 3000, "n_estimators": 30}
    method = make_method(name, blocks=(5,), **settings).fit(effects[:, :50], Pairs.training(profiles, vectors[:50]))
    predicted = method.predict(Pairs(profiles, vectors[50:], np.arange(12), np.full(10, -1)))
    assert np.corrcoef(predicted.ravel(), effects[:, 50:].ravel())[0, 1] > 0.8


def test_the_hybrid_finds_what_lines_and_genes_do_together() -> None:
    rng = np.random.default_rng(8)
    profiles, vectors = rng.normal(size=(40, 3)), rng.normal(size=(80, 3))
    effects = profiles[:, :1] * vectors[:, 0]
    pairs = Pairs.training(profiles[:30], vectors[:60])
    method = make_method("ridge", blocks=(3,), **SETTINGS).fit(effects[:30, :60], pairs)
    predicted = method.predict(Pairs(profiles[30:], vectors[60:], np.full(10, -1), np.full(20, -1)))
    assert np.corrcoef(predicted.ravel(), effects[30:, 60:].ravel())[0, 1] > 0.95


@pytest.mark.parametrize("missing", [False, True])
def test_trees_predict_as_scikit_learn_does(*, missing: bool) -> None:
    from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor

    rng = np.random.default_rng(9)
    x = rng.normal(size=(300, 4)).astype(np.float32)
    y = x[:, 0] * x[:, 1] + 0.1 * rng.normal(size=300)
    if missing:
        x[rng.random(x.shape) < 0.2] = np.nan
    forest = RandomForestRegressor(7, random_state=0).fit(x, y)
    np.testing.assert_allclose(Trees.of_forest(forest).predict(x), forest.predict(x), atol=1e-12)
    boosting = HistGradientBoostingRegressor(max_iter=7, random_state=0).fit(x, y)
    np.testing.assert_allclose(Trees.of_boosting(boosting).predict(x), boosting.predict(x), atol=1e-12)


def test_forests_take_a_sample_of_the_observed_pairs(screen: tuple[np.ndarray, ...]) -> None:
    effects, profiles, vectors = screen
    holed = effects.copy()
    holed[:, ::2] = np.nan
    holed[0, ::2] = 5.0
    method: Any = make_method("random_forest", blocks=(5,), **SETTINGS | {"max_pairs": 50, "n_estimators": 3})
    method.fit(holed, Pairs.training(profiles, vectors))
    assert method.trees_.feature.size < 3 * 2 * 50


def test_situations_say_what_is_new() -> None:
    codes = situation(np.array([False, True]), np.array([False, True]))
    assert codes.tolist() == [[0, 1], [2, 3]]


def test_intervals_are_wider_for_what_is_harder(screen: tuple[np.ndarray, ...]) -> None:
    effects, profiles, _ = screen
    blind = np.random.default_rng(0).normal(size=(60, 5))
    pairs = Pairs.training(profiles, blind)
    method = make_method("hybrid", blocks=(5,), **SETTINGS).fit(effects, pairs)
    pair, gene, line, both = half_widths(method, effects, pairs, coverage=0.9, n_folds=3, seed=0)
    assert pair < line < gene
    assert both > gene / 2


def test_too_few_errors_give_no_width() -> None:
    effects = np.random.default_rng(1).normal(size=(4, 1))
    pairs = Pairs.training(np.random.default_rng(2).normal(size=(4, 3)), np.zeros((1, 0)))
    method = make_method("hybrid", blocks=(), **SETTINGS).fit(effects, pairs)
    assert np.isnan(half_widths(method, effects, pairs, coverage=0.9, n_folds=2, seed=0)).all()
