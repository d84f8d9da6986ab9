"""`dnaclip train` and the function behind it: a file of pairs becomes a model folder, or nothing is left."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from dnaclip.cli import app
from dnaclip.models import DnaClip
from dnaclip.train import Recipe, _loop, train_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

Families = tuple[pd.DataFrame, np.ndarray]
MODEL_FILES = ["README.md", "config.json", "model.safetensors"]


@pytest.fixture
def place(families: Families, tmp_path: Path) -> Path:
    """Folder with the pairs, of which two are not informative, and the vectors of their texts."""
    pairs, vectors = families
    pairs.assign(informative=pairs.index >= 2).to_parquet(tmp_path / "pairs.parquet")
    np.save(tmp_path / "vectors.npy", vectors.astype(np.float16))
    return tmp_path


@pytest.fixture
def train(place: Path) -> Callable[..., Result]:
    def invoke(*arguments: str, **options: Any) -> Result:
        settings: dict[str, Any] = {
            "pairs": place / "pairs.parquet",
            "out": place / "model",
            "text-vectors": place / "vectors.npy",
        }
        settings |= {"max-epochs": 2, "batch-size": 32, "device": "cpu"} | options
        words = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
        return CliRunner().invoke(app, ["train", *words, "--no-progress", *arguments])

    return invoke


def left(place: Path) -> list[str]:
    return sorted(str(path.relative_to(place)) for path in place.rglob("*"))


def test_a_folder_with_its_card_is_written(train: Callable[..., Result], place: Path, families: Families) -> None:
    result = train("--held-out-species", "zebrafish", name="toy")
    assert result.exit_code == 0, result.output
    assert left(place) == ["model", *(f"model/{name}" for name in MODEL_FILES), "pairs.parquet", "vectors.npy"]
    assert f"Model written to {place / 'model'}." in result.output
    assert "dna->text" in result.output

    digest = hashlib.sha256((place / "pairs.parquet").read_bytes()).hexdigest()
    config = json.loads((place / "model/config.json").read_text())
    assert config["name"] == "toy"
    assert config["training"]["data"] == {"file": "pairs.parquet", "sha256": digest}
    assert config["training"]["held_out_species"] == ["zebrafish"]
    assert sum(config["training"]["pairs"].values()) == 142
    assert config["training"]["pairs"]["species"] == 24
    assert {row["part"] for row in config["metrics"]} == {"validation", "test", "species"}

    card = (place / "model/README.md").read_text()
    assert card.startswith("# toy\n")
    assert f"`pairs.parquet` (sha256 `{digest}`)" in card
    assert "24 species" in card
    assert "Held-out species: zebrafish. Seed 0." in card
    assert "Species: mouse 118; zebrafish 24." in card
    species = next(row for row in config["metrics"] if (row["part"], row["direction"]) == ("species", "dna->text"))
    row = next(line for line in card.splitlines() if line.startswith("| species | dna->text |"))
    assert f"| {species['accuracy@1']:.3f} |" in row
    assert species["accuracy@10"] > 2 * species["chance@10"] > 0

    model = DnaClip.load(place / "model")
    assert model.encode_dna(families[0]["sequence"][:3].tolist()).shape == (3, 128)
    # The two genes that say nothing are not remembered.
    assert len(model.dna.memory.index) == 142


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_function_and_command_agree(train: Callable[..., Result], place: Path) -> None:
    train()
    scores = train_folder(
        place / "pairs.parquet",
        place / "deep/other",
        text_vectors=place / "vectors.npy",
        max_epochs=2,
        batch_size=32,
        recipe=Recipe(),
        device="cpu",
        progress=False,
    )
    assert scores.index.names == ["part", "direction"]
    assert scores.columns[:3].tolist() == ["n_queries", "n_candidates", "accuracy@1"]
    weights = [digest(place / name / "model.safetensors") for name in ("model", "deep/other")]
    assert weights[0] == weights[1]


def test_rows_that_say_nothing_do_not_matter(train: Callable[..., Result], place: Path, families: Families) -> None:
    train()
    vectors = families[1].astype(np.float16)
    vectors[:2] = 100
    np.save(place / "vectors.npy", vectors)
    assert train(out=place / "other").exit_code == 0
    weights = [digest(place / name / "model.safetensors") for name in ("model", "other")]
    assert weights[0] == weights[1]


def test_an_earlier_model_is_replaced(train: Callable[..., Result], place: Path) -> None:
    train(name="first")
    assert train(name="second", remember="train").exit_code == 0
    config = json.loads((place / "model/config.json").read_text())
    assert config["name"] == "second"
    assert config["training"]["remembered_genes"] == "train"
    assert left(place) == ["model", *(f"model/{name}" for name in MODEL_FILES), "pairs.parquet", "vectors.npy"]


def test_an_interrupted_run_goes_on(train: Callable[..., Result], place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert train().exit_code == 0
    whole = digest(place / "model/model.safetensors")
    save, saved = _loop.save_checkpoint, []

    def interrupt(*args: Any, **options: Any) -> None:
        save(*args, **options)
        saved.append(args)
        if len(saved) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(_loop, "save_checkpoint", interrupt)
    assert train(out=place / "again").exit_code != 0
    assert (place / "again.checkpoint.safetensors").exists()
    assert not (place / "again").exists()

    refused = train(out=place / "again")
    assert refused.exit_code == 1
    assert "is there already. Use resume=True to go on from it" in " ".join(refused.stderr.split())
    assert train("--resume", out=place / "again").exit_code == 0
    assert len(saved) == 3
    assert digest(place / "again/model.safetensors") == whole
    assert not [name for name in left(place) if "checkpoint" in name]


def refuse(result: Result, message: str) -> None:
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 2, "what is wrong, and where to look"
    assert message in result.stderr


def test_what_cannot_be_used_leaves_nothing_behind(
    train: Callable[..., Result], place: Path, families: Families
) -> None:
    pairs, vectors = families
    pairs.drop(columns="sequence").to_parquet(place / "column.parquet")
    (place / "text.parquet").write_text("gene,sequence,text\n")
    np.save(place / "few.npy", vectors[:50])
    np.save(place / "many.npy", np.concatenate([vectors, vectors]))
    np.save(place / "flat.npy", vectors[:, 0])
    np.save(place / "objects.npy", np.array([{"a": 1}] * 144, dtype=object), allow_pickle=True)
    np.savez(place / "zip.npy.npz", vectors)
    (place / "mine").mkdir()
    (place / "mine/notes.txt").write_text("keep me")
    before = left(place)

    refuse(train(pairs=place / "no.parquet"), "There is no file ")
    refuse(
        train(pairs=place / "column.parquet"), "column.parquet lacks the columns 'sequence'; it has 'gene_id', 'text'"
    )
    refuse(train(pairs=place / "text.parquet"), "cannot be read as a Parquet table")
    for name in ("no.npy", "objects.npy", "zip.npy.npz", "text.parquet"):
        refuse(train(**{"text-vectors": place / name}), "cannot be read as a NumPy file (.npy) of numbers")
    for name, shape in (("few.npy", "(50, 16)"), ("many.npy", "(288, 16)"), ("flat.npy", "(144,)")):
        refuse(train(**{"text-vectors": place / name}), f"{name} holds an array of shape {shape} for the 144 rows")
    refuse(train(out=place / "mine"), "is there already and is not just a dnaclip model")
    refuse(train("--held-out-species", "yeti"), "held_out_species='yeti' is not known")
    refuse(train(remember="some"), "remember='some' is not known. Use one of: 'all', 'train'.")
    refuse(train(**{"batch-size": 500}), "batch_size=500 is more than the 121 training pairs")
    refuse(train(**{"max-epochs": 0}), "max_epochs must be a whole number of at least 1, got 0")
    refuse(train("--resume", device="toaster"), "toaster")
    assert left(place) == before
