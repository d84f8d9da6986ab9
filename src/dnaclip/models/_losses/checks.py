"""What every loss asks of its two sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnaclip._errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["check_sides", "false_negatives"]


def check_sides(one: Tensor, other: Tensor, same: Tensor | None) -> None:
    """Raise unless both sides are matrices of one shape with at least two genes, and `same` has a group for each."""
    if one.ndim != 2 or one.shape != other.shape or len(one) < 2:
        msg = (
            f"A contrastive loss needs two matrices of one shape (n, d) with n of at least 2, got {tuple(one.shape)} and "
            f"{tuple(other.shape)}: with a single gene there is nothing to tell it apart from."
        )
        raise InputError(msg)
    if same is not None and (same.shape != (len(one),) or same.is_floating_point()):
        n = len(one)
        msg = f"same must hold one integer group per gene, shape ({n},), got {same.dtype} of shape {tuple(same.shape)}."
        raise InputError(msg)


def false_negatives(same: Tensor, rows: slice = slice(None), columns: slice = slice(None)) -> Tensor:
    """Mark the pairs i != j of one group, bool (rows, columns): they are no negatives of each other."""
    marked = same[rows, None] == same[None, columns]
    offset = (rows.start or 0) - (columns.start or 0)
    if -len(marked) < offset < marked.shape[1]:  # else the diagonal does not cross this tile
        marked.diagonal(offset).zero_()
    return marked
