"""Judge a predictor of expression on genes that it did not see, beside baselines and vectors that say nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._errors import InputError, examples
from dnaclip.metrics import expression
from dnaclip.metrics._expression import gene_correlations
from dnaclip.tl._expression.data import read_targets
from dnaclip.tl._expression.vectors import read_gene_vectors
from dnaclip.tl._split_marks import marked, train_and_validation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import anndata
    from numpy.typing import ArrayLike

    from dnaclip.models._expression.model import ExpressionModel
    from dnaclip.tl._expression.predictor import ExpressionPredictor

__all__ = ["calibrate_predictor", "evaluate_predictor"]

CONTROLS = ("permuted", "random")


def evaluate_predictor(
    predictor: ExpressionPredictor,
    test: str | ArrayLike | None,
    *,
    adata: anndata.AnnData | None = None,
    baselines: bool = True,
    controls: bool = False,
    by_gene: bool = False,
    coverage: float = 0.9,
) -> pd.DataFrame:
    """See :meth:`dnaclip.tl.ExpressionPredictor.evaluate`."""
    genes, observed, vectors = _judged(predictor, test, adata)
    groups, mean = predictor.obs_.index, predictor.group_means_
    tables = []
    for method, kind, model, own in _competitors(predictor, genes, vectors, baselines=baselines, controls=controls):
        predicted, std = model.predict(own)
        if by_gene:
            table = _gene_table(predicted.T, observed.T, mean, genes)
        else:
            # Baselines come without intervals.
            bounds = {}
            if model.intervals is not None:
                bounds = dict(zip(("lower", "upper"), _bounds(model, predicted, std, coverage), strict=True))
            table = expression(predicted.T, observed.T, mean=mean, groups=groups, **bounds)
        table.insert(0, "method", method)
        table.insert(1, "vectors", kind)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def calibrate_predictor(
    predictor: ExpressionPredictor,
    test: str | ArrayLike | None,
    *,
    adata: anndata.AnnData | None,
    levels: Sequence[float],
) -> pd.DataFrame:
    """See :meth:`dnaclip.tl.ExpressionPredictor.calibration`."""
    _, observed, vectors = _judged(predictor, test, adata)
    model = predictor._fitted
    predicted, std = model.predict(vectors)
    tables = []
    for level in levels:
        lower, upper = _bounds(model, predicted, std, level)
        inside, width = (observed >= lower.T) & (observed <= upper.T), (upper - lower).T
        table = pd.DataFrame({"nominal": level, "group": [*map(str, predictor.obs_.index), "all"]})
        table["coverage"] = [*inside.mean(axis=0), inside.mean()]
        table["width"] = [*width.mean(axis=0), width.mean()]
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _bounds(
    model: ExpressionModel, predicted: np.ndarray, std: np.ndarray | None, coverage: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return lower and upper bounds, (n_groups, n_genes)."""
    lower, upper = model.bounds(predicted, std, coverage=coverage)
    return lower.T, upper.T


def _gene_table(predicted: np.ndarray, observed: np.ndarray, mean: np.ndarray, genes: list[str]) -> pd.DataFrame:
    scores = gene_correlations(predicted, observed, mean=mean) | {"mse": ((predicted - observed) ** 2).mean(axis=0)}
    parts = [pd.DataFrame({"gene": genes, "metric": metric, "value": values}) for metric, values in scores.items()]
    table = pd.concat(parts, ignore_index=True)
    table["status"] = np.where(table["value"].isna(), "undefined", "ok")
    return table


