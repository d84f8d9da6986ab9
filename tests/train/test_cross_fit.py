"""Cross-fitting: what a fold's network tells about genes it did not see."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dnaclip.pp import split_pairs
from dnaclip.train import Recipe, TrainConfig, cross_fit_composition, fit_prepared, prepare_pairs

RECIPE = Recipe(
    composition_hidden=(32,),
    composition_dropout=0.0,
    text_hidden=(16,),
    training=TrainConfig(batch_size=32, max_epochs=30, patience=None, warmup_epochs=0, lr=3e-3),
)


@pytest.fixture(scope="module")
def trained():
    rng = np.random.default_rng(0)
    codons = [a + b + c for a in "ACG" for b in "ACGT" for c in "ACGT"]
    sequences = ["".join(rng.choice(codons, 60)) for _ in range(120)]
    pairs = pd.DataFrame({"sequence": sequences, "text": [f"gene {i}" for i in range(120)]})
    prepared = prepare_pairs(
        pairs, split_pairs(pairs), text_vectors=rng.normal(size=(120, 16)).astype(np.float32), progress=False
    )
    model, _ = fit_prepared(prepared, recipe=RECIPE, device="cpu", progress=False)
    return model, prepared


def cross_fitted(model, prepared, **options):
    return cross_fit_composition(
        model,
        prepared.features.composition,
        prepared.texts,
        text_of=prepared.text_of,
        cluster=prepared.cluster,
        recipe=RECIPE,
        device="cpu",
        progress=False,
        **options,
    )


def test_unrelated_genes_are_remembered_by_the_model_but_not_across_folds(trained):
    model, prepared = trained
    train = prepared.rows("train")
    text = model.project_text(prepared.texts[prepared.text_of])
    remembered = (model.dna.from_composition(prepared.features.composition) * text).sum(1)[train]
    honest = (cross_fitted(model, prepared) * text).sum(1)[train]
    assert remembered.mean() > 0.15, "a network knows random genes that it was trained on"
    assert abs(honest.mean()) < 0.05


def test_rows_have_length_one_and_the_seed_decides(trained):
    model, prepared = trained
    first, again, other = (cross_fitted(model, prepared, n_folds=3, rng=seed) for seed in (0, 0, 1))
    assert first.shape == (120, 128)
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
