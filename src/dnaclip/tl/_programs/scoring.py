"""Scores of programs in the cells of one block of expression, by three formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

__all__ = ["LinearScore", "RankScore", "mean_score", "mean_z_score"]


class LinearScore:
    """Scores that are weighted sums of expression: `block @ direct - (block @ averages) @ share + offset`."""

    def __init__(
        self, direct: sparse.csr_array, averages: sparse.csr_array, share: np.ndarray, offset: np.ndarray
    ) -> None:
        self.direct, self.averages, self.share, self.offset = direct, averages, share, offset

    def __call__(self, block: Any, columns: slice) -> np.ndarray:
        """Return what these columns of a block add to the scores of its cells, (cells, n_programs)."""
        control = _dense(block @ self.averages[columns]) @ self.share
        # Column bands add up, and the offset counts once.
        first = self.offset if columns.start in (None, 0) else 0.0
        return _dense(block @ self.direct[columns]) - control + first


def mean_score(weights: sparse.csc_array, bins: np.ndarray) -> LinearScore:
    """Score by mean expression above that of all genes in the same bins of abundance."""
    means = _shares(weights)
    genes = np.arange(len(bins))
    member = sparse.csr_array((np.ones(len(bins)), (genes, bins)))
    # Of each program's weight, the share that lies in each bin: (n_bins, n_programs).
    share = (member.T @ means).toarray()
    return LinearScore(means, sparse.csr_array(_shares(member.tocsc())), share, np.zeros(means.shape[1]))


def mean_z_score(weights: sparse.csc_array, sums: np.ndarray, squares: np.ndarray, n_cells: int) -> LinearScore:
    """Score by mean z-score; a gene that never varies is 0 in every cell."""
    mean, square = sums / max(n_cells, 1), squares / max(n_cells, 1)
    variance = square - mean**2
    # Rounding leaves a gene that never varies with a variance of 1e-17 of its square, not of 0.
    varies = variance > 1e-10 * square
    scale = np.zeros(len(mean))
    scale[varies] = 1 / np.sqrt(variance[varies])
    direct = sparse.csr_array(sparse.diags_array(scale) @ _shares(weights))
    none = sparse.csr_array((len(mean), 0))
    return LinearScore(direct, none, np.zeros((0, direct.shape[1])), -(mean @ direct))


class RankScore:
    r"""Area under the recovery curve of a program among the genes of a cell, ranked by falling expression :cite:p:`Aibar2017`.

    With :math:`r` the rank of a gene from 1 and :math:`T` the number of ranks that count, the area is
    :math:`\sum_{g \in p} \max(T - r_g, 0)`, divided by the largest value it can have for as many genes. Genes of equal
    expression share the mean of what their ranks are worth, which is what breaking ties at random gives on average.
    """

    def __init__(self, members: sparse.csc_array, n_ranks: int) -> None:
        self.members, self.n_ranks = sparse.csr_array(members), n_ranks
        self.size = np.asarray(members.sum(axis=0)).ravel()
        self.largest = self._worth(np.zeros_like(self.size), self.size)

    def __call__(self, block: Any, columns: slice) -> np.ndarray:
        """Return the scores of the cells of a block of whole rows, (cells, n_programs)."""
        worth, of_zero = self._worth_of_genes(sparse.csr_array(block, dtype=np.float64, copy=True))
        # What the expressed genes are worth above a gene of zero, plus a gene of zero for every member.
        return (_dense(worth @ self.members) + of_zero[:, None] * self.size) / self.largest

    def _worth_of_genes(self, block: sparse.csr_array) -> tuple[sparse.csr_array, np.ndarray]:
        """Return what each non-zero gene is worth above one that is zero, and what one that is zero is worth in each cell."""
        block.sum_duplicates()
        block.eliminate_zeros()
        n_cells, n_genes = block.shape
        n_expressed = np.diff(block.indptr)
        n_zero = n_genes - n_expressed
        cell = np.repeat(np.arange(n_cells), n_expressed)
        n_positive = np.bincount(cell[block.data > 0], minlength=n_cells)
        of_zero = self._mean_worth(n_positive, n_positive + n_zero)

        order = np.lexsort((-block.data, cell))
        value = block.data[order]  # the cells stay in order
        place = np.arange(len(value)) - np.repeat(block.indptr[:-1], n_expressed)
        new = np.ones(len(value), dtype=bool)
        new[1:] = (value[1:] != value[:-1]) | (cell[1:] != cell[:-1])
        starts = np.flatnonzero(new)
        tie = np.cumsum(new) - 1
        before = place[starts] + np.where(value[starts] < 0, n_zero[cell[starts]], 0)
        worth = self._mean_worth(before, before + np.diff(np.append(starts, len(value))))
        block.data[order] = worth[tie] - of_zero[cell]
        return block, of_zero

    def _mean_worth(self, before: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Return the mean worth of the ranks after `before` up to `last`, 0 where there are none."""
        count = last - before
        return np.divide(self._worth(before, last), count, out=np.zeros(len(count)), where=count > 0)

    def _worth(self, before: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Return the summed worth `max(T - r, 0)` of the ranks r after `before` up to `last`."""
        total = self.n_ranks
        first, second = (np.minimum(rank, total).astype(np.float64) for rank in (before, last))
        return (second - first) * total - (second * (second + 1) - first * (first + 1)) / 2


def _shares(weights: sparse.csc_array) -> sparse.csr_array:
    """Scale every column to a sum of one."""
    return sparse.csr_array(weights @ sparse.diags_array(1 / np.asarray(weights.sum(axis=0)).ravel()))


def _dense(product: Any) -> np.ndarray:
    return product.toarray() if sparse.issparse(product) else np.asarray(product)
