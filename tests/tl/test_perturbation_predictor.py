"""`tl.PerturbationPredictor`: what it predicts, from what it learns, and what it refuses."""

from __future__ import annotations

import logging
import shutil
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from dnaclip import tl
from dnaclip._errors import InputError, MissingKeyError
from dnaclip.tl._perturbation import vectors as _perturbation_vectors

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dnaclip.datasets import EmbeddingTable

N_GENES = 30
VECTORS = np.random.default_rng(5).normal(size=(N_GENES, 4)).astype(np.float32)
SINGLES = [f"g{i}" for i in range(16)]
CONDITIONS = ["ctrl", *(f"{gene}+ctrl" for gene in SINGLES), "g3+g1", "g2+g5+g4"]


def effect(condition: str) -> np.ndarray:
    """The true shift: linear in the sum of the vectors."""
    genes = [int(gene[1:]) for gene in condition.split("+") if gene != "ctrl"]
    return 0.2 * VECTORS[genes].sum(axis=0) @ VECTORS.T if genes else np.zeros(N_GENES)


def perturbed(n: int = 12, contexts: tuple[str, ...] = ("K562",), seed: int = 0) -> ad.AnnData:
    """Cells of each condition in each context; the level of genes differs between contexts, effects do not."""
    rng = np.random.default_rng(seed)
    condition = np.tile(np.repeat(CONDITIONS, n), len(contexts))
    context = np.repeat(contexts, n * len(CONDITIONS))
    level = {name: 3 + i * rng.random(N_GENES) for i, name in enumerate(contexts)}
    x = np.array([level[c] + effect(name) for c, name in zip(context, condition, strict=True)])
    x = (x + 0.2 * rng.normal(size=x.shape)).clip(min=0)
    x[rng.random(x.shape) < 0.01] = 0
    obs = pd.DataFrame({"condition": pd.Categorical(condition), "line": context})
    obs.index = [f"cell{i}" for i in range(len(obs))]
    var = pd.DataFrame(index=[f"g{i}" for i in range(N_GENES)])
    return ad.AnnData(x.astype(np.float32), obs=obs, var=var, varm={"dnaclip": VECTORS})


def shift_of(adata: ad.AnnData, condition: str) -> np.ndarray:
    means = pd.DataFrame(adata.X).groupby(adata.obs["condition"].to_numpy(), observed=True).mean()
    return (means.loc[condition] - means.loc["ctrl"]).to_numpy()


def correlation(predicted: ad.AnnData, condition: str) -> float:
    return float(np.corrcoef(predicted[condition].layers["delta"][0], effect(condition))[0, 1])


# -- predictions -----------------------------------------------------------------------------------------------------


def test_unseen_genes_and_combinations_are_predicted() -> None:
    predictor = tl.PerturbationPredictor(perturbed(n=40), method="ridge", kernel="linear").fit()
    predicted = predictor.predict(["g20", "g21+ctrl", "g29+g0", "g22+g1+g25", "g3"])
    assert predicted.obs_names.tolist() == ["g20", "g21", "g0+g29", "g1+g22+g25", "g3"]
    assert predicted.obs["condition"].tolist() == predicted.obs_names.tolist()
    assert predicted.var_names.tolist() == [f"g{i}" for i in range(N_GENES)]
    assert predicted.obs["n_genes"].tolist() == [1, 1, 2, 3, 1]
    assert predicted.obs["n_genes_known"].tolist() == [1, 1, 2, 3, 1]
    assert predicted.obs["in_training"].tolist() == [False, False, False, False, True]
    assert min(correlation(predicted, name) for name in predicted.obs_names) > 0.9
    assert predicted.X.dtype == predicted.layers["delta"].dtype == predicted.layers["std"].dtype == np.float32
    assert (predicted.layers["std"] > 0).all()
    params = predicted.uns["perturbation_predictor"]["params"]
    assert (params["method"], params["rng"], params["control"]) == ("ridge", predictor.rng, "ctrl")


