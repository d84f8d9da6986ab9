"""`tl.rank_programs`: donors are counted, not cells; effects are found and noise is not; few donors are said aloud."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dnaclip import tl
from dnaclip.errors import InputError, MissingKeyError
from dnaclip.tl._programs.rank_programs import COLUMNS, ranking_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def make(n_donors: int = 12, n_cells: int = 40, effect: float = 0.0, seed: int = 0) -> ad.AnnData:
    """Cells of two types; half of the donors are ill; donors differ; the T cells of the ill have more of P1."""
    rng = np.random.default_rng(seed)
    donor = np.repeat(np.arange(n_donors), n_cells)
    ill = donor >= n_donors // 2
    t_cell = np.tile([True, False], len(donor) // 2)
    scores = rng.normal(size=(len(donor), 3)) + rng.normal(0, 0.5, (n_donors, 3))[donor]
    scores[ill & t_cell, 0] += effect
    obs = pd.DataFrame(
        {
            "donor": pd.Categorical([f"D{i}" for i in donor]),
            "state": pd.Categorical(np.where(ill, "ill", "healthy")),
            "cell_type": pd.Categorical(np.where(t_cell, "T", "B")),
        },
        index=[f"cell{i}" for i in range(len(donor))],
    )
    uns = {"gene_program": {"scores": {"programs": np.array(["P1", "P2", "P3"], dtype=object)}}}
    return ad.AnnData(obs=obs, obsm={"gene_program": scores.astype(np.float32)}, uns=uns)


def rank(adata: ad.AnnData, **changed: Any) -> Any:
    options: dict[str, Any] = {
        "condition_key": "state",
        "reference": "healthy",
        "donor_key": "donor",
        "groupby": "cell_type",
    }
    return tl.rank_programs(adata, **(options | changed))


def test_an_effect_is_found_where_it_is() -> None:
    table = rank(make(effect=3))
    assert table.columns.tolist() == COLUMNS
    assert len(table) == 6
    assert table.loc[0, ["condition", "group", "program"]].tolist() == ["ill", "T", "P1"]
    assert table.loc[0, "fdr"] < 0.01
    assert (table["fdr"][1:] > 0.05).all()
    assert table.loc[0, "ci_low"] < 3 < table.loc[0, "ci_high"]


def test_donors_are_counted_not_cells() -> None:
    adata = make()
    table = rank(adata)
    cells = adata[adata.obs["cell_type"] == "B"]
    values = pd.Series(cells.obsm["gene_program"][:, 1].astype(float)).groupby(
        cells.obs["donor"].to_numpy(), observed=True
    )
    means = values.mean()
    ill = means.index.isin([f"D{i}" for i in range(6, 12)])
    expected = stats.ttest_ind(means[ill], means[~ill], equal_var=False)
    row = table[(table["group"] == "B") & (table["program"] == "P2")].iloc[0]
    assert row["p_value"] == pytest.approx(expected.pvalue)
    assert (row["n_donors"], row["n_reference"]) == (6, 6)
    assert (row["mean"], row["mean_reference"]) == pytest.approx((means[ill].mean(), means[~ill].mean()))
    np.testing.assert_allclose(
        table.sort_values("p_value")["fdr"], stats.false_discovery_control(np.sort(table["p_value"]))
    )


def test_false_positives_stay_rare_where_counting_cells_finds_them_everywhere() -> None:
    by_donor, by_cell = [], []
    for seed in range(20):
        adata = make(n_donors=8, n_cells=30, seed=seed)
        by_donor += rank(adata)["p_value"].tolist()
        scores, ill = adata.obsm["gene_program"], (adata.obs["state"] == "ill").to_numpy()
        by_cell += stats.ttest_ind(scores[ill], scores[~ill]).pvalue.tolist()
    assert np.mean(np.array(by_donor) < 0.05) < 0.09
    assert np.mean(np.array(by_cell) < 0.05) > 0.3


def test_a_donor_with_few_cells_of_a_type_is_left_out_there() -> None:
    adata = make()
    drop = (adata.obs["donor"] == "D0") & (adata.obs["cell_type"] == "B")
    kept = ~drop | (np.cumsum(drop) <= 9)
    table = rank(adata[kept.to_numpy()])
    assert set(table[table["group"] == "B"]["n_reference"]) == {5}
    assert set(table[table["group"] == "T"]["n_reference"]) == {6}
    assert set(rank(adata[kept.to_numpy()], min_cells=9)["n_reference"]) == {6}


@pytest.mark.parametrize("n_donors", [4, 6, 7])
def test_few_donors_are_said_aloud(n_donors: int) -> None:
    with pytest.warns(
        UserWarning, match=r"2 comparisons have fewer than 4 donors on a side: 'B \(ill .*Do not conclude"
    ):
        rank(make(n_donors=n_donors))


def test_enough_donors_say_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rank(make(n_donors=8))


@pytest.mark.parametrize("n_donors", [2, 3])
def test_fewer_than_two_donors_are_refused(n_donors: int, unchanged: Callable[[ad.AnnData], Any]) -> None:
    adata = make(n_donors=n_donors)
    with (
        unchanged(adata),
        pytest.raises(InputError, match="No comparison has two donors with at least 10 cells") as caught,
    ):
        rank(adata)
    assert f"'B (ill {n_donors - 1}, healthy 1)'" in str(caught.value)
    assert "cannot stand for other donors" in str(caught.value)


def test_cells_as_donors_are_refused() -> None:
    adata = make()
    adata.obs["cell"] = adata.obs_names
    with pytest.raises(InputError, match="No comparison has two donors with at least 10 cells"):
        rank(adata, donor_key="cell")


def test_a_type_with_too_few_donors_is_left_out_with_a_warning() -> None:
    adata = make()
    gone = (adata.obs["cell_type"] == "B") & (adata.obs["state"] == "ill") & (adata.obs["donor"] != "D6")
    adata = adata[~gone.to_numpy()].copy()
    with pytest.warns(UserWarning, match=r"1 comparisons .* fewer than two donors .* 'B \(ill 1, healthy 6\)'"):
        table = rank(adata)
    assert set(table["group"]) == {"T"}


def test_pairs() -> None:
    adata = make(n_donors=12)
    adata.obs["person"] = [f"D{int(name[1:]) % 6}" for name in adata.obs["donor"]]
    with pytest.raises(InputError, match="6 donors have cells in more than one condition: 'D0'.*paired=True"):
        rank(adata, donor_key="person")
    table = rank(adata, donor_key="person", paired=True)
    cells = adata[adata.obs["cell_type"] == "T"]
    mean = pd.DataFrame(cells.obsm["gene_program"].astype(float)).groupby(
        [cells.obs["state"].to_numpy(), cells.obs["person"].to_numpy()], observed=True
    )
    expected = stats.ttest_rel(mean.mean().loc["ill"][2], mean.mean().loc["healthy"][2]).pvalue
    row = table[(table["group"] == "T") & (table["program"] == "P3")].iloc[0]
    assert row["p_value"] == pytest.approx(expected)
    # A person with cells in one state only has nothing to be compared with.
    some = adata[~((adata.obs["person"] == "D0") & (adata.obs["state"] == "ill")).to_numpy()]
    assert set(rank(some, donor_key="person", paired=True)["n_reference"]) == {5}


def test_permutations() -> None:
    adata = make(effect=5)
    exact = rank(adata, test="permutation")
    assert exact.loc[0, "p_value"] == pytest.approx(2 / 924)  # of the ways to choose 6 of 12
    assert exact.loc[0, "program"] == "P1"
    drawn = rank(adata, test="permutation", n_permutations=99)
    pd.testing.assert_frame_equal(drawn, rank(adata, test="permutation", n_permutations=99))
    assert adata.uns["gene_program"]["ranking"]["params"]["n_permutations"] == 99


def test_several_conditions_and_all_cells_together() -> None:
    adata = make(n_donors=12, effect=3)
    adata.obs["state"] = np.array(["healthy", "mild", "severe"])[
        adata.obs["donor"].astype(str).str[1:].astype(int) // 4
    ]
    table = rank(adata, groupby=None)
    assert len(table) == 6
    assert set(table["condition"]) == {"mild", "severe"}
    assert set(table["group"]) == {"all cells"}
    assert table.loc[0, "program"] == "P1"


def test_cells_without_values_are_left_out() -> None:
    adata = make(effect=3)
    expected = rank(adata)
    extra = make(seed=9)
    extra.obs_names = "x" + extra.obs_names
    for i, column in enumerate(["donor", "state", "cell_type"]):
        extra.obs.loc[extra.obs_names[i::3], column] = np.nan
    both = ad.concat([adata, extra], uns_merge="same")
    pd.testing.assert_frame_equal(rank(both), expected)


def test_conditions_may_be_numbers_or_booleans() -> None:
    adata = make(effect=3)
    expected = rank(adata)
    adata.obs["state"] = (adata.obs["state"] == "ill").to_numpy()
    for reference in (False, "False"):
        table = rank(adata, reference=reference)
        assert table["condition"].unique().tolist() == ["True"]
        np.testing.assert_array_equal(table["p_value"], expected["p_value"])


def test_a_constant_program_has_no_p_value() -> None:
    adata = make()
    adata.obsm["gene_program"][:, 1] = 0.25
    table = rank(adata)
    constant = table["program"] == "P2"
    assert table.loc[constant, "p_value"].isna().all()
    assert table.loc[constant, "fdr"].isna().all()
    assert (table.loc[constant, "difference"] == 0).all()
    assert table.loc[~constant, "fdr"].notna().all()


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"condition_key": "disease"}, MissingKeyError, "'disease' is not in adata.obs"),
        ({"donor_key": "patient"}, MissingKeyError, "'patient' is not in adata.obs"),
        ({"groupby": "leiden"}, MissingKeyError, "'leiden' is not in adata.obs"),
        ({"reference": "control"}, InputError, r"reference='control' is not in adata.obs\['state'\]. Present: 'healthy', 'ill'"),
        ({"condition_key": "one"}, InputError, "holds nothing but 'healthy'"),
        ({"test": "wilcoxon"}, InputError, "test='wilcoxon' is not known"),
        ({"min_cells": 0}, InputError, "min_cells"),
        ({"program_key": "mine"}, MissingKeyError, r"'mine' is not in adata.obsm.*score_programs\(adata\) first"),
        ({"key_added": "scores"}, InputError, "exists and is no ranking"),
        ({"key_added": "a/b"}, InputError, "contains '/'"),
    ],
)  # fmt: skip
def test_an_error_changes_nothing(
    unchanged: Callable[[ad.AnnData], Any], changed: dict[str, Any], error: type[Exception], message: str
) -> None:
    adata = make(n_donors=8)
    adata.obs["one"] = "healthy"
    with unchanged(adata), pytest.raises(error, match=message):
        rank(adata, **changed)


@pytest.mark.parametrize("form", ["h5ad", "zarr"])
@pytest.mark.filterwarnings("ignore:Writing zarr v2 data:UserWarning")
def test_the_result_is_written_and_read_again(tmp_path: Path, form: str) -> None:
    adata = make(effect=3)
    table = rank(adata)
    assert set(adata.uns["gene_program"]) == {"scores", "ranking"}
    path = tmp_path / f"a.{form}"
    getattr(adata, f"write_{form}")(path)
    again = getattr(ad, f"read_{form}")(path)
    pd.testing.assert_frame_equal(ranking_table(again), table)
    assert again.uns["gene_program"]["ranking"]["params"]["donor_key"] == "donor"
    with pytest.raises(MissingKeyError, match="'other' is not in adata.uns"):
        ranking_table(again, ranking_key="other")


def test_with_real_programs(embedded: ad.AnnData) -> None:
    tl.gene_programs(embedded, n_neighbors=5)
    tl.score_programs(embedded)
    embedded.obs["donor"] = np.tile([f"D{i}" for i in range(6)], 10)
    embedded.obs["state"] = np.where(embedded.obs["donor"] < "D3", "healthy", "ill")
    with pytest.warns(UserWarning, match="fewer than 4 donors"):
        table = tl.rank_programs(embedded, "state", reference="healthy", donor_key="donor")
    assert set(table["program"]) == {"P1", "P2", "P3", "P4"}
