"""What a fitted perturbation predictor says of perturbations, as AnnData."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dnaclip import __version__
from dnaclip._conditions import condition_genes
from dnaclip._validate import clean_params
from dnaclip.tl._perturbation.request import Request, as_adata, context_places, listed
from dnaclip.tl._perturbation.vectors import resolve_vectors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import anndata

    from dnaclip.tl._perturbation.predictor import PerturbationPredictor

__all__ = ["generated", "predicted", "requested", "requested_pairs"]

# Where predictions record how they were made.
UNS_KEY = "perturbation_predictor"


def requested(
    predictor: PerturbationPredictor, conditions: str | Iterable[str], contexts: str | Iterable[str] | None
) -> Request:
    """Read names of conditions, each in all of these contexts."""
    wanted = [condition_genes(name, predictor.control) for name in listed("conditions", conditions)]
    places = context_places(predictor._fitted, contexts)
    return requested_pairs(predictor, [(genes, place) for genes in dict.fromkeys(wanted) for place in places])


def requested_pairs(predictor: PerturbationPredictor, pairs: list[tuple[tuple[str, ...], int]]) -> Request:
    """Find what is known of the genes of conditions, each in the context at a position."""
    from dnaclip.models._perturbation.model import needs_vectors

    model, wanted = predictor._fitted, [genes for genes, _ in pairs]
    if needs_vectors(predictor.method):
        found = resolve_vectors(predictor.source_, wanted, predictor.missing)
        model.vectors.update(found.vectors)
        without, pairs = found.without, [pair for pair in pairs if pair[0] not in found.dropped]
    else:
        without = frozenset(gene for genes in wanted for gene in genes) - model.shifts.genes
    return Request([genes for genes, _ in pairs], np.array([place for _, place in pairs], dtype=np.int64), without)


def predicted(predictor: PerturbationPredictor, request: Request) -> anndata.AnnData:
    """Return mean expression."""
    model = predictor._fitted
    delta, std = model.predict(request.conditions, request.contexts)
    layers = {"delta": delta} if std is None else {"delta": delta, "std": std}
    return _adata(predictor, model.controls.means[request.contexts] + delta, request, layers=layers)


def generated(
    predictor: PerturbationPredictor, request: Request, n_cells: int, rng: np.random.Generator
) -> anndata.AnnData:
    """Return cells."""
    cells = predictor._fitted.generate(request.conditions, request.contexts, n_cells, rng)
    return _adata(predictor, cells, request, repeats=n_cells)


def _adata(
    predictor: PerturbationPredictor,
    x: np.ndarray,
    request: Request,
    *,
    layers: Mapping[str, np.ndarray] | None = None,
    repeats: int = 1,
) -> anndata.AnnData:
    params = {**predictor._keys, "method": predictor.method, "use_rep": predictor.use_rep, "missing": predictor.missing}
    params |= {"rng": predictor.rng, "options": predictor.options, "dnaclip_version": __version__}
    uns = {UNS_KEY: {"params": clean_params(params)}}
    return as_adata(
        predictor._fitted,
        x,
        request,
        perturbation_key=predictor.perturbation_key,
        context_key=predictor.context_key,
        control=predictor.control,
        layers=layers,
        repeats=repeats,
        uns=uns,
    )
