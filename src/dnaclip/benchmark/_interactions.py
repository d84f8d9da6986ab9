"""Which pairs of genes interact: `ggi`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from dnaclip.benchmark._data import read_labels
from dnaclip.benchmark._protocol import UNDEFINED
from dnaclip.benchmark._solvers import linear_scores
from dnaclip.benchmark._unit import Row, Unit, rows_of
from dnaclip.metrics import classification

if TYPE_CHECKING:
    from dnaclip.benchmark._request import Request

__all__ = ["interaction_units"]


def interaction_units(task: str, request: Request) -> list[Unit]:
    """One unit: logistic regression on the sum of two genes' vectors, no gene in both parts :cite:p:`Chen2024`.

    Parameters
    ----------
    task
        `"ggi"`.
    request
        What is run.

    Returns
    -------
    A unit with one row per metric. The validation part of the pairs is not used: there is nothing to choose.
    """
    pairs = read_labels("interactions", request.data)
    a, b = (request.vectors.rows(pairs[f"gene_{side}"]) for side in "ab")
    known = (a >= 0) & (b >= 0)
    pairs = pairs[known]
    labels, split = pairs["label"].to_numpy() == 1, pairs["split"].to_numpy(dtype=str)
    return [Unit(task, "", partial(_score, request, a[known], b[known], labels, split))]


def _score(request: Request, a: np.ndarray, b: np.ndarray, labels: np.ndarray, split: np.ndarray) -> list[Row]:
    from sklearn.linear_model import LogisticRegression

    # A quarter of a million pairs take room, and single precision does for the sums.
    matrix = request.vectors.matrix.astype(np.float32)
    train, test = np.flatnonzero(split == "train"), np.flatnonzero(split == "test")
    method = "logistic regression" if request.mode == "published" else "ridge"
    scores = UNDEFINED
    if len(set(labels[train])) == len(set(labels[test])) == 2:
        fitted, judged = matrix[a[train]] + matrix[b[train]], matrix[a[test]] + matrix[b[test]]
        if request.mode == "published":
            model = LogisticRegression(max_iter=1000).fit(fitted, labels[train])
            values = model.decision_function(judged)
        else:
            (values,) = linear_scores(fitted, labels[train], judged, [1000.0])
        scores = classification(values, labels[test])
    return rows_of(
        scores, method=method, train=labels[train], test=labels[test], name="gene-gene interaction", features="sum"
    )
