"""`dnaclip tune`, then `dnaclip train --recipe`, then `dnaclip compare`, as a user goes through them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from dnaclip import pl
from dnaclip.cli import app
from dnaclip.errors import InputError, MissingKeyError
from dnaclip.train import Recipe, compare

if TYPE_CHECKING:
    from pathlib import Path

Families = tuple[pd.DataFrame, np.ndarray]


def run(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


def test_search_train_and_compare(families: Families, tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="needs the extra tune")
    pairs, vectors = families
    pairs.to_parquet(tmp_path / "pairs.parquet")
    np.save(tmp_path / "vectors.npy", vectors)
    base = Recipe(composition_hidden=(16,), text_hidden=(16,), training=Recipe().training)
    base.save(tmp_path / "base.json")
    data = ["--pairs", tmp_path / "pairs.parquet", "--text-vectors", tmp_path / "vectors.npy", "--device", "cpu"]
    settings = ["--vary", "lr=0.0001,0.01", "--vary", "dimension=8,16", "--vary", "batch_size=32,48"]
    search = [
        "tune",
        *data,
        "--out",
        tmp_path / "search",
        *settings,
        "--recipe",
        tmp_path / "base.json",
        "--no-progress",
    ]
    first = run(*search, "--trials", 2)
    assert "Best settings" in first
    run(*search, "--trials", 3)  # goes on
    best = Recipe.load(tmp_path / "search" / "recipe.json")
    assert best.dimension in (8, 16)
    assert best.composition_hidden == (16,)

    for name, seed in (("a", 0), ("b", 1)):
        run(
            "train",
            *data,
            "--out",
            tmp_path / name,
            "--recipe",
            tmp_path / "search" / "recipe.json",
            "--rng",
            seed,
            "--no-progress",
        )
    shown = run("compare", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "table.csv")
    assert "accuracy@10" in shown
    table = compare([tmp_path / "a", tmp_path / "b"])
    assert list(table.columns) == ["a", "b"]
    assert table.loc[("setting", "training.seed")].nunique() == 2
    assert ("setting", "recipe.dimension") not in table.index, "what is the same is left out"
    assert ("setting", "recipe.dimension") in compare([tmp_path / "a", tmp_path / "b"], all_settings=True).index
    assert len(pd.read_csv(tmp_path / "table.csv")) == len(table)
    with pytest.raises(InputError, match="at least two"):
        compare([tmp_path / "a"])
    with pytest.raises(InputError, match="twice"):
        compare([tmp_path / "a", tmp_path / "a"])


def test_curves_have_the_trials() -> None:
    trials = pd.DataFrame(
        {
            "lr": [1e-4, 1e-3, 1e-2, 1e-3],
            "dimension": [64, 64, 64, 128],
            "varied": ["lr", "", "lr", "dimension"],
            "accuracy@10": [0.3, 0.5, 0.4, 0.6],
        }
    )
    figure = pl.tuning_curves(trials, ["lr", "dimension"])
    lines = [np.asarray(ax.lines[0].get_xydata()).tolist() for ax in figure.axes]
    assert lines == [[[1e-4, 0.3], [1e-3, 0.5], [1e-2, 0.4]], [[64, 0.5], [128, 0.6]]]
    with pytest.raises(MissingKeyError, match="logit_scale"):
        pl.tuning_curves(trials)
    with pytest.raises(InputError, match="single value"):
        pl.tuning_curves(trials.assign(dimension=64), ["dimension"])
