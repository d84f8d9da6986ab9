"""One pass over the training data, stopped at the first loss that is not a number."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dnaclip._errors import TrainingError, examples
from dnaclip.train._config import TrainConfig, learning_rate
from dnaclip.train._processes import ALONE, Processes

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from tqdm import tqdm

    from dnaclip.models import ClipModel
    from dnaclip.train._checkpoint import RunState
    from dnaclip.train._feed import Batch, Feed

__all__ = ["check_finite", "run_epoch"]

# Reading a loss from a CUDA device makes the program wait for it, so there it is done only every so many steps.
_READ_EVERY_CUDA = 50


def run_epoch(
    fabric: Fabric,
    wrapped: torch.nn.Module,
    model: ClipModel,
    optimizer: torch.optim.Optimizer,
    feed: Feed,
    config: TrainConfig,
    state: RunState,
    bar: tqdm,
    processes: Processes = ALONE,
) -> float:
    """Train on every batch of the epoch `state.epoch` and return the mean loss.

    Parameters
    ----------
    fabric
        Runs the backward pass.
    wrapped
        The model as Fabric set it up: its forward pass has the chosen precision.
    model
        The model itself: gives the loss.
    optimizer
        Changes the weights; gets the learning rate of each step.
    feed
        The training data.
    config
        Settings.
    state
        Seed and epoch.
    bar
        Progress bar, in pairs.
    processes
        Who shares the batches.

    Raises
    ------
    TrainingError
        A loss is NaN or infinite.
    """
    wrapped.train()
    steps = len(feed) // config.batch_size
    read_every = 1 if feed.device.type == "cpu" else _READ_EVERY_CUDA
    losses: list[float] = []
    unread: list[tuple[Tensor, Tensor]] = []
    batches = feed.epoch(seed=state.seed, epoch=state.epoch, batch_size=config.batch_size, processes=processes)
    for step, batch in enumerate(batches):
        rate = learning_rate(config, state.epoch - 1 + (step + 0.5) / steps)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["share_of_lr"]
        # Genes are told apart from all others of the batch, also from those that another process embeds.
        embeddings = {name: processes.gather(own).flatten(0, 1) for name, own in wrapped(batch.inputs).items()}
        loss = model.loss(embeddings, same=batch.same, raw=_raw(model, batch, processes))
        unread.append((loss.detach(), batch.rows))
        if len(unread) == read_every or step == steps - 1:
            for value, (_, rows) in zip(torch.stack([one for one, _ in unread]).tolist(), unread, strict=True):
                losses.append(value)
                where = f"loss of epoch {state.epoch}, step {len(losses)} of {steps}"
                check_finite(value, where, model, state, rows=rows)
            unread.clear()
        optimizer.zero_grad()
        fabric.backward(loss)
        if config.grad_clip is not None:
            fabric.clip_gradients(wrapped, optimizer, max_norm=config.grad_clip, error_if_nonfinite=False)
        optimizer.step()
        model.clamp_scale()
        bar.update(len(batch))
    return sum(losses) / steps


def _raw(model: ClipModel, batch: Batch, processes: Processes) -> dict[str, Tensor] | None:
    """What the towers got, of the whole batch, for the loss that compares it with what they made of it."""
    if model.loss_name != "penalized_clip":
        return None
    first = {name: tensors[0] for name, tensors in batch.inputs.items() if tensors[0].is_floating_point()}
    return {name: processes.gather(tensor).flatten(0, 1) for name, tensor in first.items()}


def check_finite(value: float, name: str, model: ClipModel, state: RunState, *, rows: Tensor | None = None) -> None:
    """Raise, with a diagnosis, when a loss is NaN or infinite."""
    if math.isfinite(value):
        return
    where = "" if rows is None else f" The batch held the rows {examples(rows.tolist())}."
    broken = [weight for weight, one in model.named_parameters() if not bool(one.isfinite().all())]
    cause = (
        f"The weights {examples(broken)} are no longer finite, so an earlier step was too large: try a lower lr, a longer "
        "warmup_epochs or a smaller grad_clip."
        if broken
        else "All weights are finite, so look at what the towers make of these inputs."
    )
    msg = (
        f"Training stopped: the {name} is {value}.{where} {cause} The logit scale was {model.logit_scale.item():.4g}. "
        f"The model has the weights of epoch {state.best_epoch}, the best so far."
    )
    raise TrainingError(msg)
