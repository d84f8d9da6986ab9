"""How well scores rank the positive ones first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dnaclip._errors import InputError, examples
from dnaclip._validate import check_count

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["classification"]


def classification(scores: ArrayLike, labels: ArrayLike, *, k: int = 10) -> dict[str, float]:
    """Compare scores with known yes-or-no labels.

    Parameters
    ----------
    scores
        Shape (n,), finite; higher means more likely positive.
    labels
        Shape (n,), true or false, or 1 or 0; both must occur.
    k
        Length of the top list.

    Returns
    -------
    `auroc`, the area under the receiver operating characteristic (.5 by chance); `auprc`, the average precision (by
    chance the share of positives); and `p_at_k` under the name with the number in it, such as `p_at_10`: the share of
    positives among the `k` highest scores, those at the top in the order given where scores tie.

    Raises
    ------
    InputError
        If lengths differ, a score is not finite, a label is neither true nor false, or all labels are the same.

    Examples
    --------
    >>> from dnaclip.metrics import classification
    >>> classification([0.9, 0.8, 0.3, 0.1], [1, 0, 1, 0], k=2)
    {'auroc': 0.75, 'auprc': 0.8333333333333333, 'p_at_2': 0.5}
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    check_count("k", k)
    values, truth = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    if values.ndim != 1 or values.shape != truth.shape or len(values) == 0:
        msg = f"scores and labels must both have shape (n,) with n above 0, got {values.shape} and {truth.shape}."
        raise InputError(msg)
    bad = np.flatnonzero(~np.isfinite(values)).tolist()
    if bad:
        msg = f"{len(bad)} of {len(values)} scores are not finite: rows {examples(bad)}. Leave these out first."
        raise InputError(msg)
    odd = [value for value in np.unique(truth).tolist() if value not in (0, 1)]
    if odd:
        msg = f"labels must be true or false, or 1 or 0; there are others: {examples(odd)}."
        raise InputError(msg)
    truth = truth.astype(bool)
    if truth.all() or not truth.any():
        msg = f"All {len(truth)} labels are {bool(truth[0])}: both true and false ones are needed."
        raise InputError(msg)
    top = np.argsort(-values, kind="stable")[:k]
    return {
        "auroc": float(roc_auc_score(truth, values)),
        "auprc": float(average_precision_score(truth, values)),
        f"p_at_{k}": float(truth[top].mean()),
    }
