"""Inner folds that imitate what a prediction may have to do without, and the situation that each row is then in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dnaclip.models._perturbation.means import Condition, Shifts

__all__ = ["SITUATIONS", "UNSEEN", "inner_folds", "situations"]

# What training knows of a perturbation: the same one in another context; all, some or none of its genes.
UNSEEN = "no gene seen"
SITUATIONS = ("elsewhere", "all genes seen", "some genes seen", UNSEEN)

# Fixed, so that the same shifts always give the same folds.
SEED = 0


def situations(conditions: Sequence[Condition], contexts: np.ndarray, training: Shifts) -> np.ndarray:
    """Return the position in `SITUATIONS` of each condition in the context beside it."""
    seen = training.genes
    where: dict[Condition, set[int]] = {}
    for condition, context in zip(training.conditions, training.contexts.tolist(), strict=True):
        where.setdefault(condition, set()).add(context)
    out = np.empty(len(conditions), dtype=np.int64)
    for row, (condition, context) in enumerate(zip(conditions, contexts.tolist(), strict=True)):
        known = sum(gene in seen for gene in condition)
        if where.get(condition, set()) - {context}:
            out[row] = 0
        else:
            out[row] = 1 if known == len(condition) else 2 if known else 3
    return out


def inner_folds(shifts: Shifts, n_folds: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the rows to fit and the rows to predict, by position.

    Three kinds of folds follow each other: over genes, with every condition that perturbs one of them; over conditions, where some
    perturb several genes, so that their genes may be seen elsewhere; and over contexts. In the first two a condition is held out in
    all contexts at once. Folds without rows on both sides are left out.
    """
    conditions = sorted(set(shifts.conditions))
    held_out = [
        np.array([any(gene in fold for gene in condition) for condition in shifts.conditions])
        for fold in _parts(sorted(shifts.genes), n_folds)
    ]
    if any(len(condition) > 1 for condition in conditions):
        held_out += [
            np.array([condition in fold for condition in shifts.conditions]) for fold in _parts(conditions, n_folds)
        ]
    held_out += [shifts.contexts == context for context in np.unique(shifts.contexts)]
    for test in held_out:
        if test.any() and not test.all():
            yield np.flatnonzero(~test), np.flatnonzero(test)


def _parts(items: Sequence[Any], n_parts: int) -> list[set[Any]]:
    """Return the items in parts of nearly the same size, at random."""
    order = np.random.default_rng(SEED).permutation(len(items))
    return [{items[i] for i in order[start::n_parts]} for start in range(n_parts)]
