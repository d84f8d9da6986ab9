"""Mean program scores of donors: what a comparison of conditions counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnaclip._errors import InputError, examples

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_conditions", "donor_means", "refuse_shared_donors"]


def donor_means(cells: pd.DataFrame, scores: pd.DataFrame, min_cells: int) -> pd.DataFrame:
    """Return the mean scores over the cells of each `group`, `condition` and `donor` that has `min_cells` of them.

    For scores that are linear in expression, as the default ones are, these are the scores of the donor's pseudobulk.
    Cells without a group, condition or donor are left out.
    """
    by = [cells[name].to_numpy() for name in ("group", "condition", "donor")]
    parts = scores.groupby(by, dropna=True)
    means = parts.mean()[parts.size() >= min_cells]
    return means.rename_axis(["group", "condition", "donor"])


def check_conditions(conditions: pd.Series, condition_key: str, reference: Any) -> Any:
    """Return `reference` as it stands among the conditions; raise unless there is another one."""
    present = list(conditions.dropna().unique())
    match = [value for value in present if value == reference or str(value) == str(reference)]
    if not match:
        shown = examples(sorted(present, key=str), 10) or "nothing"
        msg = f"reference={reference!r} is not in adata.obs[{condition_key!r}]. Present: {shown}."
        raise InputError(msg)
    if len(present) < 2:
        msg = f"adata.obs[{condition_key!r}] holds nothing but {reference!r}; there is no other condition to compare."
        raise InputError(msg)
    return match[0]


def refuse_shared_donors(cells: pd.DataFrame, donor_key: str, condition_key: str) -> None:
    """Raise when a donor has cells in several conditions, so that the conditions are not independent."""
    known = cells.dropna(subset=["donor", "condition"])
    n_conditions = known.groupby("donor")["condition"].nunique()
    shared = n_conditions.index[n_conditions > 1]
    if len(shared):
        msg = (
            f"{len(shared)} donors have cells in more than one condition: {examples(shared)}. If they were measured in both, "
            f"use paired=True; if not, make the names in adata.obs[{donor_key!r}] tell donors of different "
            f"adata.obs[{condition_key!r}] apart."
        )
        raise InputError(msg)
