"""A trained model: encode, save, load."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import torch

from dnaclip import models
from dnaclip._errors import InputError, MissingKeyError
from dnaclip.encoders import sequence_features
from dnaclip.models import DnaClip
from dnaclip.train import Recipe, TrainConfig, fit

if TYPE_CHECKING:
    from pathlib import Path

NONCODING = "TAATTAACTGACTAGATAATTAACTAGCTGA" * 4  # stops in all three frames


@pytest.fixture(scope="module")
def vectors(families: tuple[pd.DataFrame, np.ndarray]) -> np.ndarray:
    return families[1]


@pytest.fixture(scope="module")
def sequences(families: tuple[pd.DataFrame, np.ndarray]) -> list[str]:
    return families[0]["sequence"].tolist()


@pytest.fixture(scope="module")
def model(families: tuple[pd.DataFrame, np.ndarray]) -> DnaClip:
    pairs, vectors = families
    training = TrainConfig(batch_size=32, max_epochs=3, lr=3e-3)
    recipe = Recipe(composition_hidden=(16,), text_hidden=(16,), training=training)
    return fit(pairs, recipe=recipe, text_vectors=vectors, device="cpu", progress=False)[0]


@pytest.fixture(scope="module")
def folder(model: DnaClip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model.save(tmp_path_factory.mktemp("saved") / "model", card="# Toy")


def test_rows_have_length_one(model: DnaClip, sequences: list[str], vectors: np.ndarray) -> None:
    for embedding in (model.encode_dna(sequences[:5]), model.project_text(vectors[:5])):
        assert embedding.shape == (5, 128)
        assert embedding.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, atol=1e-5)
    assert model.modalities == ("dna", "text")
    assert model.dimension == 128


def test_company_and_order_do_not_matter(model: DnaClip, sequences: list[str]) -> None:
    genes = [*sequences[::9], NONCODING]
    whole = model.encode_dna(genes)
    np.testing.assert_allclose(model.encode_dna(genes, batch_size=3), whole, atol=1e-5)
    np.testing.assert_allclose(model.encode_dna(genes[::-1])[::-1], whole, atol=1e-5)
    np.testing.assert_allclose(model.encode_dna(genes[4:5]), whole[4:5], atol=1e-5)
    # Any container of strings, and any spelling of DNA.
    np.testing.assert_array_equal(model.encode_dna(tuple(genes)), whole)
    series: Any = pd.Series(genes, index=range(5, 5 + len(genes)))
    np.testing.assert_array_equal(model.encode_dna(series), whole)
    np.testing.assert_array_equal(model.encode_dna([gene.lower().replace("t", "u") for gene in genes]), whole)


def test_no_genes_give_no_rows(model: DnaClip, vectors: np.ndarray) -> None:
    assert model.encode_dna([]).shape == (0, 128)
    assert model.encode_dna([]).dtype == np.float32
    assert model.project_text(vectors[:0]).shape == (0, 128)


def test_bad_sequences_are_named(model: DnaClip, sequences: list[str]) -> None:
    with pytest.raises(InputError, match=r"single string. Pass a list with one string a gene: \[sequence\]"):
        model.encode_dna(sequences[0])
    broken = [*sequences[:4], "ACGTJACGT"]
    for batch_size in (2, 100):  # also when the gene is not in the first block
        with pytest.raises(InputError, match=r"Gene number 4 has 'J' at position 5"):
            model.encode_dna(broken, batch_size=batch_size)
        with pytest.raises(InputError, match=r"Gene 'e' has 'J' at position 5"):
            model.encode_dna(broken, names=list("abcde"), batch_size=batch_size)
    with pytest.raises(InputError, match="batch_size must be a whole number of at least 1, got 0"):
        model.encode_dna(sequences, batch_size=0)


def test_genes_without_relatives_have_their_composition_only(model: DnaClip, sequences: list[str]) -> None:
    features = sequence_features([NONCODING, sequences[0]])
    composition = model.dna.from_composition(features.composition)
    embedding = model.encode_dna([NONCODING, sequences[0]])
    np.testing.assert_allclose(embedding[0], composition[0], atol=1e-5)
    assert embedding[1] @ composition[1] < 0.99


def test_text_goes_through_the_frozen_encoder(model: DnaClip, vectors: np.ndarray) -> None:
    class Frozen:
        def encode(self, texts: list[str], **options: Any) -> np.ndarray:
            assert options == {"batch_size": 7, "progress": False}
            return vectors[[int(text) for text in texts]]

    with_text: Any = DnaClip(model.dna, model.text, model.config, text_encoder=Frozen())  # type: ignore[arg-type]
    np.testing.assert_array_equal(with_text.encode_text(["3", "1"], batch_size=7), model.project_text(vectors[[3, 1]]))
    with pytest.raises(InputError, match=r"vectors must have the shape \(n, 16\), got \(2, 5\)"):
        model.project_text(np.ones((2, 5)))


def test_saved_model_is_the_same(model: DnaClip, folder: Path, sequences: list[str], vectors: np.ndarray) -> None:
    loaded = DnaClip.load(folder)
    before, after = model.encode_dna([*sequences, NONCODING]), loaded.encode_dna([*sequences, NONCODING])
    # Vectors of the memory are stored at a cosine of .99; averages over relatives come closer.
    assert (before * after).sum(1).mean() > 0.996
    assert (before * after).sum(1).min() > 0.99
    assert before[-1] @ after[-1] > 0.9999
    np.testing.assert_allclose(loaded.project_text(vectors), model.project_text(vectors), atol=2e-3)
    assert loaded.config["name"] == "my-dnaclip"
    assert {**model.config, "architecture": None} == {
        **{key: loaded.config[key] for key in model.config},
        "architecture": None,
    }
    assert loaded.dna.gate == model.dna.gate
    assert (loaded.dna.memory.index.seeds != model.dna.memory.index.seeds).nnz == 0


def test_a_model_saved_again_keeps_its_numbers(folder: Path, tmp_path: Path, sequences: list[str]) -> None:
    once = DnaClip.load(folder)
    twice = DnaClip.load(once.save(tmp_path / "again", card="# Toy"))
    np.testing.assert_allclose(twice.encode_dna(sequences[:20]), once.encode_dna(sequences[:20]), atol=1e-3)


def test_folder_holds_three_files_and_no_text_or_sequence(folder: Path, families: Any) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    config = json.loads((folder / "config.json").read_text())
    assert config["dimension"] == 128
    assert config["text_encoder"] == "all-MiniLM-L6-v2"
    assert config["training"]["pairs"] == {"test": 15, "train": 122, "validation": 7}
    content = b"".join(path.read_bytes() for path in folder.iterdir())
    assert b"family" not in content
    assert families[0]["sequence"][0][:30].encode() not in content


@pytest.mark.parametrize("damage", ["flip", "cut", "config", "remove", "architecture"])
def test_damaged_folder_is_refused(folder: Path, tmp_path: Path, damage: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    weights, config = copy / "model.safetensors", copy / "config.json"
    content = bytearray(weights.read_bytes())
    if damage == "flip":
        content[-100] ^= 1
        weights.write_bytes(content)
    elif damage == "cut":
        weights.write_bytes(content[:-100])
    elif damage == "config":
        config.write_text(config.read_text().replace('"n_neighbours": 16', '"n_neighbours": 17'))
    elif damage == "remove":
        weights.unlink()
    else:  # a sound folder of another kind of model
        models.save_folder(copy, {"w": torch.ones(2)}, {"name": "other"}, "# Other")
    with pytest.raises(InputError, match=r"cannot be read as a dnaclip model|do not fit the architecture"):
        DnaClip.load(copy)


def test_weights_of_another_shape_are_refused(folder: Path, tmp_path: Path) -> None:
    config, tensors = models.load_folder(folder)
    config["architecture"]["text"]["in_dim"] = 17
    models.save_folder(tmp_path / "model", tensors, config, "# Changed")
    with pytest.raises(
        InputError, match=r"(?s)do not fit the architecture in its config.json \(.*size mismatch"
    ) as caught:
        DnaClip.load(tmp_path / "model")
    assert str(caught.value).endswith("Fetch or train the model again.")


class TestPretrained:
    """The model that comes with the package."""

    def test_default(self) -> None:
        model = models.load_pretrained()
        genes = ["ATGGCTAAGTCTGAACTGGGC" * 20, NONCODING]
        embedding = model.encode_dna(genes)
        assert embedding.shape == (2, 128)
        assert embedding.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, atol=1e-5)
        assert model.config["name"] == "dnaclip-base"
        text = model.project_text(np.random.default_rng(0).normal(size=(3, 384)))
        assert text.shape == (3, 128)
        np.testing.assert_array_equal(models.load_pretrained("dnaclip-base").encode_dna(genes), embedding)

    def test_unknown_name(self) -> None:
        with pytest.raises(MissingKeyError) as caught:
            models.load_pretrained("dnaclip-giant")
        assert str(caught.value) == "There is no pretrained model 'dnaclip-giant'. There are: 'dnaclip-base'."

    def test_list(self) -> None:
        table = models.list_pretrained()
        assert table.index.name == "name"
        assert table.columns.tolist() == ["dimension", "bytes", "licence"]
        base = table.loc["dnaclip-base"]
        assert base["dimension"] == 128
        assert base["licence"] == "BSD-3-Clause"
        assert 10**6 < base["bytes"] < 40 * 10**6
