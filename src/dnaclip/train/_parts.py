"""Embed a batch in parts that fit into memory, with all of its genes still negatives of each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["InParts"]


class InParts(nn.Module):
    """A model that keeps no more than one part of a batch inside its towers at a time.

    Adding up the gradients of small batches would be wrong here: a contrastive loss tells each gene apart from all others
    of the batch. So every part is embedded without keeping what the gradient needs, the loss sees all embeddings, and on
    the way back each part is embedded again, with the same dropout. Costs a second forward pass; changes nothing else.

    Parameters
    ----------
    model
        Called as `model(inputs)` with modality to tensors; returns modality to (n, d).
    size
        Genes of a part.

    References
    ----------
    Gao et al. (2021), Scaling deep contrastive learning batch size under memory limited setup, RepL4NLP.

    Examples
    --------
    >>> import torch
    >>> from dnaclip.models import ClipModel, Projector, ProjectorConfig
    >>> from dnaclip.train._parts import InParts
    >>> model = ClipModel({side: Projector(ProjectorConfig(in_dim=6, out_dim=4)) for side in ("dna", "text")})
    >>> InParts(model, 4)({side: (torch.ones(10, 6),) for side in ("dna", "text")})["dna"].shape
    torch.Size([10, 4])
    """

    def __init__(self, model: nn.Module, size: int) -> None:
        super().__init__()
        self.model, self.size = model, size

    def forward(self, inputs: Mapping[str, tuple[Tensor, ...]]) -> dict[str, Tensor]:
        """Embed a batch."""
        if not torch.is_grad_enabled():
            return self.model(inputs)
        n = len(next(iter(inputs.values()))[0])
        embedded = []
        for start in range(0, n, self.size):
            part = {name: tuple(one[start : start + self.size] for one in group) for name, group in inputs.items()}
            embedded.append(checkpoint(self.model, part, use_reentrant=False))
        return {name: torch.cat([one[name] for one in embedded]) for name in embedded[0]}
