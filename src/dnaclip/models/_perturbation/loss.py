"""The terms of the perturbation VAE's loss."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from dnaclip.models._perturbation.cell_batch import CellBatch

__all__ = [
    "adversarial_vectors",
    "gaussian_kl",
    "gram_matrix",
    "linear_squared_error",
    "mutual_information",
    "reverse_gradient",
]


def gram_matrix(weight: Tensor) -> Tensor:
    """Return weight.T @ weight, (k, k), for a weight (n, k): three eighths are copied, because it is symmetric.

    Examples
    --------
    >>> import torch
    >>> from dnaclip.models._perturbation.loss import gram_matrix
    >>> gram_matrix(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[10., 14.],
            [14., 20.]])
    """
    gram = weight.new_empty(weight.shape[1], weight.shape[1])
    start = 0
    for columns in weight.tensor_split(4, dim=1):
        end = start + columns.shape[1]
        gram[start:end, start:] = columns.T @ weight[:, start:]
        gram[end:, start:end] = gram[start:end, end:].T
        start = end
    return gram


class _LinearSquaredError(torch.autograd.Function):
    @staticmethod
    @torch.amp.custom_fwd(device_type="cuda", cast_inputs=torch.float32)
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, offsets: Tensor, of_offset: Tensor, cells: CellBatch
    ) -> Tensor:
        images = hidden @ gram_matrix(weight)
        wanted = cells.times(weight) - of_offset @ (offsets.T @ weight)
        ctx.save_for_backward(hidden, weight, offsets, of_offset, images - wanted)
        ctx.cells = cells
        # What is left when the layer gives nothing: the cells minus their offsets.
        left = cells.sum_of_squares + of_offset.sum(0) @ offsets.square().sum(0)
        return ((images / 2 - wanted) * hidden).sum() + left / 2 - (cells.times(offsets) * of_offset).sum()

    @staticmethod
    @torch.amp.custom_bwd(device_type="cuda")
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, offsets, of_offset, residual = ctx.saved_tensors
        scaled, scaled_of = gradients[0] * hidden, gradients[0] * of_offset
        by_weight = ctx.cells.transposed_times(scaled)
        by_weight.addmm_(weight, gradients[0] * gram_matrix(hidden), beta=-1).addmm_(offsets, scaled_of.T @ hidden)
        by_offsets = weight @ (hidden.T @ scaled_of) + offsets @ (of_offset.T @ scaled_of)
        by_offsets -= ctx.cells.transposed_times(scaled_of)
        return gradients[0] * residual, by_weight, by_offsets, None, None


def linear_squared_error(
    hidden: Tensor, weight: Tensor, offsets: Tensor, of_offset: Tensor, cells: CellBatch
) -> Tensor:
    r"""Half the squared error of a linear layer against sparse cells, without ever forming the layer's output.

    .. math:: \tfrac12 \lVert H W^T - Y \rVert^2
        = \tfrac12 \langle H W^T W, H \rangle - \langle Y W, H \rangle + \tfrac12 \lVert Y \rVert^2,
        \quad Y = X - C O^T

    The output is as wide as there are genes and dense; :math:`W^T W` is as wide as the hidden layer, and the products
    with X cost as little as X is full. Exact, up to rounding, in value and gradients.

    Parameters
    ----------
    hidden
        H, (n, k).
    weight
        W, (n_genes, k).
    offsets
        O, (n_genes, m): what is added to the output of the layer, the bias and more.
    of_offset
        C, (n, m): 1 where a cell has an offset, each cell has one.
    cells
        X.

    Returns
    -------
    The loss, a scalar float32, with gradients by `hidden`, `weight` and `offsets`.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from dnaclip.models._perturbation.cell_batch import CellBatch
    >>> from dnaclip.models._perturbation.loss import linear_squared_error
    >>> cells = CellBatch(np.array([[1.0, 0.0, 3.0]]), torch.device("cpu"))
    >>> one = torch.ones(1, 1)
    >>> linear_squared_error(one, torch.ones(3, 1), torch.zeros(3, 1), one, cells).item()  # (0 + 1 + 4) / 2
    2.5
    """
    return _LinearSquaredError.apply(hidden, weight, offsets, of_offset, cells)


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Divergence of N(mean, variance) from N(0, 1), summed over rows and columns.

    Examples
    --------
    >>> import torch
    >>> from dnaclip.models._perturbation.loss import gaussian_kl
    >>> gaussian_kl(torch.tensor([[0.0, 2.0]]), torch.zeros(1, 2)).item()
    2.0
    """
    return (mean.square() + log_variance.exp() - log_variance - 1).sum() / 2


def mutual_information(joint: Tensor, marginal: Tensor, n: int) -> Tensor:
    r"""Donsker-Varadhan lower bound of a mutual information, :math:`E[T] - \log E[e^{T'}]`.

    Parameters
    ----------
    joint
        What the statistics network T gives for pairs that belong together, (n,), or sums of that, (w,).
    marginal
        What it gives for pairs drawn at random, (n,), or the log of sums of its exponential, (w,).
    n
        Number of pairs of each kind.

    References
    ----------
    Belghazi et al. (2018), Mutual information neural estimation, ICML.

    Examples
    --------
    >>> import torch
    >>> from dnaclip.models._perturbation.loss import mutual_information
    >>> mutual_information(torch.ones(4), torch.zeros(4), 4).item()
    1.0
    """
    return joint.sum() / n - (marginal.logsumexp(0) - math.log(n))


class _ReverseGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, scale: float) -> Tensor:
        ctx.scale = scale
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.scale * gradients[0], None


def reverse_gradient(values: Tensor, scale: float) -> Tensor:
    """Return the values as they are; on the way back their gradient is multiplied by `-scale`.

    What stands after it learns to lower the loss, and what stands before it to raise it.
    """
    return _ReverseGradient.apply(values, scale)


def adversarial_vectors(vectors: Tensor, gradient: Tensor, epsilon: float) -> Tensor:
    """Move each vector by `epsilon` times its length along the signs of the gradient: where the loss grows fastest.

    Parameters
    ----------
    vectors
        (n, d).
    gradient
        Gradient of the loss by the vectors, (n, d).
    epsilon
        Length of a step in each coordinate, relative to the length of the vector. A vector of zeros stays.

    References
    ----------
    Goodfellow et al. (2015), Explaining and harnessing adversarial examples, ICLR.

    Examples
    --------
    >>> import torch
    >>> from dnaclip.models._perturbation.loss import adversarial_vectors
    >>> adversarial_vectors(torch.tensor([[3.0, 4.0], [0.0, 0.0]]), torch.tensor([[1.0, -9.0], [1.0, 1.0]]), 0.1)
    tensor([[3.5000, 3.5000],
            [0.0000, 0.0000]])
    """
    return vectors + epsilon * vectors.norm(dim=1, keepdim=True) * gradient.sign()
