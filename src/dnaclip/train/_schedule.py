"""The learning rate over a run of the networks that predict expression and perturbations."""

from __future__ import annotations

import math

__all__ = ["warm_up_and_cosine"]


def warm_up_and_cosine(lr: float, max_epochs: int, epochs_done: float) -> float:
    """Rise over the first epoch, then fall to zero along a cosine.

    Examples
    --------
    >>> [round(warm_up_and_cosine(1.0, 10, done), 2) for done in (0, 0.5, 1, 5, 10)]
    [0.0, 0.5, 0.98, 0.5, 0.0]
    """
    return lr * min(epochs_done, 1.0) * (1 + math.cos(math.pi * min(epochs_done / max_epochs, 1.0))) / 2
