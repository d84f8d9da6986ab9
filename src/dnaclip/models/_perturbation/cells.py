"""Cells under perturbation, as the models see them: each condition and each gene vector is kept once, cells hold an index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from dnaclip._matrix import blocks

__all__ = ["PerturbationCells", "condition_means"]


@dataclass(frozen=True, eq=False)
class PerturbationCells:
    """Expression and what was done to each cell.

    Parameters
    ----------
    x
        Log-normalised expression (n_cells, n_genes), as it is stored: array, sparse, dask or backed.
    condition
        Position in `conditions` of each cell, int32 (n_cells,); 0 is the control.
    context
        Position in `contexts` of each cell, int32 (n_cells,): its cell line or type.
    conditions
        Genes of each condition; the first is the control, `()`.
    contexts
        Names of the cell lines or types; one name when the data have only one.
    genes
        Names of the measured genes (n_genes,).
    """

    x: Any
    condition: np.ndarray
    context: np.ndarray
    conditions: tuple[tuple[str, ...], ...]
    contexts: tuple[str, ...]
    genes: tuple[str, ...]

    @property
    def groups(self) -> np.ndarray:
        """Group of each cell, int64 (n_cells,): `context * n_conditions + condition`."""
        return self.context.astype(np.int64) * len(self.conditions) + self.condition


def condition_means(cells: PerturbationCells) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean expression and the number of cells of each condition in each context.

    Returns
    -------
    Means, float32 (n_contexts, n_conditions, n_genes), NaN where there is no cell, and counts, int64 (n_contexts, n_conditions).
    """
    shape = len(cells.contexts), len(cells.conditions)
    n_groups = shape[0] * shape[1]
    groups = cells.groups
    count = np.bincount(groups, minlength=n_groups)
    sums = np.zeros((n_groups, cells.x.shape[1]))
    everyone = np.arange(len(groups))
    for rows, columns, block in blocks(cells.x):
        which = groups[rows]
        member = sparse.csr_array((np.ones(len(which)), (which, everyone[: len(which)])), shape=(n_groups, len(which)))
        part = member @ block
        sums[:, columns] += part.toarray() if sparse.issparse(part) else part
    with np.errstate(invalid="ignore"):
        means = (sums / count[:, None]).astype(np.float32)
    return means.reshape(*shape, -1), count.reshape(shape)
