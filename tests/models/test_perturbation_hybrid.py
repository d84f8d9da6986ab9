"""The stack: what it weighs in which situation, and that it is never far from its best part."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from dnaclip.errors import InputError
from dnaclip.models import MEAN_METHODS, Hybrid, IdentityRidge
from dnaclip.models._perturbation.evidence import PRIOR_ROWS, Evidence
from dnaclip.models._perturbation.folds import SITUATIONS, inner_folds, situations
from dnaclip.models._perturbation.means import Shifts


def shifts(conditions: list[tuple[str, ...]], contexts: list[int] | None = None) -> Shifts:
    n = len(conditions)
    where = np.zeros(n, dtype=np.int64) if contexts is None else np.array(contexts)
    return Shifts(np.zeros((n, 1)), tuple(conditions), np.ones(n), where)


def test_situations() -> None:
    training = shifts([("A",), ("B", "C"), ("D",)], [0, 0, 1])
    asked = [("A",), ("A",), ("A", "B"), ("A", "X"), ("X",), ("B", "C")]
    found = situations(asked, np.array([1, 0, 0, 0, 0, 7]), training)
    assert [SITUATIONS[i] for i in found] == [
        "elsewhere",
        "all genes seen",
        "all genes seen",
        "some genes seen",
        "no gene seen",
        "elsewhere",
    ]


def test_inner_folds_hold_out_genes_conditions_and_contexts() -> None:
    conditions = [("A",), ("B",), ("C",), ("D",), ("A", "B"), ("C", "D")] * 2
    data = shifts(conditions, [0] * 6 + [1] * 6)
    folds = list(inner_folds(data, 3))
    assert len(folds) == 3 + 3 + 2
    for fit, test in folds:
        assert sorted([*fit, *test]) == list(range(12))
    for fit, test in folds[:3]:
        fitted = {g for i in fit for g in conditions[i]}
        assert all(not set(conditions[i]) <= fitted for i in test)
    for fit, test in folds[:6]:
        assert not {conditions[i] for i in fit} & {conditions[i] for i in test}
    assert {SITUATIONS[s] for fit, test in folds[3:6] for s in where(data, fit, test)} > {"all genes seen"}
    assert {SITUATIONS[s] for fit, test in folds[6:] for s in where(data, fit, test)} == {"elsewhere"}
    # Singles alone cannot be told by other conditions with the same gene: one kind of fold is enough.
    assert len(list(inner_folds(shifts([("A",), ("B",), ("C",)]), 3))) == 3
    assert not list(inner_folds(shifts([("A",)]), 5))


def where(data: Shifts, fit: np.ndarray, test: np.ndarray) -> list[int]:
    asked = data.take(test)
    return situations(asked.conditions, asked.contexts, data.take(fit)).tolist()


def test_weights_are_the_constrained_least_squares() -> None:
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(3, 400, 20))
    observed = 0.7 * parts[1] + 0.3 * parts[2] + 0.01 * rng.normal(size=(400, 20))
    weights = Evidence.of(observed, parts).weights(np.eye(3)[0])
    share = PRIOR_ROWS / 400
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    # The parts are orthogonal, so the fallback is a plain average with the least squares.
    np.testing.assert_allclose(weights, [share / (1 + share), 0.7 / (1 + share), 0.3 / (1 + share)], atol=0.02)


def test_little_evidence_leaves_the_weight_where_it_was() -> None:
    rng = np.random.default_rng(1)
    parts = rng.normal(size=(3, 1, 20))
    fallback = np.array([1.0, 0.0, 0.0])
    assert Evidence.of(parts[1], parts).weights(fallback)[0] > 0.9
    np.testing.assert_array_equal(Evidence.none(3, 20).weights(fallback), fallback)


def test_a_change_needs_a_gain_beyond_noise() -> None:
    rng = np.random.default_rng(7)
    noise = rng.normal(size=(2, 200, 20))
    observed = rng.normal(size=(200, 20))
    first, second = np.eye(2)
    # The same error, and one that is smaller by a tenth.
    alike = Evidence.of(observed, observed + noise)
    smaller = Evidence.of(observed, np.stack([observed + noise[0], observed + 0.95 * noise[1]]))
    np.testing.assert_array_equal(alike.better(second, first), first)
    np.testing.assert_array_equal(smaller.better(second, first), second)
    np.testing.assert_array_equal(smaller.better(first, second), second)
    one_row = Evidence.of(observed[:1], np.stack([noise[0, :1], observed[:1]]))
    np.testing.assert_array_equal(one_row.better(second, first), first)


def test_between_two_is_where_the_error_is_smallest_and_halfway_without_evidence() -> None:
    rng = np.random.default_rng(9)
    one, other = np.eye(2)
    parts = rng.normal(size=(2, 500, 20))
    observed = 0.8 * parts[0] + 0.2 * parts[1] + 0.1 * rng.normal(size=(500, 20))
    prior = PRIOR_ROWS / (500 + PRIOR_ROWS)
    found = Evidence.of(observed, parts).between(one, other)
    np.testing.assert_allclose(found, [0.8 - 0.3 * prior, 0.2 + 0.3 * prior], atol=0.01)
    np.testing.assert_allclose(Evidence.none(2, 20).between(one, other), [0.5, 0.5])
    # Never beyond either of them.
    assert Evidence.of(-3 * parts[0], parts).between(one, other).tolist() == [0, 1]


def test_evidence_adds_up() -> None:
    rng = np.random.default_rng(2)
    observed, parts = rng.normal(size=(10, 4)), rng.normal(size=(3, 10, 4))
    both = Evidence.of(observed[:3], parts[:, :3]) + Evidence.of(observed[3:], parts[:, 3:])
    pcc, mse = both.scores()
    np.testing.assert_allclose(mse, ((parts - observed) ** 2).mean(axis=(1, 2)))
    assert pcc[1] == pytest.approx(np.mean([np.corrcoef(p, o)[0, 1] for p, o in zip(parts[1], observed, strict=True)]))
    weights = np.array([0.2, 0.5, 0.3])
    noise = ((np.einsum("p,pmg->mg", weights, parts) - observed) ** 2).mean(axis=0)
    np.testing.assert_allclose(both.noise(weights), noise)


def lines(seed: int = 3) -> tuple[np.ndarray, list[tuple[str, ...]], dict[str, np.ndarray], list[int]]:
    """60 genes in three contexts that share everything but noise; vectors say nothing."""
    rng = np.random.default_rng(seed)
    genes = [f"g{i}" for i in range(60)]
    effect = rng.normal(size=(60, 15))
    deltas = np.concatenate([effect + 0.2 * rng.normal(size=effect.shape) for _ in range(3)])
    conditions: list[tuple[str, ...]] = [(g,) for g in genes * 3]
    return deltas, conditions, {g: rng.normal(size=4) for g in genes}, [i // 60 for i in range(180)]


def test_other_contexts_take_over_where_they_foretell() -> None:
    deltas, conditions, vectors, contexts = lines()
    method = Hybrid().fit(deltas, conditions, vectors, contexts=contexts)
    parts = method.parts_
    assert list(parts.columns) == ["situation", "part", "n_left_out", "pcc", "mse", "weight"]
    np.testing.assert_allclose(parts.groupby("situation")["weight"].sum(), 1)
    elsewhere = parts[parts["situation"] == "elsewhere"].set_index("part")
    assert elsewhere["n_left_out"].unique() == [180]
    assert elsewhere["pcc"].loc["other_context"] > 0.95
    predicted = method.predict(conditions[:60], contexts=[9] * 60)
    assert np.corrcoef(predicted.ravel(), deltas[:60].ravel())[0, 1] > 0.95


def test_vectors_that_say_nothing_give_the_mean_for_unseen_genes() -> None:
    deltas, conditions, vectors, _ = lines()
    method = Hybrid().fit(deltas[:50], conditions[:50], vectors)
    predicted = method.predict(conditions[50:60])
    mean = deltas[:50].mean(axis=0)
    assert np.square(predicted - mean).mean() < 0.2 * np.square(deltas[50:60] - mean).mean()


def test_standard_deviation_by_situation() -> None:
    deltas, conditions, vectors, contexts = lines()
    method = Hybrid().fit(deltas, conditions, vectors, contexts=contexts)
    known, unknown = method.predict_std([("g0",), ("new",)], contexts=[9, 0])
    assert 0.15 < known.mean() < 0.35
    assert 0.9 < unknown.mean() < 1.3
    alone = Hybrid().fit(deltas[:1], conditions[:1], vectors)
    assert np.isnan(alone.predict_std([("g1",)])).all()
    # Nothing tells how far other genes have to do with this one.
    np.testing.assert_allclose(alone.predict([("g1",)]), deltas[:1] / 2, rtol=1e-6)


def test_order_of_rows_changes_nothing() -> None:
    deltas, conditions, vectors, _ = lines()
    conditions = [*conditions[:20], *[tuple(sorted((f"g{i}", f"g{i + 7}"))) for i in range(15)]]
    order = np.random.default_rng(5).permutation(35)
    asked = [("g30",), ("g2", "g30"), ("g1", "g2")]
    straight = Hybrid().fit(deltas[:35], conditions, vectors).predict(asked)
    shuffled = Hybrid().fit(deltas[:35][order], [conditions[i] for i in order], vectors).predict(asked)
    np.testing.assert_allclose(shuffled, straight, atol=1e-5)


def test_folds_are_checked() -> None:
    with pytest.raises(InputError, match="n_folds must be a whole number of at least 2, got 1"):
        Hybrid(n_folds=1)


def test_never_far_from_the_best_part_on_real_pairs() -> None:
    ad = pytest.importorskip("anndata")
    path = Path(os.environ.get("DNACLIP_SHARED_DATA", "../shared/data")) / "cells" / "norman_k562_devel.h5ad"
    if not path.exists():
        pytest.skip(f"{path} is not there; DNACLIP_SHARED_DATA names the folder of shared data")
    adata = ad.read_h5ad(path)
    condition = adata.obs["condition"].astype(str).to_numpy()
    means = {name: np.asarray(adata.X[condition == name].mean(axis=0)).ravel() for name in np.unique(condition)}
    control = means.pop("ctrl")
    deltas = np.stack(list(means.values())) - control
    conditions = [tuple(sorted(set(name.split("+")) - {"ctrl"})) for name in means]
    rng = np.random.default_rng(0)
    vectors = {gene: rng.normal(size=16) for condition in conditions for gene in condition}
    order = rng.permutation(len(conditions))
    errors: dict[str, list[float]] = {"hybrid": [], "ridge": [], "identity": [], "perturbed_mean": []}
    for fold in range(5):
        test = order[fold::5]
        train = np.setdiff1d(order, test)
        for name, collected in errors.items():
            method = MEAN_METHODS[name]().fit(deltas[train], [conditions[i] for i in train], vectors)
            collected += np.square(method.predict([conditions[i] for i in test]) - deltas[test]).mean(axis=1).tolist()
    mean = {name: np.mean(collected) for name, collected in errors.items()}
    assert mean["hybrid"] < 0.9 * mean["perturbed_mean"]
    assert mean["hybrid"] < 1.05 * min(mean.values())


def test_few_conditions_give_identities_and_a_shrunken_mean() -> None:
    deltas, conditions, vectors, _ = lines()
    few = Hybrid().fit(deltas[:3], conditions[:3], vectors)
    ridge = IdentityRidge().fit(deltas[:3], conditions[:3], vectors)
    np.testing.assert_allclose(few.predict([("g0", "g1")]), ridge.predict([("g0", "g1")]), rtol=1e-6)
    share = few.predict([("g9",)])[0] / deltas[:3].mean(axis=0)
    assert np.ptp(share) < 1e-5
    assert 0.3 < share[0] < 0.6


def test_vectors_that_foretell_singles_also_serve_pairs_though_none_was_seen() -> None:
    rng = np.random.default_rng(8)
    vectors = {f"g{i}": rng.normal(size=3) for i in range(40)}
    effects = np.stack(list(vectors.values())) @ rng.normal(size=(3, 6))
    method = Hybrid().fit(effects[:38], [(f"g{i}",) for i in range(38)], vectors)
    parts = method.parts_.query("situation == 'some genes seen'").set_index("part")
    assert parts["n_left_out"].unique() == [0]
    assert parts["weight"].loc["ridge"] == 1
    predicted = method.predict([("g38", "g5")])[0]
    assert np.corrcoef(predicted, effects[38] + effects[5])[0, 1] > 0.9
