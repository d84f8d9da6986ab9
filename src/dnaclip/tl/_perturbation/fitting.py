"""Fit a perturbation predictor to the cells it was made with."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from dnaclip._errors import InputError, examples
from dnaclip._matrix import not_log_normalised
from dnaclip.models._perturbation.model import needs_vectors
from dnaclip.tl._perturbation.data import read_cells
from dnaclip.tl._perturbation.vectors import ResolvedVectors, VectorSource, read_vectors, resolve_vectors
from dnaclip.tl._split_marks import train_and_validation
from dnaclip.train._perturbation.fit import fit_model

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike

    from dnaclip.models._perturbation.cells import PerturbationCells
    from dnaclip.models._perturbation.model import PerturbationModel
    from dnaclip.tl._perturbation.predictor import PerturbationPredictor

__all__ = ["fit_predictor", "train_model"]


def fit_predictor(predictor: PerturbationPredictor, train: str | ArrayLike | None, **run: Any) -> None:
    """See :meth:`dnaclip.tl.PerturbationPredictor.fit`; the predictor changes only when all went well."""
    if predictor.adata is None:
        msg = "A predictor that was loaded from a folder has no cells to fit. Make a new one from adata."
        raise InputError(msg)
    cells = read_cells(predictor.adata, **predictor._keys)
    training, validation = train_and_validation(predictor.adata, train, of="cell")
    if not_log_normalised(cells.x).startswith("whole"):
        msg = "The expression holds whole numbers only, as raw counts do; predictions are meant for log-normalised values."
        warnings.warn(msg, UserWarning, stacklevel=3)
    source = VectorSource((), np.zeros((0, 0), dtype=np.float32))
    if needs_vectors(predictor.method):
        source = read_vectors(predictor.adata, predictor.use_rep, predictor.vectors)
    predictor.model_ = train_model(predictor, cells, training, validation, source, **run)
    predictor.source_, predictor.train_ = source, train


def train_model(
    predictor: PerturbationPredictor,
    cells: PerturbationCells,
    training: np.ndarray,
    validation: np.ndarray,
    source: VectorSource,
    **run: Any,
) -> PerturbationModel:
    """Return the model of a predictor's method, fitted with gene vectors from this source."""
    found = ResolvedVectors({}, frozenset(), frozenset())
    if needs_vectors(predictor.method):
        used = np.unique(cells.condition[training | validation])
        found = resolve_vectors(source, [cells.conditions[i] for i in used], predictor.missing)
        kept = ~np.array([condition in found.dropped for condition in cells.conditions])[cells.condition]
        training, validation = training & kept, validation & kept
    return fit_model(
        cells,
        training,
        validation,
        found.vectors,
        method=predictor.method,
        options=predictor.options,
        context_vectors=_context_table(predictor.context_vectors, cells.contexts),
        seed=predictor.rng,
        device=predictor.device,
        **run,
    )


def _context_table(vectors: pd.DataFrame | None, contexts: tuple[str, ...]) -> np.ndarray | None:
    """Return the vector of each context, float32 (n_contexts, e)."""
    if vectors is None:
        return None
    missing = [name for name in contexts if name not in vectors.index]
    if missing:
        msg = f"context_vectors lacks {len(missing)} of {len(contexts)} contexts: {examples(missing)}."
        raise InputError(msg)
    return vectors.loc[list(contexts)].to_numpy(dtype=np.float32)
