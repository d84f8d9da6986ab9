"""The quick ways give the numbers of the slow ones."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.svm import SVC

from dnaclip.benchmark import _solvers
from dnaclip.benchmark._protocol import nested_scores
from dnaclip.benchmark._solvers import STRENGTHS, linear_scores, svc_scores


def problem(n: int, d: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.random(n) < 0.2
    vectors = rng.normal(size=(n + 60, d))
    vectors[:n][labels] += 0.5
    return vectors[:n], labels, vectors[n:]


@pytest.mark.parametrize(("n", "d"), [(150, 4), (150, 40), (60, 100)])
def test_shared_kernel_equals_scikit_learn_on_raw_vectors(n, d):
    train, labels, test = problem(n, d)
    for c, scores in zip(STRENGTHS, svc_scores(train, labels, test), strict=True):
        plain = SVC(C=c, class_weight="balanced", random_state=0).fit(train, labels).decision_function(test)
        np.testing.assert_allclose(scores, plain, atol=5e-3)
        assert np.abs(np.argsort(np.argsort(scores)) - np.argsort(np.argsort(plain))).max() <= 1


def test_strengths_that_change_nothing_are_not_fitted(monkeypatch):
    import sklearn.svm

    fitted = []

    class Counting(SVC):
        def fit(self, *args, **kwargs):
            fitted.append(self.C)
            return super().fit(*args, **kwargs)

    monkeypatch.setattr(sklearn.svm, "SVC", Counting)
    train, labels, test = problem(60, 100)
    scores = svc_scores(train, labels, test)
    assert len(scores) == len(STRENGTHS) > len(fitted)
    np.testing.assert_array_equal(scores[-1], scores[len(fitted) - 1])


def test_large_problems_leave_the_kernel_to_the_machine(monkeypatch):
    train, labels, test = problem(100, 5)
    small = svc_scores(train, labels, test)
    monkeypatch.setattr(_solvers, "MAX_KERNEL_ROWS", 10)
    for one, other in zip(small, svc_scores(train, labels, test), strict=True):
        np.testing.assert_allclose(one, other, atol=5e-3)


def test_equal_vectors_are_no_problem():
    labels = np.array([True, False, False])
    for scores in svc_scores(np.ones((3, 2)), labels, np.ones((2, 2))):
        assert scores[0] == scores[1]


@pytest.mark.parametrize(("n", "d"), [(120, 6), (40, 90)])
def test_linear_scores_are_ridge_regression(n, d):
    train, labels, test = problem(n, d)
    weight = np.where(labels, 0.5 / labels.sum(), 0.5 / (~labels).sum())
    rows = (train - weight @ train) * np.sqrt(weight)[:, None]
    for strength, scores in zip(STRENGTHS, linear_scores(train, labels, test), strict=True):
        alpha = np.sum(rows**2) / min(n, d) / strength
        plain = Ridge(alpha=alpha).fit(train, np.where(labels, 1.0, -1.0), sample_weight=weight).predict(test)
        np.testing.assert_allclose(scores - scores.mean(), plain - plain.mean(), atol=1e-8)


def test_the_strength_is_chosen_on_the_folds_alone_and_ties_go_to_the_smallest():
    vectors, labels, test = problem(120, 3)
    everything = np.concatenate([vectors, test])
    truth = np.append(labels, np.arange(60) % 2 == 0)
    thirds = np.array_split(np.arange(120), 3)
    folds = [(np.setdiff1d(np.arange(120), part), part) for part in thirds]
    seen = []

    def solver(train, labels, rows, strengths):
        seen.append((len(train), tuple(strengths)))
        return [rows[:, 0] * (1 if strength >= 10 else -1) for strength in strengths]

    scores, strength = nested_scores(lambda i: everything[i], truth, folds, np.arange(120), np.arange(120, 180), solver)
    assert strength == 10
    assert seen == [(80, STRENGTHS)] * 3 + [(120, (10.0,))]
    assert scores["auroc"] == roc_auc_score(truth[120:], everything[120:, 0])


@pytest.mark.parametrize("value", [True, False])
def test_one_label_alone_has_no_score(value):
    labels = np.array([value] * 4 + [True, False])
    scores, strength = nested_scores(lambda i: np.eye(6)[i], labels, [], np.arange(4), np.array([4, 5]), svc_scores)
    assert np.isnan([*scores.values(), strength]).all()
