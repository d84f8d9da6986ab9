"""Expression predictors: fit, predict, judge, explain, save; every form of storage, and bad input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from dnaclip import datasets, models, tl
from dnaclip._errors import InputError, MissingKeyError
from dnaclip.tl._expression.vectors import _pretrained

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GROUPS = ["B", "NK", "T"]
SMALL: dict[str, Any] = {"hidden": 16, "batch_size": 40, "max_epochs": 3, "n_landmarks": 30}


@pytest.fixture
def adata() -> ad.AnnData:
    """Three groups of 200 genes; the last five have no vector."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(200, 6)).astype(np.float32)
    x = np.abs(vectors @ rng.normal(size=(6, 3))).T + 0.1 * rng.random((3, 200))
    made = ad.AnnData(x.astype(np.float32), obs=pd.DataFrame({"cell_type": GROUPS}, index=GROUPS))
    made.var_names = [f"g{i}" for i in range(200)]
    vectors[195:] = np.nan
    made.varm["dnaclip"] = vectors
    part = np.where(np.arange(200) < 140, "train", np.where(np.arange(200) < 170, "validation", "test"))
    made.var["split"] = pd.Categorical(part)
    return made


@pytest.fixture
def cells() -> ad.AnnData:
    """Counts of 30 cells of three types, 60 genes."""
    rng = np.random.default_rng(0)
    made = ad.AnnData(sparse.csr_matrix(rng.poisson(1.0, (30, 60)).astype(np.float32)))
    made.obs["cell_type"] = np.tile(GROUPS, 10)
    made.obs["donor"] = np.repeat(["d1", "d2"], 15)
    made.varm["dnaclip"] = rng.normal(size=(60, 4)).astype(np.float32)
    return made


def options(method: str) -> dict[str, Any]:
    known = {"hybrid": list(SMALL), "ridge": ["n_landmarks"], "unicorn": ["hidden", "batch_size", "max_epochs"]}
    return {name: SMALL[name] for name in known.get(method, [])}


def fitted(adata: ad.AnnData, method: str = "ridge", **more: Any) -> tl.ExpressionPredictor:
    made = tl.ExpressionPredictor(adata, method=method, device="cpu", **(options(method) | more))
    return made.fit(train="split", progress=False)


@pytest.mark.parametrize("method", ["hybrid", "ridge", "unicorn", "train_mean", "gene_mean"])
def test_predicts_saves_and_loads(
    method: str, adata: ad.AnnData, tmp_path: Path, unchanged: Callable[[ad.AnnData], Any]
) -> None:
    with unchanged(adata):
        predictor = fitted(adata, method)
        predicted = predictor.predict(["g180", "g3"])
        scores = predictor.evaluate()
    assert predicted.shape == (3, 2)
    assert predicted.obs_names.tolist() == GROUPS
    assert predicted.var["in_training"].tolist() == [False, True]
    assert predicted.X.dtype == np.float32
    assert (predicted.layers["lower"] <= predicted.X).all()
    assert (predicted.layers["upper"] >= predicted.X).all()
    assert set(scores["method"]) >= {method, "train_mean", "gene_mean"}
    np.testing.assert_array_equal(fitted(adata, method).predict(["g180", "g3"]).X, predicted.X)
    predictor.save(tmp_path / "model")
    loaded = tl.ExpressionPredictor.load(tmp_path / "model")
    again = loaded.predict(["g180", "g3"])
    np.testing.assert_array_equal(again.X, predicted.X)
    np.testing.assert_array_equal(again.layers["upper"], predicted.layers["upper"])
    pd.testing.assert_frame_equal(again.obs, predicted.obs)
    pd.testing.assert_frame_equal(loaded.parts_, predictor.parts_)
    pd.testing.assert_frame_equal(
        loaded.evaluate(adata=adata, baselines=False), predictor.evaluate(adata=adata, baselines=False)
    )
    predicted.write_h5ad(tmp_path / "predicted.h5ad")
    with pytest.raises(InputError, match="no genes to fit"):
        loaded.fit()
    with pytest.raises(InputError, match="name the genes to predict"):
        loaded.predict()


