"""The change of mean expression under each perturbation, from cells or from predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._conditions import CONTROL, condition_name
from dnaclip._errors import InputError, examples
from dnaclip.tl._perturbation.data import read_cells
from dnaclip.tl._perturbation.pairs import group_means

if TYPE_CHECKING:
    import anndata

__all__ = ["Deltas", "read_deltas"]


@dataclass(frozen=True, eq=False)
class Deltas:
    """Changes against control.

    Parameters
    ----------
    conditions
        Genes of each of the n perturbations.
    labels
        Their names in the column `perturbation`, with a context also `context` (n rows).
    table
        Changes, float64 (n, G).
    n_cells
        Rows that each is a mean of (n,).
    genes
        Names of the G genes.
    """

    conditions: list[tuple[str, ...]]
    labels: pd.DataFrame
    table: np.ndarray
    n_cells: np.ndarray
    genes: np.ndarray


def read_deltas(
    adata: anndata.AnnData,
    *,
    perturbation_key: str = "condition",
    control: str | None = CONTROL,
    context_key: str | None = None,
    layer: str | None = None,
    delta_layer: str | None = "delta",
) -> Deltas:
    """Return the mean change of each perturbation in each context, the control left out.

    If `adata.layers` has `delta_layer`, it holds the changes. With `control=None` the expression does. Otherwise they
    are differences from the mean of the control cells of the context.
    """
    given = layer is None and delta_layer is not None and delta_layer in getattr(adata, "layers", {})
    name = CONTROL if control is None else control
    cells = read_cells(
        adata,
        perturbation_key=perturbation_key,
        control=name,
        context_key=context_key,
        layer=delta_layer if given else layer,
        need_control=not given and control is not None,
    )
    groups, place = np.unique(cells.groups, return_inverse=True)
    means, count = group_means(cells.x, place, len(groups), cells.genes)
    condition, context = groups % len(cells.conditions), groups // len(cells.conditions)
    if not given and control is not None:
        row = np.full(len(cells.contexts), -1)
        row[context[condition == 0]] = np.flatnonzero(condition == 0)
        without = [cells.contexts[i] for i in np.flatnonzero(row < 0)]
        if without:
            msg = f"{len(without)} contexts have no control cells: {examples(without)}. Leave them out."
            raise InputError(msg)
        means = means - means[row[context]]
    keep = np.flatnonzero(condition > 0)
    if not len(keep):
        msg = f"adata.obs[{perturbation_key!r}] holds no perturbation, only {name!r}."
        raise InputError(msg)
    conditions = [cells.conditions[i] for i in condition[keep]]
    labels = pd.DataFrame({"perturbation": [condition_name(genes, name) for genes in conditions]})
    if context_key is not None:
        labels["context"] = np.array(cells.contexts, dtype=object)[context[keep]]
    return Deltas(conditions, labels, means[keep], count[keep], np.array(cells.genes, dtype=object))
