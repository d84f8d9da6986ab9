"""Reverse search: from a wanted change of expression to the perturbations that would bring it about."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from dnaclip._conditions import CONTROL
from dnaclip._errors import InputError, examples
from dnaclip._validate import as_generator, check_choice, check_count
from dnaclip.metrics._profile_search import TIE, similar_profiles
from dnaclip.tl._perturbation.deltas import read_deltas
from dnaclip.tl._perturbation.pairs import target_positions

if TYPE_CHECKING:
    import anndata

__all__ = ["rank_perturbations"]


def rank_perturbations(
    profile: pd.Series | Mapping[str, float],
    adata: anndata.AnnData,
    *,
    perturbation_key: str = "condition",
    control: str | None = CONTROL,
    context_key: str | None = None,
    layer: str | None = None,
    delta_layer: str | None = "delta",
    method: Literal["cosine", "pearson"] = "cosine",
    exclude_targets: bool = True,
    n_permutations: int = 1000,
    rng: int | np.random.Generator | None = 0,
) -> pd.DataFrame:
    """Rank perturbations by how well the change they make resembles a wanted one.

    Parameters
    ----------
    profile
        The wanted change by gene, such as log fold changes; positive is up. Genes that are not named do not count.
        To undo a change, give its negative.
    adata
        Predictions with changes in `layers[delta_layer]`, as :meth:`PerturbationPredictor.predict` returns them, or
        cells with control cells. Nothing is written.
    perturbation_key, control, context_key, layer, delta_layer
        As for :func:`dnaclip.tl.evaluate_perturbations`.
    method
        `"cosine"`, for which no change is the zero, or `"pearson"`, which looks at differences between genes only.
    exclude_targets
        Whether the change of a targeted gene itself counts as zero, so that a perturbation is not found just because its
        target is in the profile.
    n_permutations
        Random orders of the genes for the p-value, which is never below 1 / (n_permutations + 1).
    rng
        Seed of the permutations.

    Returns
    -------
    One row per perturbation, best first: `perturbation`, `context` with a `context_key`, `rank`, `score`, `z_score`,
    `p_value`, `p_adjusted` (Benjamini-Hochberg over the rows) and `n_genes`, the genes compared. Equal scores share
    the best of their ranks and stand in the order of their names. z and p compare with random orders of genes; genes
    are not independent, so they flatter: use them to compare perturbations, not as error rates.

    Raises
    ------
    MissingKeyError
        A column or layer is absent.
    InputError
        The profile is not by gene, holds NaN or infinite values, is zero (or for Pearson constant), or shares fewer
        than three genes with `adata`.

    Warns
    -----
    UserWarning
        If genes of the profile are not in `adata`.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> import dnaclip
    >>> delta = np.random.default_rng(0).normal(size=(3, 50))
    >>> predicted = ad.AnnData(5 + delta, obs={"condition": ["A", "B", "A+B"]}, layers={"delta": delta})
    >>> wanted = dict(zip(predicted.var_names, 2 * delta[1], strict=True))
    >>> table = dnaclip.tl.rank_perturbations(wanted, predicted)
    >>> table.round(3)[["perturbation", "rank", "score", "p_value"]].head(1)
      perturbation  rank  score  p_value
    0            B     1    1.0    0.001
    """
    check_choice("method", method, ("cosine", "pearson"))
    check_count("n_permutations", n_permutations)
    generator = as_generator(rng)
    wanted = _wanted(profile)
    deltas = read_deltas(
        adata,
        perturbation_key=perturbation_key,
        control=control,
        context_key=context_key,
        layer=layer,
        delta_layer=delta_layer,
    )
    place = wanted.index.get_indexer(pd.Index(deltas.genes))
    genes = np.flatnonzero(place >= 0)
    _check_shared(wanted, deltas.genes[genes], method)
    changes = deltas.table[:, genes]
    if exclude_targets:
        for row, targets in zip(changes, target_positions(deltas.conditions, deltas.genes[genes]), strict=True):
            row[targets] = 0
    score, z, p = similar_profiles(
        wanted.to_numpy()[place[genes]],
        changes,
        centred=method == "pearson",
        n_permutations=n_permutations,
        rng=generator,
    )
    from scipy.stats import false_discovery_control, rankdata

    table = deltas.labels.assign(
        # To twelve digits, so that equal changes are tied whatever the order they were summed in.
        rank=rankdata(-np.round(score / TIE) * TIE, method="min").astype(np.int64),
        score=score,
        z_score=z,
        p_value=p,
        p_adjusted=false_discovery_control(p),
        n_genes=len(genes),
    )
    return table.sort_values(["rank", *deltas.labels.columns], kind="stable", ignore_index=True)


def _wanted(profile: pd.Series | Mapping[str, float]) -> pd.Series:
    if not isinstance(profile, (pd.Series, Mapping)):
        msg = (
            f"profile must be a pandas Series or a dictionary from gene to wanted change, got {type(profile).__name__}."
        )
        raise InputError(msg)
    wanted = pd.Series(profile)
    try:
        wanted = wanted.astype(np.float64)
    except (TypeError, ValueError):
        msg = f"profile must hold numbers, got {examples(wanted)}."
        raise InputError(msg) from None
    repeated = wanted.index[wanted.index.duplicated()].unique()
    if len(repeated):
        msg = f"{len(repeated)} genes stand more than once in the profile: {examples(repeated)}. Give each once."
        raise InputError(msg)
    bad = wanted.index[~np.isfinite(wanted)]
    if len(bad):
        msg = f"profile holds NaN or infinite values for {len(bad)} genes: {examples(bad)}. Leave these genes out."
        raise InputError(msg)
    return wanted


def _check_shared(wanted: pd.Series, shared: np.ndarray, method: str) -> None:
    if len(shared) < 3:
        msg = (
            f"{len(shared)} of {len(wanted)} genes of the profile are in adata.var_names, three are needed. "
            f"The profile names {examples(wanted.index, 3) or 'no genes'}."
        )
        raise InputError(msg)
    missing = wanted.index.difference(pd.Index(shared))
    if len(missing):
        msg = f"{len(missing)} of {len(wanted)} genes of the profile are not in adata.var_names: {examples(missing)}."
        warnings.warn(msg, UserWarning, stacklevel=3)
    values = wanted[shared]
    if (values == 0).all() or (method == "pearson" and np.ptp(values) == 0):
        msg = f"The profile is {'constant' if method == 'pearson' else 'zero'} over the {len(shared)} genes it shares with adata."
        raise InputError(msg)
