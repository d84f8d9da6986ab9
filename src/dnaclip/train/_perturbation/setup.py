"""What happens before the first step: does everything fit, the untrained model, and where it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from dnaclip._errors import InputError, examples
from dnaclip._validate import check_choice
from dnaclip.models._perturbation.vae import PerturbationVae
from dnaclip.models._seed import mix_seed
from dnaclip.train._checkpoint import check_place
from dnaclip.train._perturbation.feed import CellFeed, TargetGenes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lightning_fabric import Fabric

    from dnaclip.models._perturbation.cells import PerturbationCells
    from dnaclip.models._perturbation.config import PerturbationVaeConfig
    from dnaclip.train._perturbation.validation import Validation
    from dnaclip.train._processes import Processes

__all__ = ["check_cells", "check_run", "prepare", "set_up", "span_basis"]


def check_cells(
    cells: PerturbationCells,
    vectors: np.ndarray,
    context_vectors: np.ndarray | None,
    gene_vectors: Mapping[str, np.ndarray] | None,
    train: np.ndarray | None,
    validation: Sequence[int] | np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return which cells to train on, and the validation conditions that have cells; raise when something does not fit."""
    n_cells, n_conditions = len(cells.condition), len(cells.conditions)
    vectors, held_out = np.asarray(vectors), np.unique(np.asarray(validation, dtype=np.int64))
    keep = np.ones(n_cells, bool) if train is None else np.asarray(train)
    msg = None
    if vectors.ndim != 2 or len(vectors) != n_conditions or not np.isfinite(vectors).all():
        msg = f"vectors must be finite numbers, one row for each of the {n_conditions} conditions, got {vectors.shape}."
    elif vectors[0].any():
        msg = "The first condition is the control: its vector must be zeros."
    elif keep.dtype != bool or keep.shape != (n_cells,):
        msg = f"train must be True or False for each of the {n_cells} cells, got {keep.dtype} of shape {keep.shape}."
    elif held_out.size and (held_out[0] < 1 or held_out[-1] >= n_conditions):
        msg = f"validation must name conditions from 1 to {n_conditions - 1} (0 is the control), got {examples(held_out)}."
    elif context_vectors is not None and (
        np.ndim(context_vectors) != 2
        or len(context_vectors) != len(cells.contexts)
        or not np.isfinite(context_vectors).all()
    ):
        msg = f"context_vectors must be finite numbers, one row for each of the {len(cells.contexts)} contexts."
    elif gene_vectors is not None and any(np.shape(one) != (vectors.shape[1],) for one in gene_vectors.values()):
        msg = f"gene_vectors must hold vectors of length {vectors.shape[1]}, as the conditions have."
    else:
        keep = keep & ~np.isin(cells.condition, held_out)
        used = np.unique(cells.context[keep])
        without = np.setdiff1d(used, cells.context[keep & (cells.condition == 0)])
        if keep.sum() < 2:
            msg = f"{keep.sum()} cells are left to train on."
        elif len(without):
            named = examples(cells.contexts[i] for i in without)
            msg = f"No control cell to train on in {named}: shifts are counted from them. Add some or leave these cells out."
    if msg is not None:
        raise InputError(msg)
    return keep, held_out


def check_run(precision: str, device: torch.device, path: Path | None, *, resume: bool) -> None:
    """Raise when the run cannot be done here."""
    check_choice("precision", precision, ("32-true", "bf16-mixed"))
    if precision == "bf16-mixed" and device.type != "cuda":
        msg = f"precision='bf16-mixed' needs a CUDA device, and this run is on {device}. Use precision='32-true'."
        raise InputError(msg)
    check_place(path, resume=resume)


def prepare(
    cells: PerturbationCells,
    x: Any,
    keep: np.ndarray,
    vectors: np.ndarray,
    config: PerturbationVaeConfig,
    context_vectors: np.ndarray | None,
    targets: TargetGenes | None,
    judge: Validation,
    seed: int,
    device: torch.device,
    processes: Processes,
) -> tuple[PerturbationVae, CellFeed]:
    """Make the untrained model and the feed of training cells."""
    rows = np.flatnonzero(keep)
    model = PerturbationVae(
        config,
        basis=span_basis(np.asarray(vectors)[np.unique(cells.condition[rows])]),
        control_means=judge.control_means,
        context_dim=None if context_vectors is None else np.shape(context_vectors)[1],
        target_head=targets is not None and len(targets.genes) > 0,
        seed=mix_seed(seed, 0),
    ).to(device)
    known = None
    if model.target_head is not None and targets is not None:
        known = targets, model.coordinates(targets.vectors), judge.control_means
    feed = CellFeed(
        x,
        rows,
        cells.condition,
        cells.context,
        model.coordinates(vectors),
        n_contexts=len(cells.contexts),
        latent=config.latent,
        epsilon=model.epsilon,
        context_vectors=None
        if context_vectors is None
        else torch.tensor(np.asarray(context_vectors), dtype=torch.float32).to(device),
        targets=known,
        processes=processes,
    )
    if (least := len(feed) // feed.steps(config.batch_size)) < processes.count:
        msg = f"Batches of {least} cells are too few for {processes.count} processes. Raise batch_size or start fewer."
        raise InputError(msg)
    return model, feed


def span_basis(vectors: np.ndarray) -> np.ndarray:
    """Return orthonormal rows that span the rows of `vectors`, float32 (rank, d); the unit vectors if that is everything.

    Examples
    --------
    >>> import numpy as np
    >>> span_basis(np.array([[0.0, 3.0, 4.0], [0.0, 6.0, 8.0]])).round(6) + 0.0
    array([[0. , 0.6, 0.8]], dtype=float32)
    """
    dimension = vectors.shape[1]
    _, sizes, directions = np.linalg.svd(vectors.astype(np.float64), full_matrices=False)
    rank = int((sizes > sizes.max(initial=0) * 1e-6).sum())
    if rank == dimension:
        return np.eye(dimension, dtype=np.float32)
    basis = directions[: max(rank, 1)]
    # Signs are free: make the largest entry positive, so that they do not depend on the linear algebra library.
    largest = np.take_along_axis(basis, np.abs(basis).argmax(1)[:, None], axis=1)
    return (basis * np.sign(largest)).astype(np.float32)


def set_up(
    model: PerturbationVae, config: PerturbationVaeConfig, fabric: Fabric
) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    """Make the optimiser, and what averages gradients over processes."""
    model.statistics.requires_grad_(config.mi_weight > 0)  # what no loss depends on is waited for in vain
    statistics = list(model.statistics.parameters())
    own = {id(one) for one in statistics}
    groups: list[dict[str, Any]] = [
        {"params": [one for one in model.parameters() if id(one) not in own]},
        {"params": statistics, "weight_decay": config.mine_weight_decay},
    ]
    return cast("Any", fabric.setup(model, torch.optim.Adam(groups, lr=config.lr, fused=True)))
