"""The training loop: AdamW on the contrastive loss, stopped by the validation loss, best weights kept."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import Tensor
from tqdm.auto import tqdm

from dnaclip._errors import TrainingError
from dnaclip._validate import as_generator, torch_seed
from dnaclip.models import ClipModel
from dnaclip.models._seed import mix_seed, seeded
from dnaclip.train._checkpoint import RunState, load_checkpoint, locked, restore_optimizer, save_checkpoint
from dnaclip.train._config import TrainConfig
from dnaclip.train._epoch import check_finite, run_epoch
from dnaclip.train._evaluate import embed_feed, validation_loss
from dnaclip.train._log import open_log
from dnaclip.train._processes import check_alike, launch
from dnaclip.train._setup import check_fit, encoder_weights, load_weights, set_up

if TYPE_CHECKING:
    import os

    import numpy as np
    from lightning_fabric import Fabric

    from dnaclip.train._feed import Feed

__all__ = ["Callback", "History", "train_clip"]

logger = logging.getLogger(__name__)

# Called after each epoch with the model, in evaluation mode, and the row of the history, to which it may add numbers.
Callback = Callable[[ClipModel, dict[str, float]], None]


@dataclass(frozen=True)
class History:
    """What happened in a run.

    Parameters
    ----------
    table
        One row per epoch, from epoch 0, the untrained model: `epoch`, `train_loss`, `validation_loss`, `logit_scale`,
        `lr` (of the last step), `pairs_per_second`, and what callbacks added.
    best_epoch
        Epoch with the lowest validation loss, whose weights the model has now.
    best_loss
        Its validation loss.
    seed
        The seed that the run's `rng` gave.

    Examples
    --------
    >>> import pandas as pd
    >>> from dnaclip.train import History
    >>> table = pd.DataFrame({"epoch": [0, 1], "train_loss": [None, 0.5], "validation_loss": [2.0, 0.7]})
    >>> print(History(table, best_epoch=1, best_loss=0.7, seed=0).table.to_csv(index=False))
    epoch,train_loss,validation_loss
    0,,2.0
    1,0.5,0.7
    <BLANKLINE>
    """

    table: pd.DataFrame
    best_epoch: int
    best_loss: float
    seed: int


def train_clip(
    model: ClipModel,
    train: Feed,
    validation: Feed,
    config: TrainConfig | None = None,
    *,
    rng: int | np.random.Generator | None = 0,
    device: str | torch.device = "auto",
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    log: str | os.PathLike[str] | None = None,
    callbacks: Sequence[Callback] = (),
    progress: bool = True,
) -> History:
    """Train the towers of a CLIP model in place, and leave it with its best weights, on the training device.

    Stops early when the validation loss no longer falls. Order of genes, dropout and augmentation follow from `rng` and
    the epoch alone, so on a CPU a resumed run equals an uninterrupted one bit by bit. Global random state stays as it was.

    Under `torchrun` the processes share every batch, and each gene is told apart from all others of the batch, as in one
    process: without dropout, which differs between processes, the weights come out the same up to rounding. The first
    process alone validates, calls callbacks, writes the checkpoint and shows the bar.

    Parameters
    ----------
    model
        The model.
    train
        Genes to learn from.
    validation
        Genes for early stopping, with the same modalities.
    config
        Settings; `None` takes the defaults.
    rng
        Seed or generator.
    device
        `"auto"`, `"cpu"`, `"cuda"` or `"cuda:1"`. Of several processes on CUDA each takes its own device.
    checkpoint
        File that holds the state of the run after each epoch (safetensors); `None` writes nothing.
    resume
        Go on from `checkpoint` when it is there. Without it a checkpoint that is there already is an error.
    log
        File that holds the history, with a row more after each epoch, if the name ends in `.csv`. Any other name is a folder
        that gets `history.csv` and events for TensorBoard (`pip install 'dnaclip[tensorboard]'`). What is there is replaced;
        `None` writes nothing.
    callbacks
        Called after each epoch as `callback(model, row)`; may add numbers to the row of the history.
    progress
        Whether to show a progress bar.

    Returns
    -------
    The history.

    Raises
    ------
    InputError
        Settings, data, model and checkpoint do not fit together; raised before anything is trained or written.
    MissingDependencyError
        `log` is a folder, and tensorboard is not installed.
    TrainingError
        A loss is NaN or infinite, or the device's memory is full. The model has its best weights so far.

    Examples
    --------
    >>> import torch
    >>> from dnaclip.models import ClipModel, Projector, ProjectorConfig
    >>> from dnaclip.train import Feed, TrainConfig, train_clip
    >>> genes = torch.randn(96, 8, generator=torch.Generator().manual_seed(0))
    >>> data = {"dna": genes, "text": genes.flip(1)}
    >>> model = ClipModel({side: Projector(ProjectorConfig(in_dim=8, out_dim=8)) for side in data})
    >>> history = train_clip(
    ...     model,
    ...     Feed(data, rows=range(64)),
    ...     Feed(data, rows=range(64, 96)),
    ...     TrainConfig(batch_size=32, max_epochs=3, lr=0.01),
    ...     device="cpu",
    ...     progress=False,
    ... )
    >>> list(history.table["epoch"])
    [0, 1, 2, 3]
    """
    config = config or TrainConfig()
    path = None if checkpoint is None else Path(checkpoint)
    fabric, target, processes = launch(device, config.precision)
    check_fit(model, train, validation, config, target, path, processes, resume=resume)
    seed = torch_seed(as_generator(rng))
    with locked(path if fabric.is_global_zero else None):
        state = RunState(seed)
        moments: dict[str, Tensor] = {}
        data = {}
        if path is not None or processes.count > 1:
            data = {"training data": train.fingerprint(), "validation data": validation.fingerprint()}
            if weights_of_encoders := encoder_weights(model):
                data["trained encoder weights"] = str(sum(one.requires_grad for one in weights_of_encoders))
        if path is not None and path.exists():
            state, weights, moments = load_checkpoint(
                path, seed=None if rng is None else seed, config=config, data=data
            )
            load_weights(model, weights, path)
            logger.info("Going on from %s after epoch %d.", path, state.epoch)
        check_alike(processes, {**asdict(config), **data, "rng": state.seed, "checkpoint": state.epoch})
        wrapped, optimizer = set_up(model, config, fabric)
        restore_optimizer(optimizer, moments)
        train, validation = train.to(target), validation.to(target)
        if not state.rows:
            state.best = {name: value.detach().clone() for name, value in model.state_dict().items()}

        pairs = len(train) // config.batch_size * config.batch_size
        bar = tqdm(
            total=pairs * config.max_epochs,
            initial=pairs * max(state.epoch - 1, 0),
            unit="pair",
            unit_scale=True,
            disable=not (progress and fabric.is_global_zero),
        )
        try:
            with (
                bar,
                open_log(Path(log) if log is not None and fabric.is_global_zero else None, state.epoch) as write_log,
            ):
                while not state.finished(config):
                    row: dict[str, float] = {"epoch": state.epoch}
                    if state.epoch > 0:  # epoch 0 only measures the untrained model
                        start = time.perf_counter()
                        # Dropout draws from torch's default generators: seeded for this epoch, and put back after it.
                        other = (processes.rank,) if processes.rank else ()
                        with seeded(mix_seed(state.seed, state.epoch, 2, *other), target):
                            row["train_loss"] = run_epoch(
                                fabric, wrapped, model, optimizer, train, config, state, bar, processes
                            )
                        row["lr"] = optimizer.param_groups[0]["lr"]
                        row["pairs_per_second"] = pairs / (time.perf_counter() - start)
                    row = _validate(fabric, model, wrapped, validation, config, state, row, callbacks)
                    bar.set_postfix(epoch=state.epoch, validation=f"{row['validation_loss']:.4f}")
                    state.epoch += 1
                    write_log(
                        state.rows
                    )  # before the checkpoint: a run that is killed between them writes the row again
                    if path is not None and fabric.is_global_zero:
                        save_checkpoint(path, state, model, optimizer, config=config, data=data)
        except torch.OutOfMemoryError as error:
            msg = (
                f"The memory of {target} is full in epoch {state.epoch} with batch_size={config.batch_size} and "
                f"validation_block={config.validation_block}. Lower them, set micro_batch, or keep the data in float16."
            )
            raise TrainingError(msg) from error
        finally:
            # Also after an error or an interrupt: whoever holds the model gets the best of the run.
            model.load_state_dict(state.best)
            model.eval()
    fabric.barrier()  # the checkpoint is there for all of them
    logger.info(
        "Lowest validation loss %.4f in epoch %d of %d.", state.best_loss, state.best_epoch, len(state.rows) - 1
    )
    return History(pd.DataFrame(state.rows), state.best_epoch, state.best_loss, state.seed)


def _validate(
    fabric: Fabric,
    model: ClipModel,
    wrapped: torch.nn.Module,
    feed: Feed,
    config: TrainConfig,
    state: RunState,
    row: dict[str, float],
    callbacks: Sequence[Callback],
) -> dict[str, float]:
    """Measure the model, return the whole row of the history, and keep the weights when they are the best so far."""
    if fabric.is_global_zero:
        same = None if feed.same is None else feed.same[feed.rows]
        # As many genes at a time as in training, where they fit into memory.
        embeddings = embed_feed(wrapped, feed, batch_size=min(config.micro_batch or config.batch_size, 4096))
        loss = validation_loss(model, embeddings, same=same, block=config.validation_block)
        row |= {"validation_loss": loss, "logit_scale": model.logit_scale.item()}
    # What the first process measured holds for all, so that they stop at the same epoch, whatever their last bits are.
    row = fabric.broadcast(row)
    loss = row["validation_loss"]
    check_finite(loss, f"validation loss after epoch {state.epoch}", model, state)
    if fabric.is_global_zero:
        for callback in callbacks:
            callback(model.eval(), row)
    row = fabric.broadcast(row)
    state.remember({key: value if key == "epoch" else float(value) for key, value in row.items()}, model)
    return row
