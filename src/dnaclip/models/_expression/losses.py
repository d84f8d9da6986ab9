"""Losses of predicted against observed expression of a batch of genes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from dnaclip._validate import check_choice
from dnaclip.models._expression.config import EXPRESSION_LOSSES

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["NONNEGATIVE", "balanced_pearson", "expression_loss"]

# Losses of counts: what they compare must not be negative.
NONNEGATIVE = ("poisson", "poisson_nll", "mixture")
TINY = 1e-8


def balanced_pearson(predicted: Tensor, observed: Tensor) -> Tensor:
    r"""Balance of the correlations over genes and over groups :cite:p:`LiuUnicorn2025`: 0 for perfect, 2 for none, 4 for the worst.

    With :math:`r_t` the Pearson correlation over the genes of a batch in group t, and :math:`q_b` that over the groups of
    gene b, it is :math:`(1 - \bar r) + (1 - \bar q)`. A gene or group without variation counts as uncorrelated.

    Parameters
    ----------
    predicted, observed
        (n_genes, n_groups).

    Examples
    --------
    >>> import torch
    >>> from dnaclip.models import balanced_pearson
    >>> observed = torch.tensor([[0.0, 1.0, 3.0], [2.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    >>> round(balanced_pearson(observed, observed).item(), 4), round(balanced_pearson(-observed, observed).item(), 4)
    (0.0, 4.0)
    """
    parts = []
    for axis in (0, 1):
        one, other = predicted - predicted.mean(axis, keepdim=True), observed - observed.mean(axis, keepdim=True)
        parts.append(1 - functional.cosine_similarity(one, other, dim=axis, eps=TINY).mean())
    return parts[0] + parts[1]


def expression_loss(predicted: Tensor, observed: Tensor, loss: str = "mse", *, pearson_weight: float = 0.3) -> Tensor:
    r"""Return the loss of a batch.

    Parameters
    ----------
    predicted, observed
        (n_genes, n_groups).
    loss
        - `"mse"`: mean squared error.
        - `"pearson"`: :func:`balanced_pearson`.
        - `"mse_pearson"`: the first plus `pearson_weight` times the second.
        - `"poisson"`: half the Poisson deviance, :math:`\hat y - y + y \log(y / \hat y)`, zero for a perfect prediction.
        - `"poisson_nll"`: :math:`\hat y - y \log \hat y`, the same but for what does not hang on the prediction.
        - `"mixture"`: `pearson` + `poisson_nll` + the smooth absolute error :cite:p:`LiuUnicorn2025`.
    pearson_weight
        See above.

    Raises
    ------
    InputError
        The loss is not known.

    Examples
    --------
    >>> import torch
    >>> from dnaclip.models import expression_loss
    >>> expression_loss(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 2.0]]), "mse")
    tensor(0.5000)
    """
    check_choice("loss", loss, EXPRESSION_LOSSES)
    if loss == "mse":
        return functional.mse_loss(predicted, observed)
    if loss == "pearson":
        return balanced_pearson(predicted, observed)
    if loss == "mse_pearson":
        return functional.mse_loss(predicted, observed) + pearson_weight * balanced_pearson(predicted, observed)
    likelihood = (predicted - observed * torch.log(predicted + TINY)).mean()
    if loss == "poisson":
        return likelihood + (torch.special.xlogy(observed, observed) - observed).mean()
    if loss == "poisson_nll":
        return likelihood
    return balanced_pearson(predicted, observed) + likelihood + functional.smooth_l1_loss(predicted, observed)
