"""Products with sparse cells are the products with the same cells written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

from dnaclip.models._perturbation.cell_batch import MOST_NON_ZERO, CellBatch, centred_times

CPU = torch.device("cpu")


def expression(density: float, *, n: int = 30, n_genes: int = 40) -> np.ndarray:
    rng = np.random.default_rng(0)
    x = rng.random((n, n_genes), dtype=np.float32) * (rng.random((n, n_genes)) < density)
    x[3] = 0  # a cell without counts
    x[:, 5] = 0  # a gene without counts
    return x


@pytest.mark.parametrize("density", [0.05, 0.5])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix, sparse.csr_array, torch.as_tensor])
def test_products(form: Any, density: float) -> None:
    x = expression(density)
    cells = CellBatch(form(x), CPU)
    generator = torch.Generator().manual_seed(0)
    weight, rows = torch.randn(40, 7, generator=generator), torch.randn(30, 7, generator=generator)
    assert len(cells) == 30
    torch.testing.assert_close(cells.times(weight), torch.as_tensor(x) @ weight)
    torch.testing.assert_close(cells.transposed_times(rows), torch.as_tensor(x).T @ rows)
    torch.testing.assert_close(cells.sum_of_squares, torch.as_tensor(x).square().sum())


def test_float64_becomes_float32() -> None:
    cells = CellBatch(sparse.csr_array(expression(0.05).astype(np.float64)), CPU)
    assert cells.times(torch.ones(40, 2)).dtype == torch.float32


def test_mostly_zero_cells_stay_sparse() -> None:
    assert CellBatch(sparse.csr_array(expression(MOST_NON_ZERO / 2)), CPU)._bags is not None
    assert CellBatch(sparse.csr_array(expression(MOST_NON_ZERO * 2)), CPU)._bags is None


@pytest.mark.parametrize("width", [7, 64, 150])
def test_products_of_any_width(width: int) -> None:
    x = expression(0.05)
    cells = CellBatch(sparse.csr_array(x), CPU)
    weight = torch.randn(40, width, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(cells.times(weight), torch.as_tensor(x) @ weight)


@pytest.mark.parametrize("density", [0.05, 0.5])
def test_product_of_centred_cells_and_its_gradient(density: float) -> None:
    x = expression(density)
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(40, 7, generator=generator, requires_grad=True)
    centres, of_centre = torch.randn(2, 40, generator=generator), torch.eye(2)[torch.arange(30) % 3 // 2]
    found = centred_times(CellBatch(sparse.csr_array(x), CPU), weight, centres, of_centre)
    expected = (torch.as_tensor(x) - of_centre @ centres) @ weight
    torch.testing.assert_close(found, expected)
    by_weight = [torch.autograd.grad(one.square().sum(), weight)[0] for one in (found, expected)]
    torch.testing.assert_close(*by_weight, rtol=1e-4, atol=1e-4)
