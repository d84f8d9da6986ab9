"""Cells under perturbation, as the models see them: each condition and each gene vector is kept once, cells hold an index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["PerturbationCells"]


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
