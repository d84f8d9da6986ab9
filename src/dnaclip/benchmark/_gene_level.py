"""Which genes belong to a GO term or a disease: `go` and `omim`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from dnaclip.benchmark._data import read_labels
from dnaclip.benchmark._protocol import nested_scores
from dnaclip.benchmark._solvers import SOLVERS
from dnaclip.benchmark._unit import Row, Unit, rows_of

if TYPE_CHECKING:
    from dnaclip.benchmark._request import Request

__all__ = ["gene_level_units"]

FOLDS = ("fold1", "fold2", "fold3")
METHODS = {"published": "SVC", "fast": "ridge"}


def gene_level_units(task: str, request: Request) -> list[Unit]:
    """One unit per term: genes of the term against ten times as many others :cite:p:`Zhong2025`.

    Parameters
    ----------
    task
        `"go"` or `"omim"`.
    request
        What is run.

    Returns
    -------
    Units with one row per metric. The strength is chosen on three folds; the score is that of the 20 % held out.
    """
    labels = read_labels("gene-level", request.data)
    labels = labels[labels["task"] == task]
    rows = request.allowed(request.vectors.rows(labels["entrez_id"]))
    labels = labels.assign(row=rows)[rows >= 0]
    return [
        Unit(
            task,
            str(term),
            partial(
                _score,
                request,
                part["row"].to_numpy(),
                part["label"].to_numpy() == 1,
                part["split"].to_numpy(dtype=str),
                str(part["term_name"].iloc[0]),
            ),
        )
        for term, part in labels.groupby("term", sort=True)
    ]


def _score(request: Request, rows: np.ndarray, labels: np.ndarray, split: np.ndarray, name: str) -> list[Row]:
    vectors = request.vectors.matrix[rows]
    train, test = np.flatnonzero(split != "holdout"), np.flatnonzero(split == "holdout")
    folds = [(train[split[train] != fold], np.flatnonzero(split == fold)) for fold in FOLDS]
    scores, strength = nested_scores(lambda i: vectors[i], labels, folds, train, test, SOLVERS[request.mode])
    method = METHODS[request.mode]
    return rows_of(scores, method=method, train=labels[train], test=labels[test], strength=strength, name=name)