def test_means_are_control_and_shift() -> None:
    adata = perturbed()
    predicted = tl.PerturbationPredictor(adata, method="additive").fit().predict(["g1", "g7", "g1+g7"])
    control = adata.X[(adata.obs["condition"] == "ctrl").to_numpy()].mean(axis=0)
    np.testing.assert_allclose(predicted.X, control + predicted.layers["delta"], atol=1e-6)
    np.testing.assert_allclose(predicted.layers["delta"][0], shift_of(adata, "g1+ctrl"), atol=1e-5)
    np.testing.assert_allclose(predicted.layers["delta"][2], predicted.layers["delta"][:2].sum(axis=0), atol=1e-5)
    assert "std" not in predicted.layers


def test_the_control_itself_does_not_shift() -> None:
    for method in ("ridge", "perturbed_mean", "no_change"):
        predicted = tl.PerturbationPredictor(perturbed(), method=method).fit().predict(["ctrl", "g1"])
        assert (predicted["ctrl"].layers["delta"] == 0).all()


@pytest.mark.parametrize(
    "method", ["no_change", "perturbed_mean", "additive", "identity", "knn", "linear_pca", "other_context", "ridge"]
)
def test_every_method_predicts(method: str) -> None:
    predictor = tl.PerturbationPredictor(perturbed(), method=method).fit()
    predicted = predictor.predict(["g20", "g1+g20"])
    assert predicted.shape == (2, N_GENES)
    assert np.isfinite(predicted.X).all()
    assert predictor.parts_.to_dict("list") == {"part": [method], "weight": [1.0]}
    assert predictor.history_.empty
    assert repr(predictor) == f"PerturbationPredictor(method={method!r}, fitted to 18 perturbations, 30 genes)"


def test_methods_without_vectors_need_none() -> None:
    adata = perturbed()
    del adata.varm["dnaclip"]
    predicted = tl.PerturbationPredictor(adata, method="additive").fit().predict(["g1+nobody"])
    assert predicted.obs["n_genes_known"].tolist() == [1], (
        "of genes without a single training perturbation none is known"
    )
    with pytest.raises(MissingKeyError, match=r"'dnaclip' is not in adata.varm.*Run dnaclip.tl.embed"):
        tl.PerturbationPredictor(adata, method="ridge").fit()


def test_spelling_order_of_cells_and_of_genes_change_nothing() -> None:
    adata = perturbed()
    names = ["g20", "g1+g20"]
    expected = tl.PerturbationPredictor(adata, method="ridge").fit().predict(names)
    rng = np.random.default_rng(1)
    other = adata[rng.permutation(adata.n_obs), rng.permutation(N_GENES)].copy()
    spell = {"g3+g1": "g1+g3", "g2+g5+g4": "ctrl+g5+g4+g2", "g7+ctrl": "g7", "ctrl": "ctrl+ctrl"}
    other.obs["condition"] = other.obs["condition"].astype(str).replace(spell)
    predicted = tl.PerturbationPredictor(other, method="ridge").fit().predict(["ctrl+g20", "g20+g1", "g20"])
    assert predicted.obs_names.tolist() == names, "the same perturbation is predicted once"
    np.testing.assert_allclose(predicted[:, expected.var_names].X, expected.X, atol=1e-5)


def test_options_reach_the_method() -> None:
    near = tl.PerturbationPredictor(perturbed(), method="knn", n_neighbors=1).fit().predict("g20").X
    far = tl.PerturbationPredictor(perturbed(), method="knn", n_neighbors=18).fit().predict("g20").X
    assert not np.allclose(near, far)


# -- expression ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [np.asarray, np.asfortranarray, sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.csc_array],
    ids=lambda kind: kind.__name__,
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_kind_of_matrix_gives_the_same(kind: Callable[..., Any], dtype: str) -> None:
    adata = perturbed()
    expected = tl.PerturbationPredictor(adata, method="ridge").fit()
    other = adata.copy()
    other.X = kind(adata.X.astype(dtype))
    predictor = tl.PerturbationPredictor(other, method="ridge").fit()
    np.testing.assert_allclose(predictor.predict("g20").X, expected.predict("g20").X, atol=1e-6)
    np.testing.assert_allclose(predictor.generate("g20", 7).X, expected.generate("g20", 7).X, atol=1e-6)


