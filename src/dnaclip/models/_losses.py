"""Contrastive losses: pull the two sides of a gene together, push those of different genes apart."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dnaclip._errors import InputError
from dnaclip._validate import check_choice

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["LOSSES", "clip_loss", "multimodal_loss"]


def clip_loss(dna: Tensor, text: Tensor, logit_scale: Tensor | float, *, same: Tensor | None = None) -> Tensor:
    r"""Symmetric InfoNCE loss of CLIP between two sides of the same genes.

    .. math::

        \mathcal{L} = -\frac{1}{2n} \sum_{i=1}^{n} \left(
            \log \frac{e^{t\, s_i^D \cdot s_i^T}}{\sum_{j=1}^{n} e^{t\, s_i^D \cdot s_j^T}} +
            \log \frac{e^{t\, s_i^D \cdot s_i^T}}{\sum_{j=1}^{n} e^{t\, s_j^D \cdot s_i^T}} \right)

    The first term finds the text of a gene from its DNA, the second the DNA from its text. The scale :math:`t`
    *multiplies* the similarity: it is the inverse of what other authors call the temperature.

    Parameters
    ----------
    dna
        Embeddings of one side, (n, d), rows of length 1.
    text
        Embeddings of the other side, (n, d), rows of length 1; row i belongs to the same gene as row i of `dna`.
    logit_scale
        The scale :math:`t` itself, not its logarithm.
    same
        Integer group of each gene, (n,). Two genes of one group, such as genes with the very same text, are not told
        apart: the pair is left out of both denominators, since calling it a negative would be false.

    Returns
    -------
    The loss, a scalar, in float32 also when mixed precision is on (float64 for float64 input).

    Raises
    ------
    InputError
        The two sides differ in shape, or hold fewer than two genes.

    References
    ----------
    Radford et al. (2021), Learning transferable visual models from natural language supervision, ICML.

    Examples
    --------
    >>> import torch
    >>> from dnaclip.models import clip_loss
    >>> clip_loss(torch.eye(4), torch.eye(4), 100.0).item()
    0.0
    >>> round(clip_loss(torch.eye(4), torch.eye(4), 0.0).item(), 4)  # no information: log(4)
    1.3863
    """
    if dna.ndim != 2 or dna.shape != text.shape or len(dna) < 2:
        msg = (
            f"A contrastive loss needs two matrices of one shape (n, d) with n of at least 2, got {tuple(dna.shape)} and "
            f"{tuple(text.shape)}: with a single gene there is nothing to tell it apart from."
        )
        raise InputError(msg)
    # bfloat16 keeps 8 bits of a logit near 100: differences below 0.5 would be lost, so the loss never runs in it.
    with torch.autocast(dna.device.type, enabled=False):
        dtype = torch.promote_types(torch.promote_types(dna.dtype, text.dtype), torch.float32)
        scaled, text = logit_scale * dna.to(dtype), text.to(dtype)
        matched = (scaled * text).sum(1)
        logits = scaled @ text.T
        if same is not None:
            logits = logits.masked_fill(_false_negatives(same, len(dna)), -torch.inf)
        return (logits.logsumexp(1) + logits.logsumexp(0) - 2 * matched).mean() / 2


def _false_negatives(same: Tensor, n: int) -> Tensor:
    """Mark the pairs i != j of one group, bool (n, n)."""
    if same.shape != (n,) or same.is_floating_point():
        msg = f"same must hold one integer group per gene, shape ({n},), got {same.dtype} of shape {tuple(same.shape)}."
        raise InputError(msg)
    return (same[:, None] == same[None, :]).fill_diagonal_(fill_value=False)


# The one place where a loss gets its name: `ClipModel(loss=...)` looks it up here.
LOSSES: dict[str, Callable[..., Tensor]] = {"clip": clip_loss}


def multimodal_loss(
    embeddings: Mapping[str, Tensor], logit_scale: Tensor | float, *, loss: str = "clip", same: Tensor | None = None
) -> Tensor:
    """Sum a loss over every pair of modalities.

    Parameters
    ----------
    embeddings
        Modality to embeddings, each (n, d) with rows of length 1 and genes in one order.
    logit_scale
        What similarities are multiplied by.
    loss
        A name in `LOSSES`.
    same
        Integer group of each gene, (n,), as in :func:`clip_loss`.

    Returns
    -------
    The sum, a scalar; with two modalities just the loss between them.

    Raises
    ------
    InputError
        Fewer than two modalities, or a loss that is not in `LOSSES`.

    Examples
    --------
    >>> import torch
    >>> from dnaclip.models import multimodal_loss
    >>> sides = {"dna": torch.eye(4), "text": torch.eye(4), "protein": torch.eye(4)}
    >>> round(multimodal_loss(sides, 0.0).item(), 4)  # three pairs of log(4)
    4.1589
    """
    check_choice("loss", loss, LOSSES)
    if len(embeddings) < 2:
        msg = f"A contrastive loss compares modalities: at least two are needed, got {list(embeddings)}."
        raise InputError(msg)
    pairs = combinations(embeddings.values(), 2)
    return torch.stack([LOSSES[loss](one, other, logit_scale, same=same) for one, other in pairs]).sum()