def test_vectors_tell_and_permuted_ones_do_not(adata: ad.AnnData) -> None:
    scores = fitted(adata, n_landmarks=100).evaluate(controls=True)
    whole = scores[(scores["group"] == "all") & (scores["metric"] == "cell_pcc")].set_index(["method", "vectors"])[
        "value"
    ]
    assert whole["ridge", "given"] > 0.6
    assert abs(whole["ridge", "permuted"]) < 0.4
    assert abs(whole["ridge", "random"]) < 0.4
    assert np.isnan(whole["train_mean", "none"])


def test_intervals_are_right_on_genes_left_out(adata: ad.AnnData) -> None:
    predictor = tl.ExpressionPredictor(adata, method="ridge").fit(train=np.arange(200) < 120)
    table = predictor.evaluate(baselines=False)
    covered = table[(table["metric"] == "coverage") & (table["group"] == "all")]["value"].item()
    assert 0.8 < covered < 0.98
    assert table["value"].notna().all()
    calibration = predictor.calibration()
    assert calibration.query("group == 'all'")["coverage"].is_monotonic_increasing


def test_scores_by_gene(adata: ad.AnnData) -> None:
    predictor = fitted(adata)
    table = predictor.evaluate(by_gene=True)
    own = table[(table["method"] == "ridge") & (table["metric"] == "gene_pcc_centred")]
    assert own["gene"].tolist() == [f"g{i}" for i in range(170, 195)]
    summary = predictor.evaluate(baselines=False).set_index(["metric", "group"])["value"]
    assert own["value"].mean() == pytest.approx(summary["gene_pcc_centred", "all"])
    assert (table.query("method == 'train_mean' and metric == 'gene_pcc_centred'")["status"] == "undefined").all()


@pytest.mark.parametrize("form", ["csr", "csc", "dask", "backed"])
def test_storage_changes_nothing(form: str, cells: ad.AnnData, tmp_path: Path) -> None:
    expected = (
        tl.ExpressionPredictor(cells, groupby="cell_type", donor_key="donor", method="ridge").fit().predict(["3"])
    )
    other = cells.copy()
    if form == "csc":
        other.X = sparse.csc_matrix(other.X)
    elif form == "dask":
        array = pytest.importorskip("dask.array")
        other.X = array.from_array(other.X.toarray(), chunks=(7, 60))
    elif form == "backed":
        other.write_h5ad(tmp_path / "cells.h5ad")
        other = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    found = tl.ExpressionPredictor(other, groupby="cell_type", donor_key="donor", method="ridge").fit().predict(["3"])
    np.testing.assert_allclose(found.X, expected.X, rtol=1e-6)
    assert found.obs_names.tolist() == [f"{group}|{donor}" for group in GROUPS for donor in ("d1", "d2")]
    assert found.obs["n_cells"].sum() == 30


def test_several_keys_side_by_side(adata: ad.AnnData) -> None:
    some = adata.varm["dnaclip"].copy()
    some[::2] = np.nan
    adata.varm["other"] = some
    predictor = tl.ExpressionPredictor(adata, ["dnaclip", "other"], method="ridge").fit(train="split")
    assert predictor.vectors_.flags == (False, True)
    names = predictor.attribute("g180", by="dimensions", n_top=99)["dimension"]
    assert len(names) == 13
    assert "other present" in set(names)
    assert predictor.predict(["g180", "g181"]).n_vars == 2


def test_attribution(adata: ad.AnnData) -> None:
    predictor = fitted(adata, "hybrid")
    genes = predictor.attribute("g180", "T", n_top=3)
    vector = adata.varm["dnaclip"][180] / np.linalg.norm(adata.varm["dnaclip"][180])
    others = adata.varm["dnaclip"][:140] / np.linalg.norm(adata.varm["dnaclip"][:140], axis=1, keepdims=True)
    best = np.argsort(-(others @ vector))[:3]
    assert genes["gene"].tolist() == [f"g{i}" for i in best]
    np.testing.assert_allclose(genes["observed"], adata.X[2, best])
    dimensions = predictor.attribute("g180", "T", by="dimensions", n_top=6)
    assert dimensions["attribution"].abs().is_monotonic_decreasing
    with pytest.raises(MissingKeyError, match="'C' is not in the groups"):
        predictor.attribute("g180", "C")
    with pytest.raises(InputError, match="give sequence"):
        predictor.attribute("g180", by="sequence")


