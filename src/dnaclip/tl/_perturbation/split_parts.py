"""From a way of splitting to the part and group of each condition."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dnaclip._conditions import condition_genes, condition_name
from dnaclip._errors import InputError, examples
from dnaclip._validate import check_choice
from dnaclip.tl._perturbation.split_rules import gene_folds, group_name, hold_out, hold_out_any, plain_folds, straddling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from dnaclip.tl._perturbation.split_rules import Condition

__all__ = ["PARTS", "Split", "given", "one_fold", "simulated"]

logger = logging.getLogger(__name__)

PARTS = ("train", "validation", "test", "unused")


@dataclass
class Split:
    """Held-out conditions and their groups; what stands in none of these trains."""

    test: dict[Condition, str] = field(default_factory=dict)
    validation: dict[Condition, str] = field(default_factory=dict)
    unused: set[Condition] = field(default_factory=set)
    disjoint_by: str = ""

    def of(self, condition: Condition) -> tuple[str, str]:
        """Part and group of a condition."""
        if not condition:
            return "train", "control"
        if condition in self.unused:
            return "unused", "unused"
        if condition in self.test:
            return "test", self.test[condition]
        if condition in self.validation:
            return "validation", self.validation[condition]
        return "train", "train"


def simulated(
    perturbations: list[Condition],
    fractions: tuple[float, float],
    validation_fractions: tuple[float, float],
    generator: np.random.Generator,
    *,
    only_singles: bool,
) -> Split:
    """Hold out by the rules of GEARS, twice: for test, and of the rest for validation."""
    combos = {condition for condition in perturbations if len(condition) > 1} if only_singles else set()
    if combos:
        logger.warning("method='single' leaves %d combinations of genes unused.", len(combos))
    used = [condition for condition in perturbations if condition not in combos]
    test = hold_out(used, fractions, generator)
    rest = [condition for condition in used if condition not in test]
    return Split(test, hold_out(rest, validation_fractions, generator), combos)


def one_fold(
    perturbations: list[Condition],
    n_folds: int,
    fold: int,
    fraction: float,
    generator: np.random.Generator,
    *,
    gene_disjoint: bool,
) -> Split:
    """Hold out one of several folds, and split validation off from the others."""
    if gene_disjoint:
        fold_of_gene, by = gene_folds(perturbations, n_folds, generator)
        test, unused = straddling(perturbations, fold_of_gene, fold)
    else:
        fold_of, by, unused = plain_folds(perturbations, n_folds, generator), "", set()
        test = {condition for condition in perturbations if fold_of[condition] == fold}
    rest = [condition for condition in perturbations if condition not in test | unused]
    # Drawn genes are held out with all their combinations, so nothing else has to go unused.
    validation = hold_out(rest, (fraction, 1), generator) if gene_disjoint else hold_out_any(rest, fraction, generator)
    seen = {gene for condition in rest for gene in condition}
    groups = {condition: group_name(condition, seen) for condition in perturbations if condition in test}
    return Split(groups, validation, unused, by)


def given(parts: Mapping[str, Sequence[str]], perturbations: list[Condition], control: str) -> Split:
    """Read a split that the user made."""
    part_of: dict[Condition, str] = {}
    for part, names in parts.items():
        check_choice("A part of method", part, PARTS)
        if isinstance(names, str):
            msg = f"method[{part!r}] is a single string. Pass a list: [{names!r}]."
            raise InputError(msg)
        for condition in {condition_genes(name, control) for name in names} - {()}:
            if condition in part_of:
                msg = f"Condition {condition_name(condition)!r} stands in {part_of[condition]!r} and in {part!r}; it must be in one part."
                raise InputError(msg)
            part_of[condition] = part
    known = set(perturbations)
    for conditions, what in (
        (part_of.keys() - known, "conditions of method are not among those of the cells"),
        (
            known - part_of.keys(),
            "conditions of the cells are in no part of method; put them in 'unused' if that is meant",
        ),
    ):
        if conditions:
            msg = f"{len(conditions)} {what}: {examples(sorted(map(condition_name, conditions)))}."
            raise InputError(msg)
    return _with_groups(perturbations, part_of)


def _with_groups(perturbations: list[Condition], part_of: dict[Condition, str]) -> Split:
    """Name the groups of a given split: validation by what trains, test by what is not tested."""

    def genes(*parts: str) -> set[str]:
        return {gene for condition in perturbations if part_of[condition] in parts for gene in condition}

    seen = {"validation": genes("train"), "test": genes("train", "validation")}
    validation, test = (
        {c: group_name(c, known) for c in perturbations if part_of[c] == part} for part, known in seen.items()
    )
    return Split(validation=validation, test=test, unused={c for c in perturbations if part_of[c] == "unused"})
