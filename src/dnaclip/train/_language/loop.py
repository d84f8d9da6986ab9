"""Pre-train HyenaDNA from scratch: next-base prediction, best weights kept, resumable."""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional
from tqdm.auto import tqdm

from dnaclip._errors import InputError, TrainingError
from dnaclip._validate import as_generator, torch_seed
from dnaclip.models._seed import mix_seed
from dnaclip.train._checkpoint import RunState, check_place, load_checkpoint, locked, restore_optimizer, save_checkpoint
from dnaclip.train._language.config import LanguageModelConfig
from dnaclip.train._language.windows import Windows, predicted
from dnaclip.train._loop import History
from dnaclip.train._processes import launch
from dnaclip.train._setup import load_weights

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from lightning_fabric import Fabric

    from dnaclip.encoders import HyenaDna

__all__ = ["fit_hyenadna", "next_base_loss"]

logger = logging.getLogger(__name__)


def fit_hyenadna(
    network: HyenaDna,
    sequences: Sequence[str],
    validation: Sequence[str],
    config: LanguageModelConfig | None = None,
    *,
    rng: int | np.random.Generator | None = 0,
    device: str | torch.device = "auto",
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = True,
) -> History:
    """Train a HyenaDNA in place to predict each base from those before it; it ends with the weights of the best epoch.

    Windows follow from `rng` and the step alone, so on a CPU a resumed run equals an uninterrupted one bit by bit.

    Parameters
    ----------
    network
        The network, as drawn or as loaded.
    sequences, validation
        DNA, one string a gene, to learn from and to judge by. Near copies must not stand on both sides
        (:func:`dnaclip.pp.split_pairs`).
    config
        Settings; `None` takes the defaults.
    rng
        Seed or generator.
    device
        `"auto"`, `"cpu"`, `"cuda"` or `"cuda:1"`.
    checkpoint
        File that holds the state of the run after each epoch (safetensors); `None` writes nothing.
    resume
        Go on from `checkpoint` when it is there.
    progress
        Whether to show a progress bar.

    Returns
    -------
    The history: per epoch `train_loss` and `validation_loss` in bits per base (2 bits: nothing known), `lr` and
    `bases_per_second`.

    Raises
    ------
    InputError
        Settings, sequences, network and checkpoint do not fit together.
    TrainingError
        A loss is NaN or infinite. The network has its best weights so far.

    References
    ----------
    Nguyen et al., HyenaDNA, NeurIPS 2023, section 4.1.

    Examples
    --------
    >>> from dnaclip.encoders import HyenaDna, HyenaDnaConfig
    >>> from dnaclip.train import LanguageModelConfig, fit_hyenadna
    >>> network = HyenaDna(HyenaDnaConfig(d_model=8, n_layer=1, l_max=16))
    >>> settings = LanguageModelConfig(window=16, batch_size=8, max_steps=30, steps_per_epoch=10, lr=0.03)
    >>> history = fit_hyenadna(network, ["ACGT" * 50], ["ACGT" * 10], settings, device="cpu", progress=False)
    >>> history.best_loss < 2
    True
    """
    config = config or LanguageModelConfig()
    path = None if checkpoint is None else Path(checkpoint)
    fabric, target, processes = launch(device, config.precision)
    _check(network, config, path, processes.count, resume=resume)
    seed = torch_seed(as_generator(rng))
    train = Windows(sequences, config.window)
    judge = Windows(validation, config.window).draw(config.validation_windows, np.random.default_rng(0))
    with locked(path):
        state = RunState(seed)
        moments: dict[str, Tensor] = {}
        data = {"training data": train.fingerprint()} if path else {}
        if path is not None and path.exists():
            own_seed = None if rng is None else seed
            state, weights, moments = load_checkpoint(path, seed=own_seed, config=config, data=data)
            load_weights(network, weights, path)
        network.to(target)
        matrices = [one for one in network.parameters() if one.ndim >= 2]
        groups = [
            {"params": matrices, "weight_decay": config.weight_decay},
            {"params": [one for one in network.parameters() if one.ndim < 2], "weight_decay": 0.0},
        ]
        wrapped, optimizer = fabric.setup(network, torch.optim.AdamW(groups, lr=config.lr, betas=(0.9, 0.95)))
        restore_optimizer(optimizer, moments)
        done = min(state.epoch * config.steps_per_epoch, config.max_steps)
        bar = tqdm(total=config.max_steps, initial=done, unit="step", disable=not progress)
        try:
            with bar:
                while state.epoch < config.epochs:
                    _epoch(fabric, wrapped, optimizer, train, judge, config, state, bar)
                    if path is not None:
                        save_checkpoint(path, state, network, optimizer, config=config, data=data)
        finally:
            if state.best:
                network.load_state_dict(state.best)
            network.eval()
    return History(pd.DataFrame(state.rows), state.best_epoch, state.best_loss, state.seed)


