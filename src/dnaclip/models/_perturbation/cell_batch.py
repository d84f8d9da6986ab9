"""Products with the expression of some cells, which is mostly zeros."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from scipy import sparse
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CellBatch", "centred_times"]

# Share of non-zero values above which dense products are the faster ones on a CPU (measured: 0.4 to 0.45).
MOST_NON_ZERO = 0.4
# Columns of a table whose rows are added up at once: so narrow a table stays in the processor's cache.
COLUMNS_AT_ONCE = 64


class CellBatch:
    """The expression x of some cells, (n, n_genes), for the two products that a network needs of it.

    Mostly-zero cells on a CPU stay sparse: a product is then a weighted sum of few rows, four times faster than the
    dense one at 10 % non-zero values. A GPU gets them dense.

    Parameters
    ----------
    x
        CSR matrix, array or tensor (n, n_genes).
    device
        Where the products are taken.

    Examples
    --------
    >>> import torch
    >>> from scipy import sparse
    >>> from dnaclip.models._perturbation.cell_batch import CellBatch
    >>> cells = CellBatch(sparse.csr_array([[0.0, 2.0, 0.0], [1.0, 0.0, 0.0]]), torch.device("cpu"))
    >>> cells.times(torch.ones(3, 4)).shape, cells.transposed_times(torch.ones(2, 4)).shape
    (torch.Size([2, 4]), torch.Size([3, 4]))
    """

    def __init__(self, x: Any, device: torch.device) -> None:
        self._n_cells = x.shape[0]
        self._bags: tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]] | None = None
        if sparse.issparse(x) and device.type == "cpu" and x.nnz <= MOST_NON_ZERO * x.shape[0] * x.shape[1]:
            self._bags = _bags(x), _bags(x.T.tocsr())
            values = torch.as_tensor(x.data)
        else:
            dense = torch.as_tensor(x.toarray() if sparse.issparse(x) else x)
            values = self._dense = dense.to(device, torch.float32)
        self.sum_of_squares = values.square().sum(dtype=torch.float64).float()

    def __len__(self) -> int:
        return self._n_cells

    def times(self, weight: Tensor) -> Tensor:
        """Return x @ weight, (n, k), for a weight (n_genes, k)."""
        return self._dense @ weight if self._bags is None else self._bags[0](weight)

    def transposed_times(self, rows: Tensor) -> Tensor:
        """Return x.T @ rows, (n_genes, k), for rows (n, k)."""
        return self._dense.T @ rows if self._bags is None else self._bags[1](rows)


def _bags(x: Any) -> Callable[[Tensor], Tensor]:
    """Return the product with a CSR matrix, as weighted sums of rows."""
    indices, starts = torch.as_tensor(x.indices), torch.as_tensor(x.indptr[:-1])
    values = torch.as_tensor(x.data, dtype=torch.float32)

    def product(table: Tensor) -> Tensor:
        result = torch.empty(len(starts), table.shape[1])
        for part, into in zip(table.split(COLUMNS_AT_ONCE, dim=1), result.split(COLUMNS_AT_ONCE, dim=1), strict=True):
            into[:] = F.embedding_bag(indices, part.contiguous(), starts, mode="sum", per_sample_weights=values)
        return result

    return product


class _CentredProduct(torch.autograd.Function):
    @staticmethod
    @torch.amp.custom_fwd(device_type="cuda", cast_inputs=torch.float32)
    def forward(ctx: Any, weight: Tensor, cells: CellBatch, centres: Tensor, of_centre: Tensor) -> Tensor:
        ctx.save_for_backward(centres, of_centre)
        ctx.cells = cells
        return cells.times(weight).addmm_(of_centre, centres @ weight, alpha=-1)

    @staticmethod
    @torch.amp.custom_bwd(device_type="cuda")
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        centres, of_centre = ctx.saved_tensors
        by_weight = ctx.cells.transposed_times(gradients[0])
        by_weight.addmm_(centres.T, of_centre.T @ gradients[0], alpha=-1)
        return by_weight, None, None, None


def centred_times(cells: CellBatch, weight: Tensor, centres: Tensor, of_centre: Tensor) -> Tensor:
    """Return the product of cells, each minus one of the centres (m, n_genes), with a weight (n_genes, k).

    `of_centre` (n, m) holds a 1 where a cell has a centre. It is taken off after the product, which keeps the cells
    sparse. Can be differentiated by the weight.
    """
    return _CentredProduct.apply(weight, cells, centres, of_centre)
