"""Ridge against brute force: refits without each row, and the Gaussian process it stands for."""

from __future__ import annotations

import numpy as np
import pytest

from dnaclip.errors import InputError, MissingKeyError
from dnaclip.models import IdentityRidge, Ridge

CONDITIONS = [("A",), ("B",), ("C",), ("D",), ("A", "B"), ("C", "D"), ("E",), ("A", "E")]


def example(n_genes: int = 7, seed: int = 0) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    vectors = {gene: rng.normal(size=4) for gene in "ABCDEFG"}
    return rng.normal(size=(len(CONDITIONS), n_genes)), vectors


def drop(deltas: np.ndarray, row: int) -> tuple[np.ndarray, list[tuple[str, ...]]]:
    return np.delete(deltas, row, axis=0), [c for i, c in enumerate(CONDITIONS) if i != row]


def linear_ridge(x: np.ndarray, y: np.ndarray, penalty: float, asked: np.ndarray) -> np.ndarray:
    """Ridge with a free intercept by its normal equations."""
    centre, mean = x.mean(axis=0), y.mean(axis=0)
    x, y = x - centre, y - mean
    return mean + (asked - centre) @ np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)


def test_linear_kernel_is_linear_ridge_on_scaled_vectors() -> None:
    deltas, vectors = example()
    method = Ridge(kernel="linear", penalties=[0.7]).fit(deltas, CONDITIONS, vectors)
    x = np.stack([sum(vectors[g] for g in c) for c in CONDITIONS])
    scale = np.sqrt(((x - x.mean(axis=0)) ** 2).sum() / len(x))
    asked = (vectors["F"] + vectors["A"])[None] / scale
    expected = linear_ridge(x / scale, deltas, 0.7, asked)
    np.testing.assert_allclose(method.predict([("A", "F")]), expected, rtol=1e-5)


@pytest.mark.parametrize("penalty", [1e-3, 0.3, 30.0])
def test_leave_one_out_error_is_that_of_refits(penalty: float) -> None:
    deltas, vectors = example()
    method = Ridge(kernel="linear", penalties=[penalty]).fit(deltas, CONDITIONS, vectors)
    x = np.stack([sum(vectors[g] for g in c) for c in CONDITIONS])
    scale = np.sqrt(((x - x.mean(axis=0)) ** 2).sum() / len(x))
    # A refit keeps the scale of the whole, which is what the penalty refers to.
    errors = [
        deltas[i] - linear_ridge(np.delete(x, i, 0) / scale, np.delete(deltas, i, 0), penalty, x[i : i + 1] / scale)[0]
        for i in range(len(x))
    ]
    assert method.loo_error_ == pytest.approx(np.mean(np.square(errors)), rel=1e-6)


def test_small_penalties_do_not_win_on_noise() -> None:
    # Without the 1/n of the mean, the leave-one-out error of pure noise would fall to 0 with the penalty.
    rng = np.random.default_rng(1)
    conditions = [(f"g{i}",) for i in range(26)]
    vectors = {gene: rng.normal(size=200) for (gene,) in conditions}
    noise = rng.normal(size=(26, 50))
    method = Ridge(kernel="linear", penalties=[1e-6, 1e3]).fit(noise, conditions, vectors)
    assert (method.penalties_ == 1e3).mean() > 0.9
    assert method.loo_error_ == pytest.approx(noise.var(axis=0).mean() * (26 / 25) ** 2, rel=0.05)


def test_components_of_noise_fade_while_those_of_signal_stay() -> None:
    rng = np.random.default_rng(2)
    conditions = [(f"g{i}",) for i in range(80)]
    vectors = {gene: rng.normal(size=3) for (gene,) in conditions}
    x = np.stack([vectors[g] for (g,) in conditions])
    deltas = 3 * x[:, :1] * rng.normal(size=(1, 40)) + rng.normal(size=(80, 40))
    method = Ridge(kernel="linear").fit(deltas, conditions, vectors)
    assert method.penalties_[0] < 10
    assert np.median(method.penalties_[20:]) > 100


def test_sharpness_follows_what_the_vectors_say() -> None:
    rng = np.random.default_rng(3)
    genes = [f"g{i}" for i in range(24)]
    pairs = [tuple(sorted(rng.choice(genes, 2, replace=False))) for _ in range(60)]
    conditions = [(g,) for g in genes] + list(dict.fromkeys(pairs))
    effect = dict(zip(genes, rng.normal(size=(24, 30)), strict=True))
    deltas = np.stack([sum(effect[g] for g in c) for c in conditions])
    unrelated = {g: rng.normal(size=5) for g in genes}
    assert Ridge().fit(deltas, conditions, unrelated).sharpness_ == 12


def test_identity_is_ridge_on_one_hot_vectors() -> None:
    deltas, _ = example()
    genes = sorted({g for c in CONDITIONS for g in c})
    one_hot = dict(zip([*genes, "F"], np.eye(len(genes) + 1), strict=True))
    expected = Ridge(kernel="linear").fit(deltas, CONDITIONS, one_hot).predict([("A", "C"), ("F",)])
    np.testing.assert_allclose(
        IdentityRidge().fit(deltas, CONDITIONS).predict([("A", "C"), ("F",)]), expected, rtol=1e-5
    )


