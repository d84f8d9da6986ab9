"""Reliability: of the statements made with a confidence of c, how many are right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._errors import InputError, examples
from dnaclip._validate import check_count

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["reliability"]

# Standard errors to either side that hold 95 % of a normal distribution.
_Z = 1.959964


def reliability(confidence: ArrayLike, right: ArrayLike, *, n_bins: int = 10) -> pd.DataFrame:
    r"""Compare stated confidence with the share of statements that are right.

    Statements are sorted into bins of equal width, and

    .. math:: \mathrm{ECE} = \sum_b \frac{n_b}{n} \, \lvert \mathrm{accuracy}_b - \mathrm{confidence}_b \rvert

    is their expected calibration error :cite:p:`Guo2017`.

    Parameters
    ----------
    confidence
        Stated probability of being right, (n,), 0 to 1.
    right
        Whether each statement is right, (n,), booleans or 0 and 1.
    n_bins
        Bins between 0 and 1.

    Returns
    -------
    One row per bin that holds statements: `low` and `high` (the bin), `n`, `confidence` (mean), `accuracy` (share that is
    right), `lower` and `upper` (95 % interval of it, Wilson), `n_above` and `accuracy_above` (all statements from `low` up).
    `attrs["ece"]` is the expected calibration error.

    Raises
    ------
    InputError
        The arrays differ in length or are empty, or hold something else than probabilities and truth values.

    Examples
    --------
    >>> from dnaclip.metrics import reliability
    >>> table = reliability([0.9, 0.9, 0.9, 0.9, 0.1], [1, 1, 1, 0, 0], n_bins=2)
    >>> table[["low", "n", "confidence", "accuracy"]].values.tolist()
    [[0.0, 1.0, 0.1, 0.0], [0.5, 4.0, 0.9, 0.75]]
    >>> round(table.attrs["ece"], 2)
    0.14
    """
    check_count("n_bins", n_bins)
    stated = np.asarray(confidence, dtype=float)
    true = np.asarray(right)
    if stated.ndim != 1 or stated.shape != true.shape or not len(stated):
        msg = f"confidence and right must be lists of the same length, at least 1, got {stated.shape} and {true.shape}."
        raise InputError(msg)
    bad = np.flatnonzero(~((stated >= 0) & (stated <= 1))).tolist()
    if bad:
        msg = f"confidence must be numbers from 0 to 1; {len(bad)} of {len(stated)} are not: rows {examples(bad)}."
        raise InputError(msg)
    if true.dtype != bool and not np.isin(true, (0, 1)).all():
        msg = "right must hold truth values, or 0 and 1."
        raise InputError(msg)
    true = true.astype(bool)
    edges = np.linspace(0, 1, n_bins + 1)
    place = np.clip(np.searchsorted(edges, stated, side="right") - 1, 0, n_bins - 1)
    rows = []
    for b in np.unique(place):
        here, above = place == b, place >= b
        n, share = int(here.sum()), float(true[here].mean())
        middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
        half = _Z * np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2)) / (1 + _Z**2 / n)
        rows.append(
            {
                "low": edges[b],
                "high": edges[b + 1],
                "n": n,
                "confidence": float(stated[here].mean()),
                "accuracy": share,
                "lower": max(middle - half, 0.0),
                "upper": min(middle + half, 1.0),
                "n_above": int(above.sum()),
                "accuracy_above": float(true[above].mean()),
            }
        )
    table = pd.DataFrame(rows)
    table.attrs["ece"] = float((table["n"] * (table["accuracy"] - table["confidence"]).abs()).sum() / len(stated))
    return table
