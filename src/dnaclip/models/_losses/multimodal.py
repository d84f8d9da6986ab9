"""A loss over any number of modalities, of which a gene may lack some."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dnaclip._errors import InputError
from dnaclip._validate import check_choice, check_key
from dnaclip.models._losses.clip import clip_loss
from dnaclip.models._losses.penalty import similarity_penalty
from dnaclip.models._losses.siglip import siglip_loss

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LOSSES", "multimodal_loss", "pair_loss"]

LOSSES = ("clip", "siglip", "penalized_clip")
"""Names of the losses: CLIP, SigLIP, and CLIP with a similarity penalty."""


def pair_loss(
    loss: str,
    one: Tensor,
    other: Tensor,
    logit_scale: Tensor | float,
    *,
    bias: Tensor | float | None = None,
    same: Tensor | None = None,
) -> Tensor:
    """The loss of one pair of modalities, by name; the penalty, which concerns single modalities, is left to the caller."""
    check_choice("loss", loss, LOSSES)
    if loss != "siglip":
        return clip_loss(one, other, logit_scale, same=same)
    if bias is None:
        msg = "loss='siglip' needs a bias: the logit of two unrelated genes. -10 is a good start."
        raise InputError(msg)
    return siglip_loss(one, other, logit_scale, bias, same=same)


def multimodal_loss(
    embeddings: Mapping[str, Tensor],
    logit_scale: Tensor | float,
    *,
    loss: str = "clip",
    bias: Tensor | float | None = None,
    same: Tensor | None = None,
    anchor: str | None = None,
    partial: bool = False,
    raw: Mapping[str, Tensor] | None = None,
    penalty: float = 1.0,
) -> Tensor:
    """Sum a loss over pairs of modalities (paper, A.3, for more than two modalities too).

    Parameters
    ----------
    embeddings
        Modality to embeddings, each (n, d) with rows of length 1 and genes in one order.
    logit_scale
        What similarities are multiplied by.
    loss
        `"clip"`, `"siglip"` or `"penalized_clip"`.
    bias
        For SigLIP.
    same
        Integer group of each gene, (n,), as in :func:`clip_loss`.
    anchor
        A modality that all others are aligned with; `None` aligns every pair of modalities.
    partial
        Whether genes may lack modalities: a row of zeros says that a gene does. A pair of modalities is then compared over
        the genes that have both, and a pair with fewer than two such genes is left out.
    raw
        Modality to the vectors before the projector, each (n, p), for the penalty of `"penalized_clip"`; modalities that are
        not in it are not penalised.
    penalty
        Weight of :func:`similarity_penalty`, which is summed over the modalities in `raw`.

    Returns
    -------
    The sum, a scalar; with two modalities just the loss between them.

    Raises
    ------
    InputError
        Fewer than two modalities, an unknown loss, or something that the loss needs is absent.

    Examples
    --------
    >>> import torch
    >>> from dnaclip.models import multimodal_loss
    >>> sides = {"dna": torch.eye(4), "text": torch.eye(4), "protein": torch.eye(4)}
    >>> round(multimodal_loss(sides, 0.0).item(), 4)  # three pairs of log(4)
    4.1589
    >>> round(multimodal_loss(sides, 0.0, anchor="text").item(), 4)  # two pairs
    2.7726
    """
    check_choice("loss", loss, LOSSES)
    if len(embeddings) < 2:
        msg = f"A contrastive loss compares modalities: at least two are needed, got {list(embeddings)}."
        raise InputError(msg)
    if anchor is not None:
        check_key(anchor, embeddings, where="the modalities", hint="Use one of them as the anchor.")
    if loss == "penalized_clip" and not raw:
        msg = "loss='penalized_clip' compares embeddings with the vectors before the projector: give these as raw."
        raise InputError(msg)
    terms = []
    for one, other in combinations(embeddings, 2):
        if anchor in (None, one, other):
            pair, groups = (embeddings[one], embeddings[other]), same
            if partial:
                both = _present(pair[0]) & _present(pair[1])
                pair, groups = (pair[0][both], pair[1][both]), None if same is None else same[both]
            if not partial or len(pair[0]) > 1:
                terms.append(pair_loss(loss, *pair, logit_scale, bias=bias, same=groups))
    if loss == "penalized_clip":
        for name, vectors in (raw or {}).items():
            kept = _present(embeddings[name]) if partial else slice(None)
            terms.append(penalty * similarity_penalty(embeddings[name][kept], vectors[kept]))
    if not terms:  # no gene has two modalities: nothing to learn, but still a gradient, of zero
        terms = [0.0 * one.sum() for one in embeddings.values()]
    return torch.stack(terms).sum()


def _present(embeddings: Tensor) -> Tensor:
    return embeddings.detach().any(dim=1)
