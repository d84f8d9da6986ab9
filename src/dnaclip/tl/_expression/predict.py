"""Find the vectors of the genes that are asked for, predict them, and put the answer into AnnData."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip import __version__
from dnaclip._errors import InputError, examples
from dnaclip._validate import clean_params
from dnaclip.tl._expression.vectors import join_blocks

if TYPE_CHECKING:
    import anndata

    from dnaclip.tl._expression.predictor import ExpressionPredictor

__all__ = ["predict_genes"]

UNS_KEY = "expression_predictor"


def predict_genes(
    predictor: ExpressionPredictor,
    genes: str | Iterable[str] | None,
    *,
    texts: Mapping[str, str] | None,
    sequences: Mapping[str, str] | None,
    vectors: pd.DataFrame | None,
    coverage: float,
) -> anndata.AnnData:
    """See :meth:`dnaclip.tl.ExpressionPredictor.predict`."""
    import anndata as ad

    model = predictor._fitted
    if genes is None and not texts and not sequences and vectors is None:
        genes = _untrained(predictor)
    names = [] if genes is None else [genes] if isinstance(genes, str) else list(genes)
    asked = {"name": names, "text": _checked("texts", texts), "sequence": _checked("sequences", sequences)}
    given = np.zeros((0, 0), np.float32) if vectors is None else _given(predictor, vectors)
    asked["vector"] = [] if vectors is None else list(vectors.index)
    every = [name for some in asked.values() for name in some]
    if not every or not all(isinstance(name, str) and name for name in every):
        msg = f"Genes must be named by text, at least one, got {examples(every) or 'none'}."
        raise InputError(msg)
    repeated = pd.Index(every)[pd.Index(every).duplicated()].unique()
    if len(repeated):
        msg = f"{len(repeated)} genes are asked for more than once: {examples(repeated)}."
        raise InputError(msg)
    parts = [predictor._vectors_of(names)] if names else []
    for side, strings in (("text", texts), ("dna", sequences)):
        if strings:
            parts.append(predictor.vectors_.encode(list(strings.values()), side))
    if len(given):
        parts.append(given)
    expected, std = model.predict(np.vstack(parts))
    lower, upper = model.bounds(expected, std, coverage=coverage)
    source = [name for name, some in asked.items() for _ in some]
    var = pd.DataFrame({"source": pd.Categorical(source)}, index=pd.Index(every, dtype=str))
    var["in_training"] = var.index.isin(predictor.train_genes_) & (var["source"] == "name")
    params = {name: getattr(predictor, name) for name in ("method", "use_rep", "groupby", "donor_key", "layer", "rng")}
    params |= {"options": predictor.options, "coverage": float(coverage), "dnaclip_version": __version__}
    return ad.AnnData(
        np.ascontiguousarray(expected.T),
        obs=predictor.obs_.copy(),
        var=var,
        layers={"lower": np.ascontiguousarray(lower.T), "upper": np.ascontiguousarray(upper.T)},
        uns={UNS_KEY: {"params": clean_params(params)}},
    )


def _checked(name: str, given: Mapping[str, str] | None) -> list[str]:
    if given is None:
        return []
    if not isinstance(given, Mapping):
        msg = f"{name} must be a dict from the name of each gene to its string, got {type(given).__name__}."
        raise InputError(msg)
    return list(given)


def _given(predictor: ExpressionPredictor, vectors: pd.DataFrame) -> np.ndarray:
    """Return given vectors brought to length 1, as those of the data were."""
    sources = predictor.vectors_.sources
    if len(sources) > 1:
        msg = f"vectors cannot be given to a predictor that reads {len(sources)} keys: {examples(predictor.vectors_.keys)}."
        raise InputError(msg)
    width = sources[0].values.shape[1]
    if not isinstance(vectors, pd.DataFrame) or vectors.empty or vectors.shape[1] != width:
        shape = getattr(vectors, "shape", type(vectors).__name__)
        msg = f"vectors must be a DataFrame with the genes as index and {width} columns, got {shape}."
        raise InputError(msg)
    values = vectors.to_numpy(np.float32)
    bad = ~np.isfinite(values).all(axis=1) | ~values.any(axis=1)
    if bad.any():
        msg = f"{bad.sum()} of {len(values)} genes have no vector of finite numbers: {examples(vectors.index[bad])}."
        raise InputError(msg)
    return join_blocks([values], [False])


def _untrained(predictor: ExpressionPredictor) -> list[str]:
    """Return the genes of the data that have a vector and did not train."""
    if predictor.adata is None:
        msg = "A predictor that was loaded from a folder has no data: name the genes to predict."
        raise InputError(msg)
    trained = set(predictor.train_genes_)
    with_vector = set().union(*(source.names for source in predictor.vectors_.sources))
    genes = [gene for gene in predictor.adata.var_names if gene in with_vector and gene not in trained]
    if not genes:
        msg = "All genes with a vector were trained on: name the genes to predict, or fit to a part of them with train."
        raise InputError(msg)
    return genes
