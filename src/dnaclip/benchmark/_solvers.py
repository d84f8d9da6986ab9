"""The two ways to separate positive from negative rows: the published support vector machine, and a quick linear one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["SOLVERS", "STRENGTHS", "Solver", "linear_scores", "svc_scores"]

# (training rows, their labels, test rows, strengths) -> scores of the test rows, one array per strength.
Solver = Callable[[np.ndarray, np.ndarray, np.ndarray, Sequence[float]], list[np.ndarray]]

# C of the support vector machine. For the linear solver: how weak the penalty is, so that it grows in the same sense.
STRENGTHS = (0.1, 1.0, 10.0, 100.0, 1000.0)

# A kernel of so many rows (1.2 GB) is computed at once; that of more is left to the machine's own cache.
MAX_KERNEL_ROWS = 12_000


def svc_scores(
    train: np.ndarray, labels: np.ndarray, test: np.ndarray, strengths: Sequence[float] = STRENGTHS
) -> list[np.ndarray]:
    """Score rows by a support vector machine: `SVC(C=strength, class_weight="balanced")` of scikit-learn.

    The kernel is computed once and serves all strengths. Once no training row is held by the bound that C sets, a higher
    C has the same solution, so it is not fitted again.

    Parameters
    ----------
    train
        float64 (n, d), used as it is: not scaled.
    labels
        bool (n,), both values there.
    test
        float64 (m, d).
    strengths
        Values of C in ascending order.

    Returns
    -------
    Decision function of the test rows for each C.

    Examples
    --------
    >>> import numpy as np
    >>> from dnaclip.benchmark._solvers import svc_scores
    >>> rows = np.array([[0.0], [1.0], [4.0], [5.0]])
    >>> (scores,) = svc_scores(rows, np.array([False, False, True, True]), np.array([[0.5], [4.5]]), [1.0])
    >>> scores > 0
    array([False,  True])
    """
    from sklearn.svm import SVC

    gamma = 1 / (train.shape[1] * (train.var() or 1.0))  # gamma="scale"
    # Nothing is drawn at random, but without a seed scikit-learn takes one from NumPy's global generator.
    options: dict[str, Any] = {"class_weight": "balanced", "random_state": 0}
    if len(train) > MAX_KERNEL_ROWS:
        machines = (SVC(C=c, gamma=gamma, cache_size=2000, **options) for c in strengths)
        return [machine.fit(train, labels).decision_function(test) for machine in machines]
    kernel, test_kernel = _kernel(train, train, gamma), _kernel(test, train, gamma)
    weight = len(labels) / (2 * np.array([np.sum(~labels), np.sum(labels)]))
    scores: list[np.ndarray] = []
    for c in strengths:
        machine = SVC(C=c, kernel="precomputed", **options).fit(kernel, labels)
        scores.append(machine.decision_function(test_kernel))
        bound = c * weight[labels[machine.support_].astype(int)]
        if (np.abs(machine.dual_coef_[0]) < bound).all():
            break
    return scores + scores[-1:] * (len(strengths) - len(scores))


def linear_scores(
    train: np.ndarray, labels: np.ndarray, test: np.ndarray, strengths: Sequence[float] = STRENGTHS
) -> list[np.ndarray]:
    """Score rows by ridge regression on balanced labels, a quick stand-in for the published machine.

    Parameters
    ----------
    train
        (n, d).
    labels
        bool (n,), both values there.
    test
        (m, d).
    strengths
        The penalty is the mean squared length of the centred training rows, times n / d, divided by each strength.

    Returns
    -------
    Predicted values of the test rows for each strength.

    Examples
    --------
    >>> import numpy as np
    >>> from dnaclip.benchmark._solvers import linear_scores
    >>> rows = np.array([[0.0], [1.0], [4.0], [5.0]])
    >>> (scores,) = linear_scores(rows, np.array([False, False, True, True]), np.array([[0.5], [4.5]]), [10.0])
    >>> scores > 0
    array([False,  True])
    """
    weight = np.where(labels, 0.5 / labels.sum(), 0.5 / (~labels).sum())
    mean = weight @ train
    root = np.sqrt(weight)
    rows, target = (train - mean) * root[:, None], np.where(labels, 1.0, -1.0) * root
    # Whichever of the two products is smaller has the same eigenvalues; one decomposition serves all strengths.
    wide = rows.shape[1] > rows.shape[0]
    product = rows @ rows.T if wide else rows.T @ rows
    values, axes = np.linalg.eigh(product)
    projected = axes.T @ (target if wide else rows.T @ target)
    unit = np.trace(product) / min(rows.shape) or 1.0
    scores = []
    for strength in strengths:
        solution = axes @ (projected / (np.maximum(values, 0) + unit / strength))
        scores.append((test - mean) @ (rows.T @ solution if wide else solution))
    return scores


def _kernel(left: np.ndarray, right: np.ndarray, gamma: float) -> np.ndarray:
    """RBF kernel, with one array of its size in memory."""
    from sklearn.metrics.pairwise import euclidean_distances

    kernel = euclidean_distances(left, right, squared=True)
    kernel *= -gamma
    return np.exp(kernel, out=kernel)


SOLVERS: dict[str, Solver] = {"published": svc_scores, "fast": linear_scores}
