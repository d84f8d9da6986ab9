"""What is asked of a perturbation predictor, and its answer as AnnData."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnaclip._conditions import condition_name
from dnaclip._errors import InputError, examples

if TYPE_CHECKING:
    from collections.abc import Mapping

    import anndata

    from dnaclip.models._perturbation.model import PerturbationModel

__all__ = ["Request", "as_adata", "context_places", "listed"]


@dataclass(frozen=True, eq=False)
class Request:
    """What to predict: conditions and the position of the context of each, and the genes that nothing is known of."""

    conditions: list[tuple[str, ...]]
    contexts: np.ndarray
    without: frozenset[str]


def listed(name: str, values: str | Iterable[str]) -> list[str]:
    listed = [values] if isinstance(values, str) else list(values) if isinstance(values, Iterable) else []
    if not listed:
        msg = f"{name} must be a name or a list of names, at least one, got {values!r}."
        raise InputError(msg)
    return listed


def context_places(model: PerturbationModel, contexts: str | Iterable[str] | None) -> list[int]:
    """Return the positions of contexts, or of all with control cells in training; raise for one without."""
    known = {name: i for i, name in enumerate(model.contexts) if model.controls.counts[i] > 0}
    if contexts is None:
        return list(known.values())
    wanted = list(dict.fromkeys(listed("contexts", contexts)))
    unknown = [name for name in wanted if name not in known]
    if unknown:
        msg = (
            f"{len(unknown)} of {len(wanted)} contexts had no control cells in training: {examples(unknown)}. Known are "
            f"{examples(known)}. Predictions start from the control cells of a context: add them to adata and fit again."
        )
        raise InputError(msg)
    return [known[name] for name in wanted]


def as_adata(
    model: PerturbationModel,
    x: np.ndarray,
    request: Request,
    *,
    perturbation_key: str,
    context_key: str | None,
    control: str,
    layers: Mapping[str, np.ndarray] | None,
    repeats: int,
    uns: dict[str, Any],
) -> anndata.AnnData:
    """Return predictions, `repeats` rows for each condition and context of a request, with what is known of these in obs."""
    from anndata import AnnData

    names = [condition_name(genes, control) for genes in request.conditions]
    contexts = [model.contexts[place] for place in request.contexts]
    trained = set(zip(model.shifts.conditions, model.shifts.contexts.tolist(), strict=True))
    obs = pd.DataFrame({perturbation_key: pd.Categorical(names)})
    if context_key is not None:
        obs[context_key] = pd.Categorical(contexts)
    obs["n_genes"] = [len(genes) for genes in request.conditions]
    obs["n_genes_known"] = [sum(gene not in request.without for gene in genes) for genes in request.conditions]
    obs["in_training"] = [pair in trained for pair in zip(request.conditions, request.contexts.tolist(), strict=True)]
    rows = (
        names if context_key is None else [f"{name}|{context}" for name, context in zip(names, contexts, strict=True)]
    )
    obs.index = pd.Index(rows, dtype=str)
    if repeats > 1:
        obs = obs.loc[obs.index.repeat(repeats)]
        obs.index = pd.Index([f"{name}|{i % repeats}" for i, name in enumerate(obs.index)], dtype=str)
    return AnnData(
        x.astype(np.float32, copy=False),
        obs=obs,
        var=pd.DataFrame(index=pd.Index(model.genes, dtype=str)),
        layers=layers,
        uns=uns,
    )
