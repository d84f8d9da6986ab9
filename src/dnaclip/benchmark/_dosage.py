"""Which transcription factors are sensitive to dosage: `dosage`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dnaclip._errors import InputError
from dnaclip.benchmark._data import read_labels
from dnaclip.benchmark._unit import Row, Unit, rows_of
from dnaclip.metrics import classification

if TYPE_CHECKING:
    import numpy as np

    from dnaclip.benchmark._request import Request

__all__ = ["dosage_units"]

N_FOLDS = 5


def dosage_units(task: str, request: Request) -> list[Unit]:
    """One unit: logistic regression and random forest on vectors, five stratified folds :cite:p:`Chen2024`.

    Parameters
    ----------
    task
        `"dosage"`.
    request
        What is run. The seed draws the folds and the forest; the fast mode leaves the forest out.

    Returns
    -------
    A unit with one row per fold, method and metric.
    """
    factors = read_labels("dosage", request.data)
    rows = request.vectors.rows(factors["ensembl_id"])
    labels = factors["label"].to_numpy()[rows >= 0] == 1
    if min(labels.sum(), (~labels).sum()) < N_FOLDS:
        msg = (
            f"The embedding has {labels.sum()} dosage-sensitive and {(~labels).sum()} other transcription factors; "
            f"{N_FOLDS} folds need {N_FOLDS} of each. Leave out the task 'dosage', or give vectors of more genes."
        )
        raise InputError(msg)
    return [Unit(task, "", partial(_score, request, rows[rows >= 0], labels))]


def _score(request: Request, rows: np.ndarray, labels: np.ndarray) -> list[Row]:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    vectors = request.vectors.matrix[rows]
    models = {"logistic regression": LogisticRegression(max_iter=5000)}
    if request.mode == "published":
        models["random forest"] = RandomForestClassifier(random_state=request.seed)
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=request.seed)
    found: list[Row] = []
    for fold, (train, test) in enumerate(folds.split(vectors, labels)):
        for method, model in models.items():
            values = model.fit(vectors[train], labels[train]).predict_proba(vectors[test])[:, 1]
            scores = classification(values, labels[test])
            found += rows_of(
                scores, method=method, train=labels[train], test=labels[test], fold=fold, name="dosage sensitivity"
            )
    return found
