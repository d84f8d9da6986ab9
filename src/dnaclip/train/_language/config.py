"""Settings of the pre-training of a DNA language model."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dnaclip._errors import InputError
from dnaclip._validate import check_count

__all__ = ["LanguageModelConfig"]


@dataclass(frozen=True, kw_only=True)
class LanguageModelConfig:
    """Settings of :func:`fit_hyenadna`.

    Parameters
    ----------
    window
        Bases read at once; at most the context of the model.
    batch_size
        Windows per step.
    max_steps
        Steps in all.
    steps_per_epoch
        Steps between two looks at the validation windows, after which the state is saved.
    validation_windows
        How many there are; the same at every look.
    lr
        Highest learning rate of AdamW, reached after `warmup` of all steps and left along a cosine, down to a tenth.
    warmup
        Share of the steps.
    weight_decay
        Decay of weight matrices.
    grad_clip
        Largest norm of the gradient.
    precision
        `"32-true"` or, on a CUDA device, `"bf16-mixed"`.

    Raises
    ------
    InputError
        A setting is out of range.

    Examples
    --------
    >>> from dnaclip.train import LanguageModelConfig
    >>> config = LanguageModelConfig(max_steps=1000)
    >>> config.epochs, config.learning_rate(50) == config.lr
    (5, True)
    """

    window: int = 1024
    batch_size: int = 32
    max_steps: int = 10_000
    steps_per_epoch: int = 200
    validation_windows: int = 256
    lr: float = 1e-3
    warmup: float = 0.05
    weight_decay: float = 0.1
    grad_clip: float = 1.0
    precision: str = "32-true"

    def __post_init__(self) -> None:
        """Check the settings."""
        for name, least in (
            ("window", 2),
            ("batch_size", 1),
            ("max_steps", 1),
            ("steps_per_epoch", 1),
            ("validation_windows", 1),
        ):
            check_count(name, getattr(self, name), least=least)
        for name in ("lr", "grad_clip"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                msg = f"LanguageModelConfig: {name}={getattr(self, name)!r} must be a number above 0."
                raise InputError(msg)
        if not 0 <= self.warmup < 1 or not 0 <= self.weight_decay < 1:
            msg = f"LanguageModelConfig: warmup={self.warmup!r} and weight_decay={self.weight_decay!r} must be from 0 to below 1."
            raise InputError(msg)

    @property
    def epochs(self) -> int:
        """How often the validation windows are looked at."""
        return math.ceil(self.max_steps / self.steps_per_epoch)

    def learning_rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        rising = self.warmup * self.max_steps
        if step < rising:
            return self.lr * (step + 1) / (rising + 1)
        progress = (step - rising) / max(self.max_steps - rising, 1)
        return self.lr * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * progress)))
