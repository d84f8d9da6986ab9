"""An order of rows in which neighbours are alike."""

from __future__ import annotations

import numpy as np

__all__ = ["leaf_order"]


def leaf_order(rows: np.ndarray) -> np.ndarray:
    """Return the positions of the rows in the order of the leaves of their tree: average linkage on Euclidean distance."""
    from scipy.cluster.hierarchy import leaves_list, linkage

    if len(rows) < 2:
        return np.arange(len(rows))
    return leaves_list(linkage(rows, method="average", optimal_ordering=True))
