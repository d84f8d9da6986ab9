"""A fitted predictor of expression, as arrays: ridge, network, what each weighs, and how sure they are."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnaclip._errors import InputError
from dnaclip._validate import check_choice
from dnaclip.models._expression.config import ExpressionNetConfig
from dnaclip.models._expression.kernel_ridge import GeneRidge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnaclip.models._expression.intervals import Intervals
    from dnaclip.models._expression.net import ExpressionNet

__all__ = ["EXPRESSION_METHODS", "LEARNS", "ExpressionModel", "check_expression_options", "split_level"]

EXPRESSION_METHODS = ("hybrid", "ridge", "unicorn", "train_mean", "gene_mean")
LEARNS = ("expression", "residual")
RIDGE_OPTIONS = tuple(name for name in inspect.signature(GeneRidge).parameters if name != "rng")
NETWORK_OPTIONS = tuple(ExpressionNetConfig.__dataclass_fields__)


def check_expression_options(method: str, options: Mapping[str, Any]) -> None:
    """Raise when a method does not know an option, or cannot use its value."""
    ridge = RIDGE_OPTIONS if method in ("hybrid", "ridge") else ()
    network = NETWORK_OPTIONS if method in ("hybrid", "unicorn") else ()
    known = [*ridge, *network, *(["learns"] if method == "hybrid" else [])]
    unknown = [name for name in options if name not in known]
    if unknown:
        msg = f"{unknown[0]!r} is no option of method {method!r}. Its options are: {', '.join(known) or 'none'}."
        raise InputError(msg)
    GeneRidge(**{name: value for name, value in options.items() if name in ridge})
    ExpressionNetConfig(**{name: value for name, value in options.items() if name in network})
    check_choice("learns", options.get("learns", LEARNS[0]), LEARNS)


def split_level(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean over groups of each gene (n, 1), and what the groups add to it (n, n_groups)."""
    level = values.mean(axis=1, keepdims=True)
    return level, values - level


@dataclass(eq=False)
class ExpressionModel:
    """What was learned from genes.

    Parameters
    ----------
    method
        Name of the method.
    mean
        Mean expression of the training genes in each group, (n_groups,).
    ridge
        The ridge, if there is one.
    net
        The network, if there is one.
    residual
        Whether the network learned what the ridge leaves over.
    weights
        What the network weighs in the level of a gene and in its pattern over groups, (2,).
    intervals
        How wide the errors are.
    judged
        How the parts did on validation genes.
    history
        Losses of the network by epoch.
    seed
        Seed of dropout in prediction.
    """

    method: str
    mean: np.ndarray
    ridge: GeneRidge | None = None
    net: ExpressionNet | None = None
    residual: bool = False
    weights: np.ndarray = field(default_factory=lambda: np.zeros(2))
    intervals: Intervals | None = None
    judged: pd.DataFrame = field(default_factory=pd.DataFrame)
    history: pd.DataFrame = field(default_factory=pd.DataFrame)
    seed: int = 0

    def predict(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return expression, float32 (k, n_groups), and the standard deviation of its error where the method gives one."""
        if self.net is None or (self.ridge is not None and not self.weights.any()):
            return self.without_network(vectors), None
        network, std = self.net.predict(vectors, seed=self.seed)
        if self.ridge is None:
            return network, std
        return self.mix(self.ridge.predict(vectors), network), None

    def bounds(
        self, predicted: np.ndarray, std: np.ndarray | None, *, coverage: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return lower and upper bounds of what :meth:`predict` gave, (k, n_groups) each."""
        if self.intervals is None:
            msg = "This model was not calibrated, so it has no intervals."
            raise InputError(msg)
        return self.intervals.bounds(predicted, coverage=coverage, std=std)

    def without_network(self, vectors: np.ndarray) -> np.ndarray:
        """Return what the ridge predicts, or the mean."""
        if self.ridge is not None:
            return self.ridge.predict(vectors)
        return np.tile(self.mean.astype(np.float32), (len(vectors), 1))

    def mix(self, ridge: np.ndarray, network: np.ndarray) -> np.ndarray:
        """Add to the ridge as much of the network's correction as it weighs."""
        level, pattern = split_level(network if self.residual else network - ridge)
        return (ridge + self.weights[0] * level + self.weights[1] * pattern).astype(np.float32)

    def gradient(self, vector: np.ndarray) -> np.ndarray:
        """Return how the expression in each group changes with each dimension of one vector, (n_groups, d)."""
        ridge = np.zeros((len(self.mean), len(vector))) if self.ridge is None else self.ridge.gradient(vector)
        if self.net is None or (self.ridge is not None and not self.weights.any()):
            return ridge
        network = self._network_gradient(vector)
        if self.ridge is None:
            return network
        level, pattern = split_level((network if self.residual else network - ridge).T)
        return ridge + (self.weights[0] * level + self.weights[1] * pattern).T

    def _network_gradient(self, vector: np.ndarray) -> np.ndarray:
        import torch

        net = self.net
        if net is None:
            msg = f"Method {self.method!r} has no network."
            raise InputError(msg)
        x = torch.tensor(vector[None], dtype=torch.float32, device=net.centre.device)
        # The same for every variant: dropout is off.
        return torch.autograd.functional.jacobian(net.eval(), x)[0, :, 0].cpu().numpy()
