"""From AnnData to cells under perturbation: the conditions, the contexts, and which cells train. Every check is here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._conditions import condition_genes
from dnaclip._errors import InputError, examples
from dnaclip._matrix import expression
from dnaclip._validate import check_key
from dnaclip.tl._adata import check_adata

if TYPE_CHECKING:
    import anndata

    from dnaclip.models._perturbation.cells import PerturbationCells

__all__ = ["ONE_CONTEXT", "read_cells"]

# Name of the one context of data without a context_key.
ONE_CONTEXT = "all"


def read_cells(
    adata: anndata.AnnData,
    *,
    perturbation_key: str = "condition",
    control: str = "ctrl",
    context_key: str | None = None,
    layer: str | None = None,
    need_control: bool = True,
) -> PerturbationCells:
    """Return the cells of `adata`, what was done to each and where, without touching the expression.

    Conditions are sorted by their genes, the control first, and contexts by name, so that the order of cells and
    categories changes nothing. The control stands among the conditions also where no cell is one, which is an error
    unless `need_control=False`.

    Raises
    ------
    MissingKeyError
        A column or layer is absent.
    InputError
        Genes have the same name, a cell has no condition or no context, or there is no control.
    """
    from dnaclip.models._perturbation.cells import PerturbationCells

    check_adata(adata)
    _check_genes(adata)
    if not isinstance(control, str) or not control or "+" in control:
        msg = f"control must be the name of the control condition, without '+', got {control!r}."
        raise InputError(msg)
    condition, names = _factorize(adata, perturbation_key, what="condition")
    genes = [condition_genes(name, control) for name in names]
    if need_control and () not in genes:
        msg = (
            f"No cell is a control: adata.obs[{perturbation_key!r}] has no {control!r} among {examples(names)}. "
            "Give the name of the control condition as control."
        )
        raise InputError(msg)
    conditions = sorted({(), *genes})
    context, contexts = np.zeros(adata.n_obs, dtype=np.int32), [ONE_CONTEXT]
    if context_key is not None:
        context, contexts = _factorize(adata, context_key, what="context")
        order = sorted(range(len(contexts)), key=lambda i: contexts[i])
        context, contexts = np.argsort(order)[context], [contexts[i] for i in order]
    place = {name: i for i, name in enumerate(conditions)}
    return PerturbationCells(
        x=expression(adata, layer),
        condition=np.array([place[name] for name in genes], dtype=np.int32)[condition],
        context=context.astype(np.int32),
        conditions=tuple(conditions),
        contexts=tuple(contexts),
        genes=tuple(adata.var_names),
    )


def _check_genes(adata: anndata.AnnData) -> None:
    if adata.n_vars == 0:
        msg = "adata has no genes."
        raise InputError(msg)
    repeated = adata.var_names[adata.var_names.duplicated()].unique()
    if len(repeated):
        msg = (
            f"{len(repeated)} names stand more than once in adata.var_names: {examples(repeated)}. "
            "Predictions are told apart by name: use adata.var_names_make_unique()."
        )
        raise InputError(msg)


def _factorize(adata: anndata.AnnData, key: str, *, what: str) -> tuple[np.ndarray, list[str]]:
    """Return the position of each cell's value among the values of a column of obs, and these as they are."""
    check_key(key, adata.obs.columns, where="adata.obs")
    codes, values = pd.factorize(adata.obs[key])
    missing = int((codes < 0).sum())
    if missing:
        cells = adata.obs_names[codes < 0]
        msg = (
            f"{missing} of {adata.n_obs} cells have no {what}: adata.obs[{key!r}] is missing for {examples(cells)}. "
            "Leave these cells out."
        )
        raise InputError(msg)
    odd = [value for value in values if not isinstance(value, str)]
    if odd:
        msg = f"adata.obs[{key!r}] must hold text, got {examples(odd)}. Use adata.obs[{key!r}].astype(str)."
        raise InputError(msg)
    return codes, list(values)
