"""`tl.PerturbationPredictor` with a network, alone and in the hybrid: training, contexts, cells, saving and resuming."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from dnaclip import tl
from dnaclip._errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

SMALL: dict[str, Any] = {"hidden": 32, "latent": 4, "max_epochs": 40, "batch_size": 64, "lr": 5e-3, "mi_weight": 1.0}
QUIET: dict[str, Any] = {"progress": False}
VECTORS = np.random.default_rng(3).normal(size=(25, 4)).astype(np.float32)


def effect(condition: str) -> np.ndarray:
    genes = [int(gene[1:]) for gene in condition.split("+") if gene != "ctrl"]
    return 0.4 * VECTORS[genes].sum(axis=0) @ VECTORS.T if genes else np.zeros(25)


@pytest.fixture(scope="module")
def cells() -> ad.AnnData:
    """Two lines; in the second one the last ten genes do not respond."""
    rng = np.random.default_rng(0)
    names = ["ctrl", *(f"g{i}+ctrl" for i in range(18)), "g2+g5"]
    condition, line = np.tile(np.repeat(names, 15), 2), np.repeat(["K562", "RPE1"], 15 * len(names))
    x = np.array([effect(name) for name in condition])
    x[line == "RPE1", 15:] = 0
    x = (3 + (line == "RPE1")[:, None] * rng.random(25) + x + 0.2 * rng.normal(size=x.shape)).clip(min=0)
    obs = pd.DataFrame({"condition": condition, "line": line}, index=[f"cell{i}" for i in range(len(x))])
    obs["split"] = np.where(np.isin(condition, ["g1+ctrl", "g7+ctrl"]), "validation", "train")
    obs.loc[np.isin(condition, ["g3+ctrl", "g11+ctrl"]), "split"] = "test"
    var = pd.DataFrame(index=[f"g{i}" for i in range(25)])
    return ad.AnnData(sparse.csr_matrix(x.astype(np.float32)), obs=obs, var=var, varm={"dnaclip": VECTORS})


@pytest.fixture(scope="module")
def predictor(cells: ad.AnnData) -> tl.PerturbationPredictor:
    made = tl.PerturbationPredictor(cells, method="sclambda", context_key="line", target_head=True, **SMALL)
    return made.fit(train="split", **QUIET)


def test_unseen_perturbations_are_predicted_in_both_contexts(predictor: tl.PerturbationPredictor) -> None:
    predicted = predictor.predict(["g11", "g20", "g3+g11", "g21"])
    assert predicted.shape == (8, 25)
    for name in ("g11", "g20"):
        assert np.corrcoef(predicted[f"{name}|K562"].layers["delta"][0], effect(name))[0, 1] > 0.6
    silent = abs(predicted["g11|RPE1"].layers["delta"][0, 15:]).mean()
    assert silent < 0.75 * abs(predicted["g11|K562"].layers["delta"][0, 15:]).mean(), "contexts differ"
    assert set(predicted.layers) - {None} == {"delta"}
    assert (predictor.predict("ctrl").layers["delta"] == 0).all()


def test_history_and_early_stopping(predictor: tl.PerturbationPredictor) -> None:
    assert {"epoch", "train_loss", "validation_pcc"} <= set(predictor.history_.columns)
    assert predictor.history_["validation_pcc"].max() > 0.5
    assert predictor.parts_["part"].tolist() == ["sclambda"]


def test_cells_that_are_neither_for_training_nor_for_validation_are_not_looked_at(cells: ad.AnnData) -> None:
    other = cells.copy()
    x = other.X.toarray()
    x[(other.obs["split"] == "test").to_numpy()] = 50
    other.X = sparse.csr_matrix(x)
    options = {"method": "sclambda", "context_key": "line", "target_head": True, **SMALL, "max_epochs": 3}
    one, two = (tl.PerturbationPredictor(data, **options).fit(train="split", **QUIET) for data in (cells, other))
    np.testing.assert_array_equal(one.predict(["g3", "g20"]).X, two.predict(["g3", "g20"]).X)


def test_cells_come_from_the_prior(predictor: tl.PerturbationPredictor) -> None:
    drawn = predictor.generate(["g3", "ctrl"], n_cells=300, contexts="K562")
    assert drawn.shape == (600, 25)
    assert drawn.X.min() >= 0
    shift = drawn[:300].X.mean(axis=0) - drawn[300:].X.mean(axis=0)
    assert np.corrcoef(shift, predictor.predict("g3", contexts="K562").layers["delta"][0])[0, 1] > 0.9
    assert (drawn.X.std(axis=0) > 0).all()
    np.testing.assert_array_equal(drawn.X, predictor.generate(["g3", "ctrl"], n_cells=300, contexts="K562").X)


def test_a_saved_network_predicts_the_same(predictor: tl.PerturbationPredictor, tmp_path: Path) -> None:
    loaded = tl.PerturbationPredictor.load(predictor.save(tmp_path / "model"), device="cpu")
    names = ["g3", "g3+g20"]
    np.testing.assert_array_equal(loaded.predict(names).X, predictor.predict(names).X)
    np.testing.assert_array_equal(loaded.generate(names, 4).X, predictor.generate(names, 4).X)
    pd.testing.assert_frame_equal(loaded.history_, predictor.history_)
    again = tl.PerturbationPredictor.load(loaded.save(tmp_path / "again"), device="cpu")
    np.testing.assert_array_equal(again.predict(names).X, predictor.predict(names).X)


def test_a_run_that_was_broken_off_goes_on_to_the_same_end(
    cells: ad.AnnData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dnaclip.train._perturbation import loop as _perturbation

    short = SMALL | {"max_epochs": 6}
    whole = tl.PerturbationPredictor(cells, method="sclambda", **short).fit(train="split", **QUIET).predict("g20")
    save, saved = _perturbation.save_checkpoint, []

    def dying(*args: Any, **options: Any) -> None:
        save(*args, **options)
        saved.append(1)
        if len(saved) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(_perturbation, "save_checkpoint", dying)
    broken = tl.PerturbationPredictor(cells, method="sclambda", **short)
    with pytest.raises(KeyboardInterrupt):
        broken.fit(train="split", checkpoint=tmp_path / "run.safetensors", **QUIET)
    monkeypatch.undo()
    with pytest.raises(InputError, match="resume=True"):
        broken.fit(train="split", checkpoint=tmp_path / "run.safetensors", **QUIET)
    resumed = broken.fit(train="split", checkpoint=tmp_path / "run.safetensors", resume=True, **QUIET)
    np.testing.assert_array_equal(resumed.predict("g20").X, whole.X)


def test_the_seed_decides(cells: ad.AnnData) -> None:
    def run(rng: int | np.random.Generator) -> np.ndarray:
        made = tl.PerturbationPredictor(cells, method="sclambda", rng=rng, **SMALL | {"max_epochs": 2})
        return made.fit(train="split", **QUIET).predict("g20").X

    np.testing.assert_array_equal(run(1), run(1))
    assert not np.array_equal(run(1), run(2))
    np.testing.assert_array_equal(run(np.random.default_rng(7)), run(np.random.default_rng(7)))


def test_contexts_can_have_vectors_of_their_own(cells: ad.AnnData) -> None:
    table = pd.DataFrame([[1.0, 0.0], [0.0, 1.0]], index=["RPE1", "K562"])
    options = {"method": "sclambda", "context_key": "line", **SMALL, "max_epochs": 2}
    made = tl.PerturbationPredictor(cells, context_vectors=table, **options).fit(**QUIET)
    assert np.isfinite(made.predict("g3").X).all()
    missing = tl.PerturbationPredictor(cells, context_vectors=table.iloc[:1], **options)
    with pytest.raises(InputError, match="context_vectors lacks 1 of 2 contexts: 'K562'"):
        missing.fit(**QUIET)


def test_a_new_context_is_predicted_from_its_control_cells(cells: ad.AnnData) -> None:
    train = ~((cells.obs["line"] == "RPE1") & (cells.obs["condition"] != "ctrl")).to_numpy()
    made = tl.PerturbationPredictor(cells, method="sclambda", context_key="line", **SMALL)
    predicted = made.fit(train=train, **QUIET).predict("g3", contexts="RPE1")
    assert np.corrcoef(predicted.layers["delta"][0], effect("g3"))[0, 1] > 0.5


# -- hybrid ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hybrid(cells: ad.AnnData) -> tl.PerturbationPredictor:
    return tl.PerturbationPredictor(cells, context_key="line", **SMALL | {"max_epochs": 10}).fit(train="split", **QUIET)


def test_the_hybrid_reports_its_parts(hybrid: tl.PerturbationPredictor) -> None:
    parts = hybrid.parts_
    assert {"situation", "part", "n_left_out", "pcc", "mse", "weight"} == set(parts.columns)
    np.testing.assert_allclose(parts.groupby("situation")["weight"].sum(), 1, atol=1e-6)
    assert (parts["weight"] >= 0).all()
    assert {"ridge", "additive", "sclambda"} < set(parts["part"])
    network = parts.query("situation == 'no gene seen' and part == 'sclambda'")
    assert np.isfinite(network["pcc"]).all()
    assert network["n_left_out"].item() > 0


def test_the_hybrid_predicts_a_weighted_mean(cells: ad.AnnData, hybrid: tl.PerturbationPredictor) -> None:
    model = copy.deepcopy(hybrid._fitted)
    plain = tl.PerturbationPredictor(cells, context_key="line", network=False).fit(train="split")
    assert "sclambda" not in set(plain.parts_["part"])
    names, contexts = [("g20",), ("g3", "g5")], np.array([0, 1])
    plain.predict(["g20", "g3"])
    without, _ = plain._fitted.predict(names, contexts)
    model.vectors.update(plain._fitted.vectors)
    assert model.blend is not None
    assert model.vae is not None
    network = model.vae.predict(names, contexts, model.vectors)
    model.blend = replace(model.blend, weights=np.array([0.0, 0.0, 0.25, 1.0]))
    mixed, std = model.predict(names, contexts)
    assert std is not None
    np.testing.assert_allclose(mixed[0], network[0], atol=1e-5)
    np.testing.assert_allclose(mixed[1], 0.75 * without[1] + 0.25 * network[1], atol=1e-5)


def test_cells_of_the_hybrid_come_from_the_network_where_it_has_a_weight(hybrid: tl.PerturbationPredictor) -> None:
    model = copy.deepcopy(hybrid._fitted)
    hybrid.predict("g20")  # looks up its vector
    model.vectors.update(hybrid._fitted.vectors)
    assert model.blend is not None
    name, context = [("g20",)], np.array([0])
    distinct = {}
    for weight in (0.0, 1.0):
        model.blend = replace(model.blend, weights=np.full(4, weight))
        drawn = model.generate(name, context, 400, np.random.default_rng(0))
        mean = model.controls.means[0] + model.predict(name, context)[0][0]
        np.testing.assert_allclose(drawn.mean(axis=0), mean.clip(min=0), atol=0.15)
        distinct[weight] = len(np.unique(drawn, axis=0))
    assert distinct[0.0] <= model.controls.cells(0).shape[0] < distinct[1.0] == 400


def test_a_saved_hybrid_predicts_the_same(hybrid: tl.PerturbationPredictor, tmp_path: Path) -> None:
    loaded = tl.PerturbationPredictor.load(hybrid.save(tmp_path / "model"), device="cpu")
    np.testing.assert_array_equal(loaded.predict("g20+g3").X, hybrid.predict("g20+g3").X)
    np.testing.assert_array_equal(loaded.generate("g20", 4).X, hybrid.generate("g20", 4).X)
    pd.testing.assert_frame_equal(loaded.parts_, hybrid.parts_)


def test_the_inner_network_is_resumed_too(cells: ad.AnnData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dnaclip.train._perturbation import loop as _perturbation

    options, path = SMALL | {"max_epochs": 3}, tmp_path / "run.safetensors"
    whole = tl.PerturbationPredictor(cells, **options).fit(train="split", **QUIET)
    save = _perturbation.save_checkpoint

    def dying(where: Path, *args: Any, **kwargs: Any) -> None:
        save(where, *args, **kwargs)
        if where.name.endswith(".inner"):
            raise KeyboardInterrupt

    made = tl.PerturbationPredictor(cells, **options)
    monkeypatch.setattr(_perturbation, "save_checkpoint", dying)
    with pytest.raises(KeyboardInterrupt):
        made.fit(train="split", checkpoint=path, **QUIET)
    monkeypatch.undo()
    assert path.with_name("run.safetensors.inner").exists()
    made.fit(train="split", checkpoint=path, resume=True, **QUIET)
    assert not path.with_name("run.safetensors.inner").exists()
    np.testing.assert_array_equal(made.predict("g20").X, whole.predict("g20").X)
    pd.testing.assert_frame_equal(made.parts_, whole.parts_)


def test_too_few_perturbations_leave_the_network_without_weight(cells: ad.AnnData) -> None:
    one = cells[cells.obs["condition"].isin(["ctrl", "g4+ctrl"])].copy()
    made = tl.PerturbationPredictor(one, **SMALL | {"max_epochs": 1}).fit(**QUIET)
    assert "sclambda" not in set(made.parts_["part"])
    assert np.isfinite(made.predict("g20").X).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": 1}, "network must be True or False, got 1"),
        ({"method": "sclambda", "network": False}, "'network' is no option of method 'sclambda'"),
        ({"method": "sclambda", "precision": "64"}, "precision='64' is not known"),
    ],
)
def test_options_of_the_network_are_checked(cells: ad.AnnData, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        tl.PerturbationPredictor(cells, **options)
