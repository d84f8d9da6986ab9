"""Train the perturbation VAE: the loop, early stopping on held-out perturbations, and checkpoints."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from dnaclip._errors import TrainingError
from dnaclip._validate import as_generator, torch_seed
from dnaclip.models._perturbation.config import PerturbationVaeConfig
from dnaclip.train._checkpoint import RunState, load_checkpoint, locked, restore_optimizer, save_checkpoint
from dnaclip.train._loop import History
from dnaclip.train._perturbation.feed import TargetGenes, in_memory
from dnaclip.train._perturbation.setup import check_cells, check_run, prepare, set_up
from dnaclip.train._perturbation.validation import Validation
from dnaclip.train._processes import check_alike, launch
from dnaclip.train._schedule import warm_up_and_cosine
from dnaclip.train._setup import load_weights

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from dnaclip.models._perturbation.cells import PerturbationCells
    from dnaclip.models._perturbation.vae import PerturbationVae
    from dnaclip.train._perturbation.feed import CellFeed

__all__ = ["fit_vae"]

logger = logging.getLogger(__name__)


def fit_vae(
    cells: PerturbationCells,
    vectors: np.ndarray,
    *,
    config: PerturbationVaeConfig | None = None,
    context_vectors: np.ndarray | None = None,
    gene_vectors: Mapping[str, np.ndarray] | None = None,
    train: np.ndarray | None = None,
    validation: Sequence[int] | np.ndarray = (),
    rng: int | np.random.Generator | None = 0,
    device: str | torch.device = "auto",
    precision: str = "32-true",
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = True,
) -> tuple[PerturbationVae, History]:
    """Train a VAE of cells under perturbation.

    Order, noise and weights follow from `rng` and the epoch alone, so on a CPU a resumed run equals an uninterrupted one
    bit by bit. Global random state stays as it was.

    Under `torchrun` the processes share every batch, and come to the same weights as one process does, up to rounding.
    Each reads all cells; the first one alone writes the checkpoint and shows the bar.

    Parameters
    ----------
    cells
        Expression and what was done to each cell.
    vectors
        Vector of each condition (n_conditions, d): the sum of those of its genes, zeros for the control.
    config
        Settings; `None` takes the defaults.
    context_vectors
        Vector of each context (n_contexts, e); `None` trains a model that does not know of contexts, but centres each
        on its own control cells all the same.
    gene_vectors
        Gene to its vector (d,): trains a network of its own for the expression of targeted genes that are measured.
    train
        True for cells to train on, bool (n_cells,); `None` takes all. Each context with such a cell needs control cells
        among them.
    validation
        Conditions that are not trained on. The weights that predict their mean shifts best are kept, and training stops
        when they no longer get better. With fewer than `config.min_validation` of them training takes `max_epochs` and the
        last weights are kept.
    rng
        Seed or generator.
    device
        `"auto"`, `"cpu"`, `"cuda"` or `"cuda:1"`. Of several processes on CUDA each takes its own device.
    precision
        `"32-true"`, or `"bf16-mixed"` on a CUDA device.
    checkpoint
        File that holds the state of the run after each epoch (safetensors); `None` writes nothing.
    resume
        Go on from `checkpoint` when it is there. Without it a checkpoint that is there already is an error.
    progress
        Whether to show a progress bar.

    Returns
    -------
    The model, in evaluation mode, and the history: one row per epoch with `epoch`, the loss and its parts, `lr`,
    `cells_per_second` and, with validation conditions, `validation_pcc`, the mean Pearson correlation of predicted and
    observed shifts over genes, without targeted genes, and `validation_loss`, 1 minus that.

    Raises
    ------
    InputError
        Cells, vectors, settings and checkpoint do not fit together; raised before anything is trained or written.
    TrainingError
        The loss or a weight is NaN or infinite, or the device's memory is full. A checkpoint holds the epochs before.

    Examples
    --------
    >>> import numpy as np
    >>> from dnaclip.models import PerturbationVaeConfig
    >>> from dnaclip.models._perturbation.cells import PerturbationCells
    >>> from dnaclip.train import fit_vae
    >>> rng = np.random.default_rng(0)
    >>> cells = PerturbationCells(
    ...     x=rng.random((60, 8), dtype=np.float32),
    ...     condition=np.repeat(np.arange(3, dtype=np.int32), 20),
    ...     context=np.zeros(60, np.int32),
    ...     conditions=((), ("A",), ("B",)),
    ...     contexts=("K562",),
    ...     genes=tuple("ABCDEFGH"),
    ... )
    >>> vectors = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> config = PerturbationVaeConfig(hidden=8, latent=2, max_epochs=2)
    >>> vae, history = fit_vae(cells, vectors, config=config, device="cpu", progress=False)
    >>> list(history.table["epoch"]), vae.predict_delta(vectors[1:], cells.x[:20]).shape
    ([1, 2], (2, 8))
    """
    config = config or PerturbationVaeConfig()
    path = None if checkpoint is None else Path(checkpoint)
    keep, held_out = check_cells(cells, vectors, context_vectors, gene_vectors, train, validation)
    fabric, target, processes = launch(device, precision)
    check_run(precision, target, path, resume=resume)
    seed = torch_seed(as_generator(rng))
    with locked(path if fabric.is_global_zero else None):
        x = in_memory(cells.x)
        judge = Validation(cells, x, keep, held_out, np.asarray(vectors), context_vectors)
        targets = None if gene_vectors is None else TargetGenes(cells, gene_vectors)
        model, feed = prepare(cells, x, keep, vectors, config, context_vectors, targets, judge, seed, target, processes)
        data = {"cells": feed.fingerprint(), "validation": judge.fingerprint(), "precision": precision}
        state = RunState(seed, epoch=1)
        moments: dict[str, torch.Tensor] = {}
        if path is not None and path.exists():
            state, weights, moments = load_checkpoint(
                path, seed=None if rng is None else seed, config=config, data=data
            )
            load_weights(model, weights, path)
            logger.info("Going on from %s after epoch %d.", path, state.epoch - 1)
        check_alike(processes, {**asdict(config), **data, "rng": state.seed, "checkpoint": state.epoch})
        wrapped, optimizer = set_up(model, config, fabric)
        restore_optimizer(optimizer, moments)
        bar = tqdm(
            total=len(feed) * config.max_epochs,
            initial=len(feed) * (state.epoch - 1),
            unit="cell",
            unit_scale=True,
            disable=not (progress and fabric.is_global_zero),
        )
        try:
            with bar:
                while not state.finished(config):
                    start = time.perf_counter()
                    row = {"epoch": state.epoch} | _run_epoch(
                        fabric, wrapped, model, optimizer, feed, config, state, bar
                    )
                    row["cells_per_second"] = len(feed) / (time.perf_counter() - start)
                    if fabric.is_global_zero:
                        row |= judge(model)
                    row = fabric.broadcast(row)  # all stop at the same epoch, whatever their last bits are
                    if len(held_out) < config.min_validation:
                        row.pop("validation_loss", None)
                    bar.set_postfix({"epoch": state.epoch, "pcc": row.get("validation_pcc")})
                    state.remember(row, model)
                    state.epoch += 1
                    if path is not None and fabric.is_global_zero:
                        save_checkpoint(path, state, model, optimizer, config=config, data=data)
        except torch.OutOfMemoryError as error:
            msg = f"The memory of {target} is full in epoch {state.epoch}. Lower batch_size={config.batch_size}."
            raise TrainingError(msg) from error
    fabric.barrier()  # the checkpoint is there for all of them
    model.load_state_dict(state.best)
    return model.eval(), History(pd.DataFrame(state.rows), state.best_epoch, state.best_loss, state.seed)


def _run_epoch(
    fabric: Any,
    wrapped: torch.nn.Module,
    model: PerturbationVae,
    optimizer: torch.optim.Optimizer,
    feed: CellFeed,
    config: PerturbationVaeConfig,
    state: RunState,
    bar: tqdm,
) -> dict[str, float]:
    """Train on each cell once, and return the mean loss and its parts."""
    wrapped.train()
    steps = feed.steps(config.batch_size)
    seen: list[dict[str, torch.Tensor]] = []
    for step, batch in enumerate(feed.epoch(seed=state.seed, epoch=state.epoch, batch_size=config.batch_size)):
        for group in optimizer.param_groups:
            group["lr"] = warm_up_and_cosine(config.lr, config.max_epochs, state.epoch - 1 + (step + 0.5) / steps)
        parts = wrapped(batch)
        optimizer.zero_grad()
        fabric.backward(parts["loss"])
        feed.learn_directions(batch)
        if config.grad_clip is not None:
            _clip_gradients(model, config.grad_clip)
        optimizer.step()
        seen.append({name: value.detach() for name, value in parts.items()})
        bar.update(batch.n_cells)
    # Read only now: reading a loss from a GPU makes the program wait for it. A sum is finite only if all values are.
    losses = torch.stack([parts["loss"] for parts in seen]).tolist()
    step = next((i for i, loss in enumerate(losses) if not math.isfinite(loss)), steps - 1)
    if not math.isfinite(losses[step]) or not all(bool(one.sum().isfinite()) for one in model.parameters()):
        msg = (
            f"Training stopped: the loss of epoch {state.epoch}, step {step + 1} of {steps}, is {losses[step]}, or weights "
            f"are no longer finite after it. Try a lower lr than {config.lr}, a smaller grad_clip than {config.grad_clip} or "
            f"a smaller mi_weight than {config.mi_weight}."
        )
        raise TrainingError(msg)
    means = {name: float(np.mean([float(parts[name]) for parts in seen])) for name in seen[0]}
    return {"train_loss": means.pop("loss"), **means, "lr": optimizer.param_groups[0]["lr"]}


def _clip_gradients(model: PerturbationVae, largest: float) -> None:
    """Scale gradients down to the largest norm. Most are short enough: a CPU need not write these again."""
    norm = torch.nn.utils.get_total_norm([one.grad for one in model.parameters() if one.grad is not None])
    if norm.is_cuda or norm > largest:
        torch.nn.utils.clip_grads_with_norm_(model.parameters(), largest, norm)
