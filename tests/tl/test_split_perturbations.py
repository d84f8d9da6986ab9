"""`tl.split_perturbations`: nothing that is tested is trained on, the groups say the truth, and seeds are kept."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnaclip._conditions import condition_genes
from dnaclip._errors import InputError, MissingKeyError
from dnaclip.tl import split_perturbations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

GENES = [f"G{i:02}" for i in range(20)]
DOUBLES = ["+".join(pair) for pair in itertools.combinations(GENES[:12], 2)]
NAMES = ["ctrl", *GENES, *DOUBLES, "G00+G01+G02", "G03+G04+G19"]


def cells(names: Iterable[str], **obs: Any) -> ad.AnnData:
    names = list(names)
    return ad.AnnData(
        np.zeros((len(names), 1), np.float32),
        obs=pd.DataFrame({"condition": names, **obs}, index=[f"cell{i}" for i in range(len(names))]),
    )


def parts(adata: ad.AnnData) -> dict[str, set[tuple[str, ...]]]:
    split = adata.obs.groupby("split", observed=True)["condition"].unique()
    return {part: {condition_genes(name) for name in names} - {()} for part, names in split.items()}


def groups(adata: ad.AnnData, part: str = "test") -> dict[tuple[str, ...], str]:
    rows = adata.obs[adata.obs["split"] == part]
    return {condition_genes(c): g for c, g in zip(rows["condition"], rows["split_group"], strict=True)}


def genes_of(conditions: Iterable[tuple[str, ...]]) -> set[str]:
    return {gene for condition in conditions for gene in condition}


# -- the split of GEARS ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rng", range(5))
def test_simulation_follows_the_rules(rng: int) -> None:
    adata = cells(NAMES)
    assert split_perturbations(adata, rng=rng) is None
    split, test = parts(adata), groups(adata)
    assert set(split) == {"train", "validation", "test"}
    unseen = {condition[0] for condition, group in test.items() if group == "unseen_single"}
    assert len(unseen) == 20 - 15, "a quarter of the 20 genes"
    for condition, group in test.items():
        if len(condition) > 1:
            assert group == f"combo_seen{len(set(condition) - unseen)}"
    for condition in split["train"] | split["validation"]:
        assert not unseen & set(condition), "no gene that is tested as unseen is seen"
    closed = [condition_genes(name) for name in NAMES if "+" in name]
    closed = [condition for condition in closed if not unseen & set(condition)]
    tested = [condition for condition in closed if condition in test]
    assert len(tested) == len(closed) - int(0.75 * len(closed))

    # Validation: the same rules on what is left, with .9 and .9.
    left = genes_of(split["train"] | split["validation"])
    validation = groups(adata, "validation")
    inner = {condition[0] for condition, group in validation.items() if group == "unseen_single"}
    assert len(inner) == len(left) - int(0.9 * len(left))
    assert not inner & genes_of(split["train"])
    for condition, group in validation.items():
        if len(condition) > 1:
            assert group == f"combo_seen{len(set(condition) - inner)}"


def test_single_leaves_combinations_out(caplog: pytest.LogCaptureFixture) -> None:
    adata = cells(NAMES)
    split_perturbations(adata, "single")
    split = parts(adata)
    assert [len(split[part]) for part in ("train", "validation", "test")] == [13, 2, 5]
    assert split["unused"] == {condition_genes(name) for name in NAMES if "+" in name}
    assert set(groups(adata).values()) == {"unseen_single"}
    assert set(adata.obs["split_group"]) == {"control", "train", "unseen_single", "unused"}
    assert "leaves 68 combinations of genes unused" in caplog.text


def test_control_cells_train_when_none_is_held_out() -> None:
    adata = cells(["ctrl", "ctrl", *NAMES])
    for method in ("simulation", "single", "kfold"):
        split_perturbations(adata, method, held_out_controls=0)
        control = adata.obs[adata.obs["condition"] == "ctrl"]
        assert set(control["split"]) == {"train"}
        assert set(control["split_group"]) == {"control"}


def test_some_control_cells_are_held_out() -> None:
    names = ["ctrl"] * 30 + NAMES
    adata = cells(names, line=["K562"] * 11 + ["RPE1"] * (len(names) - 11))
    split_perturbations(adata)
    plain = adata.obs["split"].copy()
    control = adata.obs["condition"] == "ctrl"
    assert plain[control].astype(str).value_counts().to_dict() == {"train": 16, "test": 15}
    assert set(adata.obs.loc[control, "split_group"]) == {"control"}
    table = adata.uns["split"]["conditions"]
    assert table.loc[table["condition"] == "ctrl", ["n_cells", "split"]].values.tolist() == [
        [16, "train"],
        [15, "test"],
    ]
    shuffled = adata[::-1].copy()
    split_perturbations(shuffled)
    assert (shuffled.obs["split"].loc[adata.obs_names] == plain).all()
    split_perturbations(adata, context_key="line")
    by_line = adata.obs[control].groupby(["line", "split"], observed=True).size()
    assert by_line.to_dict() == {("K562", "train"): 6, ("K562", "test"): 5, ("RPE1", "train"): 10, ("RPE1", "test"): 10}


# -- folds -----------------------------------------------------------------------------------------------------------


def fold(names: list[str], i: int, **options: Any) -> ad.AnnData:
    adata = cells(names)
    split_perturbations(adata, "kfold", fold=i, **options)
    return adata


@pytest.mark.parametrize("n_folds", [2, 5, 7])
def test_each_perturbation_is_tested_once(n_folds: int) -> None:
    folds = [fold(NAMES, i, n_folds=n_folds) for i in range(n_folds)]
    tested = [condition for adata in folds for condition in parts(adata)["test"]]
    assert sorted(tested) == sorted(condition_genes(name) for name in NAMES[1:])
    singles = [sum(len(condition) == 1 for condition in parts(adata)["test"]) for adata in folds]
    assert max(singles) - min(singles) <= 1, "folds hold as many singles as each other"


def test_groups_of_folds_say_what_training_knows() -> None:
    adata = fold(["ctrl", "A", "B", "A+B", "C+D", "E", "F", "G+H", "I", "J", "K"], 0, n_folds=2, rng=2)
    split = parts(adata)
    known = genes_of(split["train"] | split["validation"])
    for condition, group in groups(adata).items():
        n_seen = len(set(condition) & known)
        single = "seen_single" if n_seen else "unseen_single"
        assert group == (single if len(condition) == 1 else f"combo_seen{n_seen}")


def test_gene_disjoint_folds_over_components() -> None:
    names = ["ctrl", *(f"{a}+{b}" for a, b in zip(GENES[::2], GENES[1::2], strict=True)), *GENES]
    folds = [fold(names, i, gene_disjoint=True) for i in range(5)]
    assert {adata.uns["split"]["params"]["disjoint_by"] for adata in folds} == {"components"}
    tested = [condition for adata in folds for condition in parts(adata)["test"]]
    assert sorted(tested) == sorted(condition_genes(name) for name in names[1:]), "each once, none unused"
    for adata in folds:
        split = parts(adata)
        assert not genes_of(split["test"]) & genes_of(split["train"] | split["validation"])
        assert set(groups(adata).values()) == {"unseen_single", "combo_seen0"}
        assert len(split["test"]) == 6


def test_gene_disjoint_folds_over_genes_when_everything_is_linked() -> None:
    folds = [fold(NAMES, i, gene_disjoint=True) for i in range(5)]
    tested_genes: list[str] = []
    for adata in folds:
        assert adata.uns["split"]["params"]["disjoint_by"] == "genes"
        split = parts(adata)
        assert not genes_of(split["test"]) & genes_of(split["train"] | split["validation"])
        inner = {condition[0] for condition in split["validation"] if len(condition) == 1}
        assert inner
        assert not inner & genes_of(split["train"])
        for condition in split["unused"]:
            test_genes = genes_of(split["test"])
            assert 0 < len(set(condition) & test_genes) < len(condition), "only what straddles goes unused"
        tested_genes += [condition[0] for condition in split["test"] if len(condition) == 1]
    assert sorted(tested_genes) == GENES, "each gene is tested in one fold"


def test_folds_need_a_seed() -> None:
    for rng in (None, np.random.default_rng(0)):
        with pytest.raises(InputError, match="needs an int as rng, so that all folds come from one deal"):
            split_perturbations(cells(NAMES), "kfold", rng=rng)


# -- contexts --------------------------------------------------------------------------------------------------------


def lines() -> ad.AnnData:
    names = [*NAMES[:20], *NAMES[:10], "X", "ctrl"]
    return cells(names, line=pd.Categorical(["K562"] * 20 + ["RPE1"] * 12))


def test_one_context_is_left_out() -> None:
    adata = lines()
    split_perturbations(adata, "context", context_key="line", held_out_context="RPE1")
    obs = adata.obs
    away, control = obs["line"] == "RPE1", obs["condition"] == "ctrl"
    assert set(obs.loc[away & ~control, "split"]) == {"test"}
    assert obs.loc[away & control, "split"].tolist() == ["train", "test"], "half of the held-out line's controls stay"
    assert set(obs.loc[~away & ~control, "split"]) == {"train", "validation"}
    assert obs.loc[~away & (obs["split"] == "validation"), "condition"].nunique() == 2
    assert obs.loc[away & (obs["condition"] == "X"), "split_group"].tolist() == ["context_unseen"]
    assert set(obs.loc[away & ~control & (obs["condition"] != "X"), "split_group"]) == {"context_seen"}
    table = adata.uns["split"]["conditions"]
    assert table.groupby("context")["n_cells"].sum().to_dict() == {"RPE1": 12, "others": 20}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "needs context_key, a column of adata.obs, and held_out_context"),
        ({"context_key": "line"}, "needs context_key"),
        ({"context_key": "line", "held_out_context": "HCT116"}, "'HCT116' is not known. Use one of: 'K562', 'RPE1'"),
    ],
)
def test_context_is_checked(options: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        split_perturbations(lines(), "context", **options)  # type: ignore[arg-type]


def test_context_needs_others() -> None:
    adata = cells(["ctrl", "A", "ctrl"], line=["a", "a", "b"])
    with pytest.raises(InputError, match="no other context has perturbed cells"):
        split_perturbations(adata, "context", context_key="line", held_out_context="a")
    with pytest.raises(MissingKeyError, match="'batch' is not in adata.obs"):
        split_perturbations(adata, "context", context_key="batch", held_out_context="a")
    adata.obs["line"] = ["a", None, "b"]
    with pytest.raises(InputError, match="1 cells have no value"):
        split_perturbations(adata, "context", context_key="line", held_out_context="a")


# -- splits that the user gives --------------------------------------------------------------------------------------


def test_given_split() -> None:
    adata = cells(["ctrl", "A", "B", "A+B", "C", "B+C", "D"])
    given_split = {"train": ["A+ctrl", "B"], "test": ["B+A", "C", "C+B"], "unused": ["D"]}
    split_perturbations(adata, given_split)
    assert adata.obs["split"].tolist() == ["train", "train", "train", "test", "test", "test", "unused"]
    expected = ["control", "train", "train", "combo_seen2", "unseen_single", "combo_seen1", "unused"]
    assert adata.obs["split_group"].tolist() == expected
    assert adata.uns["split"]["params"]["method"] == "given"


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ({"train": ["A", "A+B"], "test": ["B", "B+A"]}, r"'A\+B' stands in 'train' and in 'test'"),
        ({"train": ["A"], "test": ["B"]}, r"1 conditions of the cells are in no part.*'unused'.*'A\+B'"),
        ({"train": ["A", "A+B"], "test": ["B", "C"]}, "1 conditions of method are not among those of the cells: 'C'"),
        ({"train": ["A", "A+B"], "tests": ["B"]}, "'tests' is not known"),
        ({"train": ["A", "A+B"], "test": "B"}, r"is a single string. Pass a list: \['B'\]"),
        ({"train": ["A", "B", "A+B"]}, "No perturbation is left for test"),
    ],
)
def test_bad_given_split(method: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        split_perturbations(cells(["ctrl", "A", "B", "A+B"]), method)


# -- the same for everyone -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"method": "single"},
        {"method": "kfold"},
        {"method": "kfold", "gene_disjoint": True},
        {"method": "context", "context_key": "line", "held_out_context": "K562"},
    ],
    ids=str,
)
def test_order_and_spelling_change_nothing(options: dict[str, Any]) -> None:
    rng = np.random.default_rng(3)
    plain = cells(NAMES * 2, line=np.repeat(["K562", "RPE1"], len(NAMES)))
    odd = plain[rng.permutation(plain.n_obs)].copy()
    spelt = [f"{name}+ctrl" if "G" in name and "+" not in name else "+".join(name.split("+")[::-1]) for name in NAMES]
    odd.obs["condition"] = pd.Categorical(odd.obs["condition"].map(dict(zip(NAMES, spelt, strict=True))))
    for adata in (plain, odd):
        split_perturbations(adata, **options)
    for column in ("split", "split_group", "split_condition"):
        expected = plain.obs[column].astype(str)
        pd.testing.assert_series_equal(odd.obs[column].astype(str).loc[expected.index], expected)
    pd.testing.assert_frame_equal(plain.uns["split"]["conditions"], odd.uns["split"]["conditions"])
    assert "G00+G01" in set(odd.obs["split_condition"])


def test_seed_decides() -> None:
    first, again, other = (cells(NAMES) for _ in range(3))
    split_perturbations(first, rng=1)
    split_perturbations(again, rng=np.random.default_rng(1))
    split_perturbations(other, rng=2)
    assert (first.obs["split"] == again.obs["split"]).all()
    assert (first.obs["split"].astype(str) != other.obs["split"].astype(str)).any()


names_of_conditions = st.lists(
    st.lists(st.sampled_from("ABCDEFGHIJ"), min_size=1, max_size=3, unique=True).map("+".join), min_size=4, max_size=30
)


@settings(max_examples=40, deadline=None)
@given(names=names_of_conditions, method=st.sampled_from(["simulation", "kfold", "disjoint"]), rng=st.integers(0, 9))
def test_no_perturbation_is_in_two_parts(names: list[str], method: str, rng: int) -> None:
    adata = cells(["ctrl", *names])
    refused = ""
    try:
        split_perturbations(
            adata,
            "kfold" if method == "disjoint" else method,
            n_folds=2,
            rng=rng,
            gene_disjoint=method == "disjoint",
        )
    except InputError as error:
        refused = str(error)
    if refused:
        # The only reason to refuse such names is that they are too few.
        assert "No perturbation is left for" in refused or "n_folds=2 is more than" in refused
        assert "split" not in adata.obs
        return
    split = parts(adata)
    for one, other in itertools.combinations(split, 2):
        assert not split[one] & split[other]
    if method == "disjoint":
        trained = genes_of(split["train"] | split.get("validation", set()))
        assert not genes_of(split["test"]) & trained


# -- what is written -------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Writing zarr v2 data:UserWarning")
@pytest.mark.parametrize("method", ["simulation", "kfold"])
def test_round_trip(tmp_path: Path, method: str) -> None:
    adata = cells(NAMES)
    split_perturbations(adata, method)
    adata.write_h5ad(tmp_path / "cells.h5ad")
    adata.write_zarr(tmp_path / "cells.zarr")
    for read in (ad.read_h5ad(tmp_path / "cells.h5ad"), ad.read_zarr(tmp_path / "cells.zarr")):
        for column in ("split", "split_group", "split_condition"):
            assert read.obs[column].tolist() == adata.obs[column].tolist()
        table = read.uns["split"]["conditions"]
        assert table.astype(str).to_dict() == adata.uns["split"]["conditions"].astype(str).to_dict()
        assert read.uns["split"]["params"]["rng"] == 0
        assert read.uns["split"]["params"]["method"] == method


def test_copy_view_and_backed(tmp_path: Path) -> None:
    adata = cells(["unrelated", *NAMES])
    copied = split_perturbations(adata, copy=True)
    assert copied is not None
    assert "split" not in adata.obs
    assert "split" in copied.obs
    view = adata[1:]
    split_perturbations(view, key_added="mine")
    assert {"mine", "mine_group", "mine_condition"} <= set(view.obs)
    assert list(adata.obs) == ["condition"]
    adata.write_h5ad(tmp_path / "cells.h5ad")
    backed = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    try:
        split_perturbations(backed)
        assert (backed.obs["split"].astype(str) == copied.obs["split"].astype(str)).all()
    finally:
        backed.file.close()


def test_counts_in_the_table() -> None:
    adata = cells([*NAMES, "G01+G00", "G00", "G00+ctrl"])
    split_perturbations(adata)
    table = adata.uns["split"]["conditions"].set_index("condition")
    assert table.loc["G00", "n_cells"] == 3
    assert table.loc["G00+G01", "n_cells"] == 2
    assert table.loc["G00+G01+G02", "n_genes"] == 3
    assert table["n_cells"].sum() == adata.n_obs


def test_other_columns_and_names() -> None:
    adata = cells(["NT" if name == "ctrl" else name for name in NAMES])
    adata.obs = adata.obs.rename(columns={"condition": "guide"})
    split_perturbations(adata, perturbation_key="guide", control="NT")
    assert adata.obs.loc["cell0", ["split", "split_group", "split_condition"]].tolist() == ["train", "control", "NT"]


def test_without_control_cells(caplog: pytest.LogCaptureFixture) -> None:
    split_perturbations(cells(NAMES[1:]))
    assert "No cell of adata.obs['condition'] is a control ('ctrl')" in caplog.text


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["ctrl", "A", None, "B", np.nan], r"2 of 5 cells have no condition \(NaN\).*'cell2', 'cell4'"),
        (["ctrl", "A", 3, "B"], "A condition must be a string such as 'ctrl', 'A' or 'A\\+B', got 3"),
        (["ctrl", "A", "A+", "B"], r"Condition 'A\+' holds an empty or repeated gene"),
        (["ctrl", "A+A", "B"], "holds an empty or repeated gene"),
        (["control", "A", "B"], "names 'control', which is no gene, while control='ctrl'"),
        (["ctrl", "A", "A+Control"], "names 'Control', which is no gene"),
        (["ctrl", "ctrl"], "All cells of adata.obs\\['condition'\\] are controls"),
        (["ctrl", "A"], r"No perturbation is left for train \(there are 1\)"),
        ([], "adata has no cells"),
    ],
)
def test_bad_conditions(names: list[Any], message: str, unchanged: Callable[[ad.AnnData], Any]) -> None:
    adata = cells(names)
    with unchanged(adata), pytest.raises(InputError, match=message):
        split_perturbations(adata)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "random"}, "method='random' is not known. Use one of: 'simulation', 'single', 'kfold', 'context'"),
        ({"fractions": (0.75,)}, r"fractions must be two numbers above 0 and at most 1, got \(0.75,\)"),
        ({"fractions": "most"}, "fractions must be two numbers"),
        ({"validation_fractions": (0, 1)}, "validation_fractions must be two numbers"),
        ({"fractions": (np.nan, 1)}, "fractions must be two numbers"),
        ({"fractions": (1, 1)}, "No perturbation is left for test"),
        ({"method": "kfold", "fold": 5}, "fold=5 does not exist: with n_folds=5 the folds are 0 to 4"),
        ({"method": "kfold", "n_folds": 1}, "n_folds must be a whole number of at least 2"),
        ({"method": "kfold", "n_folds": 89}, r"n_folds=89 is more than there are perturbations \(88\)"),
        ({"method": "kfold", "n_folds": 21, "gene_disjoint": True}, r"more than there are perturbed genes \(20\)"),
        ({"gene_disjoint": True}, "gene_disjoint is for method='kfold' alone"),
        ({"held_out_context": "K562"}, "held_out_context is for method='context' alone"),
        ({"key_added": "a/b"}, "contains '/'"),
        ({"key_added": "condition"}, r"key_added='condition' would overwrite adata.obs\['condition'\]"),
        ({"rng": "seed"}, "rng must be an int"),
        ({"held_out_controls": 1}, "held_out_controls must be a number from 0 to below 1, got 1"),
        ({"held_out_controls": "half"}, "held_out_controls must be a number from 0 to below 1, got 'half'"),
    ],
    ids=str,
)
def test_bad_options(options: dict[str, Any], message: str, unchanged: Callable[[ad.AnnData], Any]) -> None:
    adata = cells(NAMES)
    with unchanged(adata), pytest.raises(InputError, match=message):
        split_perturbations(adata, **options)


def test_absent_column() -> None:
    with pytest.raises(MissingKeyError, match=r"'perturbation' is not in adata.obs. Present: 'condition'. Name the"):
        split_perturbations(cells(NAMES), perturbation_key="perturbation")


def test_too_few_for_validation(caplog: pytest.LogCaptureFixture) -> None:
    adata = cells(["ctrl", "A", "B", "C", "D"])
    split_perturbations(adata, validation_fractions=(1, 1))
    assert "validation" not in caplog.text
    split_perturbations(adata, {"train": ["A", "B"], "test": ["C", "D"]})
    assert "validation" not in caplog.text
    split_perturbations(adata, "kfold", n_folds=4, validation_fractions=(0.99, 1))
    assert set(adata.obs["split"]) == {"train", "validation", "test"}


def test_norman_subset(shared_data: Path) -> None:
    adata = ad.read_h5ad(shared_data / "cells" / "norman_k562_devel.h5ad")
    split_perturbations(adata, "kfold", gene_disjoint=True)
    split = parts(adata)
    assert not genes_of(split["test"]) & genes_of(split["train"] | split["validation"])
    assert sum(map(len, split.values())) == 33
