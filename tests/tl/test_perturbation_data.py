"""From AnnData to cells under perturbation: spellings, contexts, splits and every refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from dnaclip._errors import InputError, MissingKeyError
from dnaclip.tl._perturbation.data import read_cells
from dnaclip.tl._split_marks import marked, train_and_validation

if TYPE_CHECKING:
    from collections.abc import Callable


def cells_of(condition: Any, **obs: Any) -> ad.AnnData:
    n = len(condition)
    table = pd.DataFrame({"condition": condition, **obs}, index=[f"cell{i}" for i in range(n)])
    return ad.AnnData(np.zeros((n, 2), np.float32), obs=table, var=pd.DataFrame(index=["g1", "g2"]))


def test_every_spelling_of_a_condition_is_one_condition() -> None:
    cells = read_cells(cells_of(["ctrl", "A", "A+ctrl", "ctrl+A", "B+A", "A+B", "C+A+B", "ctrl+ctrl"]))
    assert cells.conditions == ((), ("A",), ("A", "B"), ("A", "B", "C"))
    assert cells.condition.tolist() == [0, 1, 1, 1, 2, 2, 3, 0]
    assert cells.condition.dtype == np.int32
    assert cells.contexts == ("all",)
    assert cells.context.tolist() == [0] * 8
    assert cells.genes == ("g1", "g2")


def test_the_control_may_have_another_name() -> None:
    cells = read_cells(cells_of(["NT", "ctrl", "NT+ctrl"]), control="NT")
    assert cells.conditions == ((), ("ctrl",))
    assert cells.condition.tolist() == [0, 1, 1]


def test_contexts_are_sorted_whatever_the_order_of_cells_and_categories() -> None:
    line = pd.Categorical(["RPE1", "K562", "RPE1", "A549"], categories=["RPE1", "unused", "K562", "A549"])
    cells = read_cells(cells_of(["ctrl", "A", "B", "ctrl"], line=line), context_key="line")
    assert cells.contexts == ("A549", "K562", "RPE1")
    assert cells.context.tolist() == [2, 1, 2, 0]


def test_unused_categories_are_no_conditions() -> None:
    condition = pd.Categorical(["ctrl", "A"], categories=["ctrl", "A", "B", "C+C"])
    assert read_cells(cells_of(condition)).conditions == ((), ("A",))


def test_expression_is_not_touched() -> None:
    adata = cells_of(["ctrl", "A"])
    adata.layers["log"] = np.full((2, 2), np.nan)
    assert read_cells(adata).x is adata.X
    assert read_cells(adata, layer="log").x is adata.layers["log"]


def test_a_control_is_not_always_needed() -> None:
    assert read_cells(cells_of(["A", "B"]), need_control=False).conditions == ((), ("A",), ("B",))


@pytest.mark.parametrize(
    ("change", "options", "error", "message"),
    [
        ({"condition": ["ctrl", None, "A", np.nan]}, {}, InputError, r"2 of 4 cells have no condition: adata.obs\['condition'\] is missing for 'cell1', 'cell3'"),
        ({"condition": ["A", "B", "A", "A"]}, {}, InputError, r"No cell is a control.*no 'ctrl' among 'A', 'B'.*as control"),
        ({"condition": ["ctrl", "A+A", "A", "A"]}, {}, InputError, r"'A\+A' holds an empty or repeated gene"),
        ({"condition": ["ctrl", "A+", "A", "A"]}, {}, InputError, r"'A\+' holds an empty or repeated gene"),
        ({"condition": [0, 1, 1, 2]}, {}, InputError, r"must hold text, got 0, 1, 2. Use adata.obs\['condition'\].astype\(str\)"),
        ({"line": ["K562", None, "K562", "K562"]}, {"context_key": "line"}, InputError, "1 of 4 cells have no context"),
        ({}, {"perturbation_key": "guide"}, MissingKeyError, "'guide' is not in adata.obs. Present: 'condition'"),
        ({}, {"context_key": "line"}, MissingKeyError, "'line' is not in adata.obs"),
        ({}, {"layer": "log"}, MissingKeyError, "'log' is not in adata.layers"),
        ({}, {"control": "A+B"}, InputError, r"without '\+', got 'A\+B'"),
        ({}, {"control": ""}, InputError, "control must be the name"),
    ],
)  # fmt: skip
def test_what_is_refused(
    unchanged: Callable[[ad.AnnData], Any],
    change: dict[str, Any],
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    adata = cells_of(**{"condition": ["ctrl", "A", "A", "B"], **change})
    with unchanged(adata), pytest.raises(error, match=message):
        read_cells(adata, **options)


def test_names_of_genes_must_differ() -> None:
    adata = cells_of(["ctrl", "A"])
    adata.var_names = ["g", "g"]
    with pytest.raises(
        InputError, match=r"1 names stand more than once in adata.var_names: 'g'.*var_names_make_unique"
    ):
        read_cells(adata)
    with pytest.raises(InputError, match="adata has no genes"):
        read_cells(adata[:, :0])


def test_something_else_than_anndata_is_refused() -> None:
    with pytest.raises(InputError, match=r"must be an AnnData, got DataFrame.*mdata\['rna'\]"):
        read_cells(pd.DataFrame())  # type: ignore[arg-type]


def test_which_cells_train() -> None:
    split = pd.Categorical(["train", "test", "validation", "train"])
    adata = cells_of(["ctrl", "A", "B", "C"], split=split, mine=[True, False, False, True])
    train, validation = train_and_validation(adata, "split", of="cell")
    assert train.tolist() == [True, False, False, True]
    assert validation.tolist() == [False, False, True, False]
    for given in ("mine", [True, False, False, True], np.array([1, 0, 0, 1], bool)):
        train, validation = train_and_validation(adata, given, of="cell")
        assert train.tolist() == [True, False, False, True]
        assert not validation.any()
    train, validation = train_and_validation(adata, None, of="cell")
    assert train.all()
    assert not validation.any()
    assert marked(adata, "split", "test", of="cell").tolist() == [False, True, False, False]


@pytest.mark.parametrize(
    ("train", "error", "message"),
    [
        ("nothing", MissingKeyError, "'nothing' is not in adata.obs.*split_perturbations"),
        ("fold", InputError, r"adata.obs\['fold'\] marks no cell as 'train'; it holds 1, 2, 3, 4"),
        ([True, False], InputError, "must hold 4 booleans, one per cell, got 2 values"),
        ([0, 1, 1, 0], InputError, "must hold 4 booleans, one per cell, got 4 values of type int64"),
        ([False] * 4, InputError, "marks no cell at all"),
    ],
)
def test_which_cells_train_is_checked(train: Any, error: type[Exception], message: str) -> None:
    adata = cells_of(["ctrl", "A", "B", "C"], fold=[1, 2, 3, 4])
    with pytest.raises(error, match=message):
        train_and_validation(adata, train, of="cell")