@pytest.mark.parametrize("how", ["dask", "backed dense", "backed csr", "backed csc"])
def test_lazy_and_backed(how: str, tmp_path: Path) -> None:
    adata = perturbed()
    expected = tl.PerturbationPredictor(adata, method="ridge").fit()
    if how == "dask":
        da = pytest.importorskip("dask.array")
        other = ad.AnnData(da.from_array(adata.X, chunks=(50, 30)), obs=adata.obs, var=adata.var, varm=adata.varm)
    else:
        kind = {"dense": np.asarray, "csr": sparse.csr_matrix, "csc": sparse.csc_matrix}[how.split()[1]]
        copied = adata.copy()
        copied.X = kind(adata.X)
        copied.write_h5ad(tmp_path / "cells.h5ad")
        other = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    predictor = tl.PerturbationPredictor(other, method="ridge").fit()
    np.testing.assert_allclose(predictor.predict("g20").X, expected.predict("g20").X, atol=1e-6)
    np.testing.assert_allclose(predictor.generate("g20", 7).X, expected.generate("g20", 7).X, atol=1e-6)
    if how != "dask":
        other.file.close()


def test_views_layers_and_mudata(mudata: Any, unchanged: Callable[[ad.AnnData], Any]) -> None:
    adata = perturbed()
    expected = tl.PerturbationPredictor(adata, method="ridge").fit().predict("g20").X
    layered = adata.copy()
    layered.layers["log"] = layered.X
    layered.X = None
    np.testing.assert_array_equal(
        tl.PerturbationPredictor(layered, method="ridge", layer="log").fit().predict("g20").X, expected
    )
    double = ad.concat([adata, perturbed(seed=1)], index_unique="-", merge="same")
    view = double[: adata.n_obs]
    with unchanged(view):
        predictor = tl.PerturbationPredictor(view, method="ridge").fit()
        np.testing.assert_allclose(predictor.predict("g20").X, expected, atol=1e-6)
        predictor.evaluate([True] * adata.n_obs, ceiling=False)
    both = mudata.MuData({"rna": adata})
    np.testing.assert_array_equal(
        tl.PerturbationPredictor(both["rna"], method="ridge").fit().predict("g20").X, expected
    )
    with pytest.raises(InputError, match=r"got MuData.*mdata\['rna'\]"):
        tl.PerturbationPredictor(both)


def test_nothing_is_written_to_adata(unchanged: Callable[[ad.AnnData], Any]) -> None:
    adata = perturbed()
    with unchanged(adata):
        predictor = tl.PerturbationPredictor(adata, method="ridge").fit()
        predictor.predict("g20").X[:] = -1
        predictor.generate("g20", 3)
    fresh = tl.PerturbationPredictor(adata, method="ridge").fit().predict("g20").X
    np.testing.assert_array_equal(predictor.predict("g20").X, fresh)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
def test_raw_counts_give_one_warning(kind: Callable[..., Any]) -> None:
    adata = perturbed()
    adata.X = kind(np.rint(np.expm1(adata.X)))
    with pytest.warns(UserWarning, match="whole numbers only, as raw counts") as caught:
        tl.PerturbationPredictor(adata, method="ridge").fit()
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_values_that_are_not_finite_are_refused(kind: Callable[..., Any], value: float) -> None:
    adata = perturbed()
    x = adata.X.copy()
    x[3, 3] = x[-1, 7] = value
    adata.X = kind(x)
    train = np.arange(adata.n_obs) < adata.n_obs - 1
    with pytest.raises(InputError, match=r"2 of 30 genes holds NaN or infinite values: 'g3', 'g7'"):
        tl.PerturbationPredictor(adata, method="ridge").fit(train=train)


def test_few_cells_are_said_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="dnaclip"):
        tl.PerturbationPredictor(perturbed(n=40), method="ridge").fit()
    assert not caplog.records
    with caplog.at_level(logging.WARNING, logger="dnaclip"):
        tl.PerturbationPredictor(perturbed(n=8), method="ridge").fit()
    (record,) = caplog.records
    assert record.getMessage().startswith("19 groups of training cells have fewer than 30 cells")
    assert "... and 14 more" in record.getMessage()


