"""What a predictor of perturbations learns from cells: mean shifts from the control, and a sample of the control cells."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from dnaclip._errors import InputError, examples
from dnaclip._matrix import group_sums, sampled_rows
from dnaclip.models._perturbation.means import Shifts

if TYPE_CHECKING:
    from dnaclip.models._perturbation.cells import PerturbationCells

__all__ = ["FEW_CELLS", "Controls", "sample_controls", "training_shifts"]

logger = logging.getLogger(__name__)

# A mean of fewer cells than this says little about a perturbation.
FEW_CELLS = 30
# Control cells kept per context: enough to average over and to draw from.
KEPT_CELLS = 1000


@dataclass(frozen=True, eq=False)
class Controls:
    """Control cells of the contexts.

    Parameters
    ----------
    means
        Mean expression of all control cells of each context, float32 (n_contexts, n_genes); NaN where there are none.
    counts
        Their number, int64 (n_contexts,).
    x
        A sample of them, float32 CSR (n_kept, n_genes).
    context
        Context of each cell of the sample, int32 (n_kept,).
    """

    means: np.ndarray
    counts: np.ndarray
    x: sparse.csr_array
    context: np.ndarray

    @property
    def nonnegative(self) -> bool:
        """Whether no value of the sample is below zero, as in log-normalised data."""
        return not (self.x.data < 0).any()

    def cells(self, context: int) -> sparse.csr_array:
        """Return the kept control cells of one context."""
        return self.x[np.flatnonzero(self.context == context)]


def training_shifts(cells: PerturbationCells, train: np.ndarray) -> tuple[Shifts, np.ndarray, np.ndarray]:
    """Return the mean shifts that the training cells show, and the means and numbers of the control cells of each context.

    Raises
    ------
    InputError
        The expression holds NaN or infinite values, no perturbed cell trains, or a context with perturbed cells in training
        has no control there.
    """
    codes, group = np.unique(np.where(train, cells.groups, -1), return_inverse=True)
    # Cells that do not train form a group of their own: one pass reads all cells and checks their values.
    (sums,) = group_sums(cells.x, group, len(codes), cells.genes)
    number = np.bincount(group, minlength=len(codes))
    means = (sums / number[:, None])[codes >= 0]
    number, codes = number[codes >= 0], codes[codes >= 0]
    context, condition = np.divmod(codes, len(cells.conditions))
    control_means = np.full((len(cells.contexts), len(cells.genes)), np.nan)
    control_means[context[condition == 0]] = means[condition == 0]
    control_counts = np.zeros(len(cells.contexts), dtype=np.int64)
    control_counts[context[condition == 0]] = number[condition == 0]
    perturbed = np.flatnonzero(condition > 0)
    context, condition = context[perturbed], condition[perturbed]
    if not len(condition):
        msg = "No perturbed cell is in training: all cells that train are controls."
        raise InputError(msg)
    without = sorted({cells.contexts[i] for i in context[control_counts[context] == 0]})
    if without:
        msg = (
            f"{len(without)} of {len(cells.contexts)} contexts have perturbed cells in training but no control cells: "
            f"{examples(without)}. Effects are measured from the control of the same context: let its control cells train."
        )
        raise InputError(msg)
    shifts = Shifts(
        deltas=means[perturbed] - control_means[context],
        conditions=tuple(cells.conditions[i] for i in condition),
        counts=number[perturbed].astype(np.float64),
        contexts=context,
    )
    _report(cells, shifts, control_counts)
    return shifts, control_means.astype(np.float32), control_counts


def _report(cells: PerturbationCells, shifts: Shifts, controls: np.ndarray) -> None:
    logger.info(
        "Training on %d perturbations in %d contexts: %d cells and %d control cells.",
        *(len(set(shifts.conditions)), len(set(shifts.contexts.tolist())), shifts.counts.sum(), controls.sum()),
    )
    few = ["+".join(shifts.conditions[i]) for i in np.flatnonzero(shifts.counts < FEW_CELLS)]
    few += [f"control of {cells.contexts[i]}" for i in np.flatnonzero((controls > 0) & (controls < FEW_CELLS))]
    if few:
        logger.warning(
            "%d groups of training cells have fewer than %d cells, so that their means are noisy: %s.",
            *(len(few), FEW_CELLS, examples(few)),
        )


def sample_controls(
    cells: PerturbationCells, train: np.ndarray, means: np.ndarray, counts: np.ndarray, rng: np.random.Generator
) -> Controls:
    """Return the control cells that train, at most 1,000 of each context, drawn at random."""
    kept = []
    for context in range(len(cells.contexts)):
        rows = np.flatnonzero(train & (cells.condition == 0) & (cells.context == context))
        kept.append(rows if len(rows) <= KEPT_CELLS else rng.choice(rows, KEPT_CELLS, replace=False))
    rows = np.sort(np.concatenate(kept))
    x = sampled_rows(cells.x, rows, np.arange(len(cells.genes)))
    return Controls(means, counts, sparse.csr_array(x, dtype=np.float32), cells.context[rows])