@pytest.fixture(scope="module")
def real() -> ad.AnnData:
    """Genes of the shipped human table, with vectors of its DNA."""
    genes = datasets.load_table("human").genes
    coding = genes[(genes["biotype"] == "protein_coding") & (genes["symbol"] != "")]["symbol"][:400]
    made = ad.AnnData(np.random.default_rng(0).random((2, len(coding))).astype(np.float32))
    made.var_names = coding.to_numpy()
    tl.embed(made, modality="dna")
    tl.embed(made, modality="joint", key_added="joint")
    return made


def test_genes_that_are_not_in_the_data(real: ad.AnnData) -> None:
    predictor = tl.ExpressionPredictor(real, method="ridge").fit()
    sequence = "ATGGCTAAGTCTGAAGGC" * 30
    predicted = predictor.predict(["TP53"], sequences={"mine": sequence})
    assert predicted.var["source"].tolist() == ["name", "sequence"]
    own = _pretrained("dnaclip-base").encode_dna([sequence])
    np.testing.assert_allclose(predicted.X[:, 1], predictor._fitted.predict(own)[0][0], rtol=1e-4)
    with pytest.raises(InputError, match="no vector: 'not-a-gene'"):
        predictor.predict(["not-a-gene"])
    with pytest.raises(
        InputError, match="cannot be predicted from text: the vectors in 'dnaclip' are of the modality 'dna'"
    ):
        predictor.predict(texts={"new": "a kinase"})


def test_sequence_features_carry_the_gradient(real: ad.AnnData) -> None:
    predictor = tl.ExpressionPredictor(real, method="ridge").fit()
    sequence = "ATGGCTAAGTCTGAAGGC" * 30
    table = predictor.attribute("mine", by="sequence", sequence=sequence, n_top=5)
    assert list(table) == ["feature", "value", "standardised", "attribution"]
    assert table["attribution"].abs().iloc[0] > 0
    # Changing the feature changes the composition part of the encoder as the attribution says.
    side = _pretrained("dnaclip-base").dna
    from dnaclip.encoders import composition_names, sequence_features

    features = sequence_features([sequence]).composition
    place = composition_names().index(table["feature"][0])
    step = features.copy()
    step[0, place] += 1e-2 * side.scale[place]
    change = (side.from_composition(step) - side.from_composition(features))[0]
    vector = _pretrained("dnaclip-base").encode_dna([sequence])[0]
    slope = predictor._fitted.gradient(vector).mean(axis=0) @ change / 1e-2
    assert slope * table["standardised"][0] == pytest.approx(table["attribution"][0], rel=0.1)


def test_texts_are_encoded(real: ad.AnnData, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = tl.ExpressionPredictor(real, "joint", method="ridge").fit()
    vectors = np.random.default_rng(0).normal(size=(1, 128)).astype(np.float32)
    monkeypatch.setattr(models.DnaClip, "encode_text", lambda self, texts: np.repeat(vectors, len(texts), axis=0))
    predicted = predictor.predict(texts={"new": "a kinase"})
    assert predicted.var["source"].tolist() == ["text"]
    assert not predicted.var["in_training"].any()


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"method": "forest"}, InputError, "method='forest' is not known"),
        ({"method": "ridge", "hidden": 3}, InputError, "'hidden' is no option of method 'ridge'"),
        ({"method": "train_mean", "loss": "mse"}, InputError, "Its options are: none"),
        ({"use_rep": "nothing"}, MissingKeyError, "Run dnaclip.tl.embed"),
        ({"use_rep": ["dnaclip", "dnaclip"]}, InputError, "several different ones"),
        ({"groupby": "nothing"}, MissingKeyError, "'nothing' is not in adata.obs"),
        ({"donor_key": "cell_type"}, InputError, "donor_key goes with groupby"),
        ({"layer": "nothing"}, MissingKeyError, "'nothing' is not in adata.layers"),
        ({"method": "hybrid", "learns": "residual", "loss": "poisson"}, InputError, "cannot learn residuals"),
    ],
)
def test_bad_options(
    change: dict[str, Any], error: type[Exception], said: str, adata: ad.AnnData, unchanged: Callable[..., Any]
) -> None:
    with unchanged(adata), pytest.raises(error, match=said):
        tl.ExpressionPredictor(adata, **({"device": "cpu"} | change)).fit(train="split", progress=False)


