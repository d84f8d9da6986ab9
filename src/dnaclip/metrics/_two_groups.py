"""How much two small groups of donors differ: effect sizes, confidence intervals and p-values, one test per column."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from scipy import stats

__all__ = ["compare_groups"]


def compare_groups(
    cases: np.ndarray,
    controls: np.ndarray,
    *,
    paired: bool,
    test: str,
    confidence: float,
    n_permutations: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    r"""Compare the mean of each column between cases (n, m) and controls (k, m); with `paired` rows belong together.

    Welch's t-test does not take the variances for equal. Hedges' g is the difference in units of the pooled standard
    deviation :math:`s`, corrected for small samples,

    .. math:: g = \Bigl(1 - \frac{3}{4(n + k) - 9}\Bigr) \frac{\bar x - \bar y}{s},

    and for pairs in units of the standard deviation of the differences, with :math:`4(n - 1) - 1` in the denominator
    :cite:p:`Hedges1981`. The permutation test of the difference in means takes all permutations when there are no more than
    `n_permutations`, and else draws that many.

    Returns
    -------
    One row per column: `mean`, `mean_reference`, `difference`, `ci_low`, `ci_high` (of the difference, by t), `hedges_g`
    and `p_value` (two-sided). What a constant column leaves undefined is NaN.
    """
    difference = cases.mean(axis=0) - controls.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        # scipy warns of columns that are all but constant; these become NaN below.
        warnings.simplefilter("ignore", RuntimeWarning)
        if paired:
            result = stats.ttest_rel(cases, controls)
            spread = (cases - controls).std(axis=0, ddof=1)
            correction = 1 - 3 / (4 * (len(cases) - 1) - 1)
        else:
            result = stats.ttest_ind(cases, controls, equal_var=False)
            freedom = len(cases) + len(controls) - 2
            squares = (len(cases) - 1) * cases.var(axis=0, ddof=1) + (len(controls) - 1) * controls.var(axis=0, ddof=1)
            spread = np.sqrt(squares / freedom)
            correction = 1 - 3 / (4 * freedom - 1)
        interval = result.confidence_interval(confidence)
        if test == "welch":
            p_value = np.asarray(result.pvalue)
        else:
            p_value = _permutation_p(cases, controls, paired=paired, n_permutations=n_permutations, rng=rng)
        # Rounding leaves a constant column with a spread of 1e-17, not of 0.
        scale = np.abs(np.concatenate([cases, controls])).max(axis=0)
        varies = spread > 1e-10 * np.where(scale > 0, scale, 1)
        g = correction * difference / spread
    table = pd.DataFrame(
        {
            "mean": cases.mean(axis=0),
            "mean_reference": controls.mean(axis=0),
            "difference": difference,
            "ci_low": interval.low,
            "ci_high": interval.high,
            "hedges_g": g,
            "p_value": p_value,
        }
    )
    table.loc[~varies, ["ci_low", "ci_high", "hedges_g", "p_value"]] = np.nan
    return table


def _permutation_p(
    cases: np.ndarray, controls: np.ndarray, *, paired: bool, n_permutations: int, rng: np.random.Generator
) -> np.ndarray:
    done = stats.permutation_test(
        (cases, controls),
        lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis),
        permutation_type="samples" if paired else "independent",
        vectorized=True,
        n_resamples=n_permutations,
        axis=0,
        rng=rng,
    )
    return np.asarray(done.pvalue)
