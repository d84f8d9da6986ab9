"""E-distances of predicted to observed cells, read one perturbation at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from dnaclip.metrics._e_distance import e_distance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dnaclip.tl._perturbation.pairs import Pairs

__all__ = ["cell_distances", "dense_rows", "half_distances", "rows_by_pair"]


def cell_distances(
    predicted: Any,
    observed: Any,
    pairs: Pairs,
    genes: tuple[np.ndarray, np.ndarray],
    targets: Sequence[Sequence[int]],
    max_cells: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the E-distance of each pair, float64 (m,), without the targeted genes."""
    found = np.full(len(pairs), np.nan)
    both = zip(rows_by_pair(pairs.guess, len(pairs)), rows_by_pair(pairs.truth, len(pairs)), strict=True)
    for i, rows in enumerate(both):
        if min(map(len, rows)) > 1:
            a, b = (
                dense_rows(x, _sample(which, max_cells, rng), np.delete(columns, targets[i]))
                for x, which, columns in zip((predicted, observed), rows, genes, strict=True)
            )
            found[i] = e_distance(a, b)
    return found


def half_distances(
    observed: Any,
    pairs: Pairs,
    genes: np.ndarray,
    targets: Sequence[Sequence[int]],
    max_cells: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the E-distance between two random halves of the observed cells of each pair, float64 (m,)."""
    found = np.full(len(pairs), np.nan)
    for i, rows in enumerate(rows_by_pair(pairs.truth, len(pairs))):
        cells = dense_rows(observed, _sample(rows, 2 * max_cells, rng), np.delete(genes, targets[i]))
        cells = rng.permutation(cells)
        found[i] = e_distance(cells[::2], cells[1::2])
    return found


def rows_by_pair(groups: np.ndarray, n: int) -> list[np.ndarray]:
    """Return the rows of each group 0 to n - 1, in rising order."""
    order = np.argsort(groups, kind="stable")
    bounds = np.searchsorted(groups[order], np.arange(n + 1))
    return [order[start:stop] for start, stop in zip(bounds[:-1], bounds[1:], strict=True)]


def dense_rows(x: Any, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Read some rows of `x`, however it is stored, as a dense float64 array of some columns."""
    block = x[rows]
    block = block.compute() if hasattr(block, "compute") else block
    block = block.toarray() if sparse.issparse(block) else np.asarray(block)
    return block[:, columns].astype(np.float64)


def _sample(rows: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    return rows if len(rows) <= n else np.sort(rng.choice(rows, n, replace=False))