# -- which cells train -----------------------------------------------------------------------------------------------


def test_only_training_cells_are_learned_from() -> None:
    adata = perturbed()
    held_out = adata.obs["condition"].isin(["g3+ctrl", "g3+g1"]).to_numpy()
    without = adata[~held_out].copy()
    expected = tl.PerturbationPredictor(without, method="ridge").fit().predict(["g3", "g1+g3"])
    adata.X[held_out] = 100
    adata.obs["fold"] = np.where(held_out, "test", "train")
    for train in ("fold", ~held_out):
        predicted = tl.PerturbationPredictor(adata, method="ridge").fit(train=train).predict(["g3", "g1+g3"])
        np.testing.assert_allclose(predicted.X, expected.X, atol=1e-5)
        assert not predicted.obs["in_training"].any()


def test_a_context_is_predicted_from_its_control_cells() -> None:
    adata = perturbed(contexts=("A549", "K562", "RPE1"))
    control = (adata.obs["condition"] == "ctrl").to_numpy()
    new = (adata.obs["line"] == "K562").to_numpy()
    predictor = tl.PerturbationPredictor(adata, method="ridge", context_key="line").fit(train=control | ~new)
    predicted = predictor.predict(["g20", "g3"], contexts="K562")
    assert predicted.obs_names.tolist() == ["g20|K562", "g3|K562"]
    assert predicted.obs["line"].tolist() == ["K562", "K562"]
    np.testing.assert_allclose(
        predicted.X - predicted.layers["delta"], np.tile(adata.X[control & new].mean(axis=0), (2, 1)), atol=1e-5
    )
    assert np.corrcoef(predicted.layers["delta"][1], effect("g3"))[0, 1] > 0.9
    everywhere = predictor.predict("g3")
    assert everywhere.obs["line"].tolist() == ["A549", "K562", "RPE1"]
    assert everywhere.obs["in_training"].tolist() == [True, False, True]
    mean = tl.PerturbationPredictor(adata, method="other_context", context_key="line").fit(train=control | ~new)
    assert np.isfinite(mean.predict("g3", contexts=["K562"]).X).all()


def test_contexts_without_control_cells_are_refused() -> None:
    adata = perturbed(contexts=("A549", "K562", "RPE1"))
    control = (adata.obs["condition"] == "ctrl").to_numpy()
    new = (adata.obs["line"] == "K562").to_numpy()
    with pytest.raises(InputError, match=r"1 of 3 contexts have perturbed cells in training but no control.*'K562'"):
        tl.PerturbationPredictor(adata, method="ridge", context_key="line").fit(train=~(control & new))
    predictor = tl.PerturbationPredictor(adata, method="ridge", context_key="line").fit(train=~new)
    assert predictor.predict("g3").obs["line"].tolist() == ["A549", "RPE1"]
    with pytest.raises(InputError, match=r"2 of 2 contexts had no control cells in training: 'K562', 'Jurkat'. Known are 'A549', 'RPE1'"):  # fmt: skip
        predictor.predict("g3", contexts=["K562", "Jurkat"])
    with pytest.raises(InputError, match="No perturbed cell is in training"):
        tl.PerturbationPredictor(adata, method="ridge").fit(train=control)


# -- vectors ---------------------------------------------------------------------------------------------------------


def without_some() -> ad.AnnData:
    """Vectors are missing for three perturbed genes, in two ways."""
    adata = perturbed()
    vectors = VECTORS.copy()
    vectors[[1, 4]], vectors[9] = np.nan, 0
    adata.varm["dnaclip"] = vectors
    return adata


def test_missing_vectors_are_an_error_by_default() -> None:
    with pytest.raises(InputError, match=r"3 of 16 perturbed genes have no vector: 'g1', 'g4', 'g9'. They are not among.*missing='drop'"):  # fmt: skip
        tl.PerturbationPredictor(without_some(), method="ridge").fit()
    predictor = tl.PerturbationPredictor(perturbed(), method="ridge").fit()
    with pytest.raises(InputError, match=r"2 of 3 perturbed genes have no vector: 'nobody', 'nothing'"):
        predictor.predict(["g20+nothing", "nobody"])


