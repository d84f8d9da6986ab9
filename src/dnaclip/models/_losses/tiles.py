"""Losses over all pairs of a large batch, tile by tile: the matrix of all similarities is never held.

Each tile is computed twice, once for the loss and once for its gradient. From some thousand genes on that is also faster,
because a tile stays in the processor's cache.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from dnaclip.models._losses.checks import false_negatives

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TILED_FROM", "TiledInfoNce", "TiledSigmoid"]

TILED_FROM = 2048  # genes
TILE = 1024
# exp(-2 x 40) is still a float32 of full precision; logits that can lie further apart are added up in float64.
FLOAT32_REACH = 40.0


class TiledInfoNce(torch.autograd.Function):
    """Mean over genes of half the log-sum-exp of the gene's row plus half that of its column, of logits x y'."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, same: Tensor | None) -> Tensor:
        # No logit is above this shift, so one exponential serves the rows and the columns.
        shift = x.norm(dim=1).max() * y.norm(dim=1).max()
        wide = torch.float64 if shift > FLOAT32_REACH else x.dtype
        row_sums, column_sums = (torch.zeros(len(x), dtype=wide, device=x.device) for _ in range(2))
        for rows, columns in _tiles(len(x)):
            tile = _exponentials(x[rows], y[columns], shift, wide, same, rows, columns)
            row_sums[rows] += tile.sum(1)
            column_sums[columns] += tile.sum(0)
        ctx.save_for_backward(x, y, shift, row_sums, column_sums)
        ctx.same = same
        return (shift + (row_sums.log() + column_sums.log()).mean() / 2).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        x, y, shift, row_sums, column_sums = ctx.saved_tensors
        grad_x, grad_y = torch.zeros_like(x), torch.zeros_like(y)
        per_row, per_column = 0.5 / len(x) / row_sums, 0.5 / len(x) / column_sums
        for rows, columns in _tiles(len(x)):
            tile = _exponentials(x[rows], y[columns], shift, row_sums.dtype, ctx.same, rows, columns)
            tile = (tile * (per_row[rows, None] + per_column[columns])).to(x.dtype)
            grad_x[rows] += tile @ y[columns]
            grad_y[columns] += tile.T @ x[rows]
        return grad_x * grads[0], grad_y * grads[0], None


class TiledSigmoid(torch.autograd.Function):
    """Sum over all pairs of the sigmoid loss of logits x y' + bias, divided by the number of genes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, bias: Tensor, same: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, y, bias)
        ctx.same = same
        total = torch.zeros((), dtype=torch.float64, device=x.device)
        for rows, columns in _tiles(len(x)):
            losses = -functional.logsigmoid(_signed(x[rows], y[columns], bias, rows, columns))
            if same is not None:
                losses.masked_fill_(false_negatives(same, rows, columns), 0)
            total += losses.sum()
        return (total / len(x)).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, y, bias = ctx.saved_tensors
        grad_x, grad_y, grad_bias = torch.zeros_like(x), torch.zeros_like(y), torch.zeros_like(bias)
        for rows, columns in _tiles(len(x)):
            # The derivative of -log sigmoid(z l) by l is -z sigmoid(-z l).
            slope = _signed(x[rows], y[columns], bias, rows, columns).neg_().sigmoid_()
            if ctx.same is not None:
                slope.masked_fill_(false_negatives(ctx.same, rows, columns), 0)
            if rows == columns:
                slope.diagonal().neg_()
            grad_x[rows] += slope @ y[columns]
            grad_y[columns] += slope.T @ x[rows]
            grad_bias += slope.sum()
        scale = grads[0] / len(x)
        return grad_x * scale, grad_y * scale, grad_bias * scale, None


def _tiles(n: int) -> Iterator[tuple[slice, slice]]:
    blocks = [slice(i, min(i + TILE, n)) for i in range(0, n, TILE)]
    for rows in blocks:
        for columns in blocks:
            yield rows, columns


def _exponentials(
    x: Tensor, y: Tensor, shift: Tensor, dtype: torch.dtype, same: Tensor | None, rows: slice, columns: slice
) -> Tensor:
    tile = (x @ y.T).to(dtype).sub_(shift).exp_()
    return tile if same is None else tile.masked_fill_(false_negatives(same, rows, columns), 0)


def _signed(x: Tensor, y: Tensor, bias: Tensor, rows: slice, columns: slice) -> Tensor:
    """Return z times the logits of a tile, where z is 1 on the diagonal of the whole matrix and -1 elsewhere."""
    tile = (x @ y.T).add_(bias).neg_()
    if rows == columns:
        tile.diagonal().neg_()
    return tile
