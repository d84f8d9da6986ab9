"""How well the effects of perturbations were predicted: profiles in, one tidy table out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._errors import InputError, examples
from dnaclip.metrics._discrimination import discriminate, padded
from dnaclip.metrics._profile_scores import row_scores, smallest_change
from dnaclip.metrics._score_table import score_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

__all__ = ["NO_REFERENCE", "perturbation", "profile_scores"]

NO_REFERENCE = "no mean of training perturbations to compare with"


def perturbation(
    predicted: ArrayLike,
    observed: ArrayLike,
    control: ArrayLike,
    *,
    names: ArrayLike,
    predicted_control: ArrayLike | None = None,
    reference: ArrayLike | None = None,
    targets: Sequence[Sequence[int]] | None = None,
    de_statistic: ArrayLike | None = None,
    contexts: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    n_cells: ArrayLike | None = None,
    min_cells: int = 30,
) -> pd.DataFrame:
    r"""Score predicted mean expression under m perturbations against the observed, over G genes.

    With :math:`\hat\delta` and :math:`\delta` the predicted and observed change against control, the metrics are

    `pcc_delta`
        Pearson correlation of :math:`\hat\delta` and :math:`\delta` over genes. A method that predicts the same change for
        everything can score high.
    `pcc_delta_reference`
        The same with the mean of the training perturbations in place of control, as in Systema :cite:p:`Vinas2025`:
        what is common to all perturbations counts for nothing.
    `pcc_delta_top20`, `mse_delta_top20`, `direction_match_top20`
        Over the 20 genes with the largest absolute `de_statistic`, or observed change without one.
    `mse`, `mse_delta`
        Mean squared error of the expression, and of the change.
    `l2_top1000`
        Euclidean distance over the 1000 genes most expressed in control :cite:p:`AhlmannEltze2025`, or all if fewer.
    `direction_match`
        Share of the genes that changed whose predicted change has the right sign. No predicted change is half right.
    `de_overlap@20`, `de_overlap@50`, `de_overlap@100`
        Share of the k genes that change most by absolute value, that are also among the k predicted to change most.
    `discrimination`
        :math:`1 - (r - 1) / (n - 1)`, where r is the rank of the true profile among the n of its context by L1
        distance to the prediction. Chance, and the score of any constant prediction on average, is 1/2.
    `discrimination_cosine`
        The same by cosine after taking away the mean of training perturbations.

    Genes tied at the end of a list share its last places, and profiles tied in rank share the ranks, as if ties
    were broken at random many times: the order of genes and perturbations changes nothing.

    Parameters
    ----------
    predicted, observed
        Mean expression, shape (m, G). A row of NaN in `predicted` is a perturbation that was not predicted.
    control
        Mean of the control cells that observed changes are taken from, (G,) or (m, G). Zeros when the profiles are
        changes already.
    names
        Names of the m perturbations.
    predicted_control
        Mean of the control cells that predicted changes are taken from; `None` is `control`. One mean on both
        sides carries the same noise into both changes, which correlates them: take disjoint halves.
    reference
        Mean of the training perturbations, (G,) or (m, G). Without it two metrics are `unavailable`.
    targets
        For each perturbation, positions of the genes to leave out: those it targets.
    de_statistic
        Shape (m, G): how sure each change is, such as Welch's t of the observed cells; NaN for genes that should not be
        chosen.
    contexts
        Cell line or type of each row; `discrimination` compares within one.
    groups
        Group of each row, such as `unseen_single`; a column of the table.
    n_cells, min_cells
        Observed cells of each row, and below how many its status is `few cells`.

    Returns
    -------
    One row per perturbation and metric, with the columns `perturbation`, `context` if there are contexts, `group`,
    `metric`, `value`, `n_cells` (-1 for unknown), `status` and `reason`. The status is `ok`; `few cells`, where the
    value is given but noisy; `undefined`, where it is NaN because, say, a change is the same for all genes to
    single precision; or `unavailable`, where it is NaN because something was not given. `reason` says what.

    Raises
    ------
    InputError
        Shapes do not fit, or anything but a missing prediction holds NaN or infinite values.

    Examples
    --------
    >>> import numpy as np
    >>> from dnaclip.metrics import perturbation
    >>> observed = np.array([[1.0, 0.0, 2.0], [0.0, 2.0, 1.0]])
    >>> table = perturbation(0.9 * observed, observed, np.zeros(3), names=["A", "B"])
    >>> table.query("metric == 'pcc_delta'")[["perturbation", "value", "status"]]
       perturbation  value status
    0             A    1.0     ok
    14            B    1.0     ok
    """
    observed = np.asarray(observed)
    if observed.ndim != 2 or 0 in observed.shape:
        msg = f"observed must have shape (perturbations, genes) with at least one of each, got {observed.shape}."
        raise InputError(msg)
    shape = observed.shape
    observed = _table("observed", observed, shape)
    predicted = _table("predicted", predicted, shape, may_lack_rows=True)
    control = _table("control", control, shape)
    predicted_control = control if predicted_control is None else _table("predicted_control", predicted_control, shape)
    reference = None if reference is None else _table("reference", reference, shape)
    de_statistic = None if de_statistic is None else np.broadcast_to(np.asarray(de_statistic, np.float64), shape)
    lists = {"names": names, "targets": targets, "contexts": contexts, "groups": groups, "n_cells": n_cells}
    for name, values in lists.items():
        if values is not None and len(np.atleast_1d(np.asarray(values, dtype=object))) != shape[0]:
            msg = f"{name} must have one value for each of the {shape[0]} perturbations."
            raise InputError(msg)
    labels = pd.DataFrame({"perturbation": np.asarray(names, dtype=object)})
    if contexts is not None:
        labels["context"] = np.asarray(contexts, dtype=object)
    labels["group"] = "all" if groups is None else np.asarray(groups, dtype=object)
    scores = profile_scores(
        predicted,
        observed,
        control,
        predicted_control=predicted_control,
        reference=reference,
        targets=[()] * shape[0] if targets is None else targets,
        de_statistic=de_statistic,
        contexts=np.zeros(shape[0]) if contexts is None else np.asarray(contexts, dtype=object),
    )
    return score_table(
        scores,
        labels,
        available=~np.isnan(predicted).any(axis=1),
        n_cells=np.full(shape[0], -1) if n_cells is None else np.asarray(n_cells, dtype=np.int64),
        min_cells=min_cells,
        absent={} if reference is not None else dict.fromkeys(REFERENCED, NO_REFERENCE),
        columns={},
    )


REFERENCED = ("pcc_delta_reference", "discrimination_cosine")


def profile_scores(
    predicted: np.ndarray,
    observed: np.ndarray,
    control: np.ndarray,
    *,
    predicted_control: np.ndarray,
    reference: np.ndarray | None,
    targets: Sequence[Sequence[int]],
    de_statistic: np.ndarray | None,
    contexts: np.ndarray,
) -> dict[str, np.ndarray]:
    """Return every metric of mean profiles, float64 (m,) each, for checked arrays (m, G)."""
    positions, used = padded(targets)
    keep = np.ones(observed.shape, dtype=bool)
    keep[np.nonzero(used)[0], positions[used]] = False
    floor = smallest_change(observed, control)
    scores = row_scores(predicted, observed, control, predicted_control, reference, keep, de_statistic, floor)
    scores["discrimination"] = np.empty(len(observed))
    if reference is not None:
        scores["discrimination_cosine"] = np.empty(len(observed))
    codes = pd.factorize(contexts)[0]
    for code in range(codes.max() + 1):
        # All rows are a slice, which copies none of them.
        rows = np.flatnonzero(codes == code) if codes.any() else slice(None)
        left_out = positions[rows], used[rows]
        change, true_change = _minus(predicted, predicted_control, rows), _minus(observed, control, rows)
        scores["discrimination"][rows] = discriminate(change, true_change, left_out, by="l1")
        if reference is not None:
            change, true_change = _minus(predicted, reference, rows), _minus(observed, reference, rows)
            found = discriminate(change, true_change, left_out, by="cosine", floor=floor)
            scores["discrimination_cosine"][rows] = found
    return scores


def _minus(one: np.ndarray, other: np.ndarray, rows: np.ndarray | slice) -> np.ndarray:
    return np.subtract(one[rows], other[rows], dtype=np.float64)


def _table(name: str, values: ArrayLike, shape: tuple[int, int], *, may_lack_rows: bool = False) -> np.ndarray:
    """Return `values` as a read-only table of this shape, or raise."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape not in (shape, shape[1:]) or (may_lack_rows and array.shape != shape):
        msg = f"{name} must have shape {shape}, as observed has, got {array.shape}."
        raise InputError(msg)
    array = np.broadcast_to(array, shape)
    bad = ~np.isfinite(array).all(axis=1)
    if may_lack_rows:
        bad &= ~np.isnan(array).all(axis=1)
    if bad.any():
        msg = f"{name} holds NaN or infinite values in {bad.sum()} of {shape[0]} rows: {examples(np.flatnonzero(bad).tolist())}."
        raise InputError(msg)
    return array
