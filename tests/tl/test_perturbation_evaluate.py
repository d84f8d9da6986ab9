"""`PerturbationPredictor.evaluate`: what is tested, on which cells, against what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from dnaclip import tl
from dnaclip._errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

VECTORS = np.random.default_rng(3).normal(size=(40, 4)).astype(np.float32)


def effect(condition: str) -> np.ndarray:
    genes = [int(gene[1:]) for gene in condition.split("+") if gene != "ctrl"]
    return 0.3 * VECTORS[genes].sum(axis=0) @ VECTORS.T if genes else np.zeros(40)


@pytest.fixture
def cells() -> ad.AnnData:
    rng = np.random.default_rng(0)
    names = ["ctrl", "ctrl", *(f"g{i}+ctrl" for i in range(24)), "g2+g1"]
    condition, line = np.tile(np.repeat(names, 20), 2), np.repeat(["K562", "RPE1"], 20 * len(names))
    x = np.array([3 + effect(name) for name in condition]) + (line == "RPE1")[:, None] * rng.random(40)
    x += 0.4 * rng.normal(size=x.shape)
    obs = pd.DataFrame({"condition": condition, "line": line}, index=[f"cell{i}" for i in range(len(x))])
    held_out = np.isin(condition, ["g3+ctrl", "g4+ctrl", "g5+ctrl", "g2+g1"])
    obs["split"] = np.where(held_out, "test", "train")
    obs["split_group"] = np.where(held_out, np.where(condition == "g2+g1", "combo_seen2", "unseen_single"), "train")
    return ad.AnnData(
        x.astype(np.float32), obs=obs, var=pd.DataFrame(index=[f"g{i}" for i in range(40)]), varm={"dnaclip": VECTORS}
    )


def scores(table: pd.DataFrame, metric: str = "pcc_delta") -> pd.Series:
    return table[table["metric"] == metric].groupby(["method", "vectors"], sort=False)["value"].mean()


def test_held_out_perturbations_are_scored(cells: ad.AnnData, unchanged: Callable[[ad.AnnData], Any]) -> None:
    predictor = tl.PerturbationPredictor(cells, method="ridge", context_key="line", kernel="linear").fit(train="split")
    with unchanged(cells):
        table = predictor.evaluate()
    assert set(table["perturbation"]) == {"g3", "g4", "g5", "g1+g2"}
    assert set(table["context"]) == {"K562", "RPE1"}
    assert table.groupby("perturbation")["group"].first().to_dict()["g1+g2"] == "combo_seen2"
    assert set(table["method"]) == {"ridge"}
    assert set(table["vectors"]) == {"given"}
    assert list(table.columns[:5]) == ["method", "vectors", "perturbation", "context", "group"]
    assert {"metric", "value", "ceiling", "n_cells", "status"} <= set(table.columns)
    assert scores(table)[("ridge", "given")] > 0.8


def test_baselines_and_vector_controls(cells: ad.AnnData) -> None:
    predictor = tl.PerturbationPredictor(cells, method="ridge", kernel="linear").fit(train="split")
    before = predictor.predict("g3").X
    table = predictor.evaluate(baselines=True, controls=True)
    found = scores(table)
    assert list(found.index) == [
        ("ridge", "given"),
        ("no_change", "none"),
        ("perturbed_mean", "none"),
        ("additive", "none"),
        ("identity", "none"),
        ("knn", "given"),
        ("linear_pca", "given"),
        ("ridge", "permuted"),
        ("ridge", "random"),
        ("ridge", "one_hot"),
    ]
    assert (
        found[("ridge", "given")] > 0.2 + found[[("ridge", kind) for kind in ("permuted", "random", "one_hot")]].max()
    )
    ceilings = table.pivot_table(index=["perturbation", "metric"], columns=["method", "vectors"], values="ceiling")
    assert ceilings.nunique(axis=1).eq(1).all(), "the ceiling is the same for all"
    np.testing.assert_array_equal(predictor.predict("g3").X, before)
    assert predictor.method == "ridge"
    again = predictor.evaluate(baselines=True, controls=True)
    pd.testing.assert_frame_equal(again, table)


def test_a_method_without_vectors_has_no_vector_controls(cells: ad.AnnData) -> None:
    del cells.varm["dnaclip"]
    predictor = tl.PerturbationPredictor(cells, method="additive").fit(train="split")
    table = predictor.evaluate(baselines=True, ceiling=False)
    assert list(dict.fromkeys(table["method"])) == ["additive", "no_change", "perturbed_mean", "identity"]
    assert set(table["vectors"]) == {"none"}
    assert "ceiling" not in table
    with pytest.raises(InputError, match="method 'additive' reads none"):
        predictor.evaluate(controls=True)


def test_generated_cells_have_an_energy_distance(cells: ad.AnnData) -> None:
    predictor = tl.PerturbationPredictor(cells, method="ridge").fit(train="split")
    means = predictor.evaluate().set_index(["perturbation", "metric"])
    table = predictor.evaluate(n_cells=40).set_index(["perturbation", "metric"])
    assert means.loc[("g3", "e_distance"), "status"] == "unavailable"
    assert np.isfinite(table.xs("e_distance", level="metric")["value"]).all()
    others = table.index[table.index.get_level_values("metric") != "e_distance"]
    pd.testing.assert_series_equal(table.loc[others, "value"], means.loc[others, "value"])


@pytest.mark.parametrize("test", ["mask", "column", "words"])
def test_the_tested_cells_can_be_named(cells: ad.AnnData, test: str) -> None:
    held_out = (cells.obs["split"] == "test").to_numpy()
    only = (cells.obs["condition"] == "g3+ctrl").to_numpy()
    cells.obs["mine"], cells.obs["words"] = only, np.where(only, "test", "other")
    predictor = tl.PerturbationPredictor(cells, method="ridge").fit(train=~held_out)
    given = {"mask": only, "column": "mine", "words": "words"}[test]
    assert set(predictor.evaluate(given, ceiling=False)["perturbation"]) == {"g3"}
    table = predictor.evaluate(ceiling=False)
    assert set(table["perturbation"]) == {"g3", "g4", "g5", "g1+g2"}
    assert set(table["group"]) == {"all"}
    grouped = predictor.evaluate(group_key="split_group", ceiling=False)
    assert set(grouped["group"]) == {"unseen_single", "combo_seen2"}


def test_a_held_out_context(cells: ad.AnnData) -> None:
    perturbed = (cells.obs["condition"] != "ctrl").to_numpy()
    cells.obs["split"] = np.where(perturbed & (cells.obs["line"] == "RPE1"), "test", "train")
    del cells.obs["split_group"]
    predictor = tl.PerturbationPredictor(cells, method="other_context", context_key="line").fit(train="split")
    table = predictor.evaluate(ceiling=False)
    assert set(table["context"]) == {"RPE1"}
    assert table["perturbation"].nunique() == 25
    assert scores(table)[("other_context", "none")] > 0.8


def test_other_cells_can_judge(cells: ad.AnnData, tmp_path: Any) -> None:
    predictor = tl.PerturbationPredictor(cells, method="ridge").fit(train="split")
    loaded = tl.PerturbationPredictor.load(predictor.save(tmp_path / "model"))
    with pytest.raises(InputError, match="has no cells to judge by: give adata"):
        loaded.evaluate()
    others = cells[cells.obs["condition"].isin(["ctrl", "g3+ctrl", "g7+ctrl"])].copy()
    table = loaded.evaluate(adata=others, baselines=True, controls=True, ceiling=False)
    assert set(table["perturbation"]) == {"g3", "g7"}
    assert ("ridge", "one_hot") in scores(table).index
    new = others.copy()
    new.obs["line"] = "Jurkat"
    lines = tl.PerturbationPredictor(cells, method="ridge", context_key="line").fit(train="split")
    with pytest.raises(InputError, match="1 of 1 contexts had no control cells in training: 'Jurkat'"):
        lines.evaluate(adata=new)


def test_something_must_be_held_out(cells: ad.AnnData) -> None:
    predictor = tl.PerturbationPredictor(cells, method="ridge").fit()
    with pytest.raises(InputError, match="No perturbed cell is held out"):
        predictor.evaluate()
    with pytest.raises(InputError, match="marks no cell as 'test'"):
        predictor.evaluate("condition")
    with pytest.raises(InputError, match="n_cells must be a whole number"):
        predictor.evaluate("split", n_cells=0)


def test_dropped_perturbations_are_not_scored(cells: ad.AnnData) -> None:
    vectors = VECTORS.copy()
    vectors[[3, 8]] = np.nan
    cells.varm["dnaclip"] = vectors
    predictor = tl.PerturbationPredictor(cells, method="ridge", missing="drop").fit(train="split")
    table = predictor.evaluate(baselines=True, controls=True, ceiling=False)
    assert set(table["perturbation"]) == {"g4", "g5", "g1+g2"}
    zero = tl.PerturbationPredictor(cells, method="ridge", missing="zero").fit(train="split")
    assert set(zero.evaluate(controls=True, ceiling=False)["perturbation"]) == {"g3", "g4", "g5", "g1+g2"}
