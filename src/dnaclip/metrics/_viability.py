"""Scores of predicted viability: over all pairs, within each line and within each gene."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnaclip._errors import InputError, examples

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["viability"]

SCOPES = ("overall", "within line", "within gene")
# Below this a side of a correlation counts as constant: what single precision cannot tell from it.
FLOOR = 1e-6


def viability(
    predicted: ArrayLike, observed: ArrayLike, *, lower: ArrayLike | None = None, upper: ArrayLike | None = None
) -> pd.DataFrame:
    """Score predicted viability of lines under perturbations.

    Correlations over all pairs are mostly about which genes are essential in every line, or which lines respond to all; those
    within a line compare genes, those within a gene compare lines.

    Parameters
    ----------
    predicted, observed
        Lines x genes (L, G). A pair that is NaN in `observed` is left out; `predicted` must be finite where it is not.
    lower, upper
        Bounds of intervals (L, G), both or none.

    Returns
    -------
    One row per metric and scope, with the columns

    `scope`
        `overall` (all pairs at once), `within line` and `within gene` (mean over lines or genes).
    `metric`
        `pcc`, `spearman`, `mse`; with bounds also `coverage` (share of observed values between them) and `width`.
    `value`
        NaN where it is undefined: a correlation with a constant.
    `sd`
        Standard deviation over lines or genes; NaN for `overall`.
    `n`
        Pairs, or lines or genes with a value.

    Raises
    ------
    InputError
        Shapes differ, nothing was observed, a prediction is missing, or only one bound is given.

    Examples
    --------
    >>> from dnaclip.metrics import viability
    >>> table = viability([[-1.0, 0.0, 0.2], [-0.9, 0.1, 0.1]], [[-1.1, 0.1, 0.2], [-0.8, 0.0, 0.1]])
    >>> table[table["metric"] == "pcc"].round(3)
             scope metric  value     sd  n
    0      overall    pcc  0.987    NaN  6
    3  within line    pcc  0.996  0.001  2
    6  within gene    pcc  0.333  1.155  3
    """
    observed = np.asarray(observed, dtype=np.float64)
    if observed.ndim != 2 or not np.isfinite(observed).any():
        msg = f"observed must be lines x genes with at least one value, got shape {observed.shape} without any."
        raise InputError(msg)
    seen = np.isfinite(observed)
    if np.isinf(observed).any():
        msg = f"observed holds {int(np.isinf(observed).sum())} infinite values. Set what was not observed to NaN."
        raise InputError(msg)
    tables = {"predicted": predicted, "lower": lower, "upper": upper}
    given = {name: _table(name, values, seen) for name, values in tables.items() if values is not None}
    if ("lower" in given) != ("upper" in given):
        msg = "Give both lower and upper, or none of them."
        raise InputError(msg)
    guess = given["predicted"]
    parts = {"mse": (guess - observed) ** 2}
    if "lower" in given:
        inside = (observed >= given["lower"]) & (observed <= given["upper"])
        parts |= {"coverage": inside.astype(float), "width": given["upper"] - given["lower"]}
    rows = []
    for scope in SCOPES:
        groups = _groups(seen, scope)
        scores: dict[str, list[float]] = {"pcc": [], "spearman": []}
        scores |= {name: [float(values[group].mean()) for group in groups] for name, values in parts.items()}
        for group in groups:
            a, b = guess[group], observed[group]
            scores["pcc"].append(_pearson(a, b))
            scores["spearman"].append(_pearson(_ranks(a), _ranks(b)) if np.isfinite(scores["pcc"][-1]) else np.nan)
        rows += [_row(scope, name, np.array(values), int(seen.sum())) for name, values in scores.items()]
    return pd.DataFrame(rows, columns=["scope", "metric", "value", "sd", "n"])


def _table(name: str, values: ArrayLike, seen: np.ndarray) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != seen.shape:
        msg = f"{name} must have shape {seen.shape}, as observed has, got {array.shape}."
        raise InputError(msg)
    bad = np.argwhere(~np.isfinite(array) & seen)
    if len(bad):
        msg = f"{name} is NaN or infinite for {len(bad)} observed pairs (line, gene): {examples(map(tuple, bad.tolist()))}."
        raise InputError(msg)
    return array


def _groups(seen: np.ndarray, scope: str) -> list[Any]:
    """Return the places of the observed pairs, of all at once or of each line or gene that has some."""
    if scope == "overall":
        return [seen]
    if scope == "within line":
        return [(i, np.flatnonzero(row)) for i, row in enumerate(seen) if row.any()]
    return [(np.flatnonzero(column), i) for i, column in enumerate(seen.T) if column.any()]


def _pearson(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    size_a, size_b = np.sqrt((a**2).mean()), np.sqrt((b**2).mean())
    return float(np.clip((a * b).mean() / (size_a * size_b), -1, 1)) if min(size_a, size_b) > FLOOR else float("nan")


def _ranks(values: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    return rankdata(values)


def _row(scope: str, name: str, values: np.ndarray, n_pairs: int) -> tuple[str, str, float, float, int]:
    real = values[np.isfinite(values)]
    mean = float(real.mean()) if len(real) else float("nan")
    sd = float(real.std(ddof=1)) if len(real) > 1 else float("nan")
    return scope, name, mean, sd, n_pairs if scope == "overall" else len(real)