def _judged(
    predictor: ExpressionPredictor, test: str | ArrayLike | None, adata: anndata.AnnData | None
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return the genes to judge, what was observed, (n, n_groups), and their vectors."""
    data = predictor.adata if adata is None else adata
    if data is None:
        msg = "A predictor that was loaded from a folder has no data to judge by: give adata."
        raise InputError(msg)
    targets = read_targets(data, predictor.groupby, predictor.donor_key, predictor.layer)
    if list(targets.obs.index) != list(predictor.obs_.index):
        strangers = [name for name in targets.obs.index if name not in predictor.obs_.index]
        msg = (
            f"The groups of adata are not the {len(predictor.obs_)} learned ones in their order. Not learned: "
            f"{examples(strangers) or 'none'}. Learned: {examples(predictor.obs_.index)}."
        )
        raise InputError(msg)
    mask = _tested(predictor, data, test)
    names = list(data.var_names[mask])
    vectors, known, why = predictor.vectors_.find(names)
    if not known.any():
        msg = f"None of the {len(names)} genes to judge has a vector: {examples(names)}. {why}"
        raise InputError(msg)
    genes = [name for name, ok in zip(names, known, strict=True) if ok]
    return genes, targets.values[mask][known].astype(np.float64), vectors[known]


def _tested(predictor: ExpressionPredictor, data: anndata.AnnData, test: str | ArrayLike | None) -> np.ndarray:
    if test is None and isinstance(predictor.train_, str) and predictor.train_ in data.var:
        column = data.var[predictor.train_]
        if (column == "test").any():
            test = predictor.train_
    if test is not None:
        mask = marked(data, test, "test", of="gene")
    elif data is predictor.adata:
        training, validation = train_and_validation(data, predictor.train_, of="gene")
        mask = ~(training | validation)
    else:
        mask = np.ones(data.n_vars, dtype=bool)
    mask = mask & ~data.var_names.isin(predictor.train_genes_)
    if not mask.any():
        msg = "No gene is held out: name the genes to judge as test, or fit to a part of them with train."
        raise InputError(msg)
    return mask


def _competitors(
    predictor: ExpressionPredictor, genes: list[str], vectors: np.ndarray, *, baselines: bool, controls: bool
) -> Iterator[tuple[str, str, ExpressionModel, np.ndarray]]:
    """Yield the method, the kind of vectors, a model and the vectors to judge it by: first the predictor itself."""
    from dnaclip.models._expression.model import ExpressionModel

    mean = predictor.group_means_
    reads = predictor.method in ("hybrid", "ridge", "unicorn")
    yield predictor.method, "given" if reads else "none", predictor._fitted, vectors
    if baselines:
        if predictor.method in ("hybrid", "unicorn") and predictor.adata is not None:
            yield "ridge", "given", _refitted(predictor, "ridge", None)[0], vectors
        for name, values in (("train_mean", mean), ("gene_mean", np.full_like(mean, mean.mean()))):
            if name != predictor.method:
                yield name, "none", ExpressionModel(name, values), vectors
    for kind in CONTROLS if controls else ():
        if not reads:
            msg = f"controls=True exchanges the gene vectors, but method {predictor.method!r} reads none."
            raise InputError(msg)
        other, own = _refitted(predictor, predictor.method, kind)
        names = {} if predictor.adata is None else {name: i for i, name in enumerate(predictor.adata.var_names)}
        yield predictor.method, kind, other, own[[names[gene] for gene in genes]]


def _refitted(predictor: ExpressionPredictor, method: str, kind: str | None) -> tuple[ExpressionModel, np.ndarray]:
    """Fit again with another method, or with vectors that say nothing; return these too, one row per gene of the data."""
    from dnaclip.models._expression.model import RIDGE_OPTIONS
    from dnaclip.train._expression.fit import fit_expression_model

    if predictor.adata is None:
        msg = "A predictor that was loaded from a folder has no genes to train on again: controls must be False."
        raise InputError(msg)
    training, validation = train_and_validation(predictor.adata, predictor.train_, of="gene")
    _, values, known = read_gene_vectors(predictor.adata, predictor.use_rep)
    if kind is not None:
        rng = np.random.default_rng([predictor.rng, CONTROLS.index(kind)])
        places = np.flatnonzero(known)
        if kind == "permuted":
            values[places] = values[rng.permutation(places)]
        else:
            noise = rng.normal(size=(len(places), values.shape[1]))
            values[places] = noise / np.linalg.norm(noise, axis=1, keepdims=True)
    targets = read_targets(predictor.adata, predictor.groupby, predictor.donor_key, predictor.layer)
    options = predictor.options
    if method == "ridge":
        options = {name: value for name, value in options.items() if name in RIDGE_OPTIONS}
    model = fit_expression_model(
        values,
        targets.values,
        np.flatnonzero(training & known),
        np.flatnonzero(validation & known & ~training),
        method=method,
        options=options,
        seed=predictor.rng,
        device=predictor.device,
        progress=False,
    )
    return model, values
