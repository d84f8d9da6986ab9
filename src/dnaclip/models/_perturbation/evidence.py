"""What left-out rows say about the parts of a stack, and the weights that follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

__all__ = ["Evidence"]

# The fallback counts as much as this many left-out rows.
PRIOR_ROWS = 40


@dataclass(frozen=True, eq=False)
class Evidence:
    """Sums over left-out rows; two of them add up.

    Parameters
    ----------
    products
        For each gene, the products of the observed shift, which comes first, and those predicted by each part,
        (n_genes, n_parts + 1, n_parts + 1).
    correlations
        Sum of the correlations of each part with the observed shift, (n_parts,).
    n_rows
        Number of rows.
    """

    products: np.ndarray
    correlations: np.ndarray
    n_rows: int

    @classmethod
    def of(cls, observed: np.ndarray, predicted: np.ndarray) -> Evidence:
        """Return what rows (m, n_genes) say about predictions (n_parts, m, n_genes)."""
        table = np.concatenate([observed[None], predicted])
        products = np.einsum("pmg,qmg->gpq", table, table, optimize=True)
        return cls(products, _correlations(observed, predicted).sum(axis=1), len(observed))

    def __add__(self, other: Evidence) -> Evidence:
        return Evidence(
            self.products + other.products, self.correlations + other.correlations, self.n_rows + other.n_rows
        )

    def weights(self) -> np.ndarray:
        """Return weights of 0 or more that add up to 1 and minimise the squared error; little evidence leaves 1 to the first part."""
        n_parts = len(self.correlations)
        fallback = np.eye(n_parts)[0]
        total = self.products.sum(axis=0)
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
        difference = np.concatenate([[1.0], -weights])
        squares = np.einsum("gpq,p,q->g", self.products, difference, difference).clip(min=0)
        return squares / self.n_rows if self.n_rows else np.full(len(squares), np.nan)

    def scores(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean correlation and the mean squared error of each part, (n_parts,); NaN without rows."""
        if self.n_rows == 0:
            nothing = np.full(len(self.correlations), np.nan)
            return nothing, nothing
        total = self.products.sum(axis=0)
        squares = total[0, 0] - 2 * total[0, 1:] + np.diag(total)[1:]
        return self.correlations / self.n_rows, squares / (self.n_rows * len(self.products))


def _correlations(observed: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return the correlation over genes of each prediction with the observed shift, (n_parts, m); 0 for constant ones."""
    left = observed - observed.mean(axis=-1, keepdims=True)
    right = predicted - predicted.mean(axis=-1, keepdims=True)
    size = np.linalg.norm(left, axis=-1) * np.linalg.norm(right, axis=-1)
    return (left * right).sum(axis=-1) / np.where(size > 0, size, 1)
