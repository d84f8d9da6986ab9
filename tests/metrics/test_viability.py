"""`metrics.viability`: equal to the definitions, and clear about what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from dnaclip._errors import InputError
from dnaclip.metrics import viability


def value(table, scope: str, metric: str) -> float:
    (found,) = table.loc[(table["scope"] == scope) & (table["metric"] == metric), "value"]
    return found


def test_scores_are_those_of_their_definitions() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 4, 7))
    b[1, 2] = np.nan
    seen = np.isfinite(b)
    table = viability(a, b)
    assert value(table, "overall", "pcc") == pytest.approx(stats.pearsonr(a[seen], b[seen])[0])
    assert value(table, "overall", "mse") == pytest.approx(((a - b)[seen] ** 2).mean())
    lines = [stats.spearmanr(a[i][seen[i]], b[i][seen[i]])[0] for i in range(4)]
    assert value(table, "within line", "spearman") == pytest.approx(np.mean(lines))
    genes = [stats.pearsonr(a[:, j][seen[:, j]], b[:, j][seen[:, j]])[0] for j in range(7)]
    assert value(table, "within gene", "pcc") == pytest.approx(np.mean(genes))
    assert set(table["n"]) == {27, 4, 7}


def test_a_constant_has_no_correlation() -> None:
    table = viability(np.zeros((3, 5)), np.random.default_rng(1).normal(size=(3, 5)))
    assert np.isnan(table.loc[table["metric"] == "pcc", "value"]).all()
    assert np.isnan(table.loc[table["metric"] == "spearman", "value"]).all()
    assert np.isfinite(table.loc[table["metric"] == "mse", "value"]).all()


def test_a_gene_mean_is_good_over_all_and_says_nothing_within_a_gene() -> None:
    rng = np.random.default_rng(2)
    observed = rng.normal(size=30) + 0.1 * rng.normal(size=(8, 30))
    table = viability(np.tile(observed.mean(axis=0), (8, 1)), observed)
    assert value(table, "overall", "pcc") > 0.95
    assert np.isnan(value(table, "within gene", "pcc"))


def test_coverage_counts_what_lies_between_the_bounds() -> None:
    observed = np.array([[0.0, 1.0, 2.0, 3.0]])
    table = viability(observed, observed, lower=observed - 1, upper=[[0.5, 0.5, 2.5, 3.5]])
    assert value(table, "overall", "coverage") == 0.75
    assert value(table, "overall", "width") == pytest.approx(1.25)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"predicted": np.zeros((2, 2))}, r"predicted must have shape \(2, 3\), as observed has, got \(2, 2\)"),
        ({"predicted": np.full((2, 3), np.nan)}, r"predicted is NaN or infinite for 6 observed pairs .*\(0, 0\)"),
        ({"observed": np.full((2, 3), np.nan)}, "at least one value"),
        ({"observed": np.array([[np.inf, 0, 0], [0, 0, 0]])}, "observed holds 1 infinite values"),
        ({"observed": np.zeros(3)}, r"got shape \(3,\)"),
        ({"lower": np.zeros((2, 3))}, "both lower and upper"),
    ],
)
def test_refusals(changes: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(InputError, match=message):
        viability(**{"predicted": np.zeros((2, 3)), "observed": np.ones((2, 3)), **changes})
