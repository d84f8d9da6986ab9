"""One batch of cells under perturbation, as the VAE takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from dnaclip.models._perturbation.cell_batch import CellBatch

__all__ = ["PerturbationBatch"]


def _alone(values: Tensor) -> Tensor:
    return values[None]


@dataclass(frozen=True, eq=False)
class PerturbationBatch:
    """Some cells and what was done to them; each condition and each context stands here once.

    Several processes may share a batch: each has some of the cells, and all of the conditions.

    Parameters
    ----------
    cells
        Expression (n, n_genes), not centred.
    vectors
        Coordinates of the conditions of the batch (c, r).
    moved
        The same after the adversarial step: what the model is given. Its gradient tells where to step next time.
    conditions
        Which conditions these are (c,).
    of_condition, of_context
        1 where a cell has a condition or a context, else 0, (n, c) and (n, n_contexts). Products with them read and add
        up rows, in a fixed order on every device.
    drawn
        Like `of_condition`, of conditions drawn at random as often as they occur (n, c).
    noise
        Standard normal (n, latent).
    n_cells
        Cells of the whole batch.
    context_vectors
        (n_contexts, e), or `None`.
    target_cell, target_vectors, target_value
        For the head of targeted genes: row in `cells`, coordinates of the gene (t, r), its centred expression (t,).
    n_targets
        Targeted genes of the whole batch.
    gather
        Gives the values (k,) of each process, (processes, k); gradients flow into the own ones.
    """

    cells: CellBatch
    vectors: Tensor
    moved: Tensor
    conditions: Tensor
    of_condition: Tensor
    of_context: Tensor
    drawn: Tensor
    noise: Tensor
    n_cells: int
    context_vectors: Tensor | None = None
    target_cell: Tensor | None = None
    target_vectors: Tensor | None = None
    target_value: Tensor | None = None
    n_targets: int = 0
    gather: Callable[[Tensor], Tensor] = _alone
