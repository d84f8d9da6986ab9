"""Where the right candidates stand among all: counted in blocks of a matrix product, without sorting."""

from __future__ import annotations

import numpy as np

__all__ = ["count_ranks", "hit_probability"]

# Scores held at once: 2**24 float32 are 64 MiB, however many candidates there are.
_SCORES_AT_ONCE = 2**24


def count_ranks(
    queries: np.ndarray, candidates: np.ndarray, start: np.ndarray, count: np.ndarray, block_size: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count, against the best right candidate: those scored higher, those scored the same, and the right ones of these.

    The right score is read from the same matrix product as its rivals: computed apart it is rounded
    differently, which alone moves near-ties to the wrong side.
    """
    block_size = block_size or max(1, _SCORES_AT_ONCE // len(candidates))
    better, tied, tied_right = (np.empty(len(queries), dtype=np.int64) for _ in range(3))
    for begin in range(0, len(queries), block_size):
        block = slice(begin, begin + block_size)
        scores = queries[block] @ candidates.T
        n_right = count[block]
        offset = np.concatenate([[0], np.cumsum(n_right)[:-1]])
        row = np.repeat(np.arange(len(scores)), n_right)
        column = np.arange(len(row)) - np.repeat(offset, n_right) + np.repeat(start[block], n_right)
        right_scores = scores[row, column]
        best = np.maximum.reduceat(right_scores, offset)
        better[block] = np.count_nonzero(scores > best[:, None], axis=1)
        tied[block] = np.count_nonzero(scores == best[:, None], axis=1)
        tied_right[block] = np.add.reduceat((right_scores == best[row]).astype(np.int64), offset)
    return better, tied, tied_right


def hit_probability(drawn: np.ndarray, tied: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Probability that `drawn` of `tied` candidates, taken at random, hold at least one of the `right` ones."""
    from scipy.stats import hypergeom

    none = hypergeom.pmf(0, tied, right, np.clip(drawn, 0, tied))
    # It works with logarithms, which leaves 1e-16 where certainty should stand.
    return np.round(1.0 - none, 12)
