"""Which perturbations train and which are held out: rules on conditions, without any cells."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from dnaclip._errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

__all__ = ["Condition", "gene_folds", "group_name", "hold_out", "hold_out_any", "plain_folds", "straddling"]

Condition = tuple[str, ...]
T = TypeVar("T")

# A component of the graph of shared genes stays whole if it is not larger than this many even folds.
LARGEST_COMPONENT = 2


def hold_out(
    conditions: Sequence[Condition], fractions: tuple[float, float], generator: np.random.Generator
) -> dict[Condition, str]:
    """Return the conditions to hold out, with their groups, by the rules of GEARS' split `simulation`.

    Of the sorted genes a share is drawn to be *seen*. A single gene is held out if it is not seen, and so is a combination
    of which any gene is not; of the combinations of seen genes only a share is kept.

    Parameters
    ----------
    conditions
        Genes of each condition, in a fixed order.
    fractions
        Share of the genes that are seen, and share of the combinations of seen genes that are kept.
    generator
        Draws both.
    """
    seen = set(_draw(_genes(conditions), fractions[0], generator))
    kept = set(_draw([c for c in conditions if len(c) > 1 and seen.issuperset(c)], fractions[1], generator))
    kept |= {condition for condition in conditions if len(condition) == 1 and seen.issuperset(condition)}
    return {condition: group_name(condition, seen) for condition in conditions if condition not in kept}


def hold_out_any(
    conditions: Sequence[Condition], fraction: float, generator: np.random.Generator
) -> dict[Condition, str]:
    """Return the conditions to hold out, with their groups, when a share of them, whatever their genes, is kept."""
    kept = _draw(conditions, fraction, generator)
    seen = set(_genes(kept))
    return {condition: group_name(condition, seen) for condition in conditions if condition not in set(kept)}


def group_name(condition: Condition, seen: Collection[str]) -> str:
    """Say what training knows of a held-out condition's genes: `unseen_single`, `seen_single`, `combo_seen0` and so on.

    Examples
    --------
    >>> group_name(("A",), {"A"}), group_name(("A", "B", "C"), {"A", "C"})
    ('seen_single', 'combo_seen2')
    """
    n_seen = sum(gene in seen for gene in condition)
    if len(condition) == 1:
        return "seen_single" if n_seen else "unseen_single"
    return f"combo_seen{n_seen}"


def plain_folds(conditions: Sequence[Condition], n_folds: int, generator: np.random.Generator) -> dict[Condition, int]:
    """Deal conditions to folds at random, so that each gets as many singles, doubles and so on as the others."""
    if len(conditions) < n_folds:
        msg = f"n_folds={n_folds} is more than there are perturbations ({len(conditions)}). Use fewer folds."
        raise InputError(msg)
    shuffled = [conditions[i] for i in generator.permutation(len(conditions))]
    return {condition: i % n_folds for i, condition in enumerate(sorted(shuffled, key=len))}


def gene_folds(
    conditions: Sequence[Condition], n_folds: int, generator: np.random.Generator
) -> tuple[dict[str, int], str]:
    """Deal genes to folds, so that perturbations which share a gene need not stand on two sides.

    Genes that combinations link, directly or through others, stay together: no combination straddles two folds. Only where
    so many are linked that they alone would fill more than two even folds, these are dealt one by one.

    Returns
    -------
    Fold of each gene; and `"components"`, or `"genes"` if some were dealt one by one.
    """
    genes = _genes(conditions)
    if len(genes) < n_folds:
        msg = f"n_folds={n_folds} is more than there are perturbed genes ({len(genes)}). Use fewer folds."
        raise InputError(msg)
    component = _components(conditions, genes)
    n_conditions = Counter(component[condition[0]] for condition in conditions)
    n_genes = Counter(component.values())
    most = LARGEST_COMPONENT * len(conditions) / n_folds
    # What is dealt, and how many conditions it stands for.
    units: list[tuple[float, list[str]]] = []
    for number, size in sorted(n_conditions.items()):
        members = [gene for gene in genes if component[gene] == number]
        if size <= most and len(n_conditions) >= n_folds:
            units.append((size, members))
        else:
            units += [(size / n_genes[number], [gene]) for gene in members]
    shuffled = [units[i] for i in generator.permutation(len(units))]
    fold_of: dict[str, int] = {}
    filled = [0.0] * n_folds
    for size, members in sorted(shuffled, key=lambda unit: -unit[0]):
        fold = filled.index(min(filled))
        filled[fold] += size
        fold_of |= dict.fromkeys(members, fold)
    return fold_of, "components" if len(units) == len(n_conditions) else "genes"


def straddling(
    conditions: Iterable[Condition], fold_of: Mapping[str, int], fold: int
) -> tuple[set[Condition], set[Condition]]:
    """Return the conditions all of whose genes are in `fold`, and those of which only some are."""
    inside, across = set(), set()
    for condition in conditions:
        n_inside = sum(fold_of[gene] == fold for gene in condition)
        if n_inside == len(condition):
            inside.add(condition)
        elif n_inside:
            across.add(condition)
    return inside, across


def _components(conditions: Iterable[Condition], genes: Sequence[str]) -> dict[str, int]:
    """Number the groups of genes that combinations link."""
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    position = {gene: i for i, gene in enumerate(genes)}
    links = [(position[condition[0]], position[gene]) for condition in conditions for gene in condition]
    rows, columns = np.array(links).T
    graph = sparse.coo_matrix((np.ones(len(links)), (rows, columns)), shape=(len(genes), len(genes)))
    _, labels = connected_components(graph, directed=False)
    return dict(zip(genes, labels.tolist(), strict=True))


def _genes(conditions: Iterable[Condition]) -> list[str]:
    return sorted({gene for condition in conditions for gene in condition})


def _draw(values: Sequence[T], fraction: float, generator: np.random.Generator) -> list[T]:
    """Draw a share of the values, rounded down; the small number keeps .29 x 100 at 29."""
    n = int(fraction * len(values) + 1e-9)
    return [values[i] for i in sorted(generator.choice(len(values), n, replace=False).tolist())] if n else []