def test_missing_vectors_can_be_dropped(caplog: pytest.LogCaptureFixture) -> None:
    adata = without_some()
    with caplog.at_level(logging.WARNING, logger="dnaclip.tl"):
        predictor = tl.PerturbationPredictor(adata, method="ridge", missing="drop").fit()
    assert "5 perturbations are left out" in caplog.text, "three singles, a double and a triple"
    dropped = ["g1+ctrl", "g4+ctrl", "g9+ctrl", "g3+g1", "g2+g5+g4"]
    kept = adata[~adata.obs["condition"].isin(dropped)].copy()
    expected = tl.PerturbationPredictor(kept, method="ridge").fit().predict("g20")
    predicted = predictor.predict(["g1", "g20", "g20+nobody"])
    assert predicted.obs_names.tolist() == ["g20"]
    np.testing.assert_allclose(predicted.X, expected.X, atol=1e-6)
    with pytest.raises(InputError, match="no perturbation is left"):
        predictor.predict(["g1", "nobody"])


def test_missing_vectors_can_be_zero(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="dnaclip.tl"):
        predictor = tl.PerturbationPredictor(without_some(), method="ridge", missing="zero").fit()
    assert "They get the vector zero" in caplog.text
    predicted = predictor.predict(["g20", "g20+nobody", "nobody"])
    assert predicted.obs["n_genes_known"].tolist() == [1, 1, 0]
    np.testing.assert_allclose(predicted.X[0], predicted.X[1], atol=1e-6)


def test_vectors_can_be_given() -> None:
    adata = perturbed()
    expected = tl.PerturbationPredictor(adata, method="ridge").fit().predict("g20")
    table = pd.DataFrame(VECTORS, index=adata.var_names)
    del adata.varm["dnaclip"]
    alone = tl.PerturbationPredictor(adata, method="ridge", vectors=table).fit()
    np.testing.assert_array_equal(alone.predict("g20").X, expected.X)
    adata = without_some()
    adata.varm["dnaclip"][20] = 7
    filled = tl.PerturbationPredictor(adata, method="ridge", vectors=table.iloc[[1, 4, 9, 20]]).fit()
    np.testing.assert_array_equal(filled.predict("g20").X, expected.X)


