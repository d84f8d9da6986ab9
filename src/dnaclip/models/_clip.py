"""The CLIP model: one tower per modality and the scale of their similarities."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from dnaclip._errors import InputError
from dnaclip._validate import check_choice, check_key
from dnaclip.models._losses import LOSSES, multimodal_loss

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MAX_LOGIT_SCALE", "ClipModel"]

# Where the logit of two unrelated genes starts with SigLIP, since nearly all pairs are unrelated.
SIGLIP_BIAS = -10.0
# Beyond 100 similarities are so sharp that one batch can destroy the weights.
MAX_LOGIT_SCALE = 100.0


class ClipModel(nn.Module):
    """Towers that bring several modalities of a gene into one space.

    Parameters
    ----------
    towers
        Modality to tower, at least two. A tower is any module called as `tower(*tensors)` with tensors that have the
        genes in front, which returns (n, d) with rows of length 1; d is the same for all.
    logit_scale
        What similarities are multiplied by, at the start; between 0 (excluded) and 100.
    learn_scale
        Whether training changes the scale. It is never let above 100.
    loss
        `"clip"`, `"siglip"`, whose bias is learned too, or `"penalized_clip"`.
    penalty
        Weight of the similarity penalty of `"penalized_clip"`.
    anchor
        A modality that all others are aligned with; `None` aligns every pair of modalities.
    partial
        Whether genes may lack a modality, which a row of zeros in its first tensor says; they are left out where it counts.

    Raises
    ------
    InputError
        Fewer than two towers, a number out of range, or an unknown loss or anchor.

    Examples
    --------
    >>> import torch
    >>> from dnaclip.models import ClipModel, Projector, ProjectorConfig
    >>> towers = {
    ...     "dna": Projector(ProjectorConfig(in_dim=6, out_dim=4), seed=0),
    ...     "text": Projector(ProjectorConfig(in_dim=3, out_dim=4), seed=1),
    ... }
    >>> model = ClipModel(towers, logit_scale=10.0)
    >>> embeddings = model({"dna": (torch.ones(2, 6),), "text": (torch.ones(2, 3),)})
    >>> embeddings["dna"].shape
    torch.Size([2, 4])
    >>> round(model.loss(embeddings).item(), 4)  # two equal genes cannot be told apart: log(2)
    0.6931
    """

    def __init__(
        self,
        towers: Mapping[str, nn.Module],
        *,
        logit_scale: float = 1 / 0.07,
        learn_scale: bool = True,
        loss: str = "clip",
        penalty: float = 1.0,
        anchor: str | None = None,
        partial: bool = False,
    ) -> None:
        super().__init__()
        check_choice("loss", loss, LOSSES)
        if anchor is not None:
            check_key(anchor, towers, where="the towers", hint="The anchor is one of the modalities.")
        if not penalty >= 0:
            msg = f"penalty={penalty!r} is the weight of a term of the loss: use a number of 0 or more."
            raise InputError(msg)
        if len(towers) < 2:
            msg = f"ClipModel aligns modalities: give at least two towers, got {list(towers)}."
            raise InputError(msg)
        if not 0 < logit_scale <= MAX_LOGIT_SCALE:
            msg = (
                f"logit_scale={logit_scale!r} is out of range: similarities are multiplied by it, "
                f"use a number above 0 and at most {MAX_LOGIT_SCALE:g}."
            )
            raise InputError(msg)
        self.towers = nn.ModuleDict(towers)
        # The logarithm is what is learned, so that the scale stays positive.
        self.log_scale = nn.Parameter(torch.tensor(math.log(logit_scale)), requires_grad=learn_scale)
        self.bias = nn.Parameter(torch.tensor(SIGLIP_BIAS)) if loss == "siglip" else None
        self.loss_name, self.penalty, self.anchor, self.partial = loss, penalty, anchor, partial

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the towers."""
        return tuple(self.towers)

    @property
    def logit_scale(self) -> Tensor:
        """What similarities are multiplied by, a scalar."""
        return self.log_scale.exp()

    def forward(self, batch: Mapping[str, tuple[Tensor, ...]]) -> dict[str, Tensor]:
        """Embed the modalities that are in the batch: modality to (n, d), zeros where a gene lacks a modality."""
        embeddings = {name: self.towers[name](*tensors) for name, tensors in batch.items()}
        if self.partial:
            embeddings = {name: vectors * batch[name][0].any(1, keepdim=True) for name, vectors in embeddings.items()}
        return embeddings

    def loss(
        self,
        embeddings: Mapping[str, Tensor],
        *,
        same: Tensor | None = None,
        raw: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """Contrastive loss of embeddings from :meth:`forward`, summed over the pairs of modalities.

        `raw`, the vectors before the towers, is what `"penalized_clip"` compares embeddings with. Without it, as in
        validation, the loss is that of CLIP alone.
        """
        return multimodal_loss(
            embeddings,
            self.logit_scale,
            loss="clip" if self.loss_name == "penalized_clip" and raw is None else self.loss_name,
            bias=self.bias,
            same=same,
            anchor=self.anchor,
            partial=self.partial,
            raw=raw,
            penalty=self.penalty,
        )

    @torch.no_grad()
    def clamp_scale(self) -> None:
        """Bring the scale back to 100 when a step took it above; called after each optimiser step."""
        # Clamping the parameter and not the value in `forward` keeps the gradient alive at the bound.
        self.log_scale.clamp_(max=math.log(MAX_LOGIT_SCALE))
