"""Pseudobulks: the same from every storage, counts scaled and means left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from dnaclip import tl
from dnaclip._errors import InputError, MissingKeyError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_sums_and_scale(tiny_adata: ad.AnnData, unchanged: Callable[..., Any]) -> None:
    with unchanged(tiny_adata):
        bulk = tl.pseudobulk(tiny_adata, "cell_type")
    dense = tiny_adata.X.toarray()
    for row, name in enumerate(["B cell", "T cell", "monocyte"]):
        sums = dense[(tiny_adata.obs["cell_type"] == name).to_numpy()].sum(axis=0)
        np.testing.assert_array_equal(bulk.layers["sum"][row], sums)
        np.testing.assert_allclose(bulk.X[row], np.log1p(sums / sums.sum() * 1e6), rtol=1e-6)
    assert bulk.obs["n_cells"].tolist() == [10, 10, 10]
    assert bulk.var_names.equals(tiny_adata.var_names)


@pytest.mark.parametrize("form", ["dense", "csc", "dask", "backed"])
def test_storage_changes_nothing(form: str, tiny_adata: ad.AnnData, tmp_path: Path) -> None:
    expected = tl.pseudobulk(tiny_adata, "cell_type")
    other = tiny_adata.copy()
    if form == "dense":
        other.X = other.X.toarray()
    elif form == "csc":
        other.X = sparse.csc_matrix(other.X)
    elif form == "dask":
        other.X = pytest.importorskip("dask.array").from_array(other.X.toarray(), chunks=(7, 12))
    else:
        other.write_h5ad(tmp_path / "cells.h5ad")
        other = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    np.testing.assert_array_equal(tl.pseudobulk(other, "cell_type").X, expected.X)


def test_values_that_are_no_counts_are_averaged(tiny_adata: ad.AnnData) -> None:
    tiny_adata.layers["log"] = tiny_adata.X.log1p()
    bulk = tl.pseudobulk(tiny_adata, "cell_type", layer="log")
    rows = (tiny_adata.obs["cell_type"] == "T cell").to_numpy()
    np.testing.assert_allclose(bulk["T cell"].X[0], tiny_adata.layers["log"][rows].toarray().mean(axis=0), rtol=1e-5)


def test_donors_small_groups_and_missing_values(tiny_adata: ad.AnnData) -> None:
    tiny_adata.obs["donor"] = pd.Categorical(["d1"] * 13 + ["d2"] * 17)
    tiny_adata.obs.iloc[29, 1] = np.nan
    bulk = tl.pseudobulk(tiny_adata, "cell_type", "donor", min_cells=7)
    assert bulk.obs_names.tolist() == ["B cell|d2", "T cell|d1", "monocyte|d2"]
    assert bulk.obs["n_cells"].tolist() == [7, 10, 9]


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"groupby": "nothing"}, MissingKeyError, "'nothing' is not in adata.obs"),
        ({"groupby": []}, InputError, "at least one"),
        ({"donor_key": "cell_type"}, InputError, "different columns"),
        ({"min_cells": 11}, InputError, "No group of cell_type has 11 cells; the largest has 10"),
        ({"min_cells": 0}, InputError, "min_cells"),
        ({"target_sum": 0}, InputError, "target_sum"),
        ({"layer": "x"}, MissingKeyError, "adata.layers"),
    ],
)
def test_bad_input(change: dict[str, Any], error: type[Exception], said: str, tiny_adata: ad.AnnData) -> None:
    with pytest.raises(error, match=said):
        tl.pseudobulk(tiny_adata, **({"groupby": "cell_type"} | change))


def test_bad_values(tiny_adata: ad.AnnData) -> None:
    tiny_adata.X = tiny_adata.X.toarray()
    tiny_adata.X[:10] = 0
    with pytest.raises(InputError, match="1 groups have no counts at all: 'T cell'"):
        tl.pseudobulk(tiny_adata, "cell_type")
    tiny_adata.X[0, 0] = np.nan
    with pytest.raises(InputError, match="NaN or infinite values: 'CD3D'"):
        tl.pseudobulk(tiny_adata, "cell_type")
