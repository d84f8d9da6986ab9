"""Read the condition and the context of each cell, and refuse what cannot be split."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._conditions import condition_genes, condition_name
from dnaclip._errors import InputError, examples
from dnaclip._validate import check_choice, check_key

if TYPE_CHECKING:
    import anndata

    from dnaclip.tl._perturbation.split_rules import Condition

__all__ = ["draw_controls", "read_conditions", "read_context"]

logger = logging.getLogger(__name__)

# Names under which other data sets keep their control cells; nobody means a gene by them.
CONTROL_LIKE = ("ctrl", "control", "non-targeting", "nontargeting", "non_targeting", "unperturbed", "scramble")


def read_conditions(adata: anndata.AnnData, key: str, control: str) -> tuple[list[Condition], np.ndarray]:
    """Return all conditions, sorted by their name, and the position of each cell's condition among them."""
    check_key(key, adata.obs.columns, where="adata.obs", hint="Name the column of perturbations with perturbation_key.")
    if adata.n_obs == 0:
        msg = "adata has no cells, so there is nothing to split."
        raise InputError(msg)
    codes, names = pd.factorize(adata.obs[key], use_na_sentinel=True)
    missing = np.flatnonzero(codes < 0)
    if missing.size:
        msg = (
            f"{missing.size} of {adata.n_obs} cells have no condition (NaN) in adata.obs[{key!r}]: "
            f"{examples(adata.obs_names[missing[:5]])}. Drop these cells, or name their perturbation."
        )
        raise InputError(msg)
    genes = [condition_genes(name, control) for name in names]
    odd = {gene for condition in genes for gene in condition if gene.lower() in CONTROL_LIKE}
    if odd:
        msg = (
            f"adata.obs[{key!r}] names {examples(sorted(odd))}, which is no gene, while control={control!r}. "
            "Name the control cells with control=."
        )
        raise InputError(msg)
    unique = sorted(set(genes), key=lambda condition: condition_name(condition, control))
    position = {condition: i for i, condition in enumerate(unique)}
    if () not in position:
        logger.warning("No cell of adata.obs[%r] is a control (%r).", key, control)
    if unique in ([], [()]):
        msg = f"All cells of adata.obs[{key!r}] are controls, so there is no perturbation to split."
        raise InputError(msg)
    return unique, np.array([position[condition] for condition in genes])[codes]


def read_context(adata: anndata.AnnData, context_key: str | None, held_out: str | None) -> np.ndarray:
    """Return which cells are of the held-out context."""
    if context_key is None or held_out is None:
        msg = "method='context' needs context_key, a column of adata.obs, and held_out_context, one of its values."
        raise InputError(msg)
    contexts = _contexts(adata, context_key)
    check_choice("held_out_context", held_out, contexts.unique().tolist())
    return (contexts == held_out).to_numpy()


def draw_controls(
    adata: anndata.AnnData,
    is_control: np.ndarray,
    share: float,
    context_key: str | None,
    generator: np.random.Generator,
) -> np.ndarray:
    """Return which control cells are tested: a share of those of each context, rounded down."""
    contexts = None if context_key is None else _contexts(adata, context_key).to_numpy()
    drawn = np.zeros(adata.n_obs, bool)
    # By name, so that the order of the cells changes nothing.
    cells = np.flatnonzero(is_control)
    cells = cells[np.argsort(adata.obs_names[cells].to_numpy(), kind="stable")]
    for context in [None] if contexts is None else sorted(set(contexts[cells])):
        members = cells if contexts is None else cells[contexts[cells] == context]
        drawn[generator.choice(members, int(share * len(members)), replace=False)] = True
    return drawn


def _contexts(adata: anndata.AnnData, context_key: str) -> pd.Series:
    check_key(context_key, adata.obs.columns, where="adata.obs")
    contexts = adata.obs[context_key]
    if contexts.isna().any():
        msg = (
            f"{int(contexts.isna().sum())} cells have no value (NaN) in adata.obs[{context_key!r}]. Drop or name them."
        )
        raise InputError(msg)
    return contexts.astype(str)
