"""`tl.ViabilityRegressor` and `tl.split_viability`: what they learn, write and refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.utils.estimator_checks import parametrize_with_checks

from dnaclip import datasets, tl
from dnaclip._errors import InputError, MissingKeyError
from dnaclip.pp import match_genes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

QUICK: dict[str, Any] = {"coverage": None}


def screen(n_lines: int = 14, n_genes: int = 70, seed: int = 0) -> ad.AnnData:
    """Effects that follow from the vectors of genes and the profiles of lines."""
    rng = np.random.default_rng(seed)
    vectors, profiles = rng.normal(size=(n_genes, 4)), rng.normal(size=(n_lines, 6))
    x = vectors[:, 0] + 0.4 * profiles[:, :1] + 0.1 * rng.normal(size=(n_lines, n_genes))
    obs = pd.DataFrame({"tissue": np.array(["a", "b", "c"])[np.arange(n_lines) % 3]})
    obs.index = [f"line{i}" for i in range(n_lines)]
    var = pd.DataFrame({"family": np.arange(n_genes) // 2}, index=[f"gene{i}" for i in range(n_genes)])
    return ad.AnnData(x, obs=obs, var=var, obsm={"expr": profiles}, varm={"dnaclip": vectors, "other": vectors[:, :2]})


def split(adata: ad.AnnData, held_out: str = "both") -> ad.AnnData:
    tl.split_viability(adata, held_out)
    return adata


def score(table: pd.DataFrame, method: str, held_out: str, metric: str = "pcc", scope: str = "overall") -> float:
    rows = table[(table["method"] == method) & (table["held_out"] == held_out)]
    (found,) = rows.loc[(rows["metric"] == metric) & (rows["scope"] == scope), "value"]
    return found


# -- scikit-learn ----------------------------------------------------------------------------------------------------

# All of scikit-learn's checks are meant to pass; none is expected to fail. check_array_api_input is skipped by scikit-learn
# itself without SCIPY_ARRAY_API. The trees grow few here so that the checks stay quick.
ESTIMATORS = [
    tl.ViabilityRegressor(),
    tl.ViabilityRegressor("ridge"),
    tl.ViabilityRegressor("random_forest", n_estimators=8, coverage=None),
    tl.ViabilityRegressor("hist_gradient_boosting", n_estimators=20, coverage=None),
]


@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_checks(estimator: Any, check: Callable[[Any], None]) -> None:
    state = np.random.get_state()  # noqa: NPY002
    try:
        check(estimator)
    finally:
        # One of the checks draws from the global state.
        np.random.set_state(state)  # noqa: NPY002


def test_arrays_and_anndata_agree() -> None:
    adata = screen()
    of_arrays = tl.ViabilityRegressor(**QUICK).fit(adata.obsm["expr"], adata.X, vectors=adata.varm["dnaclip"])
    of_adata = tl.ViabilityRegressor(**QUICK).fit(adata)
    fresh = screen(seed=1)
    new_lines = fresh.obsm["expr"]
    fresh.obs_names = [f"new{i}" for i in range(fresh.n_obs)]
    fresh.varm["dnaclip"] = adata.varm["dnaclip"]
    np.testing.assert_array_equal(np.float32(of_arrays.predict(new_lines)), of_adata.predict(fresh).X)
    new_genes = np.random.default_rng(3).normal(size=(5, 4))
    assert of_arrays.predict(new_lines, vectors=new_genes).shape == (14, 5)


def test_array_vectors_must_fit() -> None:
    adata = screen()
    regressor = tl.ViabilityRegressor(**QUICK)
    with pytest.raises(InputError, match=r"one row for each of the 70 genes of y, got shape \(3, 4\)"):
        regressor.fit(adata.obsm["expr"], adata.X, vectors=np.zeros((3, 4)))
    regressor.fit(adata.obsm["expr"], adata.X, vectors=adata.varm["dnaclip"])
    with pytest.raises(InputError, match=r"genes x 4, as in training, got shape \(2, 9\)"):
        regressor.predict(adata.obsm["expr"], vectors=np.zeros((2, 9)))


# -- what is predicted -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["hybrid", "ridge", "random_forest", "hist_gradient_boosting"])
def test_unseen_genes_beside_baselines(method: str) -> None:
    adata = split(screen(), "genes")
    regressor = tl.ViabilityRegressor(method, n_estimators=20, **QUICK).fit(adata, split="viability_split")
    table = regressor.evaluate(adata)
    assert set(table["method"]) == {method, "gene_mean", "line_mean", "two_way"}
    assert set(table["held_out"]) == {"genes"}
    assert score(table, method, "genes") > 0.8
    assert score(table, method, "genes", "mse") < 0.5 * score(table, "two_way", "genes", "mse")


def test_known_lines_and_genes_keep_their_observed_effect() -> None:
    adata = split(screen(), "lines")
    table = tl.ViabilityRegressor(**QUICK).fit(adata, split="viability_split").evaluate(adata)
    assert score(table, "gene_mean", "lines") > 0.9
    assert score(table, "hybrid", "lines", "mse") < 0.7 * score(table, "gene_mean", "lines", "mse")


def test_permuted_vectors_predict_nothing() -> None:
    adata = split(screen(), "genes")
    regressor = tl.ViabilityRegressor(**QUICK).fit(adata, split="viability_split")
    table = regressor.evaluate(adata, n_permutations=3)
    assert score(table, "hybrid, permuted vectors", "genes", "mse") > 0.7 * score(table, "two_way", "genes", "mse")
    assert regressor.permute_vectors is False


def test_intervals_hold_about_what_they_promise() -> None:
    adata = split(screen(n_lines=20, n_genes=200))
    regressor = tl.ViabilityRegressor(coverage=0.8).fit(adata, split="viability_split")
    table = regressor.evaluate(adata)
    for held_out in ("genes", "lines", "both"):
        assert 0.65 < score(table, "hybrid", held_out, "coverage") < 0.97
    predicted = regressor.predict(adata)
    assert (predicted.layers["lower"] < predicted.X).all()
    assert (predicted.layers["upper"] > predicted.X).all()


def test_prediction_says_what_was_in_training() -> None:
    adata = split(screen())
    predicted = tl.ViabilityRegressor(**QUICK).fit(adata, split="viability_split").predict(adata)
    assert predicted.obs["in_training"].tolist() == (adata.obs["viability_split"] == "train").tolist()
    assert predicted.var["in_training"].tolist() == (adata.var["viability_split"] == "train").tolist()
    assert predicted.X.dtype == np.float32
    assert not predicted.layers


def test_genes_that_adata_lacks() -> None:
    adata = screen()
    regressor = tl.ViabilityRegressor(**QUICK).fit(adata)
    vectors = pd.DataFrame(np.eye(4)[:2], index=["new1", "gene3"])
    predicted = regressor.predict(adata, vectors=vectors)
    assert predicted.var_names.tolist() == ["new1", "gene3"]
    assert predicted.var["in_training"].tolist() == [False, True]


def test_several_vectors_and_importance() -> None:
    adata = split(screen(), "genes")
    adata.varm["noise"] = np.random.default_rng(4).normal(size=(70, 4))
    regressor = tl.ViabilityRegressor(use_rep=["dnaclip", "noise"], **QUICK).fit(adata, split="viability_split")
    table = regressor.importance(adata).set_index("feature")
    assert table.index.tolist() == ["profile", "dnaclip", "noise"]
    assert table["mse_increase"].idxmax() == "dnaclip"
    each = regressor.importance(adata, features="dimensions", n_repeats=2).set_index("feature")
    assert len(each) == 8
    assert each["mse_increase"].idxmax() == "dnaclip[0]"


def test_drugs_have_the_mean_vector_of_their_targets() -> None:
    genes = screen()
    vectors = pd.DataFrame(genes.varm["dnaclip"], index=genes.var_names)
    targets = [f"gene{2 * i}+gene{2 * i + 1}" for i in range(30)]
    means = np.array([vectors.iloc[2 * i : 2 * i + 2].mean().to_numpy() for i in range(30)])
    drugs = ad.AnnData(means[:, 0] + 0.1 * genes.obsm["expr"][:, :1], obsm={"expr": genes.obsm["expr"]})
    drugs.var["targets"] = targets
    drugs.var_names = [f"drug{i}" for i in range(30)]
    split(drugs, "genes")
    regressor = tl.ViabilityRegressor(target_key="targets", **QUICK).fit(
        drugs, vectors=vectors, split="viability_split"
    )
    np.testing.assert_allclose(regressor.model_.vectors, means[(drugs.var["viability_split"] == "train").to_numpy()])
    assert score(regressor.evaluate(drugs, vectors=vectors), "hybrid", "genes") > 0.6


def test_drugs_without_given_vectors_have_those_of_the_human_table() -> None:
    genes = screen()
    drugs = ad.AnnData(np.random.default_rng(0).normal(size=(14, 6)), obsm={"expr": genes.obsm["expr"]})
    drugs.var["targets"] = ["EGFR", "EGFR|ERBB2", "TP53+MDM2", "BRAF", "no-such-gene", None]
    drugs.var_names = [f"drug{i}" for i in range(6)]
    with pytest.raises(InputError, match="2 of 6 genes have no vector: 'drug4', 'drug5'"):
        tl.ViabilityRegressor(target_key="targets", **QUICK).fit(drugs)
    regressor = tl.ViabilityRegressor(target_key="targets", missing="mean", **QUICK).fit(drugs)
    table = datasets.load_table("human")
    vectors = table.vectors("joint")[match_genes(["EGFR", "ERBB2"], table).rows].astype(float)
    np.testing.assert_allclose(regressor.model_.vectors[1], vectors.mean(axis=0), rtol=1e-6)
    assert regressor.predict(drugs).var["has_vector"].tolist() == [True] * 4 + [False] * 2


def test_profiles_from_another_anndata() -> None:
    adata = screen()
    order = np.random.default_rng(5).permutation(adata.n_obs)
    other = ad.AnnData(adata.obsm["expr"][order], obs=pd.DataFrame(index=adata.obs_names[order]))
    expected = tl.ViabilityRegressor(**QUICK).fit(adata).predict(adata)
    del adata.obsm["expr"]
    found = tl.ViabilityRegressor(**QUICK).fit(adata, profiles=other).predict(adata, profiles=other.to_df())
    np.testing.assert_array_equal(found.X, expected.X)
    with pytest.raises(InputError, match=r"profiles lacks 1 of 14 lines: 'line"):
        tl.ViabilityRegressor().fit(adata, profiles=other[1:])


@pytest.mark.parametrize("kind", ["csr", "csc", "view", "dask", "layer", "float32"])
def test_however_effects_are_stored(kind: str) -> None:
    adata, layer = screen(), None
    adata.X = adata.X.astype(np.float32)
    expected = tl.ViabilityRegressor(**QUICK).fit(adata).predict(adata).X
    if kind in ("csr", "csc"):
        adata.X = sparse.csr_matrix(adata.X) if kind == "csr" else sparse.csc_matrix(adata.X)
        adata.obsm["expr"] = sparse.csr_matrix(adata.obsm["expr"])
    elif kind == "view":
        adata = ad.concat([adata, screen(seed=9)], index_unique="-")[: adata.n_obs]
        whole = screen()
        adata = adata.copy()
        adata.obs_names, adata.varm["dnaclip"] = whole.obs_names, whole.varm["dnaclip"]
        adata = adata[:, :]
    elif kind == "dask":
        dask = pytest.importorskip("dask.array")
        adata.X = dask.from_array(np.asarray(adata.X), chunks=(5, 70))
    elif kind == "layer":
        adata.layers["effect"], adata.X, layer = adata.X, None, "effect"
    np.testing.assert_array_equal(tl.ViabilityRegressor(layer=layer, **QUICK).fit(adata).predict(adata).X, expected)


def test_backed(tmp_path: Path) -> None:
    adata = split(screen())
    expected = tl.ViabilityRegressor(**QUICK).fit(adata, split="viability_split").evaluate(adata)
    adata.write_h5ad(tmp_path / "screen.h5ad")
    backed = ad.read_h5ad(tmp_path / "screen.h5ad", backed="r")
    found = tl.ViabilityRegressor(**QUICK).fit(backed, split="viability_split").evaluate(backed)
    pd.testing.assert_frame_equal(found, expected)
    backed.file.close()


def test_missing_effects() -> None:
    adata = screen()
    whole = tl.ViabilityRegressor(**QUICK).fit(adata).predict(adata).X
    adata.X[np.random.default_rng(6).random(adata.shape) < 0.1] = np.nan
    with pytest.raises(InputError, match=r"NaN for \d+ of 980 pairs, of \d+ genes: 'gene.*missing_effects='ignore'"):
        tl.ViabilityRegressor().fit(adata)
    found = tl.ViabilityRegressor(missing_effects="ignore", **QUICK).fit(adata).predict(adata).X
    assert np.corrcoef(found.ravel(), whole.ravel())[0, 1] > 0.99


def test_genes_and_lines_that_nothing_is_known_of() -> None:
    adata = screen()
    adata.varm["dnaclip"][:5] = np.nan
    adata.varm["dnaclip"][5] = 0
    with pytest.raises(InputError, match=r"6 of 70 genes have no vector: 'gene0'.*missing='mean'"):
        tl.ViabilityRegressor().fit(adata)
    adata.obsm["expr"][3] = np.nan
    with pytest.raises(InputError, match=r"NaN for 1 of 14 lines: 'line3'.*missing='mean'"):
        tl.ViabilityRegressor().fit(adata)
    predicted = tl.ViabilityRegressor(missing="mean", **QUICK).fit(adata[:, :60]).predict(adata)
    assert np.isfinite(predicted.X).all()
    assert predicted.var["has_vector"].sum() == 64
    assert tl.ViabilityRegressor("two_way", **QUICK).fit(screen()).predict(screen()).shape == (14, 70)


@pytest.mark.parametrize("method", ["hybrid", "random_forest", "hist_gradient_boosting", "two_way"])
def test_saved_and_loaded_predicts_the_same_bits(method: str, tmp_path: Path) -> None:
    adata = split(screen())
    regressor = tl.ViabilityRegressor(method, n_estimators=5, max_pairs=200, use_rep=("dnaclip", "other"))
    regressor.fit(adata, split="viability_split").save(tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    loaded = tl.ViabilityRegressor.load(tmp_path / "model")
    before, after = regressor.predict(adata), loaded.predict(adata)
    np.testing.assert_array_equal(after.X, before.X)
    np.testing.assert_array_equal(after.layers["upper"], before.layers["upper"])
    pd.testing.assert_frame_equal(loaded.evaluate(adata), regressor.evaluate(adata))


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    from dnaclip.models import save_folder

    save_folder(tmp_path / "other", {"w": np.ones(2)}, {"kind": "something"}, "# Something")
    with pytest.raises(InputError, match="holds a model of kind 'something', not 'viability-regressor'"):
        tl.ViabilityRegressor.load(tmp_path / "other")


@pytest.mark.parametrize("method", ["hybrid", "random_forest"])
def test_the_same_seed_gives_the_same_bits(method: str) -> None:
    adata = screen()
    a, b = (tl.ViabilityRegressor(method, n_estimators=5, rng=3).fit(adata).predict(adata) for _ in range(2))
    np.testing.assert_array_equal(a.X, b.X)
    np.testing.assert_array_equal(a.layers["lower"], b.layers["lower"])


def test_what_is_predicted_can_be_written(tmp_path: Path) -> None:
    adata = screen()
    predicted = tl.ViabilityRegressor(use_rep=["dnaclip"]).fit(adata).predict(adata)
    predicted.write_h5ad(tmp_path / "p.h5ad")
    assert ad.read_h5ad(tmp_path / "p.h5ad").shape == (14, 70)


def test_a_constant_gene_and_one_group() -> None:
    adata = screen()
    adata.X[:, 0] = 0.5
    table = tl.ViabilityRegressor(**QUICK).fit(split(adata), split="viability_split").evaluate(adata)
    assert np.isfinite(table.loc[table["metric"] == "mse", "value"]).all()
    adata.obs["tissue"] = "one"
    with pytest.raises(InputError, match=r"0\.2 of 14 lines in 1 groups of 'tissue' leaves no test"):
        tl.split_viability(adata, "lines", line_groups="tissue")


# -- refusals --------------------------------------------------------------------------------------------------------


def broken(change: Callable[[ad.AnnData], object]) -> ad.AnnData:
    adata = screen()
    change(adata)
    return adata


def put(where: str, key: str, value: object) -> Callable[[ad.AnnData], object]:
    return lambda adata: getattr(adata, where).__setitem__(key, value)


@pytest.mark.parametrize(
    ("change", "options", "error", "message"),
    [
        (lambda a: a.X.__setitem__((0, 1), np.inf), {}, InputError, "infinite for 1 genes: 'gene1'"),
        (lambda a: a.X.__setitem__((slice(None), 1), np.nan), {}, InputError, "1 of 70 genes have no viability at all"),
        (lambda a: a.X.__setitem__(2, np.nan), {}, InputError, "1 of 14 lines have no viability at all: 'line2'"),
        (lambda a: setattr(a, "var_names", ["g"] * 70), {}, InputError, "names of a gene stand more than once: 'g'"),
        (lambda a: a.obsm.pop("expr"), {}, MissingKeyError, r"'expr' is not in adata.obsm"),
        (lambda a: a.varm.pop("dnaclip"), {}, MissingKeyError, r"'dnaclip' is not in adata.varm.*tl.embed"),
        (put("obsm", "expr", np.full((14, 2), np.nan)), {}, InputError, "NaN for every line"),
        (put("obsm", "expr", np.full((14, 2), np.inf)), {}, InputError, "infinite values for 14 lines"),
        (put("varm", "dnaclip", np.full((70, 2), np.inf)), {}, InputError, "infinite values for 70 genes: 'gene0'"),
        (put("varm", "dnaclip", np.full((70, 2), "x")), {}, InputError, "must hold numbers"),
        (lambda a: None, {"method": "lasso"}, InputError, "method='lasso' is not known. Use one of: 'hybrid'"),
        (lambda a: None, {"missing": "drop"}, InputError, "missing='drop' is not known"),
        (lambda a: None, {"coverage": 1.0}, InputError, "coverage must be between 0 and 1, or None"),
        (lambda a: None, {"n_components": 0}, InputError, "n_components must be a whole number of at least 1"),
        (lambda a: None, {"layer": "x"}, MissingKeyError, "'x' is not in adata.layers"),
        (lambda a: None, {"use_rep": []}, InputError, "use_rep names no vectors"),
        (lambda a: None, {"target_key": "t"}, MissingKeyError, "'t' is not in adata.var"),
    ],
)
def test_refusals_leave_adata_alone(
    change: Callable[[ad.AnnData], object],
    options: dict[str, Any],
    error: type[Exception],
    message: str,
    unchanged: Callable[[ad.AnnData], Any],
) -> None:
    adata = broken(change)
    with unchanged(adata), pytest.raises(error, match=message):
        tl.ViabilityRegressor(**options).fit(adata)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"profiles": np.zeros((14, 3))},
            "profiles must be an AnnData or a DataFrame with the lines as rows, got ndarray",
        ),
        ({"vectors": np.zeros((70, 3))}, "vectors must be a DataFrame with one row of numbers for each gene"),
        ({"vectors": pd.DataFrame(np.zeros((2, 3)), index=["gene1", "gene1"])}, "and the genes as index"),
    ],
)
def test_tables_given_beside_adata_are_checked(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        tl.ViabilityRegressor(**QUICK).fit(screen(), **given)


@pytest.mark.parametrize("part", [np.s_[:0], np.s_[:, :0]])
def test_nothing_to_learn_from(part: Any) -> None:
    with pytest.raises(InputError, match=r"adata has \d+ lines and \d+ genes: there is nothing to learn from"):
        tl.ViabilityRegressor(**QUICK).fit(screen()[part].copy())


def test_fit_and_predict_and_evaluate_change_nothing(unchanged: Callable[[ad.AnnData], Any]) -> None:
    adata = split(screen())
    with unchanged(adata):
        regressor = tl.ViabilityRegressor().fit(adata, split="viability_split")
        regressor.predict(adata)
        regressor.evaluate(adata, n_permutations=1)
        regressor.importance(adata)


def test_refusals_of_the_other_calls() -> None:
    adata = screen()
    with pytest.raises(ValueError, match="not fitted yet"):
        tl.ViabilityRegressor().predict(adata)
    with pytest.raises(MissingKeyError, match="'viability_split' is not in adata.obs.*split_viability"):
        tl.ViabilityRegressor().fit(adata, split="viability_split")
    with pytest.raises(InputError, match="leave y out"):
        tl.ViabilityRegressor().fit(adata, adata.X)
    with pytest.raises(InputError, match="There are 1 lines to learn from"):
        tl.ViabilityRegressor().fit(adata[:1])
    regressor = tl.ViabilityRegressor(**QUICK).fit(adata)
    with pytest.raises(InputError, match="none is held out"):
        regressor.evaluate(adata)
    other = screen()
    other.varm["dnaclip"] = np.ones((70, 9))
    with pytest.raises(InputError, match=r"vectors of \[4\] numbers, but got 6 and \[9\]"):
        regressor.predict(other)
    regressor = tl.ViabilityRegressor(**QUICK).fit(adata[:, :60])
    with pytest.raises(InputError, match="must hold the training genes; 60 are not there"):
        regressor.evaluate(adata[:, 60:], n_permutations=1)
    with pytest.raises(InputError, match="1 genes of vectors have no observed viability"):
        regressor.evaluate(adata, vectors=pd.DataFrame(np.eye(4)[:1], index=["elsewhere"]))


# -- splits ----------------------------------------------------------------------------------------------------------


def test_splits_hold_out_what_is_asked_and_keep_groups_together() -> None:
    adata = screen()
    tl.split_viability(adata, "both", line_groups="tissue", gene_groups="family", test_share=0.4)
    assert adata.obs.groupby("tissue")["viability_split"].nunique().max() == 1
    assert adata.var.groupby("family")["viability_split"].nunique().max() == 1
    assert adata.var["viability_split"].value_counts().to_dict() == {"train": 42, "test": 28}
    copy: Any = tl.split_viability(screen(), "lines", key_added="mine", copy=True)
    assert set(copy.var["mine"]) == {"train"}
    assert (copy.obs["mine"] == "test").sum() == 3


def test_splits_follow_the_seed() -> None:
    copies: list[Any] = [tl.split_viability(screen(), rng=seed, copy=True) for seed in (0, 0, 1)]
    a, b, c = (copy.var["viability_split"].tolist() for copy in copies)
    assert a == b
    assert a != c


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"held_out": "pairs"}, InputError, "held_out='pairs' is not known"),
        ({"test_share": 1.5}, InputError, "between 0 and 1, got 1.5"),
        ({"gene_groups": "x"}, MissingKeyError, "'x' is not in adata.var"),
        ({"key_added": ""}, InputError, "key_added must be a non-empty string"),
    ],
)
def test_split_refusals(
    options: dict[str, Any], error: type[Exception], message: str, unchanged: Callable[[ad.AnnData], Any]
) -> None:
    adata = screen()
    with unchanged(adata), pytest.raises(error, match=message):
        tl.split_viability(adata, **options)


# -- real data -------------------------------------------------------------------------------------------------------


def test_real_screen(shared_data: Path) -> None:
    """Of half of the genes of a real screen a fifth is held out: vectors beat the mean."""
    from dnaclip.datasets import load_table
    from dnaclip.pp import match_genes

    adata = ad.read_h5ad(shared_data / "cells" / "depmap_chronos_subset_58x887.h5ad")[::3, ::2].copy()
    table = load_table("human")
    adata.varm["dnaclip"] = table.vectors("joint")[match_genes(list(adata.var_names), table).rows]
    adata.obsm["expr"] = adata.obsm["expr_log2tpm1"].to_numpy()
    tl.split_viability(adata, "genes", rng=1)
    regressor = tl.ViabilityRegressor(missing="mean", **QUICK).fit(adata, split="viability_split")
    scores = regressor.evaluate(adata)
    assert score(scores, "hybrid", "genes") > 0.5
    assert score(scores, "hybrid", "genes", "mse") < 0.8 * score(scores, "two_way", "genes", "mse")
