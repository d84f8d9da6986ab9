"""Fit a predictor of perturbations by any of the methods."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dnaclip.models._perturbation.model import PerturbationModel, make_mean
from dnaclip.models._perturbation.training import sample_controls, training_shifts
from dnaclip.models._perturbation.vae_method import context_coordinates
from dnaclip.train._checkpoint import remove_checkpoint
from dnaclip.train._perturbation.blend import blend_network
from dnaclip.train._perturbation.network import Network

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from dnaclip.models._perturbation.cells import PerturbationCells

__all__ = ["fit_model"]


def fit_model(
    cells: PerturbationCells,
    train: np.ndarray,
    validation: np.ndarray,
    vectors: Mapping[str, np.ndarray],
    *,
    method: str,
    options: Mapping[str, Any],
    context_vectors: np.ndarray | None = None,
    seed: int = 0,
    device: str = "auto",
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = True,
) -> PerturbationModel:
    """Fit any method to cells.

    Parameters
    ----------
    cells
        Expression and what was done to each cell.
    train, validation
        Which cells train, and which tell the network when to stop, bool (n_cells,).
    vectors
        Vector of each gene that these cells perturb; not needed by methods that read none.
    method, options
        Name of the method and its options.
    context_vectors
        Vector of each context for the network (n_contexts, e); None takes :func:`context_coordinates`.
    seed
        Seed of all that is random.
    device, checkpoint, resume, progress
        As for :func:`fit_vae`. The inner network of `"hybrid"` has a checkpoint beside it, which is removed at the end.

    Returns
    -------
    The fitted model.
    """
    shifts, means, counts = training_shifts(cells, train)
    model = PerturbationModel(
        method=method,
        options=dict(options),
        genes=cells.genes,
        contexts=cells.contexts,
        shifts=shifts,
        controls=sample_controls(cells, train, means, counts, np.random.default_rng(seed)),
        vectors=dict(vectors),
    )
    model.mean = make_mean(method, options, shifts, model.vectors)
    if not model.wants_network:
        return model
    if context_vectors is None and len(cells.contexts) > 1:
        context_vectors = context_coordinates(means)
    network = Network(
        cells, model.vectors, model.controls, model.network_options, context_vectors, seed, device, resume, progress
    )
    path = None if checkpoint is None else Path(checkpoint)
    inner = None if path is None else path.with_name(f"{path.name}.inner")
    if inner is not None and not resume:
        # Left by a run that was broken off and is not to go on.
        remove_checkpoint(inner)
    model.vae, model.history = network.train(train, validation, checkpoint=path)
    if model.mean is not None:
        model.blend = blend_network(model, network, train, inner)
    return model
