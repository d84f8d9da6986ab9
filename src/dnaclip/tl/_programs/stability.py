"""Which level of detail gives programs that come back when a fifth of the genes is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip.tl._knn import knn_graph
from dnaclip.tl._programs.partition import partition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scipy import sparse

    from dnaclip.tl._programs.partition import Method

__all__ = ["LEVELS", "stability"]

# What "auto" tries: resolutions of Leiden, numbers of programs for the other methods.
LEVELS: dict[str, tuple[float, ...]] = {
    "leiden": (0.25, 0.5, 1, 2, 4, 8, 16),
    "hierarchical": (2, 3, 4, 6, 8, 12, 16, 24, 32, 48),
    "spectral": (2, 3, 4, 6, 8, 12, 16, 24, 32, 48),
}
FRACTION = 0.8
# The coarsest cut, which tells non-coding genes from others, is the most stable one, and of no use.
MAX_MEAN_GENES = 1000
# Nor is one that leaves most genes together and cuts off a few.
MAX_SHARE = 0.5


def stability(
    vectors: np.ndarray,
    neighbors: tuple[np.ndarray, np.ndarray],
    method: Method,
    levels: Sequence[float],
    *,
    n_neighbors: int,
    min_genes: int,
    n_subsamples: int,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Cut all genes, and subsamples of them, at each level; return the curve and the communities at the chosen level.

    The stability of a level is the adjusted Rand index between the communities of a subsample of 80 % of the genes and
    those of all genes, over the genes of the subsample. The level with the highest mean is chosen, or the finest one
    within a standard error of it, among the levels with two programs or more, of no more than 1,000 genes on average,
    of which none holds more than half of all genes.

    Parameters
    ----------
    neighbors
        Indices and similarities of more than `n_neighbors` neighbours of each gene, so that a gene whose neighbours are
        left out still has enough of them.

    Returns
    -------
    Table with `level`, `n_programs` (of `min_genes` genes or more), `largest` (share of all genes in the largest), `ari`,
    `ari_sd`, `chosen`; and int (n,).
    """
    from sklearn.metrics import adjusted_rand_score

    everyone = partition(vectors, _graph(neighbors, n_neighbors), method, levels, min_genes, rng)
    agreement = np.empty((n_subsamples, len(levels)))
    for row in agreement:
        kept = np.sort(rng.choice(len(vectors), max(2, round(FRACTION * len(vectors))), replace=False))
        found = partition(vectors[kept], _graph(neighbors, n_neighbors, kept), method, levels, min_genes, rng)
        row[:] = [adjusted_rand_score(whole[kept], part) for whole, part in zip(everyone, found, strict=True)]
    curve = pd.DataFrame(
        {
            "level": np.asarray(levels, dtype=np.float64),
            "n_programs": [_n_programs(labels, min_genes) for labels in everyone],
            "largest": [np.bincount(labels[labels >= 0], minlength=1).max() / len(vectors) for labels in everyone],
            "ari": agreement.mean(axis=0),
            "ari_sd": agreement.std(axis=0),
        }
    )
    chosen = _choose(curve, len(vectors), n_subsamples)
    curve["chosen"] = np.arange(len(curve)) == chosen
    # Tables in `uns` come back from a file with text as row names.
    curve.index = curve.index.astype(str)
    return curve, everyone[chosen]


def _choose(curve: pd.DataFrame, n_genes: int, n_subsamples: int) -> int:
    """Return the row of the finest level that is as stable as the best, give or take a standard error."""
    level, n_programs = curve["level"].to_numpy(), curve["n_programs"].to_numpy()
    several = n_programs >= 2
    useful = several & (n_genes <= MAX_MEAN_GENES * n_programs) & (curve["largest"].to_numpy() <= MAX_SHARE)
    allowed = np.flatnonzero(useful if useful.any() else several if several.any() else n_programs == n_programs.max())
    mean, error = curve["ari"].to_numpy(), curve["ari_sd"].to_numpy() / np.sqrt(n_subsamples)
    best = allowed[mean[allowed].argmax()]
    good = allowed[mean[allowed] >= mean[best] - error[best]]
    return int(good[level[good].argmax()])


def _n_programs(labels: np.ndarray, min_genes: int) -> int:
    return int((np.bincount(labels[labels >= 0]) >= min_genes).sum())


def _graph(neighbors: tuple[np.ndarray, np.ndarray], k: int, kept: np.ndarray | None = None) -> sparse.csr_matrix:
    """Return the graph of the k nearest neighbours, among the genes `kept` if given."""
    indices, similarities = neighbors
    if kept is None:
        return knn_graph(indices[:, :k], similarities[:, :k])
    place = np.full(len(indices), -1)
    place[kept] = np.arange(len(kept))
    indices, similarities = place[indices[kept]], similarities[kept]
    present = indices >= 0
    used = present & (present.cumsum(axis=1) <= k)
    # A similarity of zero makes no edge, whatever it points at.
    return knn_graph(np.where(used, indices, 0), np.where(used, similarities, 0))
