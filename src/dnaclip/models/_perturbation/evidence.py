"""What left-out rows say about the parts of a stack, and the weights that follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

__all__ = ["Evidence", "beyond_noise"]

# The fallback counts as much as this many left-out rows.
PRIOR_ROWS = 40
# By how many standard errors of the mean a change has to gain. Left-out rows share genes and training, so the true errors are
# larger than they seem: two let noise through.
GAIN_ERRORS = 3


@dataclass(frozen=True, eq=False)
class Evidence:
    """Products of the observed shift, which comes first, and those predicted by each part; two of them add up.

    Parameters
    ----------
    by_gene
        Summed over left-out rows, (n_genes, n_parts + 1, n_parts + 1).
    by_row
        Summed over genes, (n_rows, n_parts + 1, n_parts + 1).
    correlations
        Sum over rows of the correlation of each part with the observed shift, (n_parts,).
    """

    by_gene: np.ndarray
    by_row: np.ndarray
    correlations: np.ndarray

    @classmethod
    def of(cls, observed: np.ndarray, predicted: np.ndarray) -> Evidence:
        """Return what rows (m, n_genes) say about predictions (n_parts, m, n_genes)."""
        table = np.concatenate([observed[None], predicted])
        by_gene = np.einsum("pmg,qmg->gpq", table, table, optimize=True)
        by_row = np.einsum("pmg,qmg->mpq", table, table, optimize=True)
        return cls(by_gene, by_row, _correlations(observed, predicted).sum(axis=1))

    @classmethod
    def none(cls, n_parts: int, n_genes: int) -> Evidence:
        """Return what no rows say."""
        return cls.of(np.empty((0, n_genes)), np.empty((n_parts, 0, n_genes)))

    def __add__(self, other: Evidence) -> Evidence:
        rows = np.concatenate([self.by_row, other.by_row])
        return Evidence(self.by_gene + other.by_gene, rows, self.correlations + other.correlations)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.by_row)

    def better(self, new: np.ndarray, old: np.ndarray) -> np.ndarray:
        """Return weights `new` if their squared error is smaller than that of `old` beyond noise, else `old`; (n_parts,) each."""
        return new if beyond_noise(_squared_errors(self.by_row, old) - _squared_errors(self.by_row, new)) else old

    def between(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Return the weights on the way from `other` to `one` that fit best; little evidence leaves them halfway."""
        total = self.by_gene.sum(axis=0)
        step, gap = np.concatenate([[0.0], one - other]), np.concatenate([[1.0], -other])
        size = step @ total @ step
        best = step @ total @ gap / size if size > 0 else 0.5
        share = np.clip((best * self.n_rows + 0.5 * PRIOR_ROWS) / (self.n_rows + PRIOR_ROWS), 0, 1)
        return share * one + (1 - share) * other

    def weights(self, fallback: np.ndarray) -> np.ndarray:
        """Return weights of 0 or more that add up to 1 and minimise the squared error; little evidence leaves them at `fallback`."""
        n_parts = len(self.correlations)
        total = self.by_gene.sum(axis=0)
        gram, cross = total[1:, 1:], total[1:, 0]
        size = np.trace(gram) / n_parts
        if self.n_rows == 0 or size == 0:
            return fallback
        strength = size * PRIOR_ROWS / self.n_rows
        # A heavy penalty on the sum stands for the condition that it is 1.
        together = 1e6 * (size + strength)
        root = np.linalg.cholesky(gram + strength * np.eye(n_parts) + together)
        found, _ = nnls(root.T, np.linalg.solve(root, cross + strength * fallback + together))
        return found / found.sum()

    def noise(self, weights: np.ndarray) -> np.ndarray:
        """Return the mean squared error of the weighted mean for each gene, (n_genes,); NaN without rows."""
        squares = _squared_errors(self.by_gene, weights)
        return squares / self.n_rows if self.n_rows else np.full(len(squares), np.nan)

    def scores(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean correlation and the mean squared error of each part, (n_parts,); NaN without rows."""
        if self.n_rows == 0:
            nothing = np.full(len(self.correlations), np.nan)
            return nothing, nothing
        total = self.by_gene.sum(axis=0)
        squares = total[0, 0] - 2 * total[0, 1:] + np.diag(total)[1:]
        return self.correlations / self.n_rows, squares / (self.n_rows * len(self.by_gene))


def beyond_noise(gains: np.ndarray) -> bool:
    """Whether the mean of gains, one for each left-out row, is above `GAIN_ERRORS` of its standard errors.

    Examples
    --------
    >>> import numpy as np
    >>> beyond_noise(np.array([2.0, 3.0, 4.0])), beyond_noise(np.array([-2.0, 3.0, 4.0])), beyond_noise(np.array([9.0]))
    (True, False, False)
    """
    return len(gains) > 1 and bool(gains.mean() > GAIN_ERRORS * gains.std(ddof=1) / np.sqrt(len(gains)))


def _squared_errors(products: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the squared error of the weighted mean in each of the sums, (k,)."""
    difference = np.concatenate([[1.0], -weights])
    return np.einsum("kpq,p,q->k", products, difference, difference).clip(min=0)


def _correlations(observed: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return the correlation over genes of each prediction with the observed shift, (n_parts, m); 0 for constant ones."""
    left = observed - observed.mean(axis=-1, keepdims=True)
    right = predicted - predicted.mean(axis=-1, keepdims=True)
    size = np.linalg.norm(left, axis=-1) * np.linalg.norm(right, axis=-1)
    return (left * right).sum(axis=-1) / np.where(size > 0, size, 1)