def _set_nan(adata: ad.AnnData) -> None:
    adata.X[0, 3] = np.nan


def _repeat_name(adata: ad.AnnData) -> None:
    adata.var_names = ["g1", *adata.var_names[1:]]


def _no_vectors(adata: ad.AnnData) -> None:
    adata.varm["dnaclip"] = np.full((200, 6), np.nan)


def _two_train(adata: ad.AnnData) -> None:
    adata.var["split"] = ["train"] * 2 + ["test"] * 198


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_set_nan, "NaN or infinite values: 'g3'"),
        (_repeat_name, "1 names stand more than once"),
        (_no_vectors, "all rows are NaN or zeros"),
        (_two_train, "2 genes are left to train on"),
    ],
)
def test_bad_data(spoil: Callable[[ad.AnnData], None], said: str, adata: ad.AnnData) -> None:
    spoil(adata)
    with pytest.raises(InputError, match=said):
        fitted(adata)


def test_bad_requests(adata: ad.AnnData) -> None:
    with pytest.raises(InputError, match="has not been fitted"):
        tl.ExpressionPredictor(adata).predict(["g1"])
    predictor = fitted(adata)
    for genes, said in (
        (["g1", "g1"], "more than once"),
        ([], "at least one"),
        (["not-a-gene"], "no vector: 'not-a-gene'"),
    ):
        with pytest.raises(InputError, match=said):
            predictor.predict(genes)
    with pytest.raises(InputError, match="must be a dict"):
        predictor.predict(texts=["a kinase"])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="No gene is held out"):
        tl.ExpressionPredictor(adata, method="ridge").fit().evaluate()
    with pytest.raises(InputError, match="The groups of adata are not the 3 learned ones"):
        predictor.evaluate(adata=adata[:2].copy())
    with pytest.raises(InputError, match="reads none"):
        fitted(adata, "train_mean").evaluate(controls=True)
    with pytest.raises(InputError, match="None of the 1 genes to judge has a vector: 'g199'"):
        predictor.evaluate(adata.var_names == "g199")
    adata.varm["other"] = adata.varm["dnaclip"]
    of_both = fitted(adata, use_rep=["dnaclip", "other"])
    with pytest.raises(InputError, match="reads 2 keys"):
        of_both.predict(vectors=pd.DataFrame(np.ones((1, 6)), index=["new"]))


def test_without_names_all_genes_that_did_not_train_are_predicted(adata: ad.AnnData) -> None:
    # Those of validation and test; five of these have no vector.
    assert fitted(adata).predict().var_names.tolist() == [f"g{i}" for i in range(140, 195)]
    everything = tl.ExpressionPredictor(adata, method="ridge", **options("ridge")).fit()
    with pytest.raises(InputError, match="All genes with a vector were trained on"):
        everything.predict()


def test_a_loaded_predictor_says_what_it_lacks(adata: ad.AnnData, tmp_path: Path) -> None:
    loaded = tl.ExpressionPredictor.load(fitted(adata).save(tmp_path / "model"))
    with pytest.raises(InputError, match="no data to judge by: give adata"):
        loaded.evaluate()
    with pytest.raises(InputError, match="no genes to train on again: controls must be False"):
        loaded.evaluate(adata=adata, controls=True)
    # The genes to judge are those of the column that told which train, and without it all that did not train.
    for data, mask in ((adata, adata.var["split"] == "test"), (without_split(adata), adata.var["split"] != "train")):
        told = loaded.evaluate(adata=data, baselines=False)
        pd.testing.assert_frame_equal(told, loaded.evaluate(mask.to_numpy(), adata=adata, baselines=False))


