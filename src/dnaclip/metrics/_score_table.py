"""From scores to one tidy table, in which what has no value says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HIGHER_IS_BETTER", "STATUS", "score_table"]

STATUS = ("ok", "few cells", "undefined", "unavailable")

# Every metric in the order of the table, and whether more of it is better.
HIGHER_IS_BETTER = {
    "pcc_delta": True,
    "pcc_delta_reference": True,
    "pcc_delta_top20": True,
    "mse": False,
    "mse_delta": False,
    "mse_delta_top20": False,
    "l2_top1000": False,
    "direction_match": True,
    "direction_match_top20": True,
    "de_overlap@20": True,
    "de_overlap@50": True,
    "de_overlap@100": True,
    "discrimination": True,
    "discrimination_cosine": True,
    "e_distance": False,
}

UNDEFINED = {
    "pcc": "a change is the same for all genes",
    "discrimination": "no other perturbation to tell it from",
    "direction_match": "no gene changed",
    "e_distance": "fewer than two cells",
}


def score_table(
    scores: Mapping[str, np.ndarray],
    labels: pd.DataFrame,
    *,
    available: np.ndarray,
    n_cells: np.ndarray,
    min_cells: int,
    absent: Mapping[str, str],
    columns: Mapping[str, Mapping[str, np.ndarray]],
) -> pd.DataFrame:
    """Return one row per perturbation and metric.

    Parameters
    ----------
    scores
        Metric to values (m,), NaN where it has none.
    labels
        What each perturbation is called: the first columns of the table.
    available
        Whether each perturbation was predicted, bool (m,).
    n_cells, min_cells
        Observed cells of each perturbation, -1 for unknown, and below how many the status says so.
    absent
        Metric that could not be computed to the reason.
    columns
        Further columns, such as `ceiling`, each with scores like those of `scores`.
    """
    names = [name for name in HIGHER_IS_BETTER if name in scores or name in absent]
    n = len(labels)
    table = labels.loc[labels.index.repeat(len(names))].reset_index(drop=True)
    table["metric"] = np.tile(np.array(names, dtype=object), n)
    nothing = np.full(n, np.nan)
    for column, values in {"value": scores, **columns}.items():
        table[column] = np.column_stack([values.get(name, nothing) for name in names]).ravel()
    table["n_cells"] = np.repeat(n_cells, len(names))

    value = table["value"].to_numpy()
    few = (table["n_cells"] < min_cells) & (table["n_cells"] >= 0)
    lacking = np.tile(np.array([absent.get(name, "") for name in names], dtype=object), n)
    lacking[~np.repeat(available, len(names))] = "not predicted"
    undefined = np.tile(np.array([_why_undefined(name) for name in names], dtype=object), n)
    choices = [lacking != "", np.isnan(value), few]
    status = np.select(choices, ["unavailable", "undefined", "few cells"], "ok")
    table["status"] = pd.Categorical(status, categories=STATUS)
    few_reason = f"fewer than {min_cells} cells"
    table["reason"] = np.select(choices, [lacking, undefined, few_reason], "").astype(object)
    return table


def _why_undefined(metric: str) -> str:
    return next((why for start, why in UNDEFINED.items() if metric.startswith(start)), "no genes are left")