def test_genes_that_were_not_measured_are_looked_up_in_the_table(
    gene_table: EmbeddingTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def load_table(species: str, model: str) -> EmbeddingTable:
        asked.append((species, model))
        if model == "mine":
            msg = "There is no embedding table."
            raise MissingKeyError(msg)
        return gene_table

    monkeypatch.setattr(_perturbation_vectors, "load_table", load_table)
    rng = np.random.default_rng(0)
    condition = np.repeat(["ctrl", "TP53+ctrl", "ACTB", "BHLHE40"], 10)
    adata = ad.AnnData(
        rng.random((40, 3), dtype=np.float32),
        obs=pd.DataFrame({"condition": condition}, index=[f"cell{i}" for i in range(40)]),
        var=pd.DataFrame(index=["ACTB", "MARCHF1", "not-a-gene"]),
    )
    tl.embed(adata, model=gene_table)
    predictor = tl.PerturbationPredictor(adata, method="ridge").fit()
    names = ["MARCHF1", "p53", "MARCHF1+TP53"]
    predicted = predictor.predict(names)
    assert predicted.obs["n_genes_known"].tolist() == [1, 1, 2]
    np.testing.assert_array_equal(predicted["p53"].X, predictor.predict("TP53").X)
    assert asked == [("human", "toy")], "the table is read once"
    with pytest.raises(InputError, match=r"1 of 1 perturbed genes have no vector: 'not-a-gene'. The human table of 'toy' has no joint vector"):  # fmt: skip
        predictor.predict("not-a-gene")
    adata.uns["dnaclip"]["params"]["model_sha256"] = "1" * 64
    with pytest.raises(InputError, match="2 of 3 perturbed genes.*made by another version of 'toy'"):
        tl.PerturbationPredictor(adata, method="ridge").fit()
    adata.uns["dnaclip"]["params"]["model"] = "mine"
    with pytest.raises(InputError, match="2 of 3 perturbed genes.*could not be read: There is no embedding table"):
        tl.PerturbationPredictor(adata, method="ridge").fit()


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ({"g1": [1.0]}, "must be a DataFrame with one row per gene and the genes as index, got dict"),
        (pd.DataFrame(), "must be a DataFrame"),
        (pd.DataFrame({"a": [1.0, 2]}, index=["g1", "g1"]), "1 genes stand more than once in vectors: 'g1'"),
        (pd.DataFrame({"a": ["x"]}, index=["g1"]), "vectors must hold numbers"),
        (pd.DataFrame({"a": [np.inf]}, index=["g1"]), "infinite values for 1 genes: 'g1'"),
        (pd.DataFrame({"a": [1.0]}, index=["g1"]), r"vectors has 1 columns, but adata.varm\['dnaclip'\] has 4"),
    ],
)
def test_given_vectors_are_checked(vectors: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        tl.PerturbationPredictor(perturbed(), method="ridge", vectors=vectors).fit()


# -- cells -----------------------------------------------------------------------------------------------------------


def test_generated_cells_are_control_cells_that_moved() -> None:
    adata = perturbed(n=40)
    predictor = tl.PerturbationPredictor(adata, method="ridge").fit()
    cells = predictor.generate(["g20", "g21"], n_cells=500, rng=1)
    assert cells.obs["condition"].value_counts().to_dict() == {"g20": 500, "g21": 500}
    assert cells.obs_names.is_unique
    assert cells.X.min() == 0
    predicted = predictor.predict(["g20", "g21"])
    for name in ("g20", "g21"):
        one = cells[cells.obs["condition"] == name].X
        # Cells without a transcript of a gene stay at zero at the least, which moves the mean up a little.
        assert abs(one.mean(axis=0) - predicted[name].X[0]).max() < 0.4
        control = adata.X[(adata.obs["condition"] == "ctrl").to_numpy()]
        np.testing.assert_allclose(one.std(axis=0).mean(), control.std(axis=0).mean(), rtol=0.1)
    same = predictor.generate(["g20", "g21"], n_cells=500, rng=1)
    np.testing.assert_array_equal(same.X, cells.X)
    assert not np.array_equal(predictor.generate(["g20", "g21"], n_cells=500, rng=2).X, cells.X)


def test_cells_below_zero_stay_where_training_has_them() -> None:
    adata = perturbed()
    adata.X -= adata.X.mean(axis=0)
    predictor = tl.PerturbationPredictor(adata, method="ridge").fit()
    cells = predictor.generate("g20", n_cells=2000)
    np.testing.assert_allclose(cells.X.mean(axis=0), predictor.predict("g20").X[0], atol=0.15)


# -- saving ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "options"),
    [("ridge", {"penalties": np.array([0.1, 1.0])}), ("additive", {}), ("knn", {"n_neighbors": 3})],
)
def test_a_saved_predictor_needs_nothing_else(method: str, options: dict[str, Any], tmp_path: Path) -> None:
    adata = perturbed(contexts=("K562", "RPE1"))
    predictor = tl.PerturbationPredictor(adata, method=method, context_key="line", **options).fit()
    folder = predictor.save(tmp_path / "model")
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    loaded = tl.PerturbationPredictor.load(folder)
    names = ["g20", "g1+g20", "g3"]
    one, other = predictor.predict(names), loaded.predict(names)
    np.testing.assert_array_equal(one.X, other.X)
    assert list(one.layers) == list(other.layers)
    pd.testing.assert_frame_equal(one.obs, other.obs)
    np.testing.assert_array_equal(predictor.generate(names, 3).X, loaded.generate(names, 3).X)
    assert repr(loaded) == repr(predictor)
    with pytest.raises(InputError, match="loaded from a folder has no cells to fit"):
        loaded.fit()
    again = tl.PerturbationPredictor.load(loaded.save(tmp_path / "again"))
    np.testing.assert_array_equal(again.predict(names).X, one.X)


