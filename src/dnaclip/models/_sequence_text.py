"""The default model in training: DNA by homology and by composition, each aligned with the text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from dnaclip.models._attention import NeighbourAttention
from dnaclip.models._clip import MAX_LOGIT_SCALE, ClipModel
from dnaclip.models._losses import pair_loss, similarity_penalty
from dnaclip.models._projector import Projector, ProjectorConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SequenceTextModel"]


class SequenceTextModel(ClipModel):
    """CLIP (paper, A.3) with a DNA side in two parts.

    * *homology*: attention over the texts of related training genes, seen through the text projector;
    * *composition*: a projector of the gene's own composition, for genes without relatives.

    The two are trained side by side, each against the text, and joined only afterwards by
    :func:`~dnaclip.models.join_parts`: a mixture learned with them would trust the composition, which a network
    remembers of genes that it was trained on, far more than it deserves on new ones.

    Parameters
    ----------
    composition
        Shape of the projector of composition features.
    text
        Shape of the text projector.
    memory
        Text vectors that neighbours point to, float32 (m, text.in_dim).
    logit_scale
        What similarities are multiplied by, at the start.
    learn_scale
        Whether training changes it; each part of the DNA side has a scale of its own.
    loss
        `"clip"`, `"siglip"` or `"penalized_clip"`.
    penalty
        Weight of the similarity penalty, for `"penalized_clip"`.
    seed
        Seed of the initial weights.

    Examples
    --------
    Two genes, of which the first has one relative, whose text is row 0 of the memory:

    >>> import torch
    >>> from dnaclip.models import ProjectorConfig, SequenceTextModel
    >>> model = SequenceTextModel(ProjectorConfig(in_dim=6), ProjectorConfig(in_dim=3), torch.ones(1, 3))
    >>> homology = (torch.tensor([[0], [-1]]), torch.ones(2, 1, 5))
    >>> out = model({"homology": homology, "composition": (torch.ones(2, 6),), "text": (torch.ones(2, 3),)})
    >>> {part: tuple(vectors.shape) for part, vectors in out.items()}
    {'homology': (2, 128), 'composition': (2, 128), 'text': (2, 128)}
    >>> bool(out["homology"][1].any())
    False
    """

    memory: Tensor

    def __init__(
        self,
        composition: ProjectorConfig,
        text: ProjectorConfig,
        memory: Tensor,
        *,
        logit_scale: float = 20.0,
        learn_scale: bool = True,
        loss: str = "clip",
        penalty: float = 1.0,
        seed: int = 0,
    ) -> None:
        towers = {"composition": Projector(composition, seed=seed), "text": Projector(text, seed=seed + 1)}
        super().__init__(towers, logit_scale=logit_scale, learn_scale=learn_scale, loss=loss, penalty=penalty)
        self.attention = NeighbourAttention(seed=seed + 2)
        self.composition_log_scale = nn.Parameter(torch.tensor(math.log(logit_scale)), requires_grad=learn_scale)
        # The memory is data, not weights: it belongs in no checkpoint.
        self.register_buffer("memory", memory, persistent=False)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Inputs of :meth:`forward`."""
        return ("homology", "composition", "text")

    @property
    def composition(self) -> Projector:
        """Projector of composition features."""
        return cast("Projector", self.towers["composition"])

    @property
    def text(self) -> Projector:
        """Projector of text vectors."""
        return cast("Projector", self.towers["text"])

    def forward(self, batch: Mapping[str, tuple[Tensor, ...]]) -> dict[str, Tensor]:
        """Embed a batch with the inputs `homology` (neighbours, evidence), `composition` and `text`.

        Returns
        -------
        Part to (n, d); genes without neighbours have a row of zeros in `homology`.
        """
        (features,), (texts,), (neighbours, evidence) = batch["composition"], batch["text"], batch["homology"]
        distinct, where = torch.unique(neighbours.clamp_min(0), return_inverse=True)
        # Unlike plain indexing, this sums gradients in a fixed order on several threads.
        values = nn.functional.embedding(where, self.text(self.memory[distinct]))
        return {
            "homology": self.attention(values, evidence, neighbours >= 0),
            "composition": self.composition(features),
            "text": self.text(texts),
        }

    def loss(
        self,
        embeddings: Mapping[str, Tensor],
        *,
        same: Tensor | None = None,
        raw: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """Contrastive loss of each DNA part against the text, summed; with `raw`, the penalty of both projectors too."""
        text = embeddings["text"]
        scale = self.composition_log_scale.exp()
        total = pair_loss(self.loss_name, embeddings["composition"], text, scale, bias=self.bias, same=same)
        related = embeddings["homology"].abs().sum(1) > 0
        if int(related.sum()) >= 2:
            groups = None if same is None else same[related]
            pair = embeddings["homology"][related], text[related]
            total = total + pair_loss(self.loss_name, *pair, self.logit_scale, bias=self.bias, same=groups)
        if self.loss_name == "penalized_clip":
            for name, vectors in (raw or {}).items():
                if name in self.towers:  # relatives have no vectors of their own
                    total = total + self.penalty * similarity_penalty(embeddings[name], vectors)
        return total

    @torch.no_grad()
    def clamp_scale(self) -> None:
        """Bring both scales back to 100 when a step took them above."""
        super().clamp_scale()
        self.composition_log_scale.clamp_(max=math.log(MAX_LOGIT_SCALE))
