"""Score a viability regressor on what it was not trained on, beside baselines and a control."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnaclip._errors import InputError, examples
from dnaclip.metrics import viability
from dnaclip.tl._viability.data import read_effects
from dnaclip.tl._viability.prediction import pairs_of_adata

if TYPE_CHECKING:
    import anndata

    from dnaclip.models._viability.method import Pairs
    from dnaclip.tl._viability.regressor import ViabilityRegressor

__all__ = ["evaluate_regressor", "held_out_parts"]

Part = tuple[str, np.ndarray, np.ndarray]


def evaluate_regressor(
    regressor: ViabilityRegressor,
    adata: anndata.AnnData,
    *,
    profiles: Any,
    vectors: pd.DataFrame | None,
    n_permutations: int,
) -> pd.DataFrame:
    """Return the table of :meth:`ViabilityRegressor.evaluate`."""
    model = regressor.model_
    observed = read_effects(adata, regressor.layer)
    pairs, found = pairs_of_adata(regressor, adata, vectors, profiles)
    place = adata.var_names.get_indexer(found.names)
    if (place < 0).any():
        absent = found.names[place < 0]
        msg = f"{len(absent)} genes of vectors have no observed viability in adata: {examples(absent)}."
        raise InputError(msg)
    observed = observed[:, place]
    means = model.method.means_
    parts = held_out_parts(pairs)
    predicted = {regressor.method: [model.method.predict(pairs)]}
    if n_permutations:
        controls = [_refitted(regressor, adata, profiles, vectors, seed) for seed in range(n_permutations)]
        permuted = [control.model_.method.predict(pairs) for control in controls]
        predicted[f"{regressor.method}, permuted vectors"] = permuted
    predicted["gene_mean"] = [means.only_gene(pairs.lines, pairs.genes)]
    predicted["line_mean"] = [means.only_line(pairs.lines, pairs.genes)]
    predicted["two_way"] = [means.predict(pairs.lines, pairs.genes)]
    half = model.widths(pairs)
    tables = []
    for held_out, lines, genes in parts:
        at = np.ix_(lines, genes)
        for name, several in predicted.items():
            bounds = {}
            if name == regressor.method and np.isfinite(half[at]).all():
                bounds = {"lower": (several[0] - half)[at], "upper": (several[0] + half)[at]}
            scores = pd.concat([viability(values[at], observed[at], **bounds) for values in several])
            table = scores.groupby(["scope", "metric"], sort=False).mean().reset_index()
            table.insert(0, "held_out", held_out)
            table.insert(0, "method", name)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def held_out_parts(pairs: Pairs) -> list[Part]:
    """Return `(name, lines, genes)` of each kind of pair that training has not seen; lines and genes are positions."""
    known_lines, new_lines = np.flatnonzero(pairs.lines >= 0), np.flatnonzero(pairs.lines < 0)
    known_genes, new_genes = np.flatnonzero(pairs.genes >= 0), np.flatnonzero(pairs.genes < 0)
    every = [("genes", known_lines, new_genes), ("lines", new_lines, known_genes), ("both", new_lines, new_genes)]
    parts = [(name, lines, genes) for name, lines, genes in every if len(lines) and len(genes)]
    if not parts:
        msg = "All lines and genes of adata were in training, so none is held out. Fit with split=, see tl.split_viability."
        raise InputError(msg)
    return parts


def _refitted(
    regressor: ViabilityRegressor, adata: anndata.AnnData, profiles: Any, vectors: pd.DataFrame | None, seed: int
) -> ViabilityRegressor:
    """Return the regressor fitted again to the same lines and genes, with the vectors of genes exchanged."""
    from sklearn.base import clone

    model = regressor.model_
    for name, wanted, there in (("lines", model.lines, adata.obs_names), ("genes", model.genes, adata.var_names)):
        absent = wanted[~wanted.isin(there)]
        if len(absent):
            msg = f"For permutations adata must hold the training {name}; {len(absent)} are not there: {examples(absent)}."
            raise InputError(msg)
    training = adata[model.lines, model.genes]
    control = clone(regressor).set_params(permute_vectors=True, coverage=None, rng=seed)
    return control.fit(training, profiles=profiles, vectors=vectors)
