"""Means of scores over perturbations, and where they stand between a baseline and a ceiling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._validate import check_key
from dnaclip.metrics._score_table import HIGHER_IS_BETTER

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["perturbation_summary"]

LABELS = ("method", "context", "group")


def perturbation_summary(table: pd.DataFrame, *, by: str | Sequence[str] | None = None) -> pd.DataFrame:
    r"""Average the scores of a table over perturbations.

    Parameters
    ----------
    table
        As from :func:`dnaclip.metrics.perturbation` or :func:`dnaclip.tl.evaluate_perturbations`; several may be joined by
        `pandas.concat`, with a further column such as `method`.
    by
        Columns to keep apart; `None` is those of `method`, `context` and `group` that are there.

    Returns
    -------
    One row for each value of `by` and metric, with `mean` and `sd` (of perturbations, n - 1) of the values there are;
    `n`, their number; `n_few_cells`, how many of these rest on few cells; and `n_undefined` and `n_unavailable`, how
    many have no value. Values that are missing are left out of the mean, so look at these numbers: a method that
    predicts no change has an undefined correlation there, not a low one. Where the table has them, also `baseline`
    and `ceiling`, and

    .. math:: \text{normalised} = \frac{\text{mean} - \text{baseline}}{\text{ceiling} - \text{baseline}},

    which is 0 for the baseline and 1 for the ceiling, whichever way the metric counts. These means run over the
    perturbations where all three are known. A correlation with a constant baseline counts as 0. Where the ceiling is not
    better than the baseline by two standard errors of their difference, the data cannot tell, and it is NaN.

    Raises
    ------
    MissingKeyError
        The table lacks a column.

    Examples
    --------
    >>> import numpy as np
    >>> from dnaclip import metrics
    >>> observed = np.random.default_rng(0).normal(size=(4, 50))
    >>> table = metrics.perturbation(observed, observed, np.zeros(50), names=list("ABCD"))
    >>> metrics.perturbation_summary(table).query("metric == 'mse'")[["group", "metric", "mean", "n"]]
      group metric  mean  n
    3   all    mse   0.0  4
    """
    keys = [name for name in LABELS if name in table] if by is None else [by] if isinstance(by, str) else list(by)
    for key in (*keys, "metric", "value", "status"):
        check_key(key, table.columns, where="the table of scores")
    table = table.assign(metric=pd.Categorical(table["metric"], categories=list(HIGHER_IS_BETTER)))
    each = [*keys, "metric"]
    groups = table.groupby(each, observed=True)
    values = groups["value"]
    summary = pd.DataFrame({"mean": values.mean(), "sd": values.std(), "n": values.count()})
    for status in ("few cells", "undefined", "unavailable"):
        has = (table["status"] == status).groupby([table[key] for key in each], observed=True)
        summary[f"n_{status.replace(' ', '_')}"] = has.sum()
    bounds = [column for column in ("baseline", "ceiling") if column in table]
    if "baseline" in bounds:
        constant = table["metric"].str.startswith("pcc") & table["baseline"].isna()
        table = table.assign(baseline=table["baseline"].mask(constant, 0.0))
    if bounds:
        known = table[np.isfinite(table[["value", *bounds]]).all(axis=1)]
        means = known.groupby(each, observed=True)[["value", *bounds]].mean().reindex(summary.index)
        summary[bounds] = means[bounds]
    if len(bounds) == 2:
        better = summary.index.get_level_values("metric").map(HIGHER_IS_BETTER).astype(bool)
        room = means["ceiling"] - means["baseline"]
        error = (known["ceiling"] - known["baseline"]).groupby([known[key] for key in each], observed=True).sem()
        can_tell = ((room > 0) == better) & (room.abs() > 2 * error.reindex(summary.index).fillna(0))
        summary["normalised"] = ((means["value"] - means["baseline"]) / room).where(can_tell)
    rows = summary.reset_index()
    return rows.assign(metric=rows["metric"].astype(object))