def without_split(adata: ad.AnnData) -> ad.AnnData:
    other = adata.copy()
    del other.var["split"]
    return other


@pytest.mark.parametrize(
    ("change", "given", "said"),
    [
        (lambda a: a[:0].copy(), {}, "0 rows and 200 genes, so there is nothing to learn from"),
        (lambda a: a, {"donor_key": "cell_type"}, "donor_key goes with groupby"),
    ],
)
def test_what_is_no_table_of_groups(
    change: Callable[[ad.AnnData], ad.AnnData], given: dict[str, Any], said: str, adata: ad.AnnData
) -> None:
    with pytest.raises(InputError, match=said):
        tl.ExpressionPredictor(change(adata), method="ridge", **given).fit()


def test_vectors_of_another_species(adata: ad.AnnData) -> None:
    predictor = fitted(adata)
    given = pd.DataFrame(3 * adata.varm["dnaclip"][180:182], index=["Abc1", "Abc2"])
    predicted = predictor.predict(["g182"], vectors=given)
    assert predicted.var["source"].tolist() == ["name", "vector", "vector"]
    assert not predicted.var["in_training"].any()
    np.testing.assert_allclose(predicted.X[:, 1:], predictor.predict(["g180", "g181"]).X, rtol=1e-5)
    with pytest.raises(InputError, match="6 columns"):
        predictor.predict(vectors=given.iloc[:, :3])
    with pytest.raises(InputError, match="1 of 2 genes have no vector of finite numbers: 'Abc2'"):
        predictor.predict(vectors=given.mul([1, np.nan], axis=0))


def test_expression_that_is_no_logarithm_warns(adata: ad.AnnData) -> None:
    adata.X *= 100
    with pytest.warns(UserWarning, match=r"Use scanpy\.pp\.log1p"):
        fitted(adata)


def test_one_group_and_constant_genes_are_legal(adata: ad.AnnData) -> None:
    adata.X[:, 180:185] = 1.0
    scores = fitted(adata[:1].copy(), "hybrid").evaluate(baselines=False)
    status = scores[scores["group"] == "all"].set_index("metric")["status"]
    assert status["gene_pcc"] == "undefined"
    assert status["cell_pcc"] == "ok"


def test_resumes_from_a_checkpoint(adata: ad.AnnData, tmp_path: Path) -> None:
    predictor = tl.ExpressionPredictor(adata, method="hybrid", device="cpu", **options("hybrid"))
    predictor.fit(train="split", checkpoint=tmp_path / "run.safetensors", progress=False)
    assert predictor.history_["epoch"].tolist() == [1, 2, 3]
    expected = predictor.predict(["g180"]).X
    predictor.fit(train="split", checkpoint=tmp_path / "run.safetensors", resume=True, progress=False)
    np.testing.assert_array_equal(predictor.predict(["g180"]).X, expected)


def test_real_blood_cells(shared_data: Path) -> None:
    adata = ad.read_h5ad(shared_data / "cells" / "onek1k_pseudobulk_basemean.h5ad")
    adata = adata[:, ::5].copy()
    adata.X = np.log1p(np.asarray(adata.X))
    tl.embed(adata)
    adata = adata[:, (adata.X > 0).any(axis=0) & adata.var["dnaclip_found"].to_numpy()].copy()
    tl.split_genes(adata, "chromosome")
    predictor = tl.ExpressionPredictor(adata, method="ridge", n_landmarks=0).fit(train="split")
    scores = predictor.evaluate(baselines=False).query("group == 'all'").set_index("metric")["value"]
    assert scores["cell_pcc"] > 0.45
    assert scores["gene_pcc_centred"] > 0.3
    assert 0.85 < scores["coverage"] < 0.95
