"""`tl.rank_perturbations`: the right perturbation comes first, by chance nothing does, and ties are ties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr

from dnaclip import tl
from dnaclip._errors import InputError, MissingKeyError
from dnaclip.metrics import _profile_search
from dnaclip.metrics._profile_search import similar_profiles

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ["g0", "g1", "g2+g3", "other"]


@pytest.fixture
def predicted() -> ad.AnnData:
    delta = np.random.default_rng(0).normal(size=(4, 80))
    return ad.AnnData(
        5 + delta,
        obs=pd.DataFrame({"condition": NAMES}, index=NAMES),
        var=pd.DataFrame(index=[f"g{i}" for i in range(80)]),
        layers={"delta": delta},
    )


def wanted(predicted: ad.AnnData, row: int) -> pd.Series:
    return pd.Series(np.asarray(predicted.layers["delta"][row]), index=predicted.var_names)


@pytest.mark.parametrize("method", ["cosine", "pearson"])
def test_the_right_one_comes_first(predicted: ad.AnnData, method: Any, unchanged: Callable[[ad.AnnData], Any]) -> None:
    with unchanged(predicted):
        table: Any = tl.rank_perturbations(3 * wanted(predicted, 2), predicted, method=method)
    assert list(table) == ["perturbation", "rank", "score", "z_score", "p_value", "p_adjusted", "n_genes"]
    best: Any = table.iloc[0]
    assert (best["perturbation"], best["rank"], best["n_genes"]) == ("g2+g3", 1, 80)
    assert best["score"] > 0.95
    assert best["z_score"] > 8
    assert best["p_value"] == pytest.approx(1 / 1001)
    assert (table["p_value"][1:] > 0.01).all()
    assert (table["p_adjusted"] >= table["p_value"]).all()
    worst: Any = tl.rank_perturbations(-wanted(predicted, 2), predicted, method=method).iloc[-1]
    assert worst["perturbation"] == "g2+g3"
    assert worst["score"] == pytest.approx(-best["score"])
    assert worst["p_value"] == 1


def test_scores_are_cosine_and_pearson(predicted: ad.AnnData) -> None:
    profile = wanted(predicted, 0) + 1
    options: dict[str, Any] = {"exclude_targets": False}
    cosine, pearson = (
        tl.rank_perturbations(profile, predicted, method=method, **options).set_index("perturbation")["score"]
        for method in ("cosine", "pearson")
    )
    for name, delta in zip(NAMES, predicted.layers["delta"], strict=True):
        assert pearson[name] == pytest.approx(pearsonr(profile, delta)[0])
        assert cosine[name] == pytest.approx(profile @ delta / np.linalg.norm(profile) / np.linalg.norm(delta))


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("at_once", [1, 2**22])
def test_z_is_that_of_many_permutations(*, centred: bool, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_profile_search, "SCORES_AT_ONCE", at_once)
    rng = np.random.default_rng(1)
    profile, change = rng.normal(0.5, 1, size=(2, 30))
    score, z, p = similar_profiles(profile, change[None], centred=centred, n_permutations=3000, rng=rng)
    random = np.array([
        similar_profiles(rng.permutation(profile), change[None], centred=centred, n_permutations=1, rng=rng)[0][0]
        for _ in range(3000)
    ])  # fmt: skip
    assert z[0] == pytest.approx((score[0] - random.mean()) / random.std(), rel=0.1, abs=0.1)
    assert p[0] == pytest.approx(np.mean(random >= score[0]), abs=0.04)


def test_p_is_even_by_chance() -> None:
    rng = np.random.default_rng(2)
    _, _, p = similar_profiles(
        rng.normal(size=50), rng.normal(size=(400, 50)), centred=False, n_permutations=400, rng=rng
    )
    assert np.abs(np.quantile(p, [0.1, 0.5, 0.9]) - [0.1, 0.5, 0.9]).max() < 0.08


def test_equal_changes_share_a_rank(predicted: ad.AnnData) -> None:
    delta = predicted.layers["delta"]
    twice = ad.AnnData(
        np.zeros((4, 80)),
        obs={"condition": ["y", "z", "x", "w"]},
        layers={"delta": delta[[0, 1, 0, 1]] * [[1], [1], [2], [1]]},
    )
    twice.var_names = predicted.var_names
    table: Any = tl.rank_perturbations(wanted(predicted, 0), twice)
    assert table["perturbation"].tolist() == ["x", "y", "w", "z"]
    assert table["rank"].tolist() == [1, 1, 3, 3]


def test_the_target_itself_does_not_make_the_match(predicted: ad.AnnData) -> None:
    predicted.layers["delta"][1, 1] = 100
    profile = pd.Series(0.01, index=predicted.var_names)
    profile["g1"] = 5.0
    assert tl.rank_perturbations(profile, predicted, exclude_targets=False)["perturbation"].iloc[0] == "g1"
    left_out: Any = tl.rank_perturbations(profile, predicted).set_index("perturbation")
    assert left_out.loc["g1", "score"] < 0.1


@pytest.mark.parametrize(("method", "change"), [("cosine", 0), ("pearson", 0), ("pearson", 0.1)])
def test_no_change_resembles_nothing(predicted: ad.AnnData, method: Any, change: float) -> None:
    predicted.layers["delta"][3] = change
    table: Any = tl.rank_perturbations(wanted(predicted, 0), predicted, method=method).set_index("perturbation")
    assert table.loc["other", ["score", "z_score", "p_value"]].tolist() == [0, 0, 1]


def test_a_dictionary_and_genes_that_are_not_there(predicted: ad.AnnData) -> None:
    profile = wanted(predicted, 0)
    expected: Any = tl.rank_perturbations(profile[10:], predicted)
    with pytest.warns(UserWarning, match="1 of 71 genes of the profile are not in adata.var_names: 'nowhere'"):
        found: Any = tl.rank_perturbations({**profile[10:], "nowhere": 3.0}, predicted)
    pd.testing.assert_frame_equal(found, expected)
    assert found["n_genes"].unique().tolist() == [70]
    shuffled = profile.sample(frac=1, random_state=0)[lambda s: s.index.isin(profile.index[10:])]
    pd.testing.assert_frame_equal(tl.rank_perturbations(shuffled, predicted), expected)


def test_cells_and_contexts(predicted: ad.AnnData) -> None:
    delta = predicted.layers["delta"]
    x = np.repeat(np.vstack([np.zeros(80), delta, 5 * np.ones(80), 5 + delta[::-1]]), 3, axis=0)
    obs = {"condition": np.tile(np.repeat(["ctrl", *NAMES], 3), 2), "line": np.repeat(["a", "b"], 15)}
    cells = ad.AnnData(x, obs=obs, var=predicted.var)
    table: Any = tl.rank_perturbations(wanted(predicted, 3), cells, context_key="line")
    best: Any = table[["perturbation", "context"]].head(2).to_numpy().tolist()
    assert sorted(best) == [["g0", "b"], ["other", "a"]]
    assert len(table) == 8


@pytest.mark.parametrize(
    ("profile", "options", "error", "message"),
    [
        ([1, 2, 3], {}, InputError, "profile must be a pandas Series or a dictionary .*, got list"),
        ({"g0": "up"}, {}, InputError, "profile must hold numbers, got 'up'"),
        ({"g0": np.nan, "g1": 1, "g2": 1}, {}, InputError, "NaN or infinite values for 1 genes: 'g0'"),
        ({"g0": 1, "g1": 1}, {}, InputError, "2 of 2 genes of the profile are in adata.var_names, three are needed"),
        ({}, {}, InputError, "0 of 0 genes of the profile.*names no genes"),
        ({"g0": 0, "g1": 0, "g2": 0}, {}, InputError, "The profile is zero over the 3 genes"),
        ({"g0": 1, "g1": 1, "g2": 1}, {"method": "pearson"}, InputError, "The profile is constant over the 3 genes"),
        (pd.Series([1, 2, 3], index=["g0", "g0", "g1"]), {}, InputError, "1 genes stand more than once.*'g0'"),
        ({"g0": 1}, {"method": "l2"}, InputError, "method='l2' is not known"),
        ({"g0": 1}, {"n_permutations": 0}, InputError, "n_permutations must be"),
        ({"g0": 1, "g1": 1, "g2": 1}, {"perturbation_key": "x"}, MissingKeyError, "'x' is not in adata.obs"),
    ],
)
def test_errors(
    predicted: ad.AnnData, profile: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        tl.rank_perturbations(profile, predicted, **options)
