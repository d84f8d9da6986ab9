"""Settings of the expression network and of its training."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dnaclip._errors import InputError
from dnaclip._validate import check_choice, check_count, check_share

__all__ = ["EXPRESSION_LOSSES", "VARIANTS", "ExpressionNetConfig"]

EXPRESSION_LOSSES = ("mse_pearson", "mse", "poisson", "poisson_nll", "pearson", "mixture")
VARIANTS = ("base", "loss_prediction", "experts", "ensemble")


@dataclass(frozen=True, kw_only=True)
class ExpressionNetConfig:
    """Settings of :class:`ExpressionNet` and :func:`dnaclip.train.fit_expression_net`.

    Parameters
    ----------
    hidden
        Width of both hidden layers.
    loss
        See :func:`expression_loss`.
    variant
        `"base"`; `"loss_prediction"`, with a head that predicts the squared error of each value; `"experts"`, whose second
        layer is a mixture of eight, of which two work for a gene; `"ensemble"`, which predicts with dropout, many times.
    n_passes
        Passes with dropout of `"ensemble"`.
    dropout, input_dropout
        Share of hidden values and of input values that are dropped in training.
    batch_size
        Genes per step, about.
    max_epochs
        Passes over the genes at most. The learning rate falls to zero along a cosine until there.
    patience
        Stop after so many epochs without a smaller error of the validation genes; `None` never stops early.
    lr
        Highest learning rate of AdamW, reached after the first epoch.
    weight_decay
        Weight decay of the weight matrices.
    pearson_weight
        Weight of the balanced Pearson loss in `"mse_pearson"`.
    grad_clip
        Largest norm of the gradient.

    Raises
    ------
    InputError
        A value is out of range.

    Examples
    --------
    >>> from dnaclip.models import ExpressionNetConfig
    >>> ExpressionNetConfig(loss="mixture", variant="experts").max_epochs
    11
    """

    hidden: int = 384
    loss: str = "mse_pearson"
    variant: str = "base"
    n_passes: int = 20
    dropout: float = 0.3
    input_dropout: float = 0.2
    batch_size: int = 512
    max_epochs: int = 11
    patience: int | None = 5
    lr: float = 3e-3
    weight_decay: float = 0.01
    pearson_weight: float = 0.3
    grad_clip: float = 10.0

    def __post_init__(self) -> None:
        check_choice("loss", self.loss, EXPRESSION_LOSSES)
        check_choice("variant", self.variant, VARIANTS)
        for name, least in {"hidden": 1, "n_passes": 2, "batch_size": 2, "max_epochs": 1, "patience": 1}.items():
            if not (name == "patience" and self.patience is None):
                check_count(name, getattr(self, name), least=least)
        for name in ("dropout", "input_dropout"):
            check_share(name, getattr(self, name))
        for name in ("lr", "grad_clip", "weight_decay", "pearson_weight"):
            value = getattr(self, name)
            if not (math.isfinite(value) and (value > 0 if name in ("lr", "grad_clip") else value >= 0)):
                msg = f"{name} must be a finite number above 0, got {value!r}."
                raise InputError(msg)
        if self.variant == "ensemble" and not self.dropout > 0:
            msg = "variant='ensemble' predicts with dropout: dropout must be above 0."
            raise InputError(msg)
