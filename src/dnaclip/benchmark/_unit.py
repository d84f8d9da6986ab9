"""One piece of work: a term, a fold or a whole task, computed by itself and kept in a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Unit", "rows_of"]

# What a run gives for one score.
Row = dict[str, Any]


@dataclass(frozen=True)
class Unit:
    """A piece of work.

    Attributes
    ----------
    task
        Name of the task.
    term
        What it is about, such as `"GO:0006325"`; empty for a whole task.
    work
        Computes the scores: rows of the result.
    """

    task: str
    term: str
    work: Callable[[], list[Row]]

    @property
    def key(self) -> str:
        """Name for a file."""
        return "".join(letter if letter.isalnum() else "-" for letter in f"{self.task}-{self.term or 'all'}")


def rows_of(
    scores: dict[str, float],
    *,
    method: str,
    train: np.ndarray,
    test: np.ndarray,
    fold: int = 0,
    strength: float = np.nan,
    name: str = "",
    features: str = "",
) -> list[Row]:
    """One row per score; `train` and `test` are the labels of the examples, bool where there are positives."""
    common = {
        "name": name,
        "features": features,
        "method": method,
        "fold": fold,
        "strength": float(strength),
        "n_train": len(train),
        "n_test": len(test),
        "n_positive": int(train.sum() + test.sum()) if train.dtype == bool else 0,
    }
    return [{**common, "metric": metric, "value": float(value)} for metric, value in scores.items()]
