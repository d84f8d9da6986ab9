"""Find out how much the network adds to the other methods, on perturbations held out for that."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from dnaclip.models._perturbation.blend import Blend, fit_blend
from dnaclip.models._perturbation.folds import situations
from dnaclip.models._perturbation.model import make_mean, placed
from dnaclip.train._checkpoint import remove_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from dnaclip.models._perturbation.cells import PerturbationCells
    from dnaclip.models._perturbation.means import Shifts
    from dnaclip.models._perturbation.model import PerturbationModel
    from dnaclip.train._perturbation.network import Network

__all__ = ["blend_network", "held_out_rows"]

logger = logging.getLogger(__name__)

# Cells of a condition in a context that the inner network trains on: enough to compare, and it bounds the time.
CELLS_PER_CONDITION = 100
# One in so many genes, combinations, and conditions of several contexts is held out.
ONE_IN = 5


def blend_network(
    model: PerturbationModel, network: Network, train: np.ndarray, checkpoint: Path | None
) -> Blend | None:
    """Fit the other methods and an inner network without some perturbations, and weigh both by what they say of these.

    The inner network trains for as many epochs as were best for the outer one, without early stopping, so that the
    conditions it is judged by decide nothing else. None when there are too few perturbations to hold some out.
    """
    shifts = model.shifts
    rows = held_out_rows(shifts, np.random.default_rng(network.seed))
    known, asked = shifts.take(np.setdiff1d(np.arange(len(shifts)), rows)), shifts.take(rows)
    mean = make_mean(model.method, model.options, known, model.vectors) if len(known) else None
    if mean is None:
        logger.info("Too few perturbations to hold some out: the network has no weight.")
        return None
    some = _thinned(network.cells, train & _cells_of(network.cells, known), network.seed)
    inner, _ = network.train(some, np.zeros_like(some), checkpoint=checkpoint, max_epochs=_best_epoch(model.history))
    if checkpoint is not None:
        remove_checkpoint(checkpoint)
    blend = fit_blend(
        asked.deltas,
        mean.predict(asked.conditions, contexts=placed(asked.contexts, known)),
        inner.predict(asked.conditions, asked.contexts, model.vectors),
        situations(asked.conditions, asked.contexts, known),
    )
    logger.info("Judged by %d held-out shifts, the network weighs %s.", len(rows), blend.weights.round(2).tolist())
    return blend


def held_out_rows(shifts: Shifts, rng: np.random.Generator) -> np.ndarray:
    """Return rows in every situation that predictions may be in, sorted.

    They are all conditions with some genes, some of the other combinations, and some conditions in one of their contexts.
    """
    genes = _some(sorted(shifts.genes), rng)
    out = np.array([any(gene in genes for gene in condition) for condition in shifts.conditions])
    combinations = _some(
        sorted({shifts.conditions[i] for i in np.flatnonzero(~out) if len(shifts.conditions[i]) > 1}), rng
    )
    out |= np.array([condition in combinations for condition in shifts.conditions])
    places: dict[tuple[str, ...], list[int]] = {}
    for i in np.flatnonzero(~out).tolist():
        places.setdefault(shifts.conditions[i], []).append(i)
    several = sorted(condition for condition, rows in places.items() if len(rows) > 1)
    for condition in sorted(_some(several, rng)):
        out[places[condition][rng.integers(len(places[condition]))]] = True
    return np.flatnonzero(out)


def _some(items: list, rng: np.random.Generator) -> set:
    return {items[i] for i in rng.permutation(len(items))[: -(-len(items) // ONE_IN)]}


def _thinned(cells: PerturbationCells, train: np.ndarray, seed: int) -> np.ndarray:
    """Keep at most `CELLS_PER_CONDITION` training cells of each perturbation in each context, at random, and all controls."""
    order = np.random.default_rng(seed).permutation(np.flatnonzero(train))
    groups = cells.groups[order]
    by_group = np.argsort(groups, kind="stable")
    ordered = groups[by_group]
    number = np.arange(len(ordered)) - np.searchsorted(ordered, ordered)
    kept = np.zeros(len(train), dtype=bool)
    kept[order[by_group[number < CELLS_PER_CONDITION]]] = True
    return kept | (train & (cells.condition == 0))


def _cells_of(cells: PerturbationCells, shifts: Shifts) -> np.ndarray:
    """Return which cells are controls or belong to one of these shifts, bool (n_cells,)."""
    place = {condition: i for i, condition in enumerate(cells.conditions)}
    conditions = np.array([place[condition] for condition in shifts.conditions])
    return (cells.condition == 0) | np.isin(cells.groups, shifts.contexts * len(cells.conditions) + conditions)


def _best_epoch(history: pd.DataFrame) -> int:
    """Return how many epochs the network's training took to its best weights."""
    if "validation_loss" in history:
        return int(history["epoch"].to_numpy()[history["validation_loss"].to_numpy().argmin()])
    return len(history)