def test_what_is_not_a_predictor_is_refused(tmp_path: Path) -> None:
    from dnaclip.models import save_folder

    folder = save_folder(tmp_path / "other", {"w": np.ones(2)}, {"kind": "toy"}, "# A toy")
    with pytest.raises(InputError, match="holds a model of kind 'toy', not 'perturbation-predictor'"):
        tl.PerturbationPredictor.load(folder)
    with pytest.raises(InputError, match="has not been fitted. Call fit"):
        tl.PerturbationPredictor(perturbed(), method="ridge").save(tmp_path / "new")
    assert not (tmp_path / "new").exists()


# -- arguments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"method": "gears"}, InputError, "method='gears' is not known. Use one of: 'hybrid', 'sclambda'"),
        ({"missing": "nan"}, InputError, "missing='nan' is not known. Use one of: 'error', 'drop', 'zero'"),
        ({"method": "ridge", "n_neighbors": 3}, InputError, "'n_neighbors' is no option of method 'ridge'. Its options are: .*penalties"),
        ({"method": "no_change", "x": 3}, InputError, "Its options are: none"),
        ({"method": "ridge", "penalties": [-1]}, InputError, "penalties must"),
        ({"method": "sclambda", "max_epochs": 0}, InputError, "max_epochs must be a whole number of at least 1"),
        ({"rng": "seed"}, InputError, "rng must be an int"),
    ],
)  # fmt: skip
def test_arguments_are_checked_at_once(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        tl.PerturbationPredictor(perturbed(), **options)


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ([], "conditions must be a name or a list of names, at least one, got \\[\\]"),
        (3, "conditions must be a name or a list of names"),
        (["g1", 3], "A condition must be a string"),
        (["g1+g1"], "holds an empty or repeated gene"),
    ],
)
def test_conditions_to_predict_are_checked(conditions: Any, message: str) -> None:
    predictor = tl.PerturbationPredictor(perturbed(), method="ridge").fit()
    with pytest.raises(InputError, match=message):
        predictor.predict(conditions)
    with pytest.raises(InputError, match="n_cells must be a whole number of at least 1"):
        predictor.generate("g1", n_cells=0)


def test_it_must_be_fitted_first() -> None:
    predictor = tl.PerturbationPredictor(perturbed(), method="ridge")
    assert repr(predictor) == "PerturbationPredictor(method='ridge', not fitted)"
    for call in (lambda: predictor.predict("g1"), lambda: predictor.parts_, lambda: predictor.evaluate()):
        with pytest.raises(InputError, match="has not been fitted"):
            call()


def test_a_failed_fit_leaves_the_earlier_one() -> None:
    predictor = tl.PerturbationPredictor(perturbed(), method="ridge").fit()
    before = predictor.predict("g20").X
    with pytest.raises(MissingKeyError):
        predictor.fit(train="nothing")
    np.testing.assert_array_equal(predictor.predict("g20").X, before)


@pytest.mark.parametrize("how", ["h5ad", "zarr"])
@pytest.mark.filterwarnings("ignore:Writing zarr v2 data:UserWarning")
def test_predictions_survive_a_file(how: str, tmp_path: Path) -> None:
    adata = perturbed(contexts=("K562", "RPE1"))
    predictor = tl.PerturbationPredictor(adata, method="ridge", context_key="line", penalties=(0.1, 1.0)).fit()
    for made in (predictor.predict(["g20", "g1+g20"]), predictor.generate("g20", 3)):
        getattr(made, f"write_{how}")(tmp_path / "file")
        again = getattr(ad, f"read_{how}")(tmp_path / "file")
        np.testing.assert_array_equal(again.X, made.X)
        pd.testing.assert_frame_equal(again.obs, made.obs, check_categorical=False)
        assert again.uns["perturbation_predictor"]["params"]["context_key"] == "line"
        if how == "zarr":
            shutil.rmtree(tmp_path / "file")
