"""Bins of genes of similar abundance, within which genes can stand in for each other."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

__all__ = ["abundance_bins"]

# A bin with fewer genes than this says little about "genes of similar abundance".
MIN_GENES_PER_BIN = 20


def abundance_bins(sums: np.ndarray, n_bins: int = 25) -> np.ndarray:
    """Return the bin of each gene by its expression, 0 for the least abundant; equally abundant genes share a bin."""
    n_bins = max(1, min(n_bins, len(sums) // MIN_GENES_PER_BIN))
    # Single precision, so that the order of summation, which differs between formats, cannot part equal genes.
    rank = rankdata(sums.astype(np.float32), method="min") - 1
    return (rank * n_bins / len(sums)).astype(np.int64)
