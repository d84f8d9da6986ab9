"""Laws that metrics keep whatever they are given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnaclip.metrics import (
    classification,
    clustering,
    e_distance,
    expression,
    perturbation,
    retrieval,
    retrieval_hits,
    viability,
)

SEEDS = st.integers(0, 2**32 - 1)
QUICK = settings(max_examples=30)


@QUICK
@given(SEEDS, st.integers(2, 40), st.integers(2, 6))
def test_accuracy_grows_with_k_up_to_one(seed: int, n: int, d: int) -> None:
    rng = np.random.default_rng(seed)
    dna, text = rng.normal(size=(2, n, d))
    found = retrieval(dna, text, ks=(1, 2, n))
    assert 0 <= found["accuracy@1"] <= found["accuracy@2"] <= found[f"accuracy@{n}"] == 1


@QUICK
@given(SEEDS, st.integers(2, 30))
def test_retrieval_does_not_ask_in_which_order_genes_come(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    # Few distinct values: many ties.
    dna, text = rng.integers(-1, 2, size=(2, n, 3)) + 0.5
    order = rng.permutation(n)
    straight = retrieval_hits(dna, text, ks=(1, 2))
    shuffled = retrieval_hits(dna[order], text[order], ks=(1, 2))
    np.testing.assert_allclose(shuffled.to_numpy(), straight.to_numpy()[order], atol=1e-12)


@QUICK
@given(SEEDS, st.integers(2, 30), st.floats(0.01, 100))
def test_retrieval_knows_directions_only(seed: int, n: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    dna, text = rng.normal(size=(2, n, 4))
    lengths = rng.uniform(0.1, 10, size=(n, 1))
    assert retrieval(dna * lengths, text * scale, ks=(1, 3)) == retrieval(dna, text, ks=(1, 3))


@QUICK
@given(SEEDS, st.integers(6, 40))
def test_names_of_classes_do_not_matter_for_clusters(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    embedding, labels = rng.normal(size=(n, 3)), np.arange(n) % 3
    named = np.array(["z", "a", "m"])[labels]
    assert clustering(embedding, named, n_clusters=3, rng=0) == pytest.approx(
        clustering(embedding, labels, n_clusters=3, rng=0)
    )


@QUICK
@given(SEEDS, st.integers(2, 12), st.integers(2, 12), st.floats(-50, 50))
def test_energy_distance_is_symmetric_and_does_not_see_where_zero_is(seed: int, n: int, m: int, shift: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(n, 3)), rng.normal(size=(m, 3))
    assert e_distance(b, a) == pytest.approx(e_distance(a, b), abs=1e-9)
    assert e_distance(a + shift, b + shift) == pytest.approx(e_distance(a, b), abs=1e-9)


@QUICK
@given(SEEDS, st.integers(4, 60))
def test_ranking_metrics_see_the_order_of_scores_only(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    scores, labels = rng.normal(size=n), np.arange(n) % 2
    straight = classification(scores, labels)
    assert classification(np.exp(scores), labels) == pytest.approx(straight)
    assert classification(-scores, labels)["auroc"] == pytest.approx(1 - straight["auroc"])


def screen(seed: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
    rng = np.random.default_rng(seed)
    observed, predicted = rng.normal(size=(2, n, 30))
    options = {"names": [f"p{i}" for i in range(n)], "targets": [[i] for i in range(n)], "min_cells": 0}
    return predicted, observed, rng.normal(size=30), options


@QUICK
@given(SEEDS, st.integers(2, 12))
def test_a_perfect_prediction_has_perfect_scores(seed: int, n: int) -> None:
    _, observed, control, options = screen(seed, n)
    table = perturbation(observed, observed, control, **options)
    values = table[table["status"] == "ok"].groupby("metric")["value"]
    assert values.min()["pcc_delta"] == pytest.approx(1)
    assert values.max()["mse"] == pytest.approx(0, abs=1e-12)
    assert values.min()["discrimination"] == 1


@QUICK
@given(SEEDS, st.integers(3, 10))
def test_scores_of_perturbations_do_not_ask_for_their_order(seed: int, n: int) -> None:
    predicted, observed, control, options = screen(seed, n)
    straight = perturbation(predicted, observed, control, **options)
    order = np.random.default_rng(seed).permutation(n)
    moved = {**options, **{key: [options[key][i] for i in order] for key in ("names", "targets")}}
    shuffled = perturbation(predicted[order], observed[order], control, **moved)
    key = ["perturbation", "metric"]
    one, other = (table.set_index(key)["value"].sort_index() for table in (straight, shuffled))
    np.testing.assert_allclose(other.to_numpy(float), one.to_numpy(float), rtol=1e-9, atol=1e-12)


@QUICK
@given(SEEDS, st.integers(3, 20), st.floats(0.1, 10), st.floats(-5, 5))
def test_correlations_of_expression_do_not_see_units(seed: int, n: int, scale: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    predicted, observed = rng.normal(size=(2, 3, n))
    plain, other = expression(predicted, observed), expression(predicted * scale + shift, observed)
    rows = plain["metric"] == "cell_pcc"
    np.testing.assert_allclose(other[rows]["value"].to_numpy(float), plain[rows]["value"].to_numpy(float), atol=1e-7)


@QUICK
@given(SEEDS, st.integers(3, 10), st.integers(3, 10))
def test_viability_scores_leave_out_what_was_not_observed(seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    predicted, observed = rng.normal(size=(2, n, m))
    wider = np.column_stack([observed, np.full(n, np.nan)])
    one = viability(predicted, observed).query("scope == 'overall'")["value"].to_numpy(float)
    other = viability(np.column_stack([predicted, rng.normal(size=n)]), wider).query("scope == 'overall'")["value"]
    np.testing.assert_allclose(other.to_numpy(float), one, atol=1e-12)
