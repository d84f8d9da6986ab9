"""Settings of the perturbation VAE and of its training."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dnaclip._errors import InputError
from dnaclip._validate import check_count

__all__ = ["PerturbationVaeConfig"]


@dataclass(frozen=True, kw_only=True)
class PerturbationVaeConfig:
    """Settings of :class:`PerturbationVae` and :func:`dnaclip.train.fit_vae`.

    Parameters
    ----------
    hidden
        Width of both hidden layers of every network.
    latent
        Dimensions of the latent space.
    batch_size
        Cells per step, about: an epoch is cut into steps of nearly equal size.
    max_epochs
        Passes over the cells at most. The learning rate falls to zero along a cosine until there.
    patience
        Stop after so many epochs without a better prediction of the validation conditions; `None` never stops early.
    min_validation
        Validation conditions that it takes to choose an epoch by. With fewer the choice would be one of noise: their scores
        are recorded, and the last weights are kept.
    lr
        Highest learning rate of Adam, reached after the first epoch.
    mine_weight_decay
        Weight decay of the statistics network.
    mi_weight
        Weight of the mutual information between a cell's basal state and its perturbation; 0 leaves it out.
    kl_weight
        Weight of the divergence of the basal states from a standard normal distribution.
    vector_weight, context_weight, target_weight
        Weights of rebuilding the perturbation vectors and the context vectors, and of the target-gene head.
    epsilon
        Size of the adversarial step in each coordinate of a perturbation vector, relative to its length.
    grad_clip
        Largest norm of the gradient; `None` lets it be.

    Raises
    ------
    InputError
        A value is out of range.

    Examples
    --------
    >>> from dnaclip.models import PerturbationVaeConfig
    >>> PerturbationVaeConfig(max_epochs=60).latent
    30
    """

    hidden: int = 512
    latent: int = 30
    batch_size: int = 500
    max_epochs: int = 100
    patience: int | None = 30
    min_validation: int = 10
    lr: float = 5e-4
    mine_weight_decay: float = 1e-4
    mi_weight: float = 200.0
    kl_weight: float = 1.0
    vector_weight: float = 1.0
    context_weight: float = 5.0
    target_weight: float = 10.0
    epsilon: float = 1e-3
    grad_clip: float | None = 100.0

    def __post_init__(self) -> None:
        counts = {"hidden": 1, "latent": 1, "batch_size": 2, "max_epochs": 1, "patience": 1, "min_validation": 1}
        for name, least in counts.items():
            if not (name == "patience" and self.patience is None):
                check_count(name, getattr(self, name), least=least)
        weights = [name for name in self.__dataclass_fields__ if name.endswith("_weight")]
        for name in ("lr", "grad_clip", "mine_weight_decay", "epsilon", *weights):
            value = getattr(self, name)
            if value is None and name == "grad_clip":
                continue
            above_zero = name in ("lr", "grad_clip")
            if not (math.isfinite(value) and (value > 0 if above_zero else value >= 0)):
                msg = f"{name} must be a finite number {'above' if above_zero else 'of at least'} 0, got {value!r}."
                raise InputError(msg)
