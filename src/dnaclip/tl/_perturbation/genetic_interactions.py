"""Genetic interactions: how two perturbations together depart from the sum of both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from dnaclip._conditions import CONTROL, condition_genes, condition_name
from dnaclip._errors import InputError, examples
from dnaclip._validate import as_generator, torch_seed
from dnaclip.metrics._interaction import interaction
from dnaclip.tl._gene_vectors import gene_mask
from dnaclip.tl._perturbation.deltas import read_deltas

if TYPE_CHECKING:
    from collections.abc import Iterable

    import anndata
    from numpy.typing import ArrayLike

    from dnaclip.tl._perturbation.deltas import Deltas

__all__ = ["genetic_interactions"]


def genetic_interactions(
    adata: anndata.AnnData,
    pairs: str | Iterable[str] | None = None,
    *,
    perturbation_key: str = "condition",
    control: str | None = CONTROL,
    context_key: str | None = None,
    layer: str | None = None,
    delta_layer: str | None = "delta",
    mask_var: str | ArrayLike | None = None,
    exclude_targets: bool = True,
    fit: Literal["least_squares", "theil_sen"] = "least_squares",
    rng: int | np.random.Generator | None = 0,
) -> pd.DataFrame:
    """Measure the genetic interaction of perturbed pairs, in observed cells or in predictions.

    The change under the pair is fitted by the changes under its two genes, see :func:`dnaclip.metrics.interaction`, which
    explains the numbers. Noise makes pairs look suppressed: in genes that do not respond, coefficients are small. So give
    genes that are expressed or variable as `mask_var`, and compare pairs with similar numbers of cells.

    Parameters
    ----------
    adata
        Cells with control cells, or predictions with changes in `layers[delta_layer]`, as
        :meth:`PerturbationPredictor.predict` returns them. Pairs and their singles must be there. Nothing is written.
    pairs
        Pairs such as `A+B`; `None` is every pair whose singles are both there in the same context.
    perturbation_key, control, context_key, layer, delta_layer
        As for :func:`dnaclip.tl.evaluate_perturbations`.
    mask_var
        Genes to use: a boolean column of `adata.var`, a boolean array (n_vars,), or `None` for all.
    exclude_targets
        Whether the two targeted genes are left out.
    fit
        `"least_squares"` or `"theil_sen"`.
    rng
        Seed of the Theil-Sen estimator.

    Returns
    -------
    One row per pair: `perturbation`, `context` with a `context_key`, `first` and `second`, the genes in sorted order that
    `c1` and `c2` belong to, the numbers of :func:`dnaclip.metrics.interaction`, and `n_cells`, the fewest rows behind
    any of its three changes.

    Raises
    ------
    MissingKeyError
        A column or layer is absent.
    InputError
        There is no pair with both singles, or one that was asked for lacks a part.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> import dnaclip
    >>> a, b = np.random.default_rng(0).normal(size=(2, 100))
    >>> x = 5 + np.array([0 * a, a, b, 0.5 * (a + b)])
    >>> adata = ad.AnnData(x, obs={"condition": ["ctrl", "A+ctrl", "B+ctrl", "B+A"]})
    >>> table = dnaclip.tl.genetic_interactions(adata)
    >>> table.round(2)[["perturbation", "c1", "c2", "suppression", "neomorphism"]]
      perturbation   c1   c2  suppression  neomorphism
    0          A+B  0.5  0.5          0.5          0.0
    """
    generator = as_generator(rng)
    deltas = read_deltas(
        adata,
        perturbation_key=perturbation_key,
        control=control,
        context_key=context_key,
        layer=layer,
        delta_layer=delta_layer,
    )
    mask = gene_mask(adata, mask_var)
    rows = _pair_rows(deltas, pairs, CONTROL if control is None else control)
    found = []
    for pair, first, second in rows:
        genes = deltas.conditions[pair]
        keep = mask & ~np.isin(deltas.genes, genes) if exclude_targets else mask
        numbers = interaction(
            *(deltas.table[row, keep] for row in (first, second, pair)), fit=fit, rng=torch_seed(generator)
        )
        n_cells = int(deltas.n_cells[[pair, first, second]].min())
        found.append({"first": genes[0], "second": genes[1], **numbers, "n_cells": n_cells})
    labels = deltas.labels.iloc[[pair for pair, *_ in rows]].reset_index(drop=True)
    return pd.concat([labels, pd.DataFrame(found)], axis=1)


def _pair_rows(deltas: Deltas, pairs: str | Iterable[str] | None, control: str) -> list[tuple[int, int, int]]:
    """Return the rows of each pair and of its two singles."""
    contexts = deltas.labels["context"].tolist() if "context" in deltas.labels else [None] * len(deltas.conditions)
    place = {key: i for i, key in enumerate(zip(deltas.conditions, contexts, strict=True))}
    rows = {
        (genes, context): (row, place.get((genes[:1], context), -1), place.get((genes[1:], context), -1))
        for (genes, context), row in place.items()
        if len(genes) == 2
    }
    whole = {key: parts for key, parts in rows.items() if min(parts) >= 0}
    if pairs is None:
        if not whole:
            msg = (
                f"None of the {len(rows)} pairs has both of its singles beside it. Perturbations: "
                f"{examples(deltas.labels['perturbation'])}. With a predictor, predict the singles as well."
            )
            raise InputError(msg)
        return list(whole.values())
    wanted = [condition_genes(name, control) for name in ([pairs] if isinstance(pairs, str) else pairs)]
    lacking = [condition_name(genes, control) for genes in wanted if not any(key[0] == genes for key in whole)]
    if lacking or not wanted:
        msg = (
            f"{len(lacking)} of {len(wanted)} pairs are not there with both of their singles: {examples(lacking)}. "
            f"Pairs that are: {examples(condition_name(genes, control) for genes, _ in whole) or 'none'}."
        )
        raise InputError(msg)
    return [parts for genes in dict.fromkeys(wanted) for key, parts in whole.items() if key[0] == genes]
