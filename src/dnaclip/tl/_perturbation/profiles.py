"""The mean profiles that scoring compares: predicted, observed, two controls and the mean of training perturbations."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dnaclip._errors import InputError, examples
from dnaclip._matrix import group_sums
from dnaclip.tl._perturbation.pairs import group_means, random_halves, welch_t

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike

    from dnaclip.models._perturbation.cells import PerturbationCells
    from dnaclip.tl._perturbation.pairs import Pairs

__all__ = ["Profiles", "half_profiles", "read_profiles"]

logger = logging.getLogger(__name__)

# How many times higher than all observed means a predicted mean may be before its scale is doubted.
OTHER_SCALE = 5


@dataclass(frozen=True, eq=False)
class Profiles:
    """Means of the m perturbations to score over the G shared genes, float64 (m, G) each.

    Parameters
    ----------
    predicted, observed
        Mean expression; rows of NaN for what was not predicted.
    predicted_control, control
        Means of the control cells that the predicted and the observed change are taken from.
    seen_control
        Mean of the control cells that the method could see.
    reference
        Mean of the training perturbations.
    statistic
        Welch's t of the observed cells against their control.
    n_cells
        Observed cells (m,).
    """

    predicted: np.ndarray
    observed: np.ndarray
    predicted_control: np.ndarray
    control: np.ndarray
    seen_control: np.ndarray
    reference: np.ndarray | None
    statistic: np.ndarray
    n_cells: np.ndarray

    @property
    def baseline(self) -> Profiles:
        """The same with the reference as the prediction for everything."""
        if self.reference is None:
            msg = "There is no reference."
            raise InputError(msg)
        return replace(self, predicted=self.reference, predicted_control=self.seen_control)


def read_profiles(
    guess: PerturbationCells,
    truth: PerturbationCells,
    pairs: Pairs,
    genes: tuple[np.ndarray, np.ndarray],
    *,
    delta: Any,
    in_train: np.ndarray | None,
    reference: ArrayLike | Mapping[str, ArrayLike] | None,
    has_control: bool,
    rng: np.random.Generator,
) -> Profiles:
    """Read the means of predictions and observed cells; the options are those of `evaluate_perturbations`."""
    m, n_contexts, context = len(pairs), len(truth.contexts), pairs.contexts
    groups = pairs.truth.copy()
    if has_control:
        side = _control_side(truth, pairs, in_train, rng)
        groups = np.where(side >= 0, m + n_contexts * side + truth.context, groups)
        if delta is not None and (in_train is None or in_train[truth.condition == 0].all()):
            logger.warning(
                "Predicted changes may be from the same control cells as the observed ones, which flatters their "
                "correlation. Fit with some control cells left out, and name the cells in training as train."
            )
    n_groups = m + 2 * n_contexts
    count = np.bincount(groups[groups >= 0], minlength=n_groups)
    sums, squares = (table[:, genes[1]] for table in group_sums(truth.x, groups, n_groups, truth.genes, squares=True))
    if not has_control:
        count[m:] = 1
    with np.errstate(invalid="ignore"):
        means = sums / count[:, None]
    observed, control, seen = means[:m], means[m : m + n_contexts], means[m + n_contexts :]
    # Where a context has a single control cell, it has to serve on both sides.
    seen = np.where(np.isfinite(seen), seen, control)
    statistic = welch_t(sums, squares, count, m + context)
    untested = ~np.isfinite(statistic).any(axis=1)
    statistic[untested] = (observed - control[context])[untested]

    training = truth.condition > 0
    training &= in_train if in_train is not None else pairs.truth < 0
    mean = _reference(truth, training, reference, genes[1], seen)
    predicted, start = _predicted(guess, truth, pairs, genes[0], delta, seen)
    reach = np.nanmax(predicted, initial=0), np.nanmax(observed, initial=0)
    if has_control and reach[0] > OTHER_SCALE * reach[1] > 0:
        msg = (
            f"Predicted means reach {reach[0]:.3g}, observed ones {reach[1]:.3g}: predictions seem to be on another scale. "
            "Both must be normalised alike."
        )
        warnings.warn(msg, UserWarning, stacklevel=4)
    return Profiles(
        predicted,
        observed,
        start,
        control[context],
        seen[context],
        None if mean is None else mean[context],
        statistic,
        count[:m],
    )


def half_profiles(
    truth: PerturbationCells,
    pairs: Pairs,
    genes: np.ndarray,
    profiles: Profiles,
    n_halves: int,
    rng: np.random.Generator,
) -> Iterator[Profiles]:
    """Yield profiles in which one random half of the observed cells predicts the other."""
    for _ in range(n_halves):
        groups = np.where(pairs.truth >= 0, 2 * pairs.truth + random_halves(pairs.truth, rng), -1)
        means, _ = group_means(truth.x, groups, 2 * len(pairs), truth.genes)
        first, second = means[::2, genes], means[1::2, genes]
        yield replace(profiles, predicted=first, observed=second, predicted_control=profiles.seen_control)


def _control_side(
    truth: PerturbationCells, pairs: Pairs, in_train: np.ndarray | None, rng: np.random.Generator
) -> np.ndarray:
    """Return 0 for control cells that observed changes are taken from, 1 for those the method could see, else -1."""
    is_control = truth.condition == 0
    count = np.bincount(truth.context[is_control], minlength=len(truth.contexts))
    without = [truth.contexts[i] for i in np.unique(pairs.contexts) if count[i] == 0]
    if without:
        msg = f"{len(without)} contexts have no control cells among the observed: {examples(without)}. Leave them out."
        raise InputError(msg)
    if (count[np.unique(pairs.contexts)] == 1).any():
        logger.warning("A context has a single control cell, which serves for predicted and observed changes alike.")
    side = random_halves(np.where(is_control, truth.context, -1), rng)
    if in_train is not None:
        seen = np.bincount(truth.context[is_control & in_train], minlength=len(truth.contexts))
        split = (seen > 0) & (seen < count)
        side = np.where(split[truth.context], in_train, side)
    return np.where(is_control, side, -1)


def _reference(
    truth: PerturbationCells,
    training: np.ndarray,
    given: ArrayLike | Mapping[str, ArrayLike] | None,
    genes: np.ndarray,
    control: np.ndarray,
) -> np.ndarray | None:
    """Return the mean of the training perturbations, (n_contexts, G), or None if there are none.

    Each condition counts once, however many cells it has. A context without any gets the mean change of the others.
    """
    if given is not None:
        return _given_reference(truth, given, genes)
    groups = np.where(training, truth.groups, -1)
    _, place, cells = np.unique(groups, return_inverse=True, return_counts=True)
    kinds = np.bincount(np.unique(groups[training]) // len(truth.conditions), minlength=len(truth.contexts))
    if not training.any():
        return None
    weights = 1 / (cells[place] * np.maximum(kinds, 1)[truth.context])
    (mean,) = group_sums(
        truth.x, np.where(training, truth.context, -1), len(truth.contexts), truth.genes, weights=weights
    )
    mean = mean[:, genes]
    known = (kinds > 0) & np.isfinite(control).all(axis=1)
    if known.any() and not known.all():
        mean[kinds == 0] = control[kinds == 0] + (mean[known] - control[known]).mean(axis=0)
    return mean


def _given_reference(
    truth: PerturbationCells, given: ArrayLike | Mapping[str, ArrayLike], genes: np.ndarray
) -> np.ndarray:
    n_genes = len(truth.genes)
    if isinstance(given, Mapping):
        absent = [name for name in truth.contexts if name not in given]
        if absent:
            msg = f"reference has no mean for the contexts {examples(absent)}; it has {examples(given)}."
            raise InputError(msg)
        rows = [np.asarray(given[name], dtype=np.float64) for name in truth.contexts]
    else:
        rows = [np.asarray(given, dtype=np.float64)] * len(truth.contexts)
    if any(row.shape != (n_genes,) or not np.isfinite(row).all() for row in rows):
        msg = f"reference must hold {n_genes} finite numbers, one for each gene of the observed cells."
        raise InputError(msg)
    return np.array(rows)[:, genes]


def _predicted(
    guess: PerturbationCells,
    truth: PerturbationCells,
    pairs: Pairs,
    genes: np.ndarray,
    delta: Any,
    seen: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return predicted means and what the predicted changes are taken from, (m, G) both."""
    m, n_contexts = len(pairs), len(truth.contexts)
    place = {name: i for i, name in enumerate(truth.contexts)}
    context = np.array([place.get(name, -1) for name in guess.contexts])[guess.context]
    is_control = (guess.condition == 0) & (context >= 0)
    groups = np.where(is_control, m + context, pairs.guess)
    means, count = group_means(guess.x, groups, m + n_contexts, guess.genes)
    means = means[:, genes]
    if delta is not None:
        change, _ = group_means(delta, pairs.guess, m, guess.genes)
        return means[:m], means[:m] - change[:, genes]
    own = np.where((count[m:] > 0)[:, None], means[m:], seen)
    return means[:m], own[pairs.contexts]
