"""Train the expression network: the loop, early stopping on validation genes, and checkpoints."""

from __future__ import annotations

import hashlib
import logging
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from dnaclip._device import resolve_device
from dnaclip._errors import InputError, TrainingError, examples
from dnaclip._validate import as_generator, torch_seed
from dnaclip.models._expression.config import ExpressionNetConfig
from dnaclip.models._expression.losses import NONNEGATIVE
from dnaclip.models._expression.net import ExpressionNet
from dnaclip.models._seed import mix_seed, seeded
from dnaclip.train._checkpoint import RunState, load_checkpoint, locked, restore_optimizer, save_checkpoint
from dnaclip.train._loop import History
from dnaclip.train._perturbation.setup import check_run
from dnaclip.train._schedule import warm_up_and_cosine
from dnaclip.train._setup import load_weights

if TYPE_CHECKING:
    import os

__all__ = ["fit_expression_net"]

logger = logging.getLogger(__name__)


def fit_expression_net(
    vectors: np.ndarray,
    expression: np.ndarray,
    *,
    train: np.ndarray,
    validation: np.ndarray,
    config: ExpressionNetConfig | None = None,
    rng: int | np.random.Generator | None = 0,
    device: str | torch.device = "auto",
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = True,
) -> tuple[ExpressionNet, History]:
    """Train a network from gene vectors to expression.

    Order, dropout and weights follow from `rng` and the epoch alone, so on a CPU a resumed run equals an uninterrupted one
    bit by bit. Global random state stays as it was.

    Parameters
    ----------
    vectors
        Vectors of genes, (n, d).
    expression
        Their expression, (n, n_groups).
    train, validation
        Positions of the genes to learn from, and of those that tell which epoch is best. Without validation genes the last
        weights are kept.
    config
        Settings; `None` takes the defaults.
    rng
        Seed or generator.
    device
        `"auto"`, `"cpu"`, `"cuda"` or `"cuda:1"`.
    checkpoint
        File that holds the state of the run after each epoch (safetensors); `None` writes nothing.
    resume
        Go on from `checkpoint` when it is there. Without it a checkpoint that is there already is an error.
    progress
        Whether to show a progress bar.

    Returns
    -------
    The network, in evaluation mode, and the history: one row per epoch with `epoch`, `train_loss`, `lr`,
    `genes_per_second` and `validation_loss`, the mean squared error of the validation genes.

    Raises
    ------
    InputError
        Arrays, settings and checkpoint do not fit together; raised before anything is trained or written.
    TrainingError
        The loss or a weight is NaN or infinite. A checkpoint holds the epochs before.

    Examples
    --------
    >>> import numpy as np
    >>> from dnaclip.models import ExpressionNetConfig
    >>> from dnaclip.train import fit_expression_net
    >>> vectors = np.random.default_rng(0).normal(size=(60, 4))
    >>> net, history = fit_expression_net(
    ...     vectors,
    ...     vectors[:, :2],
    ...     train=np.arange(50),
    ...     validation=np.arange(50, 60),
    ...     config=ExpressionNetConfig(hidden=8, batch_size=10, max_epochs=2),
    ...     device="cpu",
    ...     progress=False,
    ... )
    >>> list(history.table["epoch"]), net.predict(vectors)[0].shape
    ([1, 2], (60, 2))
    """
    config = config or ExpressionNetConfig()
    target = resolve_device(device)
    path = None if checkpoint is None else Path(checkpoint)
    vectors, expression = np.asarray(vectors, np.float32), np.asarray(expression, np.float32)
    _check(vectors, expression, train, validation, config)
    check_run("32-true", target, path, resume=resume)
    seed = torch_seed(as_generator(rng))
    net = ExpressionNet(
        config,
        vectors[train].mean(axis=0),
        vectors[train].std(axis=0) + 1e-6,
        expression[train].mean(axis=0),
        seed=mix_seed(seed, 0),
    ).to(target)
    data = {
        "vectors": _digest(vectors),
        "expression": _digest(expression),
        "genes": _digest(np.r_[train, -1, validation]),
    }
    x, y = (torch.tensor(values).to(target) for values in (vectors, expression))
    with locked(path):
        state = RunState(seed, epoch=1)
        moments: dict[str, torch.Tensor] = {}
        if path is not None and path.exists():
            state, weights, moments = load_checkpoint(
                path, seed=None if rng is None else seed, config=config, data=data
            )
            load_weights(net, weights, path)
            logger.info("Going on from %s after epoch %d.", path, state.epoch - 1)
        fabric, wrapped, optimizer = _set_up(net, config, target)
        restore_optimizer(optimizer, moments)
        bar = tqdm(total=config.max_epochs, initial=state.epoch - 1, unit="epoch", disable=not progress)
        with bar:
            while not state.finished(config):
                start = time.perf_counter()
                row = {"epoch": state.epoch} | _run_epoch(fabric, wrapped, net, optimizer, x, y, train, state)
                row["genes_per_second"] = len(train) / (time.perf_counter() - start)
                if len(validation):
                    predicted, _ = net.predict(vectors[validation], seed=seed)
                    row["validation_loss"] = float(((predicted - expression[validation]) ** 2).mean())
                state.remember(row, net)
                bar.update()
                bar.set_postfix({"validation": row.get("validation_loss")})
                state.epoch += 1
                if path is not None:
                    save_checkpoint(path, state, net, optimizer, config=config, data=data)
    net.load_state_dict(state.best)
    return net.eval(), History(pd.DataFrame(state.rows), state.best_epoch, state.best_loss, state.seed)


