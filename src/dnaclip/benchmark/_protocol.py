"""Choose the strength of a solver on folds, then score what was held out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dnaclip.benchmark._solvers import STRENGTHS
from dnaclip.metrics import classification

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dnaclip.benchmark._solvers import Solver

__all__ = ["UNDEFINED", "nested_scores"]

UNDEFINED = {"auroc": np.nan, "auprc": np.nan, "p_at_10": np.nan}


def nested_scores(
    rows: Callable[[np.ndarray], np.ndarray],
    labels: np.ndarray,
    folds: Sequence[tuple[np.ndarray, np.ndarray]],
    train: np.ndarray,
    test: np.ndarray,
    solver: Solver,
) -> tuple[dict[str, float], float]:
    """Take the strength with the best mean AUROC over the folds, fit on all training examples, score the test.

    Parameters
    ----------
    rows
        Gives the vectors of examples, (n, d), from their positions.
    labels
        bool, one per example.
    folds
        Positions for training and for validation of each fold.
    train, test
        Positions of all training examples, and of those held out.
    solver
        One of `SOLVERS`.

    Returns
    -------
    AUROC, AUPRC and precision at 10 of the test examples, and the strength; all NaN where training or test examples
    are all of one label. Folds of one label do not count, and of equally good strengths the smallest is taken.

    Examples
    --------
    >>> import numpy as np
    >>> from dnaclip.benchmark._protocol import nested_scores
    >>> from dnaclip.benchmark._solvers import linear_scores
    >>> vectors, labels = np.array([[0.0], [1.0], [0.0], [1.0], [0.0], [1.0]]), np.array([False, True] * 3)
    >>> first, second, test = np.array([0, 1]), np.array([2, 3]), np.array([4, 5])
    >>> folds = [(first, second), (second, first)]
    >>> scores, strength = nested_scores(lambda i: vectors[i], labels, folds, np.arange(4), test, linear_scores)
    >>> scores["auroc"], strength
    (1.0, 0.1)
    """
    from sklearn.metrics import roc_auc_score

    if not (_both(labels[train]) and _both(labels[test])):
        return UNDEFINED, np.nan
    aurocs = []
    for fitted, judged in folds:
        if _both(labels[fitted]) and _both(labels[judged]):
            by_strength = solver(rows(fitted), labels[fitted], rows(judged), STRENGTHS)
            aurocs.append([roc_auc_score(labels[judged], scores) for scores in by_strength])
    best = STRENGTHS[int(np.argmax(np.mean(aurocs, axis=0)))] if aurocs else STRENGTHS[1]
    (scores,) = solver(rows(train), labels[train], rows(test), [best])
    return classification(scores, labels[test]), best


def _both(labels: np.ndarray) -> bool:
    return bool(labels.any() and not labels.all())
