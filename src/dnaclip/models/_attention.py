"""Attention over related genes: how much each neighbour's text says about a gene."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dnaclip.encoders import EVIDENCE
from dnaclip.models._seed import seeded

__all__ = ["NeighbourAttention"]

_HIDDEN = 32


class NeighbourAttention(nn.Module):
    """Weigh the text embeddings of a gene's relatives by how sure the relation is and how well they agree.

    The logit of neighbour j is ``f(e_j) + log(1 + significance_j) + 4 beta (v_j . m - a_j)``: a small network on the
    evidence, the significance itself, and the agreement of its value v_j with the first weighted mean m of all values,
    less its own weight a_j in that mean. Relatives that are so by chance speak of unrelated things; true ones agree.

    Parameters
    ----------
    seed
        Seed of the initial weights.

    Examples
    --------
    >>> import torch
    >>> from dnaclip.models import NeighbourAttention
    >>> values, present = torch.eye(4)[None, :2], torch.tensor([[True, False]])
    >>> NeighbourAttention()(values, torch.ones(1, 2, 5), present).tolist()
    [[1.0, 0.0, 0.0, 0.0]]
    """

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__()
        with seeded(seed):
            self.score = nn.Sequential(nn.Linear(len(EVIDENCE), _HIDDEN), nn.GELU(), nn.Linear(_HIDDEN, 1))
        self.beta = nn.Parameter(torch.tensor(1.0))

    def forward(self, values: Tensor, evidence: Tensor, present: Tensor) -> Tensor:
        """Combine neighbours into one vector per gene.

        Parameters
        ----------
        values
            Text embeddings of the neighbours, (n, k, d), rows of length 1.
        evidence
            (n, k, len(EVIDENCE)) from :meth:`dnaclip.encoders.Neighbours.evidence`.
        present
            Which of the k neighbours there are, bool (n, k).

        Returns
        -------
        (n, d) with rows of length 1; a gene without neighbours has a row of zeros.
        """
        logits = self.score(evidence).squeeze(-1) + 2 * evidence[..., 0]
        weights = _masked_softmax(logits, present)
        mean = torch.einsum("nk,nkd->nd", weights, values)
        agreement = torch.einsum("nkd,nd->nk", values, mean) - weights
        weights = _masked_softmax(logits + 4 * self.beta * agreement, present)
        mean = torch.einsum("nk,nkd->nd", weights, values)
        return nn.functional.normalize(mean, dim=-1)


def _masked_softmax(logits: Tensor, present: Tensor) -> Tensor:
    """Softmax over the neighbours that are there; zeros where there is none."""
    return torch.softmax(logits.masked_fill(~present, -1e4), dim=-1) * present