def _check(
    vectors: np.ndarray, expression: np.ndarray, train: np.ndarray, validation: np.ndarray, config: ExpressionNetConfig
) -> None:
    msg = None
    if vectors.ndim != 2 or expression.ndim != 2 or len(vectors) != len(expression):
        msg = f"vectors and expression must have one row per gene, got {vectors.shape} and {expression.shape}."
    elif not np.isfinite(vectors).all() or not np.isfinite(expression).all():
        msg = "vectors and expression must be finite numbers."
    elif len(train) < 2:
        msg = f"{len(train)} genes are left to train on."
    elif len(np.intersect1d(train, validation)):
        shared = np.intersect1d(train, validation)
        msg = f"{len(shared)} genes are both for training and for validation: {examples(shared.tolist())}."
    elif config.loss in NONNEGATIVE and expression.min() < 0:
        msg = f"loss={config.loss!r} is one of counts, but the expression has values below 0. Use loss='mse'."
    if msg is not None:
        raise InputError(msg)


def _set_up(net: ExpressionNet, config: ExpressionNetConfig, device: torch.device) -> tuple[Any, ...]:
    from lightning_fabric import Fabric  # slow to import, and only training needs it

    fabric = Fabric(accelerator=device.type, devices=1 if device.index is None else [device.index])
    decayed = [one for one in net.parameters() if one.ndim >= 2]
    others = [one for one in net.parameters() if one.ndim < 2]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    wrapped, optimizer = fabric.setup(net, torch.optim.AdamW(groups, lr=config.lr, fused=True))
    wrapped.mark_forward_method("loss")
    return fabric, wrapped, optimizer


def _run_epoch(
    fabric: Any,
    wrapped: Any,
    net: ExpressionNet,
    optimizer: torch.optim.Optimizer,
    x: torch.Tensor,
    y: torch.Tensor,
    train: np.ndarray,
    state: RunState,
) -> dict[str, float]:
    """Train on each gene once, and return the mean loss."""
    config = net.config
    wrapped.train()
    order = np.random.default_rng([state.seed, state.epoch]).permutation(train)
    batches = np.array_split(order, max(1, round(len(order) / config.batch_size)))
    losses = []
    with seeded(mix_seed(state.seed, state.epoch), x.device):
        for step, batch in enumerate(batches):
            for group in optimizer.param_groups:
                group["lr"] = warm_up_and_cosine(
                    config.lr, config.max_epochs, state.epoch - 1 + (step + 0.5) / len(batches)
                )
            rows = torch.as_tensor(batch, device=x.device)
            loss = wrapped.loss(x[rows], y[rows])
            optimizer.zero_grad()
            fabric.backward(loss)
            fabric.clip_gradients(wrapped, optimizer, max_norm=config.grad_clip, error_if_nonfinite=False)
            optimizer.step()
            losses.append(loss.detach())
    mean = torch.stack(losses).mean().item()
    if not math.isfinite(mean) or not all(bool(one.isfinite().all()) for one in net.parameters()):
        msg = (
            f"Training stopped: the mean loss of epoch {state.epoch} is {mean}, or weights are no longer finite after it. "
            f"Try a lower lr than {config.lr} or a smaller grad_clip than {config.grad_clip}."
        )
        raise TrainingError(msg)
    return {"train_loss": mean, "lr": optimizer.param_groups[0]["lr"]}


def _digest(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
