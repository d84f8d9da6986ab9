"""Profiles of groups of cells, summed in blocks wherever the cells are stored: what the verb and the data sets share."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dnaclip._errors import InputError, examples
from dnaclip._matrix import group_sums, not_log_normalised
from dnaclip._validate import check_count, check_key

__all__ = ["Profiles", "check_columns", "group_profiles"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Profiles:
    """Expression of groups.

    Parameters
    ----------
    values
        log(1 + counts per `target_sum`), or the mean of what are no counts, float32 (n_groups, n_genes).
    sums
        Sums over the cells, float64 (n_groups, n_genes).
    labels
        A row for each group: what it was made by, and `n_cells`.
    counts
        Whether the cells hold counts.
    """

    values: np.ndarray
    sums: np.ndarray
    labels: pd.DataFrame
    counts: bool


def check_columns(
    obs: pd.DataFrame, groupby: Any, donor_key: str | None, min_cells: int, target_sum: float
) -> list[str]:
    """Return the columns to group by; raise when something does not fit."""
    check_count("min_cells", min_cells)
    if isinstance(target_sum, bool) or not np.isfinite(target_sum) or target_sum <= 0:
        msg = f"target_sum must be a finite number above 0, got {target_sum!r}."
        raise InputError(msg)
    columns = [groupby] if isinstance(groupby, str) else list(groupby)
    columns += [] if donor_key is None else [donor_key]
    if not columns or len(set(columns)) < len(columns):
        msg = f"groupby and donor_key must name different columns of adata.obs, at least one, got {columns!r}."
        raise InputError(msg)
    for column in columns:
        check_key(column, obs.columns, where="adata.obs")
    return columns


def group_profiles(x: Any, table: pd.DataFrame, genes: Any, *, min_cells: int, target_sum: float) -> Profiles:
    """Sum cells by the columns of `table`, one row per cell, and scale counts."""
    groups, labels = _groups(table, min_cells)
    sums = group_sums(x, groups, len(labels), genes)[0]
    counts = not_log_normalised(x).startswith("whole")
    if not counts:
        return Profiles((sums / labels["n_cells"].to_numpy()[:, None]).astype(np.float32), sums, labels, counts)
    if sums.min() < 0:
        msg = "The expression holds negative whole numbers, which are no counts. Give a layer of counts, or log-normalised values."
        raise InputError(msg)
    total = sums.sum(axis=1, keepdims=True)
    if not total.all():
        empty = labels.index[total[:, 0] == 0]
        msg = f"{len(empty)} groups have no counts at all: {examples(empty)}. Leave their cells out."
        raise InputError(msg)
    return Profiles(np.log1p(sums / total * target_sum).astype(np.float32), sums, labels, counts)


def _groups(table: pd.DataFrame, min_cells: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Return the group of each cell, -1 for none, and a row for each group."""
    missing = table.isna().any(axis=1).to_numpy()
    if missing.any():
        logger.info("%d cells without %s are left out.", missing.sum(), " or ".join(map(str, table.columns)))
    # As text: categories, numbers and booleans alike get names that sort.
    text = table.astype(object).map(str)
    known = text[~missing]
    sizes = known.value_counts(sort=False).sort_index()
    few = sizes < min_cells
    if few.any():
        logger.info("%d of %d groups have fewer than %d cells and are left out.", few.sum(), len(few), min_cells)
    kept = sizes[~few]
    if kept.empty:
        msg = f"No group of {' and '.join(map(str, table.columns))} has {min_cells} cells; the largest has {sizes.max() if len(sizes) else 0}."
        raise InputError(msg)
    labels = kept.index.to_frame(index=False)
    names = labels.agg("|".join, axis=1)
    place = pd.Series(np.arange(len(names)), index=names)
    if place.index.has_duplicates:
        msg = f"Names of groups joined by '|' are not unique: {examples(place.index[place.index.duplicated()])}."
        raise InputError(msg)
    groups = place.reindex(text.agg("|".join, axis=1)).fillna(-1).to_numpy(np.int64)
    labels["n_cells"] = kept.to_numpy()
    labels.index = pd.Index(names.to_numpy(), dtype=str)
    return np.where(missing, -1, groups), labels
