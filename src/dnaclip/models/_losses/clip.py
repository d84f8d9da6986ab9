"""The loss of CLIP: find a gene's text from its DNA, and its DNA from its text, among all genes of the batch."""

from __future__ import annotations

import torch
from torch import Tensor

from dnaclip.models._losses.checks import check_sides, false_negatives
from dnaclip.models._losses.tiles import TILED_FROM, TiledInfoNce

__all__ = ["clip_loss"]


def clip_loss(dna: Tensor, text: Tensor, logit_scale: Tensor | float, *, same: Tensor | None = None) -> Tensor:
    r"""Symmetric InfoNCE loss of CLIP between two sides of the same genes.

    .. math::

        \mathcal{L} = -\frac{1}{2n} \sum_{i=1}^{n} \left(
            \log \frac{e^{t\, s_i^D \cdot s_i^T}}{\sum_{j=1}^{n} e^{t\, s_i^D \cdot s_j^T}} +
            \log \frac{e^{t\, s_i^D \cdot s_i^T}}{\sum_{j=1}^{n} e^{t\, s_j^D \cdot s_i^T}} \right)

    The first term finds the text of a gene from its DNA, the second the DNA from its text. The scale :math:`t`
    *multiplies* the similarity: it is the inverse of what other authors call the temperature. From 2,048 genes on the
    matrix of all similarities is never held: tiles of it are computed, and again for the gradient.

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
    check_sides(dna, text, same)
    # bfloat16 keeps 8 bits of a logit near 100: differences below 0.5 would be lost, so the loss never runs in it.
    with torch.autocast(dna.device.type, enabled=False):
        dtype = torch.promote_types(torch.promote_types(dna.dtype, text.dtype), torch.float32)
        scaled, text = logit_scale * dna.to(dtype), text.to(dtype)
        matched = (scaled * text).sum(1)
        if len(dna) >= TILED_FROM:
            return TiledInfoNce.apply(scaled, text, same) - matched.mean()
        logits = scaled @ text.T
        if same is not None:
            logits = logits.masked_fill(false_negatives(same), -torch.inf)
        return (logits.logsumexp(1) + logits.logsumexp(0) - 2 * matched).mean() / 2
