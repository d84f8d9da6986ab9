"""`tl.evaluate_perturbations`: matching by name, disjoint control cells, the reference, the ceiling, storage and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import sparse

from dnaclip import metrics, tl
from dnaclip._errors import InputError, MissingKeyError
from dnaclip.tl._perturbation import profiles as _perturbation_profiles
from dnaclip.tl._perturbation.pairs import random_halves, welch_t

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GENES = [f"g{i}" for i in range(40)]
CONDITIONS = ["ctrl", "g0+ctrl", "ctrl+g1", "g2+g1", "g5+ctrl", "elsewhere+ctrl"]
NAMES = ["g0", "g1", "g1+g2", "g5", "elsewhere"]


@pytest.fixture
def observed() -> ad.AnnData:
    """Two lines with 40 cells of each of six conditions, 40 genes, sparse."""
    rng = np.random.default_rng(0)
    effect = np.vstack([np.zeros(40), rng.normal(0, 0.7, size=(5, 40))])
    condition = np.tile(np.repeat(np.arange(6), 40), 2)
    line = np.repeat([0, 1], 240)
    x = np.maximum(2 + effect[condition] + line[:, None] + rng.normal(size=(480, 40)), 0)
    obs = pd.DataFrame(
        {
            "condition": pd.Categorical(np.array(CONDITIONS)[condition]),
            "line": pd.Categorical(np.array(["K562", "RPE1"])[line]),
            "split": np.where(condition < 3, "train", "test"),
        },
        index=[f"cell{i}" for i in range(480)],
    )
    obs["split_group"] = np.array(["control", "train", "train", "combo", "unseen", "unseen"])[condition]
    return ad.AnnData(sparse.csr_matrix(x.astype(np.float32)), obs=obs, var=pd.DataFrame(index=GENES))


@pytest.fixture
def predicted(observed: ad.AnnData) -> ad.AnnData:
    """Means of all conditions but control, in one line, near the truth."""
    rng = np.random.default_rng(1)
    x = np.vstack([mean_of(observed, name) for name in CONDITIONS[1:]]) + 0.3 * rng.normal(size=(5, 40))
    return ad.AnnData(x, obs=pd.DataFrame({"condition": NAMES}, index=NAMES), var=pd.DataFrame(index=GENES))


def mean_of(adata: ad.AnnData, condition: str, which: np.ndarray | None = None) -> np.ndarray:
    mask = (adata.obs["condition"] == condition).to_numpy()
    return np.asarray(adata.X[mask if which is None else mask & which].astype(np.float64).mean(axis=0)).ravel()


def value(table: pd.DataFrame, perturbation: str, metric: str, column: str = "value") -> Any:
    row: Any = table[(table["perturbation"] == perturbation) & (table["metric"] == metric)]
    assert len(row) == 1
    return row[column].iloc[0]


def test_scores_are_those_of_the_means(observed: ad.AnnData, predicted: ad.AnnData) -> None:
    # Which control cells were seen is said, so that nothing is left to chance.
    rng = np.random.default_rng(2)
    seen = (observed.obs["split"] == "train").to_numpy() & (rng.random(480) < 0.5)
    control, start = mean_of(observed, "ctrl", ~seen), mean_of(observed, "ctrl", seen)
    reference = np.mean([mean_of(observed, name, seen) for name in CONDITIONS[1:3]], axis=0)
    table: Any = tl.evaluate_perturbations(predicted, observed, train=seen, exclude_targets=False, ceiling=False)
    held_out = np.array([mean_of(observed, name, ~seen) for name in CONDITIONS[1:]])
    expected: Any = metrics.perturbation(
        predicted.X, held_out, control, names=NAMES, predicted_control=start, reference=reference
    )
    for perturbation in NAMES:
        for metric in ("pcc_delta", "pcc_delta_reference", "mse", "mse_delta", "l2_top1000", "discrimination_cosine"):
            assert value(table, perturbation, metric) == pytest.approx(value(expected, perturbation, metric), rel=1e-5)
    count = [int(((observed.obs["condition"] == name) & ~seen).sum()) for name in CONDITIONS[1:]]
    assert [value(table, name, "mse", "n_cells") for name in NAMES] == count


def test_columns_and_names(observed: ad.AnnData, predicted: ad.AnnData, unchanged: Callable[[ad.AnnData], Any]) -> None:
    with unchanged(observed), unchanged(predicted):
        table: Any = tl.evaluate_perturbations(predicted, observed, group_key="split_group")
    columns = "perturbation group metric value ceiling n_cells status reason"
    assert list(table) == columns.split()  # every perturbation is scored: there is no training mean for a baseline
    assert table["perturbation"].unique().tolist() == sorted(NAMES, key=lambda name: name.split("+"))
    groups = table.drop_duplicates("perturbation").set_index("perturbation")["group"]
    assert groups.to_dict() == {"elsewhere": "unseen", "g0": "train", "g1": "train", "g1+g2": "combo", "g5": "unseen"}
    assert value(table, "g0", "e_distance", "reason") == "the prediction is a mean, not cells"
    assert value(table, "g0", "pcc_delta_reference", "status") == "unavailable"


def test_any_spelling_any_order_of_genes_and_extra_genes(observed: ad.AnnData, predicted: ad.AnnData) -> None:
    before = tl.evaluate_perturbations(predicted, observed)
    again = predicted[::-1, ::-1].copy()
    again.obs["condition"] = ["ctrl+elsewhere", "g5+ctrl", "g2+g1", "g1", "g0+ctrl"]
    more = ad.AnnData(np.ones((5, 2)), obs=again.obs, var=pd.DataFrame(index=["x1", "x2"]))
    again = ad.concat([more, again], axis=1, merge="same")
    pd.testing.assert_frame_equal(tl.evaluate_perturbations(again, observed), before, rtol=1e-9)


def test_genes_that_are_not_predicted_are_named(observed: ad.AnnData, predicted: ad.AnnData) -> None:
    with pytest.warns(
        UserWarning, match="3 of 40 observed genes are not predicted and not scored: 'g37', 'g38', 'g39'"
    ):
        found: Any = tl.evaluate_perturbations(predicted[:, :37].copy(), observed)
    pd.testing.assert_frame_equal(found, tl.evaluate_perturbations(predicted, observed[:, :37].copy()))


def test_targets_are_left_out(observed: ad.AnnData, predicted: ad.AnnData) -> None:
    before = tl.evaluate_perturbations(predicted, observed)
    predicted.X[2, 1:3] = 4  # g1+g2
    changed = tl.evaluate_perturbations(predicted, observed)
    pd.testing.assert_frame_equal(changed, before)
    assert not tl.evaluate_perturbations(predicted, observed, exclude_targets=False).equals(before)
    observed.var["symbol"] = [*GENES[:2], "other", *GENES[3:]]
    by_symbol = tl.evaluate_perturbations(predicted, observed, gene_symbols="symbol")
    assert value(by_symbol, "g1+g2", "mse") > value(before, "g1+g2", "mse")


def test_control_halves_are_disjoint_and_differ_by_seed(observed: ad.AnnData, predicted: ad.AnnData) -> None:
    first, again, other = (tl.evaluate_perturbations(predicted, observed, rng=rng) for rng in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert value(first, "g0", "pcc_delta") != value(other, "g0", "pcc_delta")
    assert value(first, "g0", "mse") == value(other, "g0", "mse")


def test_a_shared_control_would_correlate_what_is_unrelated() -> None:
    rng = np.random.default_rng(5)
    condition = np.repeat(["ctrl", *(f"p{i}" for i in range(30))], [10, *([10] * 30)])
    observed = ad.AnnData(rng.normal(5, 1, size=(310, 200)), obs={"condition": condition})
    predicted = ad.AnnData(5 + 0.3 * rng.normal(size=(30, 200)), obs={"condition": [f"p{i}" for i in range(30)]})
    table: Any = tl.evaluate_perturbations(predicted, observed, ceiling=False).query("metric == 'pcc_delta'")
    control = observed.X[:10].mean(axis=0)
    means = observed.X[10:].reshape(30, 10, 200).mean(axis=1)
    shared = metrics.perturbation(predicted.X, means, control, names=condition[10::10]).query("metric == 'pcc_delta'")
    assert abs(table["value"].mean()) < 0.1 < 0.4 < shared["value"].mean()


def test_predicted_control_cells_come_first(observed: ad.AnnData, predicted: ad.AnnData) -> None:
    before = value(tl.evaluate_perturbations(predicted, observed), "g0", "mse_delta")
    shifted = predicted.copy()
    shifted.X += 3
    control = ad.AnnData(mean_of(observed, "ctrl")[None] + 3, obs={"condition": ["ctrl"]}, var=predicted.var)
    with_control = ad.concat([shifted, control])
    after = value(tl.evaluate_perturbations(with_control, observed), "g0", "mse_delta")
    assert after == pytest.approx(before, rel=0.5)
    assert value(tl.evaluate_perturbations(shifted, observed), "g0", "mse_delta") > 10 * before


def test_a_layer_with_the_change_comes_before_everything(
    observed: ad.AnnData, predicted: ad.AnnData, caplog: pytest.LogCaptureFixture
) -> None:
    tl.evaluate_perturbations(predicted, observed)
    assert caplog.text == ""
    predicted.layers["delta"] = np.zeros((5, 40))
    tl.evaluate_perturbations(predicted, observed, train=np.arange(480) % 2 == 0)
    assert caplog.text == ""
    table: Any = tl.evaluate_perturbations(predicted, observed)
    assert value(table, "g0", "pcc_delta", "status") == "undefined"
    assert value(table, "g0", "mse") < value(table, "g0", "mse_delta")
    assert "flatters their correlation" in caplog.text
    pd.testing.assert_frame_equal(
        tl.evaluate_perturbations(predicted, observed, delta_layer=None),
        tl.evaluate_perturbations(ad.AnnData(predicted.X, obs=predicted.obs, var=predicted.var), observed),
    )


def test_no_control_when_the_tables_are_changes(observed: ad.AnnData, predicted: ad.AnnData) -> None:
    kept = observed[observed.obs["condition"] != "ctrl"].copy()
    with pytest.raises(InputError, match="No cell is a control"):
        tl.evaluate_perturbations(predicted, kept)
    table: Any = tl.evaluate_perturbations(predicted, kept, control=None)
    assert value(table, "g0", "mse_delta") == value(table, "g0", "mse")
    expected = np.corrcoef(predicted.X[0, 1:], mean_of(kept, "g0+ctrl")[1:])[0, 1]
    assert value(table, "g0", "pcc_delta") == pytest.approx(expected, rel=1e-5)


class TestTraining:
    def test_the_baseline_is_the_training_mean(self, observed: ad.AnnData, predicted: ad.AnnData) -> None:
        table: Any = tl.evaluate_perturbations(predicted, observed, train="split", conditions=NAMES[2:])
        assert table["perturbation"].unique().tolist() == ["elsewhere", "g1+g2", "g5"]
        reference = np.mean([mean_of(observed, name) for name in CONDITIONS[1:3]], axis=0)
        keep = np.setdiff1d(np.arange(40), [5])
        expected = np.mean((reference - mean_of(observed, "g5+ctrl"))[keep] ** 2)
        assert value(table, "g5", "mse", "baseline") == pytest.approx(expected, rel=1e-5)
        assert np.isnan(value(table, "g5", "pcc_delta_reference", "baseline"))
        assert value(table, "g5", "discrimination_cosine", "baseline") == 0.5
        scaled = metrics.perturbation_summary(table).set_index("metric")["normalised"]
        assert 0 < scaled["mse"] < 1.1

    def test_without_train_it_is_what_is_not_scored(self, observed: ad.AnnData, predicted: ad.AnnData) -> None:
        said = tl.evaluate_perturbations(predicted, observed, train="split", conditions=NAMES[2:])
        inferred = tl.evaluate_perturbations(predicted[2:].copy(), observed)
        pd.testing.assert_frame_equal(said, inferred)

    def test_a_given_reference(self, observed: ad.AnnData, predicted: ad.AnnData) -> None:
        reference = np.mean([mean_of(observed, name) for name in CONDITIONS[1:3]], axis=0)
        inferred = tl.evaluate_perturbations(predicted[2:].copy(), observed)
        for given in (reference, {"all": reference}):
            found: Any = tl.evaluate_perturbations(predicted[2:].copy(), observed, reference=given)
            pd.testing.assert_frame_equal(found, inferred, rtol=1e-5)
        with pytest.raises(InputError, match="reference must hold 40 finite numbers"):
            tl.evaluate_perturbations(predicted, observed, reference=reference[:3])
        with pytest.raises(InputError, match="reference has no mean for the contexts 'all'; it has 'K562'"):
            tl.evaluate_perturbations(predicted, observed, reference={"K562": reference})

    def test_a_context_without_training_takes_the_change_of_the_others(
        self, observed: ad.AnnData, predicted: ad.AnnData
    ) -> None:
        predicted.obs["line"] = "RPE1"
        k562, control = (observed.obs[key].to_numpy() == v for key, v in (("line", "K562"), ("condition", "ctrl")))
        train = np.where(control, np.arange(480) % 2 == 0, k562)
        table: Any = tl.evaluate_perturbations(
            predicted, observed, context_key="line", train=train, exclude_targets=False
        )
        change = np.mean([mean_of(observed, name, k562) for name in CONDITIONS[1:]], axis=0)
        change -= mean_of(observed, "ctrl", train & k562)
        baseline = change + mean_of(observed, "ctrl", train & ~k562)
        error = np.mean((baseline - mean_of(observed, "g5+ctrl", ~k562)) ** 2)
        assert value(table, "g5", "mse", "baseline") == pytest.approx(error, rel=1e-5)

    def test_training_performance(self, observed: ad.AnnData, predicted: ad.AnnData) -> None:
        train = np.ones(480, dtype=bool)
        table: Any = tl.evaluate_perturbations(predicted, observed, train=train)
        assert (table["n_cells"] == 80).all()


class TestContexts:
    def test_each_line_has_its_own_control(self, observed: ad.AnnData) -> None:
        lines = observed.obs["line"].to_numpy()
        rows = [
            (name, line, mean_of(observed, name, lines == line))
            for line in ("RPE1", "K562")
            for name in CONDITIONS
            if (name, line) != ("g5+ctrl", "K562")
        ]
        predicted = ad.AnnData(
            np.array([row[2] for row in rows]),
            obs={"condition": [row[0] for row in rows], "line": [row[1] for row in rows]},
            var=observed.var,
        )
        table: Any = tl.evaluate_perturbations(predicted, observed, context_key="line")
        assert list(table)[:2] == ["perturbation", "context"]
        assert table.groupby("context", observed=True)["perturbation"].nunique().to_dict() == {"K562": 4, "RPE1": 5}
        assert (table.query("metric == 'mse'")["value"] < 1e-9).all()
        assert (table.query("metric == 'discrimination'")["value"] > 0.7).all()
        # g5 is not scored in K562, so it is the training mean there
        alone = predicted[predicted.obs["line"] == "K562"].copy()
        one: Any = tl.evaluate_perturbations(alone, observed[lines == "K562"].copy(), context_key="line")
        both: Any = table[table["context"] == "K562"].reset_index(drop=True)
        means = ["mse", "l2_top1000", "pcc_delta_reference", "discrimination_cosine"]
        columns = ["perturbation", "metric", "value", "baseline"]
        one, both = (tabled[tabled["metric"].isin(means)] for tabled in (one, both))
        np.testing.assert_allclose(both["value"].to_numpy(), one["value"].to_numpy(), atol=1e-6)
        np.testing.assert_allclose(both["baseline"].to_numpy(), one["baseline"].to_numpy(), atol=1e-5)
        assert both[columns[:2]].equals(one[columns[:2]])

    def test_a_wanted_perturbation_may_be_missing(self, observed: ad.AnnData, predicted: ad.AnnData) -> None:
        predicted.obs["line"] = "K562"
        table: Any = tl.evaluate_perturbations(predicted, observed, context_key="line", conditions=["g0", "ctrl+g5"])
        status = table.groupby(["perturbation", "context"])["status"].agg(lambda column: set(column))
        assert status["g0", "RPE1"] == status["g5", "RPE1"] == {"unavailable"}
        assert "ok" in status["g0", "K562"]

    def test_a_line_without_control_is_named(self, observed: ad.AnnData, predicted: ad.AnnData) -> None:
        predicted.obs["line"] = "RPE1"
        kept = observed[(observed.obs["line"] == "K562") | (observed.obs["condition"] != "ctrl")].copy()
        with pytest.raises(InputError, match="1 contexts have no control cells among the observed: 'RPE1'"):
            tl.evaluate_perturbations(predicted, kept, context_key="line")


class TestCells:
    def test_predicted_cells(self, observed: ad.AnnData) -> None:
        half = np.arange(480) % 2 == 0
        table: Any = tl.evaluate_perturbations(observed[half].copy(), observed[~half].copy())
        distance = table.query("metric == 'e_distance'")
        assert (distance["status"] == "ok").all()
        assert (distance["value"].abs() < 0.2).all()
        assert (distance["ceiling"].abs() < 0.4).all()
        x = observed.X.toarray()
        rows = (observed.obs["condition"] == "g5+ctrl").to_numpy()
        keep = np.setdiff1d(np.arange(40), [5])
        expected: Any = metrics.e_distance(x[rows & half][:, keep], x[rows & ~half][:, keep])
        assert value(table, "g5", "e_distance") == pytest.approx(expected, rel=1e-6)
        assert value(table, "g5", "pcc_delta") > 0.8

    def test_a_sample_of_many_cells(self, observed: ad.AnnData) -> None:
        first, again, other = (
            tl.evaluate_perturbations(observed, observed, max_cells=10, ceiling=False, rng=rng) for rng in (0, 0, 1)
        )
        pd.testing.assert_frame_equal(first, again)
        assert value(first, "g0", "e_distance") != value(other, "g0", "e_distance")

    def test_few_cells_are_flagged_and_one_cell_has_no_ceiling(
        self, observed: ad.AnnData, predicted: ad.AnnData
    ) -> None:
        drop = (observed.obs["condition"] == "g0+ctrl").to_numpy(copy=True)
        drop[np.flatnonzero(drop)[0]] = False
        table: Any = tl.evaluate_perturbations(predicted, observed[~drop].copy())
        assert value(table, "g0", "pcc_delta", "status") == "few cells"
        assert value(table, "g0", "pcc_delta", "n_cells") == 1
        assert np.isnan(value(table, "g0", "pcc_delta", "ceiling"))
        assert value(table, "g1", "pcc_delta", "status") == "ok"
        assert value(table, "g1", "pcc_delta", "ceiling") > 0.8
        relaxed: Any = tl.evaluate_perturbations(predicted, observed[~drop].copy(), min_cells=0)
        assert value(relaxed, "g0", "pcc_delta", "status") == "ok"

    def test_one_control_cell(
        self, observed: ad.AnnData, predicted: ad.AnnData, caplog: pytest.LogCaptureFixture
    ) -> None:
        drop = (observed.obs["condition"] == "ctrl").to_numpy(copy=True)
        drop[0] = False
        table: Any = tl.evaluate_perturbations(predicted, observed[~drop].copy())
        assert table.query("metric == 'pcc_delta'")["value"].notna().all()
        assert "single control cell" in caplog.text

    def test_the_ceiling_is_a_mean_over_halves(self, observed: ad.AnnData, predicted: ad.AnnData) -> None:
        def spread(n_halves: int) -> float:
            found = [
                value(
                    tl.evaluate_perturbations(predicted, observed, n_halves=n_halves, rng=rng), "g0", "mse", "ceiling"
                )
                for rng in range(6)
            ]
            return float(np.std(found))

        assert spread(8) < spread(1)
        x = observed.X.toarray()
        rows = (observed.obs["condition"] == "g0+ctrl").to_numpy()
        # Half against half of 40 cells each: twice the variance of a mean of 40.
        expected = 2 * x[rows][:, 1:].var(axis=0, ddof=1).mean() / 40
        table: Any = tl.evaluate_perturbations(predicted, observed, n_halves=20)
        assert value(table, "g0", "mse", "ceiling") == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize("kind", ["dense", "csc", "csr_array", "dask", "backed", "layer", "view", "float64"])
def test_storage_changes_nothing(kind: str, observed: ad.AnnData, tmp_path: Path) -> None:
    predicted = observed[::3].copy()
    before = tl.evaluate_perturbations(predicted, observed, n_halves=2)
    changed, layer = observed.copy(), None
    if kind == "dense":
        changed.X = observed.X.toarray()
    elif kind == "csc":
        changed.X = sparse.csc_matrix(observed.X)
    elif kind == "csr_array":
        changed.X = sparse.csr_array(observed.X)
    elif kind == "float64":
        changed.X = observed.X.astype(np.float64)
    elif kind == "dask":
        da = pytest.importorskip("dask.array")
        changed.X = da.from_array(observed.X.toarray(), chunks=(100, 40))
    elif kind == "backed":
        observed.write_h5ad(tmp_path / "cells.h5ad")
        changed = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    elif kind == "layer":
        changed.layers["log"], changed.X, layer = changed.X, None, "log"
    elif kind == "view":
        more = observed[:50].copy()
        more.obs_names = [f"more{i}" for i in range(50)]
        changed = ad.concat([observed, more])[:480]
    try:
        found: Any = tl.evaluate_perturbations(predicted, changed, layer=layer, n_halves=2)
    finally:
        if kind == "backed":
            changed.file.close()
    pd.testing.assert_frame_equal(found, before, rtol=1e-6)


def test_welch_t_is_that_of_scanpy(observed: ad.AnnData) -> None:
    x = observed.X.toarray().astype(np.float64)
    conditions = observed.obs["condition"].cat.categories
    codes = observed.obs["condition"].cat.codes.to_numpy()
    order = [*(i for i, name in enumerate(conditions) if name != "ctrl"), conditions.get_loc("ctrl")]
    sums, squares = (np.array([(x[codes == i] ** power).sum(axis=0) for i in order]) for power in (1, 2))
    count = np.array([(codes == i).sum() for i in order])
    t = welch_t(sums, squares, count, np.full(5, 5))
    adata = ad.AnnData(x, obs=observed.obs, var=observed.var)
    sc.tl.rank_genes_groups(adata, "condition", reference="ctrl", method="t-test", n_genes=40)
    for row, i in zip(t, order[:5], strict=True):
        found = sc.get.rank_genes_groups_df(adata, conditions[i]).set_index("names")["scores"]
        np.testing.assert_allclose(row, found[GENES], rtol=1e-4)


def test_silent_genes_are_not_differentially_expressed() -> None:
    sums, squares = np.array([[0.0, 4.0, 0.0, 6.0], [4.0, 4.0, 0.0, 2.0]]), np.array([[0, 8, 0, 12], [8, 8, 0, 1.0]])
    t = welch_t(sums, squares, np.array([4, 4]), np.array([1]))[0]
    assert np.isnan(t[[0, 2]]).all()
    assert t[1] == 0
    assert t[3] > 0
    assert np.isnan(welch_t(sums, squares, np.array([1, 4]), np.array([1]))).all()


def test_random_halves_are_even() -> None:
    groups = np.random.default_rng(0).integers(-1, 4, size=101)
    half = random_halves(groups, np.random.default_rng(1))
    for group in range(4):
        first, second = (int(((groups == group) & (half == side)).sum()) for side in (0, 1))
        assert first - second in (0, 1)


def test_another_scale_is_doubted(observed: ad.AnnData, predicted: ad.AnnData) -> None:
    predicted.X *= 100
    with pytest.warns(UserWarning, match="predictions seem to be on another scale. Both must be normalised alike"):
        tl.evaluate_perturbations(predicted, observed)
    assert _perturbation_profiles.OTHER_SCALE == 5


def _rename(adata: ad.AnnData, names: list[str]) -> ad.AnnData:
    adata.var_names = names
    return adata


@pytest.mark.parametrize(
    ("change", "options", "error", "message"),
    [
        (lambda p, o: (p, o), {"perturbation_key": "guide"}, MissingKeyError, "'guide' is not in adata.obs"),
        (lambda p, o: (p, o), {"layer": "counts"}, MissingKeyError, "'counts' is not in adata.layers"),
        (lambda p, o: (p, o), {"group_key": "x"}, MissingKeyError, "'x' is not in adata.obs of the observed cells"),
        (lambda p, o: (p, o), {"gene_symbols": "x"}, MissingKeyError, "'x' is not in adata.var of the observed cells"),
        (lambda p, o: (p, o), {"group_key": "line"}, InputError, "Cells of one perturbation have different groups"),
        (lambda p, o: (p, o), {"train": "line"}, InputError, "marks no cell as 'train'"),
        (lambda p, o: (p, o), {"conditions": ["g7", "g0"]}, InputError, "1 of 2 conditions are no observed .*: 'g7'"),
        (lambda p, o: (p, o), {"conditions": []}, InputError, "0 of 0 conditions"),
        (lambda p, o: (p, o), {"n_halves": 0}, InputError, "n_halves must be a whole number of at least 1"),
        (lambda p, o: (p, o), {"rng": "0"}, InputError, "rng must be an int"),
        (lambda p, o: (_rename(p, [f"x{i}" for i in range(40)]), o), {}, InputError, "have no gene in common.*'x0'"),
        (lambda p, o: (_rename(p, ["g0"] * 40), o), {}, InputError, "stand more than once in adata.var_names: 'g0'"),
        (lambda p, o: (p[:0], o), {}, InputError, "No predicted perturbation was observed"),
        (lambda p, o: (p.X, o), {}, InputError, "adata must be an AnnData, got ndarray"),
    ],
)  # fmt: skip
def test_errors(
    observed: ad.AnnData,
    predicted: ad.AnnData,
    change: Callable[..., tuple[Any, Any]],
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        tl.evaluate_perturbations(*change(predicted, observed), **options)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(observed: ad.AnnData, predicted: ad.AnnData, bad: float) -> None:
    observed.X[300, 7] = bad
    with pytest.raises(InputError, match="The expression of 1 of 40 genes holds NaN or infinite values: 'g7'"):
        tl.evaluate_perturbations(predicted, observed)


def test_norman(shared_data: Path) -> None:
    """Adding up singles predicts real doubles better than their mean does, and better than 'no change'."""
    observed = ad.read_h5ad(shared_data / "cells" / "norman_k562_devel.h5ad")
    condition = observed.obs["condition"].astype(str)
    mean = {
        name: np.asarray(observed.X[(condition == name).to_numpy()].mean(axis=0)).ravel() for name in set(condition)
    }
    single = {name.removesuffix("+ctrl"): x for name, x in mean.items() if name.endswith("+ctrl")}
    doubles = [name.split("+") for name in mean if set(name.split("+")) <= set(single)]
    doubles = sorted(pair for pair in doubles if len(pair) == 2)
    predicted = ad.AnnData(
        np.array([single[a] + single[b] - mean["ctrl"] for a, b in doubles]),
        obs={"condition": [f"{b}+{a}" for a, b in doubles]},
        var=observed.var[[]],
    )
    table = tl.evaluate_perturbations(predicted, observed)
    assert table["perturbation"].nunique() == 5
    means: Any = table.groupby("metric")[["value", "baseline", "ceiling"]].mean()
    assert means.loc["pcc_delta", "baseline"] < 0.3 < 0.6 < means.loc["pcc_delta", "value"]
    assert means.loc["discrimination_cosine", "value"] > 0.9
    assert means.loc["mse", "value"] < means.loc["mse", "baseline"] / 3
    assert means.loc["mse", "ceiling"] < means.loc["mse", "baseline"]
