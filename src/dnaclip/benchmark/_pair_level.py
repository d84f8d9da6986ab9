"""Which pairs of genes are synthetic lethal: `sl`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from dnaclip.benchmark._data import read_labels
from dnaclip.benchmark._gene_level import METHODS
from dnaclip.benchmark._protocol import nested_scores
from dnaclip.benchmark._solvers import SOLVERS
from dnaclip.benchmark._unit import Row, Unit, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from dnaclip.benchmark._request import Request

__all__ = ["PAIR_FEATURES", "pair_level_units"]

PAIR_FEATURES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "sum": lambda a, b: a + b,
    "product": lambda a, b: a * b,
    "concat": lambda a, b: np.concatenate([a, b], axis=1),
}

# Of a pair in an outer fold.
TRAIN, TEST = 1, 2


def pair_level_units(task: str, request: Request) -> list[Unit]:
    """One unit per feature and outer fold of nested, gene-disjoint cross-validation :cite:p:`Zhong2025`.

    A pair of which one gene is in training and one in the test is left out. The same holds for the three inner folds,
    on which the strength is chosen.

    Parameters
    ----------
    task
        `"sl"`.
    request
        What is run.

    Returns
    -------
    Units with one row per metric.
    """
    pairs = read_labels("pairs-sl", request.data)
    a, b = (request.allowed(request.vectors.rows(pairs[f"entrez_{side}"])) for side in "ab")
    known = (a >= 0) & (b >= 0)
    pairs = pairs.assign(a=a, b=b)[known]
    return [
        Unit(task, f"{features}-{fold}", partial(_score, request, pairs, features, fold))
        for features in request.pair_features
        for fold in range(3)
    ]


def _score(request: Request, pairs: pd.DataFrame, features: str, fold: int) -> list[Row]:
    pairs = pairs[pairs[f"role_f{fold}"] > 0]
    role, inner = pairs[f"role_f{fold}"].to_numpy(), pairs[f"inner_f{fold}"].to_numpy().astype(int)
    labels = pairs["label"].to_numpy() == 1
    a, b = (request.vectors.matrix[pairs[side].to_numpy()] for side in "ab")
    combine = PAIR_FEATURES[features]
    train, test = np.flatnonzero(role == TRAIN), np.flatnonzero(role == TEST)
    # Bit i of `inner` says that a pair trains in inner fold i, bit 3 + i that it validates there.
    folds = [
        (np.flatnonzero((role == TRAIN) & (inner >> i & 1)), np.flatnonzero((role == TRAIN) & (inner >> (3 + i) & 1)))
        for i in range(3)
    ]
    scores, strength = nested_scores(lambda i: combine(a[i], b[i]), labels, folds, train, test, SOLVERS[request.mode])
    return rows_of(
        scores,
        method=METHODS[request.mode],
        train=labels[train],
        test=labels[test],
        fold=fold,
        strength=strength,
        name="synthetic lethality",
        features=features,
    )
