"""Which predictions and which observed cells belong together, and the means that scoring needs."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnaclip._conditions import condition_genes
from dnaclip._errors import InputError, examples
from dnaclip._matrix import group_sums

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dnaclip.models._perturbation.cells import PerturbationCells

__all__ = ["Pairs", "group_means", "match_pairs", "random_halves", "shared_genes", "target_positions", "welch_t"]


@dataclass(frozen=True, eq=False)
class Pairs:
    """The m perturbations to score, each in one context.

    Parameters
    ----------
    conditions
        Genes of each, m tuples.
    contexts
        Position of its context among those of the observed cells (m,).
    guess
        Pair of each row of the predictions (n_predicted,), -1 for none.
    truth
        Pair of each observed cell (n_observed,), -1 for none.
    """

    conditions: list[tuple[str, ...]]
    contexts: np.ndarray
    guess: np.ndarray
    truth: np.ndarray

    def __len__(self) -> int:
        return len(self.conditions)


def match_pairs(
    predicted: PerturbationCells,
    observed: PerturbationCells,
    conditions: Iterable[str] | None,
    control: str,
    train: np.ndarray,
) -> Pairs:
    """Pair predictions with observed cells by condition and context.

    `conditions` are those to score, predicted or not; `None` is every predicted one. Of a condition with cells that
    are not in `train`, only these are scored.
    """
    codes = _codes(predicted, observed), _codes(observed, observed)
    measured = np.unique(codes[1])
    measured = measured[measured % len(observed.conditions) > 0]
    if conditions is None:
        wanted = measured[np.isin(measured, codes[0])]
        if not len(wanted):
            names = [["+".join(genes) for genes in cells.conditions if genes] for cells in (predicted, observed)]
            msg = f"No predicted perturbation was observed. Predicted: {examples(names[0])}. Observed: {examples(names[1])}."
            raise InputError(msg)
    else:
        listed = [conditions] if isinstance(conditions, str) else list(conditions)
        place = {genes: i for i, genes in enumerate(observed.conditions)}
        genes = [condition_genes(name, control) for name in listed]
        absent = [name for name, one in zip(listed, genes, strict=True) if not place.get(one)]
        if absent or not listed:
            msg = f"{len(absent)} of {len(listed)} conditions are no observed perturbations: {examples(absent)}."
            raise InputError(msg)
        wanted = measured[np.isin(measured % len(observed.conditions), [place[one] for one in genes])]
    held_out = np.isin(codes[1], np.unique(codes[1][~train]))
    scored = np.where(held_out & train, -1, _position(codes[1], wanted))
    return Pairs(
        [observed.conditions[i] for i in wanted % len(observed.conditions)],
        wanted // len(observed.conditions),
        _position(codes[0], wanted),
        scored,
    )


def _codes(cells: PerturbationCells, as_in: PerturbationCells) -> np.ndarray:
    """Number condition and context of each cell as `as_in.groups` does; -1 for what is not there."""
    condition, context = (
        _places(here, there) for here, there in ((cells.conditions, as_in.conditions), (cells.contexts, as_in.contexts))
    )
    condition, context = condition[cells.condition], context[cells.context]
    return np.where((condition < 0) | (context < 0), -1, context * len(as_in.conditions) + condition)


def _places(here: Sequence[Any], there: Sequence[Any]) -> np.ndarray:
    """Return the position in `there` of each value of `here`, -1 for those not there."""
    place = {value: i for i, value in enumerate(there)}
    return np.array([place.get(value, -1) for value in here], dtype=np.int64)


def _position(codes: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the position of each code in the sorted `wanted`, -1 for those not there."""
    place = np.searchsorted(wanted, codes).clip(max=len(wanted) - 1)
    return np.where(wanted[place] == codes, place, -1)


def shared_genes(predicted: Sequence[str], observed: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions, in both, of the genes that both have, in the order of `observed`; warn if any is missing."""
    place = pd.Index(predicted).get_indexer(pd.Index(observed))
    found = np.flatnonzero(place >= 0)
    if not len(found):
        msg = (
            "Predictions and observed cells have no gene in common. "
            f"Their var_names look like {examples(predicted, 3)} and {examples(observed, 3)}."
        )
        raise InputError(msg)
    if len(found) < len(observed):
        missing = [observed[i] for i in np.flatnonzero(place < 0).tolist()]
        msg = f"{len(missing)} of {len(observed)} observed genes are not predicted and not scored: {examples(missing)}."
        warnings.warn(msg, UserWarning, stacklevel=4)
    return place[found], found


def target_positions(conditions: Sequence[tuple[str, ...]], genes: Iterable[str]) -> list[list[int]]:
    """Return for each condition the positions, among `genes`, of the genes that it perturbs and that were measured."""
    place: dict[str, list[int]] = {}
    for i, gene in enumerate(genes):
        place.setdefault(gene, []).append(i)
    return [[i for gene in condition for i in place.get(gene, [])] for condition in conditions]


def group_means(x: Any, groups: np.ndarray, n_groups: int, genes: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of each group, float64 (n_groups, n_vars), NaN for an empty one, and the number of its cells."""
    count = np.bincount(groups[groups >= 0], minlength=n_groups)
    (sums,) = group_sums(x, groups, n_groups, genes)
    return _divided(sums, count), count


def welch_t(sums: np.ndarray, squares: np.ndarray, count: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return Welch's t of groups against others, float64 (m, n_vars), from sums of values and of their squares.

    Row `other[i]` of the tables is what row i < m is compared with. A gene that is silent in the group is NaN, and so is
    a group where one side has fewer than two cells. Genes without variance and difference have t = 0.
    """
    mean = _divided(sums, count)
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = np.maximum(squares - count[:, None] * mean**2, 0) / (count - 1)[:, None]
        error = np.where((count > 1)[:, None], variance / count[:, None], np.nan)
        m = len(other)
        t = (mean[:m] - mean[other]) / np.sqrt(error[:m] + error[other])
    t[(mean[:m] == mean[other]) & (error[:m] + error[other] == 0)] = 0
    t[mean[:m] == 0] = np.nan
    return t


def random_halves(groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cut each group at random in two halves that differ by at most one cell: 0 or 1 for each cell."""
    order = np.lexsort((rng.random(len(groups)), groups))
    ordered = groups[order]
    first = np.searchsorted(ordered, ordered)
    half = np.empty(len(groups), dtype=np.int64)
    half[order] = (np.arange(len(groups)) - first) % 2
    return half


def _divided(sums: np.ndarray, count: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return sums / count[:, None]
