"""The loss of SigLIP: for every pair of a DNA and a text, do they belong to one gene or not."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from dnaclip.models._losses.checks import check_sides, false_negatives
from dnaclip.models._losses.tiles import TILED_FROM, TiledSigmoid

__all__ = ["siglip_loss"]


def siglip_loss(
    dna: Tensor, text: Tensor, logit_scale: Tensor | float, bias: Tensor | float, *, same: Tensor | None = None
) -> Tensor:
    r"""Sigmoid loss between two sides of the same genes.

    .. math::

        \mathcal{L} = -\frac{1}{n} \sum_{i=1}^{n} \sum_{j=1}^{n} \log \sigma\left(z_{ij} (t\, s_i^D \cdot s_j^T + b)\right),
        \quad z_{ij} = 1 \text{ for } i = j, \text{ else } -1

    This is the form of Zhai et al. The DNACLIP paper prints 0 for the label of a negative pair, with which a negative
    would not enter the gradient at all, and a sign that drives matched pairs apart.

    Parameters
    ----------
    dna, text
        Embeddings, (n, d), rows of length 1; row i of both belongs to one gene.
    logit_scale
        The scale :math:`t`; 10 is a good start.
    bias
        The bias :math:`b`, which training changes; -10 is a good start, since nearly all pairs are negative.
    same
        Integer group of each gene, (n,). Pairs within a group are left out: calling them negative would be false.

    Returns
    -------
    The loss, a scalar, in float32 also when mixed precision is on (float64 for float64 input).

    Raises
    ------
    InputError
        The two sides differ in shape, or hold fewer than two genes.

    References
    ----------
    Zhai et al. (2023), Sigmoid loss for language image pre-training, ICCV.

    Examples
    --------
    >>> import torch
    >>> from dnaclip.models import siglip_loss
    >>> round(siglip_loss(torch.eye(4), torch.eye(4), 0.0, 0.0).item(), 4)  # no information: 4 log(2)
    2.7726
    """
    check_sides(dna, text, same)
    with torch.autocast(dna.device.type, enabled=False):
        dtype = torch.promote_types(torch.promote_types(dna.dtype, text.dtype), torch.float32)
        scaled, text = logit_scale * dna.to(dtype), text.to(dtype)
        offset = torch.as_tensor(bias, dtype=dtype, device=dna.device)
        if len(dna) >= TILED_FROM:
            return TiledSigmoid.apply(scaled, text, offset, same)
        logits = scaled @ text.T + offset
        labels = 2 * torch.eye(len(dna), dtype=dtype, device=dna.device) - 1
        losses = -functional.logsigmoid(labels * logits)
        if same is not None:
            losses = losses.masked_fill(false_negatives(same), 0)
        return losses.sum() / len(dna)
