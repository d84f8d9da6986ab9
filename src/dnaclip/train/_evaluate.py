"""What a model makes of a feed: its embeddings and the validation loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from dnaclip.models import ClipModel
    from dnaclip.train._feed import Feed

__all__ = ["embed_feed", "validation_loss"]


@torch.no_grad()
def embed_feed(model: torch.nn.Module, feed: Feed, *, batch_size: int = 4096) -> dict[str, Tensor]:
    """Embed every gene of a feed, in the order of its rows.

    Parameters
    ----------
    model
        A :class:`~dnaclip.models.ClipModel`; put into evaluation mode, so that dropout is off.
    feed
        The genes, on the device of the model.
    batch_size
        Genes per forward pass; changes memory, not the result.

    Returns
    -------
    Modality to embeddings, float32 (n, d), on the device.

    Examples
    --------
    >>> import torch
    >>> from dnaclip.models import ClipModel, Projector, ProjectorConfig
    >>> from dnaclip.train import Feed, embed_feed
    >>> feed = Feed({"dna": torch.ones(10, 6), "text": torch.ones(10, 3)})
    >>> model = ClipModel({side: Projector(ProjectorConfig(in_dim=n)) for side, n in (("dna", 6), ("text", 3))})
    >>> embed_feed(model, feed)["dna"].shape
    torch.Size([10, 128])
    """
    model.eval()
    parts = [model(batch.inputs) for batch in feed.in_order(batch_size)]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


@torch.no_grad()
def validation_loss(
    model: ClipModel, embeddings: dict[str, Tensor], *, same: Tensor | None = None, block: int | None = None
) -> float:
    """Contrastive loss with the genes of one block as candidates, averaged over blocks by their size.

    Parameters
    ----------
    model
        Gives the loss and the logit scale.
    embeddings
        Modality to embeddings of all genes, (n, d), as :func:`embed_feed` returns them.
    same
        Integer group of each gene, (n,), or `None`.
    block
        Genes per block; `None` makes all genes candidates of each other.

    Returns
    -------
    The loss; deterministic.
    """
    first = next(iter(embeddings.values()))
    n, device = len(first), first.device
    # Tables are often sorted by species: shuffled in one fixed way, a block is as mixed as the whole.
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0)).to(device)
    starts = list(range(0, n - 1, block or n))  # a last gene that would be alone joins the block before it
    total = 0.0
    for start, stop in zip(starts, [*starts[1:], n], strict=True):
        some = order[start:stop]
        loss = model.loss(
            {name: vectors[some] for name, vectors in embeddings.items()}, same=None if same is None else same[some]
        )
        total += loss.item() * len(some)
    return total / n
