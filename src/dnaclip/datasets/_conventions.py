"""How published data sets name what was done to a cell, and what genes their names stand for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CONVENTIONS", "Convention"]

Genes = tuple[str, ...]

# Labels of cells whose perturbation was not determined.
_UNASSIGNED = ("", "*", "nan", "<na>", "none", "unassigned")


@dataclass(frozen=True)
class Convention:
    """One way of naming perturbations.

    Parameters
    ----------
    column
        Column of `obs` that holds the names.
    controls
        Names of the control, in lower case.
    genes
        Turns any other name into the genes that it stands for: none for the control, None if that is not known.
    """

    column: str
    controls: tuple[str, ...]
    genes: Callable[[str], Genes | None]

    def read(self, label: object) -> Genes | None:
        """Genes that a label stands for: none for the control, None if the perturbation is not known."""
        name = label.strip() if isinstance(label, str) else ""
        if name.lower() in _UNASSIGNED:
            return None
        return () if name.lower() in self.controls else self.genes(name)


def _one(name: str) -> Genes:
    return (name,)


def _split(separator: str, *without: str) -> Callable[[str], Genes]:
    return lambda name: tuple(gene.strip() for gene in name.split(separator) if gene.strip() not in without)


# 62(mod)_pBA581, Gal4-4(mod)_pBA582, 3x_neg_ctrl_pMJ144-1: guides against nothing. DDIT3_pDS263, PERK_IRE1_pMJ154,
# PERK_only_pMJ146: the genes, then the plasmid. Three proteins stand under names that are no gene symbols.
_PLASMID = re.compile(r"_p[A-Z]{2,}\d+(?:-\d+)?$")
_ADAMSON_GENES = {"PERK": "EIF2AK3", "IRE1": "ERN1", "ATF6": "ATF6"}


def _adamson(name: str) -> Genes:
    genes = _PLASMID.sub("", name).removesuffix("_only")
    if "(mod)" in genes or "neg_ctrl" in genes:
        return ()
    return tuple(_ADAMSON_GENES.get(gene, gene) for gene in genes.split("_"))


# p_sgELF1_2 + p_INTERGENIC216151: guides of a cell. Those between genes are the controls, and add nothing to others.
# Cells labelled "control" are those in which no guide was seen, so what was done to them is not known.
_GUIDE = re.compile(r"p_sg(.+)_\d+")


def _dixit(name: str) -> Genes | None:
    guides = [guide.strip() for guide in name.split("+")]
    aimed = [guide for guide in guides if not guide.startswith("p_INTERGENIC")]
    matches = [_GUIDE.fullmatch(guide) for guide in aimed]
    # Two guides against one gene are one perturbation.
    genes = {match[1] for match in matches if match}
    return None if None in matches else tuple(sorted(genes))


# IFNGR2g3: the third guide against IFNGR2.
_GUIDE_NUMBER = re.compile(r"g\d+$")


def _papalexi(name: str) -> Genes:
    gene = _GUIDE_NUMBER.sub("", name)
    return () if gene in ("NT", "control") else (gene,)


CONVENTIONS: dict[str, Convention] = {
    "gears": Convention("condition", ("ctrl",), _split("+", "ctrl")),
    "scperturb": Convention("perturbation", ("control",), _split("_")),
    "pertpy": Convention("perturbation_name", ("control",), _split("+")),
    "replogle": Convention("gene", ("non-targeting", "control"), _one),
    "virtual-cell-challenge": Convention("target_gene", ("non-targeting",), _one),
    "x-atlas": Convention("gene_target", ("non-targeting",), _one),
    "adamson": Convention("perturbation", ("control",), _adamson),
    "dixit": Convention("perturbation", (), _dixit),
    "papalexi": Convention("perturbation", ("control", "nt"), _papalexi),
}
