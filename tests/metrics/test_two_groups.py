"""Two groups of donors: p-values, intervals and effect sizes against scipy and the textbook."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from dnaclip.metrics._two_groups import compare_groups


def compare(cases: np.ndarray, controls: np.ndarray, **changed: Any) -> Any:
    options: dict[str, Any] = {"paired": False, "test": "welch", "confidence": 0.95, "n_permutations": 999}
    return compare_groups(cases, controls, **(options | {"rng": np.random.default_rng(0)} | changed))


@pytest.fixture
def sides() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return rng.normal(1, 2, (6, 3)), rng.normal(0, 1, (4, 3))


def test_welch(sides: tuple[np.ndarray, np.ndarray]) -> None:
    cases, controls = sides
    table = compare(cases, controls)
    for j in range(3):
        x, y = cases[:, j], controls[:, j]
        expected = stats.ttest_ind(x, y, equal_var=False)
        interval = expected.confidence_interval(0.95)
        pooled = np.sqrt((5 * x.var(ddof=1) + 3 * y.var(ddof=1)) / 8)
        row = table.loc[j]
        assert row["p_value"] == pytest.approx(expected.pvalue)
        assert (row["ci_low"], row["ci_high"]) == pytest.approx((interval.low, interval.high))
        assert row["difference"] == pytest.approx(x.mean() - y.mean())
        assert row["hedges_g"] == pytest.approx((1 - 3 / (4 * 10 - 9)) * (x.mean() - y.mean()) / pooled)


def test_pairs(sides: tuple[np.ndarray, np.ndarray]) -> None:
    cases, controls = sides[0][:4], sides[1]
    table = compare(cases, controls, paired=True)
    differences = cases - controls
    expected = stats.ttest_1samp(differences, 0)
    np.testing.assert_allclose(table["p_value"], expected.pvalue)
    g = (1 - 3 / (4 * 3 - 1)) * differences.mean(axis=0) / differences.std(axis=0, ddof=1)
    np.testing.assert_allclose(table["hedges_g"], g)
    np.testing.assert_allclose(table["ci_low"], expected.confidence_interval(0.95).low)


def test_permutations_are_exact_for_few_donors() -> None:
    controls, cases = np.array([[0.0], [0.1], [0.2]]), np.array([[5.0], [5.1], [5.3]])
    assert compare(cases, controls, test="permutation")["p_value"].tolist() == [pytest.approx(2 / 20)]
    assert compare(cases, controls, test="permutation", paired=True)["p_value"].tolist() == [pytest.approx(2 / 8)]


def test_drawn_permutations_follow_the_seed() -> None:
    rng = np.random.default_rng(1)
    cases, controls = rng.normal(0.5, 1, (12, 2)), rng.normal(0, 1, (12, 2))
    first, again = (compare(cases, controls, test="permutation")["p_value"] for _ in range(2))
    assert first.tolist() == again.tolist()
    np.testing.assert_allclose(first, compare(cases, controls)["p_value"], atol=0.05)


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("test", ["welch", "permutation"])
def test_a_constant_column_is_undefined_and_says_nothing(paired: bool, test: str) -> None:  # noqa: FBT001
    cases, controls = np.full((4, 2), 0.3), np.full((4, 2), 0.1)
    cases[:, 1] = [1.0, 2, 3, 4]
    table = compare(cases, controls, paired=paired, test=test)
    assert table.loc[0, "difference"] == pytest.approx(0.2)
    assert table.loc[0, ["ci_low", "ci_high", "hedges_g", "p_value"]].isna().all()
    assert table.loc[1].notna().all()
