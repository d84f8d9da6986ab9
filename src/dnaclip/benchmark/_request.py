"""What is run: vectors, mode and options, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dnaclip.benchmark._data import read_labels

if TYPE_CHECKING:
    import os

    from dnaclip.benchmark._vectors import GeneVectors

__all__ = ["Request", "intersect_genes"]


@dataclass(frozen=True, eq=False)
class Request:
    """What is run.

    Attributes
    ----------
    vectors
        The embedding.
    mode
        `"published"` or `"fast"`.
    pair_features
        How two vectors become one.
    data
        Folder with the labels.
    seed
        Of folds, forests and k-means.
    kept
        bool, one per vector: genes that may be used; `None`: all.
    """

    vectors: GeneVectors
    mode: str
    pair_features: tuple[str, ...]
    data: str | os.PathLike[str] | None
    seed: int
    kept: np.ndarray | None = None

    def allowed(self, rows: np.ndarray) -> np.ndarray:
        """Replace rows of genes that are not to be used by -1."""
        if self.kept is None:
            return rows
        return np.where((rows >= 0) & self.kept[rows], rows, -1)


def intersect_genes(vectors: GeneVectors, data: str | os.PathLike[str] | None) -> np.ndarray:
    """Which vectors are of the genes that all published embeddings hold, bool."""
    rows = vectors.rows(read_labels("intersect", data)["entrez_id"])
    kept = np.zeros(len(vectors.matrix), dtype=bool)
    kept[rows[rows >= 0]] = True
    return kept