def next_base_loss(network: Any, windows: Tensor) -> Tensor:
    """Mean cross-entropy, in bits, of the next base; the embedding serves as the output layer too."""
    hidden = network(windows)[:, :-1]
    asked = predicted(windows)
    logits = hidden[asked].float() @ network.embedding.weight.T
    return functional.cross_entropy(logits, windows[:, 1:][asked].long()) / math.log(2)


def _epoch(
    fabric: Fabric,
    network: Any,
    optimizer: torch.optim.Optimizer,
    train: Windows,
    judge: Tensor,
    config: LanguageModelConfig,
    state: RunState,
    bar: tqdm,
) -> None:
    """Run the steps up to the next look at the validation windows."""
    network.train()
    first = state.epoch * config.steps_per_epoch
    steps = range(first, min(first + config.steps_per_epoch, config.max_steps))
    start, losses = time.perf_counter(), []
    for step in steps:
        windows = train.draw(config.batch_size, np.random.default_rng(mix_seed(state.seed, step)))
        optimizer.param_groups[0]["lr"] = optimizer.param_groups[1]["lr"] = config.learning_rate(step)
        bits = next_base_loss(network, windows.to(fabric.device))
        losses.append(_finite(bits.item(), step))
        optimizer.zero_grad()
        fabric.backward(bits)
        fabric.clip_gradients(network, optimizer, max_norm=config.grad_clip, error_if_nonfinite=False)
        optimizer.step()
        bar.update()
    seconds = time.perf_counter() - start
    network.eval()
    with torch.inference_mode():
        parts = [next_base_loss(network, part.to(fabric.device)).item() for part in judge.split(config.batch_size)]
    loss = _finite(float(np.mean(parts)), steps[-1])
    state.epoch += 1
    state.rows.append(
        {
            "epoch": state.epoch,
            "train_loss": float(np.mean(losses)),
            "validation_loss": loss,
            "lr": config.learning_rate(steps[-1]),
            "bases_per_second": len(steps) * config.batch_size * config.window / seconds,
        }
    )
    bar.set_postfix(bits=f"{loss:.4f}")
    logger.info("Step %d: %.4f bits per base.", steps[-1] + 1, loss)
    if loss < state.best_loss:
        own = network.module.state_dict()
        state.best_loss, state.best_epoch = loss, state.epoch
        state.best = {name: value.detach().clone() for name, value in own.items()}


def _check(network: HyenaDna, config: LanguageModelConfig, path: Path | None, processes: int, *, resume: bool) -> None:
    msg = None
    if config.window > network.config.l_max:
        msg = f"window={config.window} is more than the {network.config.l_max} bases that the model can read."
    elif processes > 1:
        msg = "The language model trains in one process; start it without torchrun."
    if msg is not None:
        raise InputError(msg)
    check_place(path, resume=resume)


def _finite(loss: float, step: int) -> float:
    if not math.isfinite(loss):
        msg = f"Training stopped: the loss of step {step} is {loss}. Try a lower lr or a longer warmup."
        raise TrainingError(msg)
    return loss
