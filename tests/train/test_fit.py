"""Training from a table of pairs, on protein families that only proteins tell apart."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import torch

from dnaclip._errors import InputError, MissingKeyError
from dnaclip.pp import split_pairs
from dnaclip.train import (
    History,
    Recipe,
    TrainConfig,
    _loop,
    fit,
    fit_prepared,
    memory_index,
    prepare_pairs,
)
from dnaclip.train._score import embed_prepared, score_parts

if TYPE_CHECKING:
    from pathlib import Path

    from dnaclip.models import DnaClip
    from dnaclip.train import PreparedPairs

Families = tuple[pd.DataFrame, np.ndarray]
RECIPE = Recipe(composition_hidden=(32,), text_hidden=(32,), training=TrainConfig(batch_size=32, max_epochs=5, lr=3e-3))


def run(families: Families, **options: Any) -> tuple[DnaClip, History]:
    pairs, vectors = families
    settings: dict[str, Any] = {"recipe": RECIPE, "text_vectors": vectors, "device": "cpu", "progress": False}
    return fit(pairs, **settings | options)


def weights(model: DnaClip) -> dict[str, torch.Tensor]:
    parts = {"composition": model.dna.composition, "attention": model.dna.attention, "text": model.text}
    return {f"{part}.{name}": value for part, one in parts.items() for name, value in one.state_dict().items()}


def equal_weights(one: DnaClip, other: DnaClip) -> bool:
    mine, theirs = weights(one), weights(other)
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.fixture(scope="module")
def split(families: Families) -> pd.DataFrame:
    return split_pairs(families[0], fractions=(0.7, 0.1, 0.2))


@pytest.fixture(scope="module")
def prepared(families: Families, split: pd.DataFrame) -> PreparedPairs:
    return prepare_pairs(families[0], split, text_vectors=families[1], progress=False)


@pytest.mark.parametrize("remember", ["train", "all"])
def test_held_out_genes_find_the_texts_of_their_family(families: Families, split: pd.DataFrame, remember: str) -> None:
    pairs, vectors = families
    model, history = run(families, split=split, remember=remember)
    test = (split["split"] == "test").to_numpy()
    family = pairs["family"].to_numpy()
    dna = model.encode_dna(pairs["sequence"][test].tolist())
    nearest = (dna @ model.project_text(vectors[~test]).T).argmax(1)
    # Chance is 1/12.
    assert (family[~test][nearest] == family[test]).mean() > 0.8
    assert history.table["epoch"].tolist() == [0, 1, 2, 3, 4, 5]
    assert history.best_loss < 0.8 * history.table["validation_loss"][0]


def test_the_same_seed_gives_the_same_model(families: Families) -> None:
    one, again, other = (run(families, rng=seed)[0] for seed in (1, 1, 2))
    assert equal_weights(one, again)
    assert not equal_weights(one, other)
    genes = families[0]["sequence"].tolist()
    np.testing.assert_array_equal(one.encode_dna(genes), again.encode_dna(genes))
    assert equal_weights(one, run(families, rng=np.random.default_rng(1))[0])


def test_what_is_remembered_changes_no_weight(families: Families, split: pd.DataFrame) -> None:
    everything, only_train = (run(families, split=split, remember=remember)[0] for remember in ("all", "train"))
    assert equal_weights(everything, only_train)
    assert everything.dna.gate == only_train.dna.gate
    np.testing.assert_array_equal(everything.dna.mean, only_train.dna.mean)
    assert len(everything.dna.memory.index) == len(families[0])
    assert len(only_train.dna.memory.index) == (split["split"] == "train").sum()
    assert everything.config["training"]["remembered_genes"] == "all"


def test_texts_that_no_weight_was_fitted_to_do_not_matter(families: Families, split: pd.DataFrame) -> None:
    """Nothing of the test part may leak into training: other vectors there, same weights."""
    pairs, vectors = families
    changed = vectors.copy()
    changed[(split["split"] == "test").to_numpy()] = np.random.default_rng(8).normal(size=16)
    model = run(families, split=split)[0]
    assert equal_weights(model, run((pairs, changed), split=split)[0])


def test_features_are_standardised_on_training_genes(prepared: PreparedPairs) -> None:
    model = fit_prepared(prepared, recipe=RECIPE, device="cpu", progress=False)[0]
    train = prepared.features.composition[prepared.rows("train")]
    np.testing.assert_allclose(model.dna.mean, train.mean(0), atol=1e-6)
    np.testing.assert_allclose(model.dna.scale, train.std(0) + 1e-3, atol=1e-6)


def test_a_training_gene_does_not_see_its_cluster(families: Families) -> None:
    pairs, vectors = families
    copies = pd.concat([pairs, pairs.assign(text=pairs["text"] + " again")], ignore_index=True)
    split = split_pairs(copies)
    prepared = prepare_pairs(copies, split, text_vectors=np.concatenate([vectors] * 2), progress=False)
    train = prepared.rows("train")
    ids = prepared.neighbours.ids[train]
    cluster = split["cluster"].to_numpy()
    found = np.where(ids >= 0, cluster[prepared.memory_rows[ids]], -1)
    assert (found != cluster[train][:, None]).all()
    assert (ids >= 0).any(1).mean() > 0.9
    # Others see all of the memory, which holds training genes only.
    assert (prepared.split[prepared.memory_rows] == "train").all()


def test_memory_holds_one_of_equal_genes(families: Families, prepared: PreparedPairs) -> None:
    n = len(families[0])
    copies, texts = np.arange(n) // 2, np.arange(n) // 4
    rows, index = memory_index(prepared.features, np.arange(20), copies, texts, np.arange(n), seeds_per_gene=None)
    assert rows.tolist() == list(range(0, 20, 2))
    assert len(index) == 10
    small = memory_index(prepared.features, np.arange(20), copies, texts, np.arange(n), seeds_per_gene=9)[1]
    assert small.seeds.getnnz(axis=1).max() == 9


def test_preparation_keeps_one_vector_per_text(families: Families, split: pd.DataFrame) -> None:
    pairs, vectors = families
    shared = pairs.assign(text=["a", "b", "a"] * 48)
    prepared = prepare_pairs(shared, split, text_vectors=vectors, progress=False)
    np.testing.assert_array_equal(prepared.texts, vectors[:2])
    assert prepared.text_of.tolist() == [0, 1, 0] * 48


def test_scores_look_at_training_genes_only(families: Families, split: pd.DataFrame, prepared: PreparedPairs) -> None:
    models = [
        fit_prepared(prepared, recipe=RECIPE, remember=r, device="cpu", progress=False)[0] for r in ("all", "train")
    ]
    scores = [score_parts(model, prepared) for model in models]
    pd.testing.assert_frame_equal(scores[0], scores[1])
    assert scores[0].index.get_level_values("part").unique().tolist() == ["validation", "test"]
    found = scores[0].loc["test"].loc["dna->text"]
    assert found["n_candidates"] == (split["split"] == "test").sum()
    assert found["accuracy@10"] > 1.5 * found["chance@10"]
    # What is scored is what a model that remembers only training genes gives from sequences.
    rows = prepared.rows("test")
    dna, text = embed_prepared(models[1], prepared, rows)
    pairs, vectors = families
    np.testing.assert_allclose(dna, models[1].encode_dna(pairs["sequence"].iloc[rows].tolist()), atol=1e-5)
    np.testing.assert_allclose(text, models[1].project_text(vectors[rows]), atol=1e-6)


def test_an_interrupted_run_goes_on(
    families: Families, split: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, history = run(families, split=split)
    path = tmp_path / "run.safetensors"
    save, saved = _loop.save_checkpoint, []

    def interrupt(*args: Any, **options: Any) -> None:
        save(*args, **options)
        saved.append(args)
        if len(saved) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(_loop, "save_checkpoint", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(families, split=split, checkpoint=path)
    resumed, again = run(families, split=split, checkpoint=path, resume=True)
    assert len(saved) == 6  # epochs 0 to 5, none of them twice
    assert equal_weights(whole, resumed)
    assert again.table["validation_loss"].tolist() == history.table["validation_loss"].tolist()
    other = replace(RECIPE, training=replace(RECIPE.training, lr=0.5))
    with pytest.raises(InputError, match="belongs to another run; what differs: .*lr"):
        run(families, split=split, checkpoint=path, resume=True, recipe=other)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"remember": "some"}, "remember='some' is not known. Use one of: 'all', 'train'."),
        ({"rng": "seven"}, "rng must be an int"),
        ({"recipe": replace(RECIPE, training=TrainConfig())}, "batch_size=1024 is more than the 122 training pairs"),
        ({"text_vectors": np.ones((7, 16))}, "text_vectors has 7 rows for 144 pairs. Give one row per pair"),
        ({"text_vectors": np.full((144, 16), np.nan)}, "not finite in 144 rows: 0, 1, 2, 3, 4 ..."),
        (
            {"split": pd.DataFrame({"cluster": [0], "near_copies": [0], "split": ["train"]})},
            "144 pairs and 1 rows of the split",
        ),
        ({"device": "toaster"}, "toaster"),
    ],
)
def test_what_cannot_be_used_is_refused(families: Families, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(families, **change)


def test_bad_tables_are_refused(families: Families, prepared: PreparedPairs, split: pd.DataFrame) -> None:
    pairs, vectors = families
    with pytest.raises(MissingKeyError, match="'text'"):
        run((pairs.drop(columns="text"), vectors))
    with pytest.raises(MissingKeyError, match="lacks the columns 'cluster', 'near_copies'; it has 'split'"):
        run(families, split=split[["split"]])
    text = pairs["text"].mask(pairs.index.isin([3, 5]))
    with pytest.raises(InputError, match=r"2 of 144 pairs have no text: rows 3, 5\. Drop them\."):
        run((pairs.assign(text=text), vectors))
    broken = pairs.assign(sequence=pairs["sequence"].where(pairs.index != 4, "ACGT*"))
    with pytest.raises(InputError, match="Gene 'gene4' has '\\*' at position 5"):
        run((broken, vectors), split=split)
    with pytest.raises(InputError, match="remember='none' is not known"):
        fit_prepared(prepared, remember="none")
    noncoding = ["".join(np.random.default_rng(i).choice(["TAA", "T", "TGA"], 60)) for i in range(144)]
    with pytest.raises(InputError, match="None of the 101 training genes has an open reading frame longer than chance"):
        run((pairs.assign(sequence=noncoding), vectors), split=split)


@pytest.mark.parametrize("loss", ["siglip", "penalized_clip"])
def test_the_other_losses_learn_too(loss: str, families: Families, split: pd.DataFrame) -> None:
    model, history = run(families, split=split, recipe=replace(RECIPE, loss=loss))
    assert history.best_loss < 0.8 * history.table["validation_loss"][0]
    assert model.config["recipe"]["loss"] == loss
    assert not equal_weights(model, run(families, split=split)[0])