def test_order_of_rows_and_of_genes_changes_nothing() -> None:
    deltas, vectors = example()
    order = np.random.default_rng(4).permutation(len(CONDITIONS))
    shuffled = Ridge().fit(deltas[order], [tuple(reversed(CONDITIONS[i])) for i in order], vectors)
    asked = [("F", "A"), ("G",)]
    expected = Ridge().fit(deltas, CONDITIONS, vectors)
    np.testing.assert_allclose(shuffled.predict(asked), expected.predict([("A", "F"), ("G",)]), atol=1e-5)
    np.testing.assert_allclose(shuffled.predict_std(asked), expected.predict_std([("A", "F"), ("G",)]), rtol=1e-4)


def test_each_context_has_its_own_mean_and_an_unknown_one_that_of_all() -> None:
    deltas, vectors = example()
    contexts = np.array([0, 0, 0, 1, 0, 1, 1, 1])
    shift = np.where(contexts == 1, 100.0, 0.0)[:, None]
    method = Ridge(penalties=[1e9]).fit(deltas + shift, CONDITIONS, vectors, contexts=contexts)
    found = method.predict([("F",)] * 3, contexts=[0, 1, -1])
    means = [(deltas + shift)[contexts == 0].mean(axis=0), (deltas + shift)[contexts == 1].mean(axis=0)]
    np.testing.assert_allclose(found, [*means, (deltas + shift).mean(axis=0)], rtol=1e-4)


def test_standard_deviation_is_calibrated_and_grows_away_from_training() -> None:
    rng = np.random.default_rng(5)
    conditions = [(f"g{i}",) for i in range(120)]
    vectors = {gene: rng.normal(size=2) for (gene,) in conditions}
    x = np.stack([vectors[g] for (g,) in conditions])
    noise = np.linspace(0.2, 1.0, 60)
    truth = x @ rng.normal(size=(2, 60)) + rng.normal(size=(120, 60)) * noise
    method = Ridge(kernel="linear").fit(truth[:80], conditions[:80], vectors | {"far": np.array([30.0, 30.0])})
    std = method.predict_std(conditions[80:])
    assert std.shape == (40, 60)
    ratio = ((method.predict(conditions[80:]) - truth[80:]) / std).std(axis=0)
    assert 0.9 < ratio.mean() < 1.1
    assert np.corrcoef(std[0], noise)[0, 1] > 0.95
    assert (method.predict_std([("far",)]) > std.max(axis=0)).all()


def test_a_single_condition_predicts_itself_without_a_standard_deviation() -> None:
    method = Ridge().fit([[1.0, 2.0]], [("A",)], {"A": [1.0], "B": [2.0]})
    np.testing.assert_array_equal(method.predict([("B",), ()]), [[1, 2], [0, 0]])
    assert np.isnan(method.predict_std([("B",)])).all()


def test_gene_with_a_zero_vector_gets_the_mean() -> None:
    rng = np.random.default_rng(6)
    conditions = [(f"g{i}",) for i in range(10)]
    vectors = {gene: rng.normal(size=3) for (gene,) in conditions} | {"none": np.zeros(3)}
    deltas = rng.normal(size=(10, 4))
    found = Ridge(penalties=[1.0]).fit(deltas, conditions, vectors).predict([("none",)])
    assert np.isfinite(found).all()
    assert np.abs(found - deltas.mean(axis=0)).max() < np.abs(deltas - deltas.mean(axis=0)).max() / 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"deltas": [[1.0], [np.nan]]}, r"deltas of 1 conditions hold NaN or infinity: \('B',\)"),
        ({"deltas": [[1.0]]}, "one row per condition"),
        ({"conditions": [("A",), ()]}, "The control"),
        ({"counts": [0, 1]}, "counts must have shape"),
        ({"contexts": [-1, 0]}, "contexts must have shape"),
    ],
)
def test_bad_training_is_refused(change: dict, message: str) -> None:
    good = {"deltas": [[1.0], [2.0]], "conditions": [("A",), ("B",)], "vectors": {"A": [1.0], "B": [2.0]}}
    with pytest.raises(InputError, match=message):
        Ridge().fit(**good | change)


def test_missing_vectors_are_named() -> None:
    method = Ridge().fit([[1.0], [2.0]], [("A",), ("B",)], {"A": [1.0], "B": [2.0]})
    with pytest.raises(MissingKeyError, match=r"2 perturbed genes have no vector: 'X', 'Y'"):
        method.predict([("Y", "X")])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel": "cubic"}, "'cubic'"),
        ({"sharpness": 0}, "sharpness"),
        ({"penalties": [0.0]}, "penalties must be above 0"),
    ],
)
def test_bad_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Ridge(**options)


def test_predict_before_fit_says_so() -> None:
    with pytest.raises(InputError, match="has not been fitted"):
        Ridge().predict([("A",)])
