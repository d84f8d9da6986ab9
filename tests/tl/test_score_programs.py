"""`tl.score_programs`: equal to the formula written out, on every kind of matrix."""

from __future__ import annotations

import tracemalloc
import warnings
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from dnaclip import _matrix, tl
from dnaclip._errors import InputError, MissingKeyError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def log_normal(n_obs: int = 50, n_vars: int = 90, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.log1p(rng.poisson(rng.gamma(1, 2, n_vars), (n_obs, n_vars)) * rng.uniform(0.5, 2, (n_obs, 1)))


def with_programs(x: Any) -> ad.AnnData:
    n = x.shape[1]
    program = pd.Categorical(np.resize(["P1", "P2", "P10", None, "P2"], n), categories=["P1", "P2", "P10", "unused"])
    return ad.AnnData(x, var=pd.DataFrame({"gene_program": program}, index=[f"gene{i}" for i in range(n)]))


def by_formula(x: np.ndarray, program: pd.Series, n_bins: int = 25) -> np.ndarray:
    """The docstring's formula, gene by gene."""
    means = x.mean(axis=0)
    n_bins = max(1, min(n_bins, len(means) // 20))
    rank = np.array([(means < mean - 1e-9).sum() for mean in means])
    bins = rank * n_bins // len(means)
    names = [name for name in program.cat.categories if (program == name).any()]
    scores = np.zeros((len(x), len(names)))
    for p, name in enumerate(names):
        genes = np.flatnonzero(program == name)
        for g in genes:
            scores[:, p] += (x[:, g] - x[:, bins == bins[g]].mean(axis=1)) / len(genes)
    return scores


def by_z(x: np.ndarray, program: pd.Series) -> np.ndarray:
    sd = x.std(axis=0)
    z = np.where(sd > 1e-9, (x - x.mean(axis=0)) / np.where(sd > 1e-9, sd, 1), 0)
    return np.stack([z[:, program == name].mean(axis=1) for name in ("P1", "P2", "P10")], axis=1)


def by_ranks(x: np.ndarray, program: pd.Series, n_ranks: int, n_shuffles: int = 400) -> np.ndarray:
    """Area under the recovery curve, cell by cell, ties broken at random, mean over many ways to break them."""
    rng = np.random.default_rng(0)
    scores = np.zeros((len(x), 3))
    for _ in range(n_shuffles):
        rank = np.empty(x.shape, dtype=int)
        for cell, row in enumerate(x):
            rank[cell, np.lexsort((rng.random(len(row)), -row))] = np.arange(1, len(row) + 1)
        for p, name in enumerate(("P1", "P2", "P10")):
            size = (program == name).sum()
            area = np.maximum(n_ranks - rank[:, program == name], 0).sum(axis=1)
            scores[:, p] += area / np.maximum(n_ranks - np.arange(1, size + 1), 0).sum() / n_shuffles
    return scores


@pytest.mark.parametrize("n_bins", [1, 3, 25])
def test_equal_to_the_formula(n_bins: int) -> None:
    adata = with_programs(log_normal())
    assert tl.score_programs(adata, n_bins=n_bins) is None
    expected = by_formula(adata.X, adata.var["gene_program"], n_bins)
    np.testing.assert_allclose(adata.obsm["gene_program"], expected, atol=1e-6)
    assert adata.obsm["gene_program"].dtype == np.float32
    assert adata.obsm["gene_program"].flags.c_contiguous


def test_equally_abundant_genes_share_a_bin_whatever_the_rounding() -> None:
    rng = np.random.default_rng(0)
    x = np.stack([rng.permutation(log_normal()[:, 0]) for _ in range(60)], axis=1)
    assert len(np.unique(x.sum(axis=0))) > 1, "the sums differ in the last bits"
    adata = with_programs(x)
    tl.score_programs(adata)
    first = (adata.var["gene_program"] == "P1").to_numpy()
    expected = x[:, first].mean(axis=1) - x.mean(axis=1)
    np.testing.assert_allclose(adata.obsm["gene_program"][:, 0], expected, atol=1e-6)


def test_scores_tell_cell_types_apart(embedded: ad.AnnData) -> None:
    tl.gene_programs(embedded, n_neighbors=5)
    tl.score_programs(embedded)
    scores = pd.DataFrame(embedded.obsm["gene_program"]).groupby(embedded.obs["cell_type"].to_numpy()).mean()
    assert scores.iloc[:, :3].idxmax().tolist() == ["T cell", "B cell", "monocyte"]


def test_depth_does_not_matter_but_contrast_does() -> None:
    adata = with_programs(log_normal())
    tl.score_programs(adata)
    shifted = with_programs(adata.X + np.linspace(0, 2, 50)[:, None])
    tl.score_programs(shifted)
    np.testing.assert_allclose(shifted.obsm["gene_program"], adata.obsm["gene_program"], atol=1e-6)
    everything = with_programs(log_normal())
    everything.var["gene_program"] = "all"
    tl.score_programs(everything)
    np.testing.assert_allclose(everything.obsm["gene_program"], 0, atol=1e-6)


def test_agrees_with_scanpy() -> None:
    import scanpy as sc

    adata = with_programs(log_normal(n_obs=80, n_vars=600))
    tl.score_programs(adata)
    state = np.random.get_state()  # noqa: NPY002
    sc.tl.score_genes(adata, adata.var_names[adata.var["gene_program"] == "P10"].tolist(), ctrl_size=24)
    np.random.set_state(state)  # noqa: NPY002
    assert np.corrcoef(adata.obsm["gene_program"][:, 2], adata.obs["score"])[0, 1] > 0.9


def test_what_is_recorded() -> None:
    adata = with_programs(log_normal())
    adata.uns["gene_program"] = {"params": {"resolution": 1.0}}
    tl.score_programs(adata, n_bins=5)
    record = adata.uns["gene_program"]
    assert record["params"] == {"resolution": 1.0}
    assert record["scores"]["programs"].tolist() == ["P1", "P2", "P10"], "categories in order, unused ones left out"
    assert record["scores"]["params"] | {"dnaclip_version": ""} == {
        "program_key": "gene_program",
        "method": "mean",
        "weights": None,
        "n_bins": 5,
        "top_fraction": None,
        "layer": None,
        "dnaclip_version": "",
    }


def test_another_key_and_a_layer() -> None:
    adata = with_programs(np.zeros((50, 90)))
    adata.layers["log"] = log_normal()
    tl.score_programs(adata, layer="log", key_added="log_scores")
    assert list(adata.obsm) == ["log_scores"]
    assert adata.uns["log_scores"]["scores"]["params"]["layer"] == "log"
    np.testing.assert_allclose(
        adata.obsm["log_scores"], by_formula(adata.layers["log"], adata.var["gene_program"]), atol=1e-6
    )


def test_programs_may_be_plain_strings() -> None:
    adata = with_programs(log_normal())
    expected = adata.copy()
    tl.score_programs(expected)
    adata.var["gene_program"] = adata.var["gene_program"].astype(object)
    tl.score_programs(adata)
    assert adata.uns["gene_program"]["scores"]["programs"].tolist() == ["P1", "P10", "P2"]
    np.testing.assert_array_equal(adata.obsm["gene_program"], expected.obsm["gene_program"][:, [0, 2, 1]])


# -- other methods ---------------------------------------------------------------------------------------------------


def test_mean_of_z_scores() -> None:
    x = log_normal()
    x[:, 2], x[:, 5] = 0, 1.1  # never vary
    adata = with_programs(x)
    tl.score_programs(adata, method="mean_z")
    np.testing.assert_allclose(adata.obsm["gene_program"], by_z(x, adata.var["gene_program"]), atol=1e-5)


def test_ranks_without_ties() -> None:
    x = np.random.default_rng(0).random((20, 90))
    adata = with_programs(x)
    tl.score_programs(adata, method="aucell", top_fraction=0.2)
    expected = by_ranks(x, adata.var["gene_program"], 18, n_shuffles=1)
    np.testing.assert_allclose(adata.obsm["gene_program"], expected, atol=1e-6)


def test_ties_share_what_their_ranks_are_worth() -> None:
    x = np.random.default_rng(0).poisson(0.7, (6, 90)).astype(float)
    adata = with_programs(sparse.csr_matrix(x))
    tl.score_programs(adata, method="aucell", top_fraction=0.5)
    expected = by_ranks(x, adata.var["gene_program"], 45)
    np.testing.assert_allclose(adata.obsm["gene_program"], expected, atol=0.02)


def test_negative_values_rank_after_zeros() -> None:
    x = np.random.default_rng(0).poisson(0.7, (6, 90)) - 1.0
    adata, shifted = with_programs(sparse.csr_matrix(x)), with_programs(x + 1)
    tl.score_programs(adata, method="aucell", top_fraction=0.9)
    tl.score_programs(shifted, method="aucell", top_fraction=0.9)
    np.testing.assert_allclose(adata.obsm["gene_program"], shifted.obsm["gene_program"], atol=1e-6)


def test_ranks_are_those_of_each_cell_alone() -> None:
    adata = with_programs(np.expm1(log_normal()).round())
    tl.score_programs(adata, method="aucell")  # raw counts give no warning
    logged = with_programs(np.log1p(adata.X))
    tl.score_programs(logged, method="aucell")
    np.testing.assert_allclose(adata.obsm["gene_program"], logged.obsm["gene_program"], atol=1e-6)
    one = logged[7:8].copy()
    tl.score_programs(one, method="aucell")
    np.testing.assert_array_equal(one.obsm["gene_program"][0], logged.obsm["gene_program"][7])
    assert logged.obsm["gene_program"].min() >= 0
    assert logged.obsm["gene_program"].max() <= 1


def test_a_program_on_top_scores_one() -> None:
    x = log_normal()
    program = with_programs(x).var["gene_program"]
    x[:, program == "P1"] += 100
    adata = with_programs(x)
    tl.score_programs(adata, method="aucell", top_fraction=0.5)
    np.testing.assert_allclose(adata.obsm["gene_program"][:, 0], 1, atol=1e-6)


@pytest.mark.parametrize("method", ["mean_z", "aucell"])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
def test_other_methods_on_every_kind_of_matrix(
    kind: Callable[..., Any], method: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    da = pytest.importorskip("dask.array")
    x = log_normal()
    expected = with_programs(x)
    tl.score_programs(expected, method=method)
    monkeypatch.setattr(_matrix, "BLOCK_VALUES", 700)
    adata = with_programs(kind(x))
    adata.write_h5ad(tmp_path / "cells.h5ad")
    backed = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    lazy = with_programs(da.from_array(x, chunks=(13, 90)).map_blocks(kind))
    for form in (adata, backed, lazy):
        tl.score_programs(form, method=method)
        np.testing.assert_allclose(form.obsm["gene_program"], expected.obsm["gene_program"], atol=1e-5)
    backed.file.close()


# -- weights ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["mean", "mean_z"])
def test_weights_of_one_change_nothing(method: Any) -> None:
    adata = with_programs(log_normal())
    tl.score_programs(adata, method=method)
    adata.varm["weights"] = pd.get_dummies(adata.var["gene_program"], dtype=float)[["P10", "P2"]] * 3
    tl.score_programs(adata, method=method, weights="weights", key_added="weighted")
    assert adata.uns["weighted"]["scores"]["programs"].tolist() == ["P10", "P2"]
    np.testing.assert_allclose(adata.obsm["weighted"], adata.obsm["gene_program"][:, [2, 1]], atol=1e-6)


def test_weights_are_those_of_a_weighted_mean() -> None:
    x = log_normal()
    weights = np.random.default_rng(0).random((90, 2))
    adata = ad.AnnData(x, varm={"weights": weights}, uns={"gene_program": {"programs": np.array(["a", "b"], object)}})
    tl.score_programs(adata, weights="weights", n_bins=1)
    expected = x @ (weights / weights.sum(axis=0)) - x.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(adata.obsm["gene_program"], expected, atol=1e-5)


def test_membership_can_weigh(embedded: ad.AnnData) -> None:
    tl.gene_programs(embedded, n_neighbors=12)
    tl.score_programs(embedded, weights="gene_program_membership")
    scores = pd.DataFrame(embedded.obsm["gene_program"]).groupby(embedded.obs["cell_type"].to_numpy()).mean()
    assert scores.shape[1] == 4
    assert len(set(scores.idxmax()[:3])) == 3


# -- kinds of matrix -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 1000, 2**24])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint16", "bool"])
@pytest.mark.parametrize(
    "kind",
    [np.asarray, np.asfortranarray, sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.csc_array],
    ids=lambda kind: kind.__name__,
)
@pytest.mark.filterwarnings("ignore:The expression holds whole numbers")
def test_every_kind_of_matrix_gives_the_same(
    kind: Callable[..., Any], dtype: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = log_normal().astype(dtype)
    monkeypatch.setattr(_matrix, "BLOCK_VALUES", block)
    adata = with_programs(kind(x))
    tl.score_programs(adata)
    expected = by_formula(x.astype(float), adata.var["gene_program"])
    np.testing.assert_allclose(adata.obsm["gene_program"], expected, atol=1e-6)
    assert adata.X.dtype == dtype, "the expression itself is not touched"


@pytest.mark.parametrize("chunks", [(7, 90), (50, 90), (13, 40)])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csr_array])
def test_dask(kind: Callable[..., Any], chunks: tuple[int, int]) -> None:
    da = pytest.importorskip("dask.array")
    x = log_normal()
    if kind is not np.asarray and chunks[1] < 90:
        chunks = (chunks[0], 90)
    lazy = da.from_array(x, chunks=chunks).map_blocks(kind)
    adata = with_programs(lazy)
    tl.score_programs(adata)
    np.testing.assert_allclose(adata.obsm["gene_program"], by_formula(x, adata.var["gene_program"]), atol=1e-6)
    assert isinstance(adata.X, da.Array)


@pytest.mark.parametrize("block", [700, 2**24])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_backed(kind: Callable[..., Any], block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_matrix, "BLOCK_VALUES", block)
    x = log_normal()
    with_programs(kind(x)).write_h5ad(tmp_path / "cells.h5ad")
    adata = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    try:
        tl.score_programs(adata)
        assert adata.isbacked
        with pytest.raises(InputError, match="nor a view of it be changed"):
            tl.score_programs(adata[:10])
    finally:
        adata.file.close()
    np.testing.assert_allclose(adata.obsm["gene_program"], by_formula(x, adata.var["gene_program"]), atol=1e-6)


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_matrix])
def test_sparse_matrices_are_never_made_dense(kind: Callable[..., Any]) -> None:
    adata = with_programs(kind(sparse.random(20_000, 4_000, density=0.002, rng=np.random.default_rng(0))))
    tracemalloc.start()
    try:
        tl.score_programs(adata)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64e6, "dense, it would be 640 MB"


def test_a_view_becomes_an_object_and_its_parent_stays(unchanged: Callable[[ad.AnnData], Any]) -> None:
    parent = with_programs(sparse.csr_matrix(log_normal()))
    parent.uns["gene_program"] = {"params": {"resolution": 1.0}}
    view = parent[5:25, 10:80]
    with unchanged(parent):
        tl.score_programs(view)
    assert not view.is_view
    np.testing.assert_allclose(
        view.obsm["gene_program"], by_formula(view.X.toarray(), view.var["gene_program"]), atol=1e-6
    )


def test_a_copy_leaves_the_original(unchanged: Callable[[ad.AnnData], Any]) -> None:
    adata = with_programs(log_normal())
    with unchanged(adata):
        changed = tl.score_programs(adata, copy=True)
    assert changed is not None
    assert changed.obsm["gene_program"].shape == (50, 3)


def test_order_of_genes_and_cells_changes_nothing() -> None:
    adata = with_programs(log_normal())
    tl.score_programs(adata)
    rng = np.random.default_rng(2)
    cells, genes = rng.permutation(50), rng.permutation(90)
    other = adata[cells, genes].copy()
    tl.score_programs(other)
    np.testing.assert_allclose(other.obsm["gene_program"], adata.obsm["gene_program"][cells], atol=1e-6)


@pytest.mark.parametrize(("n_obs", "n_vars"), [(0, 90), (1, 90), (1, 1), (5, 2)])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_few_cells_and_genes(kind: Callable[..., Any], n_obs: int, n_vars: int) -> None:
    adata = with_programs(kind(log_normal(n_obs, n_vars)))
    tl.score_programs(adata)
    assert adata.obsm["gene_program"].shape == (n_obs, min(n_vars, 3))
    assert np.isfinite(adata.obsm["gene_program"]).all()


def test_genes_never_seen_score_zero() -> None:
    adata = with_programs(np.zeros((4, 90)))
    tl.score_programs(adata)
    assert (adata.obsm["gene_program"] == 0).all()


@pytest.mark.parametrize("how", ["h5ad", "zarr"])
@pytest.mark.filterwarnings("ignore:Writing zarr v2 data:UserWarning")
def test_it_survives_a_file(tmp_path: Path, how: str) -> None:
    adata = with_programs(log_normal())
    tl.score_programs(adata)
    getattr(adata, f"write_{how}")(tmp_path / "file")
    again = getattr(ad, f"read_{how}")(tmp_path / "file")
    np.testing.assert_array_equal(again.obsm["gene_program"], adata.obsm["gene_program"])
    np.testing.assert_equal(again.uns["gene_program"], adata.uns["gene_program"])
    tl.score_programs(again)
    np.testing.assert_array_equal(again.obsm["gene_program"], adata.obsm["gene_program"])


# -- warnings and errors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (np.expm1, "whole numbers only, as raw counts"),
        (lambda x: x - x.mean(axis=0), "negative values, as scaled data"),
    ],
)
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
def test_other_than_log_normalised_values_give_one_warning(
    kind: Callable[..., Any], change: Callable[[np.ndarray], np.ndarray], message: str
) -> None:
    counts = np.random.default_rng(0).poisson(2, (20, 60))
    with pytest.warns(UserWarning, match=message) as caught:
        tl.score_programs(with_programs(kind(np.round(change(np.log1p(counts)), 6))))
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_a_binary_matrix_gives_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tl.score_programs(with_programs((log_normal() > 1).astype(np.float32)))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"program_key": "program"}, MissingKeyError, r"'program' is not in adata.var.*Run dnaclip.tl.gene_programs"),
        ({"program_key": "nothing"}, InputError, r"No gene is in a program: adata.var\['nothing'\] holds nothing but NaN"),
        ({"layer": "log"}, MissingKeyError, "'log' is not in adata.layers. Present: nothing"),
        ({"method": "ulm"}, InputError, "method='ulm' is not known. Use one of: 'mean', 'mean_z', 'aucell'"),
        ({"top_fraction": 5}, InputError, "top_fraction must be a number from 0 to 1, got 5"),
        ({"weights": "w"}, MissingKeyError, r"'w' is not in adata.varm.*Run dnaclip.tl.gene_programs"),
        ({"weights": "negative"}, InputError, r"adata.varm\['negative'\] holds NaN, infinite or negative values"),
        ({"weights": "gaps"}, InputError, r"adata.varm\['gaps'\] holds NaN"),
        ({"weights": "empty"}, InputError, "1 of 2 programs have no gene with a weight above 0: 'b'"),
        ({"weights": "three"}, InputError, r"has 3 columns, but there are 2 programs"),
        ({"weights": "empty", "method": "aucell"}, InputError, "'aucell' ranks genes and takes no weights"),
        ({"weights": "empty", "program_key": "other"}, MissingKeyError, r"'programs' is not in adata.uns\['other'\].*names the columns"),
        ({"n_bins": 0}, InputError, "n_bins must be a whole number of at least 1, got 0"),
        ({"key_added": "a/b"}, InputError, "contains '/'"),
        ({"key_added": "title"}, InputError, r"adata.uns\['title'\] exists and is not a record of programs"),
    ],
)  # fmt: skip
def test_an_error_leaves_no_trace(
    unchanged: Callable[[ad.AnnData], Any], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    adata = with_programs(log_normal())
    adata.var["nothing"] = pd.Categorical([None] * 90)
    adata.uns["title"] = "cells"
    adata.uns["gene_program"] = {"programs": ["a", "b"]}
    weights: dict[str, list[float]] = {"negative": [1, -1], "gaps": [1, np.nan], "empty": [1, 0], "three": [1, 1, 1]}
    adata.varm.update({key: np.tile(row, (90, 1)) for key, row in weights.items()})
    with unchanged(adata), pytest.raises(error, match=message):
        tl.score_programs(adata, **options)


@pytest.mark.filterwarnings("ignore:The expression holds negative values")
@pytest.mark.parametrize("values", [[np.nan], [np.inf], [np.inf, -np.inf]])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_values_that_are_not_finite_are_refused(
    unchanged: Callable[[ad.AnnData], Any], kind: Callable[..., Any], values: list[float]
) -> None:
    x = log_normal()
    x[: len(values), 3] = values
    x[5, 7] = np.nan
    adata = with_programs(kind(np.abs(x) if len(values) == 1 else x))
    with unchanged(adata), pytest.raises(InputError, match=r"2 of 90 genes holds NaN or infinite.*'gene3', 'gene7'"):
        tl.score_programs(adata)


def test_expression_is_needed() -> None:
    adata = ad.AnnData(var=pd.DataFrame({"gene_program": ["P1"]}, index=["a"]))
    with pytest.raises(InputError, match=r"adata.X is None.*name a layer"):
        tl.score_programs(adata)
