"""Fit a predictor of expression by name: ridge, network, what the network earns, and the intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnaclip._errors import InputError
from dnaclip.models._expression.config import ExpressionNetConfig
from dnaclip.models._expression.intervals import fit_intervals
from dnaclip.models._expression.kernel_ridge import GeneRidge
from dnaclip.models._expression.losses import NONNEGATIVE
from dnaclip.models._expression.model import NETWORK_OPTIONS, RIDGE_OPTIONS, ExpressionModel, split_level
from dnaclip.train._expression.loop import fit_expression_net

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["fit_expression_model"]

# Share of the training genes that a network is judged by when no validation genes are given.
HELD_OUT = 0.1


def fit_expression_model(
    vectors: np.ndarray,
    expression: np.ndarray,
    train: np.ndarray,
    validation: np.ndarray,
    *,
    method: str,
    options: Mapping[str, Any],
    seed: int,
    device: str = "auto",
    **run: Any,
) -> ExpressionModel:
    """Fit a method to genes.

    Parameters
    ----------
    vectors, expression
        Of all genes, (n, d) and (n, n_groups).
    train, validation
        Positions of training and validation genes. Without the latter a network holds out a tenth of training for itself.
    method, options
        See :class:`dnaclip.tl.ExpressionPredictor`.
    seed
        Of everything random.
    device
        Where the network trains.
    **run
        `checkpoint`, `resume` and `progress` of :func:`fit_expression_net`.

    Returns
    -------
    The model.
    """
    if len(train) < 3:
        msg = f"{len(train)} genes are left to train on; 3 is the least."
        raise InputError(msg)
    observed = expression[train].astype(np.float64)
    mean = observed.mean(axis=0)
    if method == "gene_mean":
        mean = np.full_like(mean, mean.mean())
    model = ExpressionModel(method, mean, seed=seed)
    if method in ("train_mean", "gene_mean"):
        model.intervals = fit_intervals(np.tile(mean, (len(train), 1)), observed)
        return model
    if method in ("ridge", "hybrid"):
        own = {name: value for name, value in options.items() if name in RIDGE_OPTIONS}
        model.ridge = GeneRidge(**own, rng=seed).fit(vectors[train], observed)
        model.intervals = fit_intervals(model.ridge.loo_, observed)
    if method in ("unicorn", "hybrid"):
        _add_network(model, vectors, expression, train, validation, options, device, run)
    return model


def _add_network(
    model: ExpressionModel,
    vectors: np.ndarray,
    expression: np.ndarray,
    train: np.ndarray,
    validation: np.ndarray,
    options: Mapping[str, Any],
    device: str,
    run: Mapping[str, Any],
) -> None:
    """Train the network, and weigh it by genes that neither of the two has seen."""
    inner = validation
    if not len(validation):
        drawn = np.random.default_rng([model.seed, 1]).random(len(train)).argsort()
        inner = np.sort(train[drawn[: max(1, round(HELD_OUT * len(train)))]])
    # The ridge has seen genes drawn from training, but not in the predictions that leave each of them out.
    ridge = np.zeros(expression.shape, np.float32)
    if model.ridge is not None:
        ridge[train] = model.ridge.loo_
        if len(validation):
            ridge[validation] = model.ridge.predict(vectors[validation])
    config = ExpressionNetConfig(**{name: value for name, value in options.items() if name in NETWORK_OPTIONS})
    model.residual = options.get("learns") == "residual"
    if model.residual and config.loss in NONNEGATIVE:
        msg = (
            f"loss={config.loss!r} is one of counts and cannot learn residuals. Use learns='expression' or loss='mse'."
        )
        raise InputError(msg)
    model.net, history = fit_expression_net(
        vectors,
        expression - ridge if model.residual else expression,
        train=np.setdiff1d(train, inner),
        validation=inner,
        config=config,
        rng=model.seed,
        device=device,
        **run,
    )
    model.net.cpu()
    model.history = history.table
    network, std = model.net.predict(vectors[inner], seed=model.seed)
    observed = expression[inner].astype(np.float64)
    if model.ridge is None:
        model.intervals = fit_intervals(network, observed, std=std)
        return
    model.weights, model.judged = _weigh(ridge[inner], network if model.residual else network - ridge[inner], observed)
    if model.weights.any():
        model.intervals = fit_intervals(model.mix(ridge[inner], network), observed)


def _weigh(ridge: np.ndarray, correction: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, pd.DataFrame]:
    """Return the weight of the correction in the level of genes and in their pattern, and a table of what it earned.

    The weight has the least squared error. It is 0 unless the error falls by more than one standard error over genes.
    """
    weights, rows = np.zeros(2), []
    for i, part in enumerate(("level", "pattern")):
        left, change = split_level(observed - ridge)[i], split_level(correction.astype(np.float64))[i]
        size = (change**2).sum()
        weight = float(np.clip((left * change).sum() / size, 0, 1)) if size > 0 else 0.0
        before, after = (left**2).mean(axis=1), ((left - weight * change) ** 2).mean(axis=1)
        gain = before - after
        if gain.mean() <= gain.std() / np.sqrt(len(gain)):
            weight, after = 0.0, before
        weights[i] = weight
        rows.append(
            {"part": part, "weight": weight, "mse_ridge": before.mean(), "mse": after.mean(), "n_genes": len(gain)}
        )
    return weights, pd.DataFrame(rows)
