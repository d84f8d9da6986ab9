"""The way from vectors of genes to communities, at a level of detail that is given or chosen by stability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dnaclip._errors import InputError
from dnaclip._validate import check_count
from dnaclip.tl._knn import knn_graph, nearest
from dnaclip.tl._programs.partition import Method, partition
from dnaclip.tl._programs.stability import LEVELS, stability

if TYPE_CHECKING:
    import pandas as pd
    from scipy import sparse

__all__ = ["find_communities", "program_levels"]


def program_levels(method: Method, resolution: Any, n_programs: Any) -> float | tuple[float, ...] | None:
    """Return the level of detail that is asked for, the levels to choose from, or None for the usual ones."""
    if method != "leiden":
        level = "auto" if n_programs is None else n_programs
        name, check = "n_programs", lambda value: check_count("n_programs", value, least=2)
    elif n_programs is None:
        level, name, check = resolution, "resolution", _check_resolution
    else:
        msg = f"n_programs={n_programs!r} is for method='hierarchical' and 'spectral'; method='leiden' takes a resolution."
        raise InputError(msg)
    if isinstance(level, str) and level == "auto":
        return None
    if isinstance(level, (Sequence, np.ndarray)) and not isinstance(level, str):
        if not len(level):
            msg = f"{name} is an empty list: there is nothing to choose from."
            raise InputError(msg)
        for value in level:
            check(value)
        return tuple(sorted({float(value) for value in level}))
    check(level)
    return float(level)


def find_communities(
    vectors: np.ndarray,
    method: Method,
    levels: float | tuple[float, ...] | None,
    *,
    n_neighbors: int,
    min_genes: int,
    n_subsamples: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, sparse.csr_matrix, pd.DataFrame | None]:
    """Return the community of each gene, int (n,), the neighbour graph, and the curve of stability if it decided."""
    n = len(vectors)
    k = min(n_neighbors, n - 1)
    # To choose, twice as many neighbours, so that those left out of a subsample can be replaced.
    neighbors = nearest(vectors, vectors, k if isinstance(levels, float) else min(2 * k, n - 1), own=np.arange(n))
    graph = knn_graph(neighbors[0][:, :k], neighbors[1][:, :k])
    if isinstance(levels, float):
        return partition(vectors, graph, method, [levels], min_genes, rng)[0], graph, None
    if levels is None:
        # Communities of fewer than min_genes are no programs, so there is no use in so many.
        levels = tuple(level for level in LEVELS[method] if method == "leiden" or level <= max(2, n // min_genes))
    curve, communities = stability(
        vectors, neighbors, method, levels, n_neighbors=k, min_genes=min_genes, n_subsamples=n_subsamples, rng=rng
    )
    return communities, graph, curve


def _check_resolution(value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 < value < np.inf:
        msg = f"resolution must be a number above 0, got {value!r}."
        raise InputError(msg)
