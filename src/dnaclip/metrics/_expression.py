"""How well the expression of unseen genes was predicted: tables in, one tidy table out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._errors import InputError, examples

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["EXPRESSION_METRICS", "expression", "gene_correlations"]

# Every metric in the order of the table, and what its name means to a reader.
EXPRESSION_METRICS = {
    "cell_pcc": "PCC over genes",
    "gene_pcc": "PCC over groups",
    "gene_pcc_centred": "PCC over groups, centred",
    "whole_pcc": "PCC of all values",
    "mse": "mean squared error",
    "coverage": "share inside the interval",
    "width": "width of the interval",
}


def expression(
    predicted: ArrayLike,
    observed: ArrayLike,
    *,
    mean: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    lower: ArrayLike | None = None,
    upper: ArrayLike | None = None,
) -> pd.DataFrame:
    """Score predicted expression of genes that were not trained on, in m groups such as cell types.

    `cell_pcc`
        Pearson correlation over genes in each group, and its mean over groups ("cell-level").
    `gene_pcc`
        Pearson correlation over groups, averaged over genes ("gene-level"). That the groups differ in their mean is enough
        for a constant to score high.
    `gene_pcc_centred`
        The same after the mean expression of the training genes is taken away from each group: a constant has none.
    `whole_pcc`
        Pearson correlation of all values at once.
    `mse`
        Mean squared error, in each group and overall.
    `coverage`, `width`
        Share of observed values between `lower` and `upper`, and their mean distance, in each group and overall.

    Parameters
    ----------
    predicted, observed
        Expression, (m, n_genes).
    mean
        Mean expression of the training genes in each group, (m,). Without it `gene_pcc_centred` is `unavailable`.
    groups
        Names of the groups; None: their numbers.
    lower, upper
        Bounds of intervals, (m, n_genes); may be infinite.

    Returns
    -------
    One row per metric and group, with the columns `metric`, `group` (`all` for what is of all groups), `value`, `n` (genes
    or values that it was had from), `status` and `reason`. The status is `ok`; `undefined`, where the value is NaN because
    what is compared does not vary; or `unavailable`, where something was not given. Genes that do not vary over groups
    are left out of means.

    Raises
    ------
    InputError
        Shapes do not fit, or values are NaN or infinite.

    Examples
    --------
    >>> import numpy as np
    >>> from dnaclip.metrics import expression
    >>> observed = np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 3.0]])
    >>> table = expression(observed + [[0.1], [0.2]], observed, mean=observed.mean(axis=1), groups=["B", "T"])
    >>> table.query("group == 'all'")[["metric", "value", "n", "status"]].round(3).head(5)
                 metric  value  n status
    2          cell_pcc  1.000  2     ok
    3          gene_pcc  1.000  3     ok
    4  gene_pcc_centred  1.000  3     ok
    5         whole_pcc  0.999  6     ok
    8               mse  0.025  6     ok
    """
    predicted, observed = _checked(predicted, observed)
    names = [str(i) for i in range(len(observed))] if groups is None else [str(name) for name in np.asarray(groups)]
    if len(names) != len(observed):
        msg = f"groups must name each of the {len(observed)} groups, got {len(names)} names."
        raise InputError(msg)
    n_genes, rows = observed.shape[1], []
    same = "the predicted or observed expression does not vary"

    def add(metric: str, group: str, value: float, n: int, absent: str = "") -> None:
        status = "unavailable" if absent else "undefined" if np.isnan(value) else "ok"
        reason = absent or (same if np.isnan(value) else "")
        rows.append({"metric": metric, "group": group, "value": value, "n": n, "status": status, "reason": reason})

    by_group = _pearson(predicted, observed)
    for name, value in zip(names, by_group, strict=True):
        add("cell_pcc", name, value, n_genes)
    # A mean over some of the groups would flatter a method that is constant in the others.
    add("cell_pcc", "all", float(by_group.mean()), len(names))
    by_gene = gene_correlations(predicted, observed, mean=mean)
    for metric in ("gene_pcc", "gene_pcc_centred"):
        values = by_gene.get(metric)
        if values is None:
            add(metric, "all", np.nan, 0, "no mean of the training genes")
            continue
        known = values[~np.isnan(values)]
        add(metric, "all", float(known.mean()) if len(known) else np.nan, len(known))
    add("whole_pcc", "all", float(_pearson(predicted.reshape(1, -1), observed.reshape(1, -1))[0]), observed.size)
    errors = ((predicted - observed) ** 2).mean(axis=1)
    tables = {"mse": errors}
    if lower is not None and upper is not None:
        low, high = np.asarray(lower, np.float64), np.asarray(upper, np.float64)
        if low.shape != observed.shape or high.shape != observed.shape or np.isnan(low).any() or np.isnan(high).any():
            msg = f"lower and upper must have the shape {observed.shape} of observed, without NaN."
            raise InputError(msg)
        tables |= {
            "coverage": ((low <= observed) & (observed <= high)).mean(axis=1),
            "width": (high - low).mean(axis=1),
        }
    for metric, values in tables.items():
        for name, value in zip(names, values, strict=True):
            add(metric, name, float(value), n_genes)
        add(metric, "all", float(values.mean()), observed.size)
    return pd.DataFrame(rows)


def gene_correlations(
    predicted: ArrayLike, observed: ArrayLike, *, mean: ArrayLike | None = None
) -> dict[str, np.ndarray]:
    """Return `gene_pcc`, and with `mean` also `gene_pcc_centred`, of each gene, (n_genes,); NaN where it is undefined.

    Parameters are those of :func:`expression`.
    """
    predicted, observed = _checked(predicted, observed)
    result = {"gene_pcc": _pearson(predicted.T, observed.T)}
    if mean is not None:
        middle = np.asarray(mean, np.float64)
        if middle.shape != (len(observed),) or not np.isfinite(middle).all():
            msg = f"mean must be finite, one value for each of the {len(observed)} groups, got shape {middle.shape}."
            raise InputError(msg)
        floor = _floor(predicted, observed)
        result["gene_pcc_centred"] = _pearson(predicted.T - middle, observed.T - middle, floor=floor)
    return result


def _checked(predicted: ArrayLike, observed: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    one, other = np.asarray(predicted, np.float64), np.asarray(observed, np.float64)
    if other.ndim != 2 or 0 in other.shape or one.shape != other.shape:
        msg = f"predicted and observed must have the same shape (groups, genes), got {one.shape} and {other.shape}."
        raise InputError(msg)
    for name, values in (("predicted", one), ("observed", other)):
        bad = np.flatnonzero(~np.isfinite(values).all(axis=0))
        if len(bad):
            msg = f"{name} holds NaN or infinite values for {len(bad)} of {values.shape[1]} genes: {examples(bad.tolist())}."
            raise InputError(msg)
    return one, other


def _floor(*tables: np.ndarray) -> float:
    """Return the variation that single precision cannot tell from none."""
    return 1e-6 * max(float(np.abs(table).max(initial=0)) for table in tables)


def _pearson(one: np.ndarray, other: np.ndarray, *, floor: float | None = None) -> np.ndarray:
    """Pearson correlation of each row; NaN where a side does not vary."""
    floor = _floor(one, other) if floor is None else floor
    one, other = one - one.mean(axis=1, keepdims=True), other - other.mean(axis=1, keepdims=True)
    sizes = np.sqrt((one**2).mean(axis=1)), np.sqrt((other**2).mean(axis=1))
    varies = (sizes[0] > floor) & (sizes[1] > floor)
    product = np.where(varies, sizes[0] * sizes[1], np.nan)
    return np.clip((one * other).mean(axis=1) / product, -1, 1)
