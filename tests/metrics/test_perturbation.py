"""`metrics.perturbation`: every number against a plain loop, ties, constants, and what is said about missing values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import pearsonr

from dnaclip import metrics
from dnaclip._errors import InputError, MissingKeyError
from dnaclip.metrics import _profile_scores
from dnaclip.metrics._discrimination import discriminate, padded
from dnaclip.metrics._profile_scores import top_weights
from dnaclip.metrics._score_table import HIGHER_IS_BETTER

Case = dict[str, Any]


@pytest.fixture
def case() -> Case:
    """Six perturbations of 1,200 genes, of which the first few are targets."""
    rng = np.random.default_rng(0)
    control, predicted_control = 2 + rng.gamma(1, size=(2, 1200))
    observed = control + rng.normal(size=(6, 1200))
    return {
        "predicted": predicted_control + 0.6 * (observed - control) + rng.normal(size=(6, 1200)),
        "observed": observed,
        "control": control,
        "names": list("ABCDEF"),
        "predicted_control": predicted_control,
        "reference": control + 0.3 * rng.normal(size=1200),
        "targets": [[0], [1, 2], [], [3], [4], [0, 5]],
        "de_statistic": rng.normal(size=(6, 1200)),
    }


def values_of(table: pd.DataFrame) -> pd.DataFrame:
    return table.pivot(index="perturbation", columns="metric", values="value")


def largest(score: np.ndarray, k: int) -> np.ndarray:
    return np.argsort(-score, kind="stable")[:k]


def naive_scores(case: Case) -> pd.DataFrame:
    """One perturbation and one formula at a time."""
    rows = []
    for i in range(6):
        keep = np.setdiff1d(np.arange(1200), case["targets"][i])
        p, o, c, start, r, t = (
            np.broadcast_to(case[name], (6, 1200))[i, keep]
            for name in ("predicted", "observed", "control", "predicted_control", "reference", "de_statistic")
        )
        delta, true = p - start, o - c
        top = largest(np.abs(t), 20)
        l1 = [np.abs(delta - (other - case["control"])[keep]).sum() for other in case["observed"]]
        cosine = [
            (p - r) @ (other[keep] - r) / np.linalg.norm(p - r) / np.linalg.norm(other[keep] - r)
            for other in case["observed"]
        ]
        row = {
            "pcc_delta": pearsonr(delta, true)[0],
            "pcc_delta_reference": pearsonr(p - r, o - r)[0],
            "pcc_delta_top20": pearsonr(delta[top], true[top])[0],
            "mse": np.mean((p - o) ** 2),
            "mse_delta": np.mean((delta - true) ** 2),
            "mse_delta_top20": np.mean((delta - true)[top] ** 2),
            "l2_top1000": np.linalg.norm((p - o)[largest(c, 1000)]),
            "direction_match": np.mean(np.sign(delta) == np.sign(true)),
            "direction_match_top20": np.mean((np.sign(delta) == np.sign(true))[top]),
            "discrimination": 1 - sum(one < l1[i] for one in l1) / 5,
            "discrimination_cosine": 1 - sum(one > cosine[i] for one in cosine) / 5,
        }
        for k in (20, 50, 100):
            both = np.intersect1d(largest(np.abs(delta), k), largest(np.abs(true), k))
            row[f"de_overlap@{k}"] = len(both) / k
        rows.append(row)
    return pd.DataFrame(rows, index=list("ABCDEF"))


@pytest.mark.parametrize("at_once", [1, 2**21])
def test_every_metric_equals_a_plain_loop(case: Case, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_profile_scores, "VALUES_AT_ONCE", at_once)
    table: Any = metrics.perturbation(**case)
    expected = naive_scores(case)
    found: Any = values_of(table)
    assert set(found) == set(expected) == set(HIGHER_IS_BETTER) - {"e_distance"}
    np.testing.assert_allclose(found, expected[found.columns], rtol=1e-9)
    assert (table["status"] == "ok").all()
    assert table["n_cells"].eq(-1).all()


def test_table_is_tidy(case: Case) -> None:
    table: Any = metrics.perturbation(
        **case,
        contexts=["K562"] * 3 + ["RPE1"] * 3,
        groups=["single"] * 4 + ["double"] * 2,
        n_cells=[30, 29, 50, 99, 1, 40],
    )
    assert list(table) == ["perturbation", "context", "group", "metric", "value", "n_cells", "status", "reason"]
    assert table["metric"].tolist()[:14] == [name for name in HIGHER_IS_BETTER if name != "e_distance"]
    assert not table.duplicated(["perturbation", "metric"]).any()
    few = table[table["status"] == "few cells"]
    assert few["perturbation"].unique().tolist() == ["B", "E"]
    assert few["value"].notna().all()
    assert few["reason"].unique().tolist() == ["fewer than 30 cells"]


def test_order_of_genes_and_perturbations_changes_nothing(case: Case) -> None:
    case["predicted"] = case["predicted"].round(1)  # many ties
    case["observed"] = case["observed"].round(1)
    before = values_of(metrics.perturbation(**case))
    rng = np.random.default_rng(1)
    rows, genes = rng.permutation(6), rng.permutation(1200)
    place = np.argsort(genes)
    for name in ("predicted", "observed", "de_statistic"):
        case[name] = case[name][rows][:, genes]
    for name in ("control", "predicted_control", "reference"):
        case[name] = case[name][genes]
    case["names"] = [case["names"][i] for i in rows]
    case["targets"] = [place[case["targets"][i]].tolist() for i in rows]
    pd.testing.assert_frame_equal(values_of(metrics.perturbation(**case)), before, rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-39, 1.0, 1e38])  # below, within and above the range of single precision
@pytest.mark.parametrize("order", ["C", "F"])
def test_discrimination_is_exact_at_any_scale(scale: float, order: Any) -> None:
    rng = np.random.default_rng(0)
    observed = scale * rng.normal(size=(70, 600))
    observed[10:20] = observed[10]  # ties
    observed[30:40] = observed[30] + 1e-5 * scale * rng.normal(size=(10, 600))  # closer than single precision tells
    predicted = 0.1 * observed + scale * rng.normal(size=(70, 600))
    found = discriminate(np.asarray(predicted, order=order), observed, padded([()] * 70), by="l1")
    distance = cdist(predicted, observed, "cityblock")
    distance[:, 10:20] = distance[:, [10]]
    true = np.diag(distance)[:, None]
    rank = 1 + (distance < true).sum(axis=1) + ((distance == true).sum(axis=1) - 1) / 2
    np.testing.assert_allclose(found, 1 - (rank - 1) / 69, rtol=1e-12)


def test_targeted_genes_count_for_nothing(case: Case) -> None:
    before = metrics.perturbation(**case)
    for i, genes in enumerate(case["targets"]):
        case["predicted"][i, genes] = 1e3
    pd.testing.assert_frame_equal(metrics.perturbation(**case), before)


def test_perfect_prediction(case: Case) -> None:
    case |= {"predicted": case["observed"], "predicted_control": None}
    means = values_of(metrics.perturbation(**case)).mean()
    for metric, higher in HIGHER_IS_BETTER.items():
        if metric != "e_distance":
            assert means[metric] == pytest.approx(float(higher)), metric


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_change_is_undefined_or_chance(case: Case, dtype: str) -> None:
    # In single precision the difference from control is rounding noise, not zero.
    case["predicted"] = np.tile(case["predicted_control"].astype(dtype), (6, 1))
    case["targets"] = None
    table: Any = metrics.perturbation(**case).set_index(["metric", "perturbation"])
    for metric in ("pcc_delta", "pcc_delta_top20"):
        assert table.loc[metric, "value"].isna().all()
        assert (table.loc[metric, "status"] == "undefined").all()
        assert table.loc[metric, "reason"].iloc[0] == "a change is the same for all genes"
    assert (table.loc["direction_match", "value"] == 0.5).all()
    assert table.loc["de_overlap@100", "value"].iloc[0] == pytest.approx(100 / 1200)
    assert table.loc["discrimination", "value"].mean() == pytest.approx(0.5)


def test_the_reference_as_prediction_says_nothing_beyond_it(case: Case) -> None:
    case["predicted"] = np.tile(case["reference"], (6, 1))
    table: Any = metrics.perturbation(**case).set_index("metric")
    assert (table.loc["pcc_delta_reference", "status"] == "undefined").all()
    assert (table.loc["discrimination_cosine", "value"] == 0.5).all()
    assert table.loc["discrimination", "value"].mean() == pytest.approx(0.5, abs=0.1)
    assert (table.loc["pcc_delta", "value"] > 0).any()


def test_equal_profiles_share_their_rank(case: Case) -> None:
    # B differs from A in a gene that A targets: to A they are the same, to B they are not.
    case["observed"][1] = case["observed"][0]
    case["observed"][1, 0] += 50
    case["predicted"] = case["observed"].copy()
    case["predicted_control"] = None
    found: Any = values_of(metrics.perturbation(**case))
    assert found.loc["A", "discrimination"] == found.loc["A", "discrimination_cosine"] == 1 - 0.5 / 5
    assert found.loc["B", "discrimination"] == found.loc["B", "discrimination_cosine"] == 1


def test_discrimination_stays_within_a_context(case: Case) -> None:
    # The profiles of the other context would be nearer.
    case["predicted"][:3] = case["observed"][3:]
    together = values_of(metrics.perturbation(**case))["discrimination"]
    apart = values_of(metrics.perturbation(**case, contexts=["a"] * 3 + ["b"] * 3))["discrimination"]
    alone: Any = metrics.perturbation(**case, contexts=list("abcdef")).set_index("metric").loc["discrimination"]
    assert (together[:3] < 1).all()
    assert set(apart) <= {0, 0.5, 1}
    assert (alone["status"] == "undefined").all()
    assert alone["reason"].iloc[0] == "no other perturbation to tell it from"


def test_what_was_not_predicted_is_unavailable(case: Case) -> None:
    complete: Any = values_of(metrics.perturbation(**case))
    case["predicted"][2] = np.nan
    table: Any = metrics.perturbation(**case)
    lacking = table[table["perturbation"] == "C"]
    assert (lacking["status"] == "unavailable").all()
    assert lacking["value"].isna().all()
    assert lacking["reason"].unique().tolist() == ["not predicted"]
    others = list("ABDEF")
    pd.testing.assert_frame_equal(values_of(table).loc[others], complete.loc[others])


def test_without_a_reference_two_metrics_are_unavailable(case: Case) -> None:
    case["reference"] = None
    table: Any = metrics.perturbation(**case)
    lacking = table[table["status"] == "unavailable"]
    assert set(lacking["metric"]) == {"pcc_delta_reference", "discrimination_cosine"}
    assert lacking["reason"].unique().tolist() == ["no mean of training perturbations to compare with"]


def test_genes_that_may_not_be_chosen(case: Case) -> None:
    case["de_statistic"][:, 7:] = np.nan
    found: Any = values_of(metrics.perturbation(**case))
    error = (case["predicted"] - case["predicted_control"] - case["observed"] + case["control"])[2, :7] ** 2
    assert found.loc["C", "mse_delta_top20"] == pytest.approx(error.mean())


def test_one_gene_and_one_perturbation() -> None:
    table: Any = metrics.perturbation([[1.0]], [[2.0]], [0.0], names=["A"], reference=[0.5]).set_index("metric")
    assert table.loc["mse", "value"] == 1
    assert table.loc["pcc_delta", "status"] == table.loc["discrimination", "status"] == "undefined"
    alone: Any = metrics.perturbation([[1.0]], [[2.0]], [0.0], names=["A"], targets=[[0]]).set_index("metric")
    assert alone.loc["mse", ["status", "reason"]].tolist() == ["undefined", "no genes are left"]


def test_inputs_are_left_alone(case: Case) -> None:
    copies = {name: np.array(value, copy=True) for name, value in case.items() if isinstance(value, np.ndarray)}
    metrics.perturbation(**case)
    for name, copy in copies.items():
        np.testing.assert_array_equal(case[name], copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"observed": np.ones((0, 3))}, r"at least one of each, got \(0, 3\)"),
        ({"predicted": np.ones((5, 1200))}, r"predicted must have shape \(6, 1200\), as observed has, got \(5, 1200\)"),
        ({"control": np.ones(7)}, r"control must have shape .* got \(7,\)"),
        ({"reference": np.full(1200, np.nan)}, r"reference holds NaN or infinite values in 6 of 6 rows: 0, 1, 2, 3, 4 \.\.\."),
        ({"names": ["A"]}, "names must have one value for each of the 6 perturbations"),
        ({"n_cells": [1, 2]}, "n_cells must have one value for each"),
    ],
)  # fmt: skip
def test_wrong_shapes_are_refused(case: Case, change: Case, message: str) -> None:
    with pytest.raises(InputError, match=message):
        metrics.perturbation(**case | change)


def test_a_prediction_with_a_hole_is_refused(case: Case) -> None:
    case["predicted"][3, 4] = np.nan
    with pytest.raises(InputError, match="predicted holds NaN or infinite values in 1 of 6 rows: 3"):
        metrics.perturbation(**case)


def test_top_weights_share_the_last_places() -> None:
    score = np.array([[3, 1, 1, 2, 1], [1, np.nan, -np.inf, 1, 1], [0, 0, 0, 0, 0]])
    np.testing.assert_allclose(
        top_weights(score, 3)[0],
        np.array([[1, 1 / 3, 1 / 3, 1, 1 / 3], [1, 0, 0, 1, 1], [0.6] * 5]),
    )


class TestSummary:
    @pytest.fixture
    def table(self) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "perturbation": list("ABCD") * 2,
                "group": "all",
                "metric": ["pcc_delta"] * 4 + ["mse"] * 4,
                "value": [0.2, 0.6, np.nan, np.nan, 4.0, 2.0, 3.0, 1.0],
                "baseline": [0.1, 0.1, 0.1, 0.1, 9.0, 9.0, 9.0, 9.0],
                "ceiling": [0.7, 0.7, 0.7, 0.7, 1.0, 1.0, 1.0, np.nan],
                "status": ["ok", "few cells", "undefined", "unavailable", "ok", "ok", "ok", "ok"],
            }
        )

    def test_means_counts_and_normalised(self, table: pd.DataFrame) -> None:
        summary: Any = metrics.perturbation_summary(table).set_index("metric")
        pcc, mse = summary.loc["pcc_delta"], summary.loc["mse"]
        assert pcc["mean"] == pytest.approx(0.4)
        assert pcc["sd"] == pytest.approx(0.2 * 2**0.5)
        assert pcc[["n", "n_few_cells", "n_undefined", "n_unavailable"]].tolist() == [2, 1, 1, 1]
        assert pcc["normalised"] == pytest.approx(0.5)
        assert mse["mean"] == 2.5
        assert mse["normalised"] == pytest.approx((3 - 9) / (1 - 9))  # over the three with a ceiling

    def test_a_ceiling_below_the_baseline_normalises_nothing(self, table: pd.DataFrame) -> None:
        table["baseline"] = [0.8] * 4 + [0.5] * 4
        assert metrics.perturbation_summary(table)["normalised"].isna().all()

    def test_a_ceiling_within_noise_of_the_baseline_normalises_nothing(self, table: pd.DataFrame) -> None:
        table["ceiling"] = [0.0, 0.3, 0.1, 0.1, 20, 1.0, 1.0, 12]
        assert metrics.perturbation_summary(table)["normalised"].isna().all()

    def test_a_constant_baseline_correlates_with_nothing(self, table: pd.DataFrame) -> None:
        table["baseline"] = np.nan
        summary: Any = metrics.perturbation_summary(table).set_index("metric")
        assert summary.loc["pcc_delta", "normalised"] == pytest.approx(0.4 / 0.7)
        assert np.isnan(summary.loc["mse", "normalised"])

    def test_methods_stay_apart(self, table: pd.DataFrame) -> None:
        both = pd.concat([table.assign(method="ridge"), table.assign(method="mean", value=0.1)])
        summary: Any = metrics.perturbation_summary(both)
        assert list(summary)[:3] == ["method", "group", "metric"]
        assert len(summary) == 4
        assert metrics.perturbation_summary(both, by="method")[["method", "metric"]].equals(
            summary[["method", "metric"]]
        )

    def test_a_missing_column_is_named(self, table: pd.DataFrame) -> None:
        with pytest.raises(MissingKeyError, match="'fold' is not in the table of scores. Present: 'perturbation'"):
            metrics.perturbation_summary(table, by=["fold"])
