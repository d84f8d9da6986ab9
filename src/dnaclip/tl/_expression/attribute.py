"""What a prediction rests on: training genes, dimensions of the vector, features of the sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._errors import InputError
from dnaclip._validate import check_choice, check_count, check_key
from dnaclip.tl._expression.data import read_targets

if TYPE_CHECKING:
    from dnaclip.tl._expression.predictor import ExpressionPredictor

__all__ = ["attribute_prediction"]

KINDS = ("genes", "dimensions", "sequence")


def attribute_prediction(
    predictor: ExpressionPredictor, gene: str, group: str | None, *, by: str, sequence: str | None, n_top: int
) -> pd.DataFrame:
    """See :meth:`dnaclip.tl.ExpressionPredictor.attribute`."""
    check_choice("by", by, KINDS)
    check_count("n_top", n_top)
    groups = list(map(str, predictor.obs_.index))
    if group is not None:
        check_key(group, groups, where="the groups")
    places = [groups.index(group)] if group is not None else list(range(len(groups)))
    if by == "sequence" and sequence is None:
        msg = "by='sequence' needs the DNA of the gene: give sequence."
        raise InputError(msg)
    vector = predictor._vectors_of([gene])[0] if sequence is None else predictor.vectors_.encode([sequence], "dna")[0]
    if by == "genes":
        return _nearest(predictor, gene, vector, places, n_top)
    gradient = predictor._fitted.gradient(vector)[places].mean(axis=0)
    names = _dimension_names(predictor)
    if by == "dimensions":
        table = pd.DataFrame({"dimension": names, "value": vector, "gradient": gradient})
        table["attribution"] = table["value"] * table["gradient"]
    else:
        table = _through_composition(predictor, gradient, str(sequence))
    order = table["attribution"].abs().sort_values(ascending=False, kind="stable").index
    return table.loc[order].head(n_top).reset_index(drop=True)


def _dimension_names(predictor: ExpressionPredictor) -> list[str]:
    """Name each column of the joined vectors by its key and number."""
    names = []
    for key, source, flag in zip(
        predictor.vectors_.keys, predictor.vectors_.sources, predictor.vectors_.flags, strict=True
    ):
        names += [f"{key}[{i}]" for i in range(source.values.shape[1])]
        names += [f"{key} present"] if flag else []
    return names


def _nearest(
    predictor: ExpressionPredictor, gene: str, vector: np.ndarray, places: list[int], n_top: int
) -> pd.DataFrame:
    trained = [name for name in predictor.train_genes_ if name != gene]
    values = predictor._vectors_of(trained)
    cosine = values @ vector / np.maximum(np.linalg.norm(values, axis=1) * np.linalg.norm(vector), 1e-12)
    best = np.argsort(-cosine, kind="stable")[:n_top]
    table = pd.DataFrame({"gene": [trained[i] for i in best], "cosine": cosine[best]})
    if predictor.adata is not None:
        targets = read_targets(predictor.adata, predictor.groupby, predictor.donor_key, predictor.layer)
        rows = targets.genes.get_indexer(pd.Index(table["gene"]))
        table["observed"] = targets.values[rows][:, places].mean(axis=1)
    return table


def _through_composition(predictor: ExpressionPredictor, gradient: np.ndarray, sequence: str) -> pd.DataFrame:
    """Carry the gradient from the vector back to the composition features of a sequence."""
    import torch

    from dnaclip.encoders import composition_names, sequence_features

    start, total = 0, np.zeros(len(composition_names()))
    features = sequence_features([sequence]).composition[0]
    standardised = np.zeros_like(features)
    for key, source, flag in zip(
        predictor.vectors_.keys, predictor.vectors_.sources, predictor.vectors_.flags, strict=True
    ):
        width = source.values.shape[1]
        part = gradient[start : start + width]
        start += width + flag
        if source.table.get("modality") not in ("dna", "joint"):
            continue
        side = predictor.vectors_._model(key, source).dna
        standardised = (features - side.mean) / side.scale
        x = torch.tensor(standardised[None], dtype=torch.float32, requires_grad=True)
        out = side.composition.eval()(x)[0]
        (slope,) = torch.autograd.grad((out * torch.tensor(part, dtype=torch.float32)).sum(), x)
        total += slope[0].numpy() * standardised
    table = pd.DataFrame({"feature": composition_names(), "value": features, "standardised": standardised})
    return table.assign(attribution=total)
