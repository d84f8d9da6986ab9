"""A search remembers its trials, goes on after a kill, and its best recipe trains a model."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from dnaclip._errors import InputError, MissingDependencyError, MissingKeyError, TrainingError
from dnaclip.cli import app
from dnaclip.pp import split_pairs
from dnaclip.train import Recipe, TrainConfig, prepare_pairs, tune, tune_folder
from dnaclip.train._search import tune as module
from dnaclip.train._search.space import check_space, one_at_a_time, read_space

if TYPE_CHECKING:
    from pathlib import Path

    from dnaclip.train import PreparedPairs

Families = tuple[pd.DataFrame, np.ndarray]
pytest.importorskip("optuna", reason="a search needs optuna")

RECIPE = Recipe(composition_hidden=(8,), text_hidden=(8,), training=TrainConfig(batch_size=32, max_epochs=2, lr=3e-3))
SPACE: dict[str, Any] = {"lr": (1e-4, 1e-1), "dimension": [4, 8], "composition_hidden": [[8], [8, 4]]}


@pytest.fixture(scope="module")
def prepared(families: Families) -> PreparedPairs:
    split = split_pairs(families[0], fractions=(0.7, 0.15, 0.15))
    return prepare_pairs(families[0], split, text_vectors=families[1], progress=False)


def search(prepared: PreparedPairs, **options: Any) -> tuple[pd.DataFrame, Recipe]:
    settings: dict[str, Any] = {"space": SPACE, "n_trials": 4, "recipe": RECIPE, "device": "cpu", "progress": False}
    table, best = tune(prepared, **settings | options)
    return table.drop(columns="seconds"), best


def test_the_best_trial_becomes_the_recipe(prepared: PreparedPairs, families: Families) -> None:
    table, best = search(prepared, labels=families[0]["family"].astype(str), metric="nmi_dna")
    row = table.loc[table["nmi_dna"].idxmax()]
    assert list(table["trial"]) == [0, 1, 2, 3]
    assert table["lr"].nunique() == 4
    assert table["lr"].between(1e-4, 1e-1).all()
    assert (best.training.lr, best.dimension, list(best.composition_hidden)) == tuple(row[list(SPACE)])
    assert best.text_hidden == RECIPE.text_hidden
    assert (
        table[["accuracy@10", "nmi_dna", "ari_dna", "nmi_text", "ari_text"]]
        .apply(lambda one: one.between(-0.5, 1))
        .all(axis=None)
    )


def test_a_search_goes_on_and_comes_to_the_same(
    prepared: PreparedPairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, best = search(prepared)
    path = tmp_path / "study.journal"
    fit, calls = module.fit_prepared, []

    def interrupted(*arguments: Any, **options: Any) -> Any:
        calls.append(options)
        if len(calls) == 3:

            def stop(_: Any, row: dict[str, float]) -> None:
                if row["epoch"] == 2:
                    raise KeyboardInterrupt

            options |= {"callbacks": [stop]}
        return fit(*arguments, **options)

    monkeypatch.setattr(module, "fit_prepared", interrupted)
    with pytest.raises(KeyboardInterrupt):
        search(prepared, study=path)
    assert (tmp_path / "study.journal.trial.safetensors").exists()
    with path.open("ab") as file:  # what a kill in the middle of writing leaves
        file.write(b'{"op_code": 4, "work')
    table, again = search(prepared, study=path)
    pd.testing.assert_frame_equal(table, whole)
    assert again == best
    assert len(calls) == 5
    assert [one.name for one in tmp_path.iterdir() if not one.name.startswith(".")] == ["study.journal"]

    more, _ = search(prepared, study=path, n_trials=5)
    assert len(calls) == 6
    pd.testing.assert_frame_equal(more[:4], whole)
    assert all(json.loads(line) for line in path.read_text().splitlines())


def test_a_trial_that_diverges_is_no_end(prepared: PreparedPairs, monkeypatch: pytest.MonkeyPatch) -> None:
    fit, calls = module.fit_prepared, []

    def diverging(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            msg = "Training stopped: the loss is nan."
            raise TrainingError(msg)
        return fit(*arguments, **options)

    monkeypatch.setattr(module, "fit_prepared", diverging)
    table, best = search(prepared, n_trials=3)
    assert table["error"].notna().tolist() == [False, True, False]
    assert best.training.lr in table["lr"][[0, 2]].tolist()


def test_every_trial_failing_is_an_error(prepared: PreparedPairs, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any, **__: Any) -> Any:
        msg = "Training stopped: the loss is nan."
        raise TrainingError(msg)

    monkeypatch.setattr(module, "fit_prepared", failing)
    with pytest.raises(TrainingError, match="All 2 trials failed; the first: Training stopped: the loss is nan"):
        search(prepared, n_trials=2)


def test_one_setting_at_a_time(prepared: PreparedPairs) -> None:
    space = {"dimension": [4, 8], "loss": ["clip", "siglip"]}
    table, _ = search(
        prepared, space=space, recipe=replace(RECIPE, dimension=8), n_trials=None, sampler="one_at_a_time"
    )
    # What the recipe has already is not trained twice.
    assert table[["varied", "dimension", "loss"]].to_numpy().tolist() == [
        ["", 8, "clip"],
        ["dimension", 4, "clip"],
        ["loss", 8, "siglip"],
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"space": {}}, "The space is empty"),
        ({"space": {"n_neighbours": [1, 2]}}, "'n_neighbours' cannot be varied. What can: composition_hidden"),
        ({"space": {"lr": (0.1, 0.01)}}, r"lr=\(0.1, 0.01\) is neither a range nor choices"),
        ({"space": {"lr": (0, 0.01)}}, "neither a range nor choices"),
        ({"space": {"lr": []}}, "neither a range nor choices"),
        ({"space": {"patience": [3, -1]}}, "patience must be a whole number"),
        ({"space": {"batch_size": [32, 4096]}}, "batch_size=4096 is more than the"),
        ({"sampler": "grid"}, "sampler"),
        ({"metric": "loss"}, "metric"),
        ({"metric": "nmi_dna"}, "give labels"),
        ({"labels": ["a"]}, "labels has 1 values for 144 pairs"),
        ({"labels": ["a"] * 144}, "have 1 classes"),
        ({"n_trials": 0}, "n_trials"),
        ({"n_trials": 99, "sampler": "one_at_a_time"}, "more than the"),
    ],
)
def test_what_cannot_be_searched_is_said_before_anything_is_done(
    prepared: PreparedPairs, tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        search(prepared, study=tmp_path / "study.journal", **options)
    assert not list(tmp_path.iterdir())


def test_a_study_of_another_search_is_left_alone(prepared: PreparedPairs, tmp_path: Path) -> None:
    path = tmp_path / "study.journal"
    search(prepared, study=path, n_trials=1)
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"belongs to another search; what differs: metric \('accuracy@10' then"):
        search(prepared, study=path, metric="accuracy@1")
    assert path.read_bytes() == before
    path.write_text("hello\n")
    with pytest.raises(InputError, match="is not a study of dnaclip"):
        search(prepared, study=path)
    assert path.read_text() == "hello\n"


def test_without_optuna_the_line_that_installs_it_is_said(
    prepared: PreparedPairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'dnaclip\[tune\]'"):
        search(prepared)


@pytest.mark.parametrize("word", ["lr", "lr=", "=3"])
def test_words_that_say_nothing(word: str) -> None:
    with pytest.raises(InputError):
        check_space(read_space([word]), RECIPE)


def test_ranges_of_whole_numbers_stay_whole() -> None:
    assert one_at_a_time(read_space(["max_epochs=1:4"])) == [{"max_epochs": one} for one in (1, 2, 3, 4)]


def test_the_command_writes_a_study_and_train_takes_its_recipe(families: Families, tmp_path: Path) -> None:
    pairs, vectors = families
    pairs.assign(family=pairs["family"].astype(str)).to_parquet(tmp_path / "pairs.parquet")
    np.save(tmp_path / "vectors.npy", vectors)
    RECIPE.save(tmp_path / "start.json")
    data = [
        "--pairs",
        str(tmp_path / "pairs.parquet"),
        "--text-vectors",
        str(tmp_path / "vectors.npy"),
        "--device",
        "cpu",
    ]
    words = ["--out", str(tmp_path / "search"), "--vary", "lr=1e-3:1e-2", "--vary", "dimension=4,8", "--trials", "2"]
    words += ["--recipe", str(tmp_path / "start.json"), "--no-progress"]
    result = CliRunner().invoke(app, ["tune", *data, *words])
    assert result.exit_code == 0, result.output
    names = sorted(one.name for one in (tmp_path / "search").iterdir() if not one.name.startswith("."))
    assert names == ["recipe.json", "study.journal", "trials.csv"]
    trials = pd.read_csv(tmp_path / "search/trials.csv")
    best = Recipe.load(tmp_path / "search/recipe.json")
    assert best.training.lr == pytest.approx(trials["lr"][trials["accuracy@10"].idxmax()])

    out = ["--out", str(tmp_path / "model"), "--recipe", str(tmp_path / "search/recipe.json")]
    result = CliRunner().invoke(app, ["train", *data, *out, "--log", str(tmp_path / "log.csv"), "--no-progress"])
    assert result.exit_code == 0, result.output
    config = json.loads((tmp_path / "model/config.json").read_text())
    assert config["dimension"] == best.dimension
    assert config["recipe"]["training"]["lr"] == best.training.lr
    history = config["training"]["history"]
    assert [row["epoch"] for row in history] == pd.read_csv(tmp_path / "log.csv")["epoch"].tolist() == [0, 1, 2]
    card = (tmp_path / "model/README.md").read_text()
    assert f"| 2 | {history[2]['validation_loss']:.4g} |" in card
    with pytest.raises(MissingKeyError, match="'class'"):
        tune_folder(tmp_path / "pairs.parquet", tmp_path / "other", labels="class")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read as a recipe"),
        ("[]", "cannot be read as a recipe"),
        ('{"speed": 1, "training": {"luck": 2}}', "settings that a recipe does not: 'luck', 'speed'"),
        ('{"training": {"lr": -1}}', "lr must be a finite number above 0"),
    ],
)
def test_a_file_that_is_no_recipe(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "recipe.json").write_text(text)
    with pytest.raises(InputError, match=said):
        Recipe.load(tmp_path / "recipe.json")


def test_a_recipe_comes_back_as_it_was(tmp_path: Path) -> None:
    recipe = replace(RECIPE, loss="siglip", composition_hidden=())
    recipe.save(tmp_path / "recipe.json")
    assert Recipe.load(tmp_path / "recipe.json") == recipe
    (tmp_path / "short.json").write_text('{"training": {"lr": 0.5}}')
    assert Recipe.load(tmp_path / "short.json").training == replace(Recipe().training, lr=0.5)
