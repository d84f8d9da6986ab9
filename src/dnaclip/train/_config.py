"""Settings of a training run, and the learning rate that follows from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from dnaclip._errors import InputError
from dnaclip._validate import check_choice

__all__ = ["TrainConfig", "learning_rate"]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Settings of :func:`train_clip`.

    Parameters
    ----------
    batch_size
        Genes per step: every other gene of the batch is a negative, so this changes the task and not only the speed.
    max_epochs
        Passes over the data at most.
    patience
        Stop after so many epochs without a lower validation loss; `None` never stops early.
    lr
        Highest learning rate of AdamW.
    encoder_lr
        The same for encoders that are fine-tuned (:class:`~dnaclip.models.EncoderTower`); `None` takes a tenth of `lr`.
    weight_decay
        Decay of weight matrices; biases, normalisation and the logit scale are left alone.
    warmup_epochs
        Epochs, or parts of one, over which the learning rate rises from zero.
    schedule
        What the learning rate does after that: fall to zero along a cosine until `max_epochs`, or stay.
    grad_clip
        Largest norm of the gradient; `None` lets it be.
    precision
        `"32-true"`, or `"bf16-mixed"` on a CUDA device (the loss stays in float32).
    micro_batch
        Genes that the towers hold at a time, of each process: for batches larger than memory. The loss still sees the
        whole batch; the price is a second forward pass. `None` embeds the batch as a whole.
    validation_block
        The validation loss has the genes of one block as candidates; `None` takes the whole validation set as one.
        Losses compare only at equal block size.

    Raises
    ------
    InputError
        A value is out of range.

    Examples
    --------
    >>> from dnaclip.train import TrainConfig
    >>> TrainConfig(batch_size=256, max_epochs=20).patience
    10
    """

    batch_size: int = 1024
    max_epochs: int = 100
    patience: int | None = 10
    lr: float = 1e-3
    encoder_lr: float | None = None
    weight_decay: float = 0.01
    warmup_epochs: float = 1.0
    schedule: Literal["cosine", "constant"] = "cosine"
    grad_clip: float | None = 1.0
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    micro_batch: int | None = None
    validation_block: int | None = 4096

    def __post_init__(self) -> None:
        check_choice("schedule", self.schedule, ("cosine", "constant"))
        check_choice("precision", self.precision, ("32-true", "bf16-mixed"))
        lowest = {"batch_size": 2, "max_epochs": 1, "patience": 1, "micro_batch": 1, "validation_block": 2}
        for name, low in lowest.items():
            value = getattr(self, name)
            optional = name in ("patience", "micro_batch", "validation_block")
            if not (value is None and optional) and (not isinstance(value, int) or value < low):
                msg = f"TrainConfig: {name} must be a whole number of at least {low}{' or None' * optional}, got {value!r}."
                raise InputError(msg)
        for name in ("lr", "encoder_lr", "weight_decay", "warmup_epochs", "grad_clip"):
            value = getattr(self, name)
            above_zero = name in ("lr", "encoder_lr", "grad_clip")
            if value is None and name in ("encoder_lr", "grad_clip"):
                continue
            if not (math.isfinite(value) and (value > 0 if above_zero else value >= 0)):
                msg = f"TrainConfig: {name} must be a finite number {'above' if above_zero else 'of at least'} 0, got {value!r}."
                raise InputError(msg)


def learning_rate(config: TrainConfig, epochs_done: float) -> float:
    """Learning rate at a point of the run, counted in epochs with fractions.

    Examples
    --------
    >>> from dnaclip.train._config import TrainConfig, learning_rate
    >>> config = TrainConfig(lr=0.1, warmup_epochs=2, max_epochs=10)
    >>> [round(learning_rate(config, epoch), 3) for epoch in (0, 1, 2, 6, 10)]
    [0.0, 0.05, 0.1, 0.05, 0.0]
    """
    if epochs_done < config.warmup_epochs:
        return config.lr * epochs_done / config.warmup_epochs
    if config.schedule == "constant":
        return config.lr
    left = config.max_epochs - config.warmup_epochs
    share = min((epochs_done - config.warmup_epochs) / left, 1.0) if left > 0 else 0.0
    return config.lr * (1 + math.cos(math.pi * share)) / 2
