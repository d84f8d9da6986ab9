"""Which functional class a gene is of, and whether clusters find the classes: `class`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._errors import InputError
from dnaclip.benchmark._data import read_labels
from dnaclip.benchmark._unit import Row, Unit, rows_of
from dnaclip.metrics import clustering

if TYPE_CHECKING:
    from dnaclip.benchmark._request import Request

__all__ = ["class_units"]

# As published with the vectors of GenePT.
TEST_SHARE, SPLIT_SEED = 0.3, 2023


def class_units(task: str, request: Request) -> list[Unit]:
    """One unit: classes told apart by logistic regression and found by k-means, on 30 % of the genes :cite:p:`Chen2024`.

    Parameters
    ----------
    task
        `"class"`.
    request
        What is run. The seed is that of k-means; the split is the published one for the genes at hand.

    Returns
    -------
    A unit with the accuracy, and the normalised mutual information and adjusted Rand index of the clusters.
    """
    labels = read_labels("gene-class", request.data).dropna(subset=["gene_type15"])
    rows = request.vectors.rows(labels["ensembl_id"])
    for other in ("entrez_id", "symbol"):
        # The classes are those of an older release: what its Ensembl id does not find, another name may.
        names = labels[other].where(rows < 0)
        unfound = names.notna().to_numpy()
        rows[unfound] = request.vectors.rows(names[unfound])
    found = pd.DataFrame({"row": rows, "class": labels["gene_type15"].to_numpy(dtype=str)})[rows >= 0]
    found = found.drop_duplicates("row")
    if found["class"].nunique() < 2 or len(found) < 50:
        msg = (
            f"The embedding has {len(found)} genes of {found['class'].nunique()} functional classes: too few to tell "
            "classes apart. Leave out the task 'class', or give vectors of more genes."
        )
        raise InputError(msg)
    return [Unit(task, "", partial(_score, request, found["row"].to_numpy(), found["class"].to_numpy()))]


def _score(request: Request, rows: np.ndarray, classes: np.ndarray) -> list[Row]:
    from sklearn.linear_model import LogisticRegression, RidgeClassifier
    from sklearn.model_selection import train_test_split

    vectors = request.vectors.matrix[rows]
    train, test = train_test_split(np.arange(len(rows)), test_size=TEST_SHARE, random_state=SPLIT_SEED)
    if request.mode == "published":
        method, model = "logistic regression", LogisticRegression(max_iter=1000)
    else:
        method, model = "ridge", RidgeClassifier(alpha=1e-3)
    model.fit(vectors[train], classes[train])
    accuracy = {"accuracy": float(np.mean(model.predict(vectors[test]) == classes[test]))}
    clusters = clustering(vectors[test], classes[test], rng=request.seed)
    name = f"{len(set(classes))} functional classes"
    common = {"train": classes[train], "test": classes[test], "name": name}
    return rows_of(accuracy, method=method, **common) + rows_of(clusters, method="k-means", **common)
