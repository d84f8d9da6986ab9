"""Score a perturbation predictor, its baselines and its vector controls on cells that did not train."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnaclip._errors import InputError
from dnaclip._validate import check_count
from dnaclip.models._perturbation.model import make_mean, needs_vectors
from dnaclip.tl._perturbation.answer import generated, predicted, requested_pairs
from dnaclip.tl._perturbation.data import read_cells
from dnaclip.tl._perturbation.evaluate_perturbations import evaluate_perturbations
from dnaclip.tl._perturbation.fitting import train_model
from dnaclip.tl._perturbation.request import context_places
from dnaclip.tl._perturbation.vectors import CONTROLS, control_vectors, resolve_vectors
from dnaclip.tl._split_marks import marked, train_and_validation

if TYPE_CHECKING:
    from collections.abc import Iterator

    import anndata
    from numpy.typing import ArrayLike

    from dnaclip.tl._perturbation.predictor import PerturbationPredictor
    from dnaclip.tl._perturbation.request import Request

__all__ = ["evaluate_predictor"]

BASELINES = ("no_change", "perturbed_mean", "additive", "identity", "knn", "linear_pca", "ridge")


def evaluate_predictor(
    predictor: PerturbationPredictor,
    test: str | ArrayLike | None,
    *,
    adata: anndata.AnnData | None = None,
    group_key: str | None = None,
    baselines: bool = False,
    controls: bool = False,
    n_cells: int | None = None,
    **options: Any,
) -> pd.DataFrame:
    """See :meth:`dnaclip.tl.PerturbationPredictor.evaluate`."""
    if n_cells is not None:
        check_count("n_cells", n_cells)
    observed, trained = _observed(predictor, adata)
    request = requested_pairs(predictor, _tested_pairs(predictor, observed, _tested(predictor, observed, test)))
    pairs = list(zip(request.conditions, request.contexts.tolist(), strict=True))
    options |= {
        "perturbation_key": predictor.perturbation_key,
        "control": predictor.control,
        "context_key": predictor.context_key,
        "layer": predictor.layer,
        "train": trained,
        "group_key": _group_key(predictor, observed, test) if group_key is None else group_key,
    }
    tables: list[pd.DataFrame] = []
    for method, vectors, one in _competitors(predictor, pairs, baselines=baselines, controls=controls):
        table = _table(one, requested_pairs(one, pairs), observed, n_cells, options)
        if tables and "ceiling" in tables[0]:
            table.insert(list(table).index("n_cells"), "ceiling", tables[0]["ceiling"].to_numpy())
        table.insert(0, "method", method)
        table.insert(1, "vectors", vectors)
        tables.append(table)
        # The ceiling is that of the observed cells, whatever the method: once is enough.
        options["ceiling"] = False
    return pd.concat(tables, ignore_index=True)


def _table(
    predictor: PerturbationPredictor,
    request: Request,
    observed: anndata.AnnData,
    n_cells: int | None,
    options: dict[str, Any],
) -> pd.DataFrame:
    table = evaluate_perturbations(predicted(predictor, request), observed, **options)
    if n_cells is None:
        return table
    drawn = generated(predictor, request, n_cells, np.random.default_rng(predictor.rng))
    by_cells = evaluate_perturbations(drawn, observed, **options)
    parts = table[table["metric"] != "e_distance"], by_cells[by_cells["metric"] == "e_distance"]
    return pd.concat(parts, ignore_index=True)


def _observed(
    predictor: PerturbationPredictor, adata: anndata.AnnData | None
) -> tuple[anndata.AnnData, np.ndarray | None]:
    """Return the cells to judge by, and which of them trained; None if these are other cells."""
    if adata is not None and adata is not predictor.adata:
        return adata, None
    if predictor.adata is None:
        msg = "A predictor that was loaded from a folder has no cells to judge by: give adata."
        raise InputError(msg)
    trained = train_and_validation(predictor.adata, predictor.train_, of="cell")[0]
    return predictor.adata, None if trained.all() else trained


def _tested(predictor: PerturbationPredictor, observed: anndata.AnnData, test: str | ArrayLike | None) -> np.ndarray:
    """Return which cells are to be predicted, bool (n_obs,)."""
    if test is not None:
        return marked(observed, test, "test", of="cell")
    if predictor.adata is None or observed is not predictor.adata:
        return np.ones(observed.n_obs, dtype=bool)
    training, validation = train_and_validation(observed, predictor.train_, of="cell")
    if isinstance(predictor.train_, str) and (observed.obs[predictor.train_] == "test").any():
        return marked(observed, predictor.train_, "test", of="cell")
    return ~(training | validation)


def _tested_pairs(
    predictor: PerturbationPredictor, observed: anndata.AnnData, tested: np.ndarray
) -> list[tuple[tuple[str, ...], int]]:
    """Return the conditions of the tested cells, each with the position of its context in the model."""
    cells = read_cells(observed, **predictor._keys)
    groups = np.unique(cells.groups[tested & (cells.condition > 0)])
    if not len(groups):
        msg = "No perturbed cell is held out: name the cells to predict as test, or fit to a part of the cells with train."
        raise InputError(msg)
    context, condition = np.divmod(groups, len(cells.conditions))
    names = [cells.contexts[i] for i in np.unique(context)]
    place = dict(zip(np.unique(context).tolist(), context_places(predictor._fitted, names), strict=True))
    return [(cells.conditions[j], place[i]) for i, j in zip(context.tolist(), condition.tolist(), strict=True)]


def _group_key(predictor: PerturbationPredictor, observed: anndata.AnnData, test: str | ArrayLike | None) -> str | None:
    """Return the column of groups that belongs to the split in use, if it is there."""
    split = test if isinstance(test, str) else predictor.train_
    key = f"{split}_group" if isinstance(split, str) else None
    return key if key in observed.obs else None


def _competitors(
    predictor: PerturbationPredictor, pairs: list[tuple[tuple[str, ...], int]], *, baselines: bool, controls: bool
) -> Iterator[tuple[str, str, PerturbationPredictor]]:
    """Yield the method, the kind of vectors, and a predictor: first the predictor itself, then what to compare it with."""
    reads_vectors = needs_vectors(predictor.method)
    if controls and not reads_vectors:
        msg = f"controls=True exchanges the gene vectors, but method {predictor.method!r} reads none."
        raise InputError(msg)
    yield predictor.method, "given" if reads_vectors else "none", predictor
    for name in BASELINES if baselines else ():
        if name != predictor.method and (reads_vectors or not needs_vectors(name)):
            yield name, "given" if needs_vectors(name) else "none", _with_method(predictor, name)
    for kind in CONTROLS if controls else ():
        yield predictor.method, kind, _with_vectors(predictor, kind, pairs)


def _with_method(predictor: PerturbationPredictor, name: str) -> PerturbationPredictor:
    """Return a predictor with a baseline fitted to the same shifts."""
    model = predictor._fitted
    other = copy.copy(predictor)
    vectors = dict(model.vectors)
    mean = make_mean(name, {}, model.shifts, vectors)
    other.method, other.options = name, {}
    other.model_ = replace(model, method=name, options={}, vectors=vectors, mean=mean, vae=None, blend=None)
    return other


def _with_vectors(
    predictor: PerturbationPredictor, kind: str, pairs: list[tuple[tuple[str, ...], int]]
) -> PerturbationPredictor:
    """Return a predictor of the same method, fitted with vectors that say nothing about genes."""
    model = predictor._fitted
    cells = None if predictor.adata is None else read_cells(predictor.adata, **predictor._keys)
    conditions = [condition for condition, _ in pairs] + ([] if cells is None else list(cells.conditions))
    genes = sorted(model.shifts.genes.union(*conditions))
    known, _ = predictor.source_.find(genes)
    other = copy.copy(predictor)
    other.source_ = control_vectors(kind, known, genes, np.random.default_rng([predictor.rng, CONTROLS.index(kind)]))
    if model.vae is None:
        vectors = resolve_vectors(other.source_, model.shifts.conditions, predictor.missing).vectors
        mean = make_mean(predictor.method, predictor.options, model.shifts, vectors)
        other.model_ = replace(model, vectors=vectors, mean=mean)
        return other
    if predictor.adata is None or cells is None:
        msg = "A predictor that was loaded from a folder has no cells to train a network on again: controls must be False."
        raise InputError(msg)
    training, validation = train_and_validation(predictor.adata, predictor.train_, of="cell")
    other.model_ = train_model(other, cells, training, validation, other.source_, progress=False)
    return other
