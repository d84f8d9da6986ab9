"""`pl.gene_map`: what is drawn, asserted on the artists, and that coordinates are computed once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from dnaclip import pl, tl
from dnaclip._errors import InputError, MissingKeyError
from dnaclip.pl import _gene_umap
from dnaclip.pl._colors import MARKERS, MISSING, PALETTE, SMALLER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from matplotlib.axes import Axes


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture
def umap_calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, float, int]]:
    """Put the first two dimensions in the place of UMAP, which is slow, and note each call."""
    calls = []

    def first_two(vectors: np.ndarray, n_neighbors: int, min_dist: float, *, seed: int) -> np.ndarray:
        calls.append((n_neighbors, min_dist, seed))
        return vectors[:, :2]

    monkeypatch.setattr(_gene_umap, "_umap", first_two)
    return calls


def dots_of(ax: Axes) -> list[Any]:
    return list(ax.collections)


def drawn(ax: Axes) -> dict[str, np.ndarray]:
    """Points by label."""
    return {str(dots.get_label()): np.asarray(dots.get_offsets()) for dots in dots_of(ax)}


def title_of(ax: Axes) -> str:
    legend: Any = ax.get_legend()
    return legend.get_title().get_text()


def legend_of(ax: Axes) -> list[str]:
    legend = ax.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


# -- UMAP itself -----------------------------------------------------------------------------------------------------


def test_similar_genes_lie_together(embedded: ad.AnnData) -> None:
    pl.gene_map(embedded, color="group", n_neighbors=6)
    coordinates = embedded.varm["dnaclip_umap"]
    assert coordinates.dtype == np.float32
    assert np.isnan(coordinates).any(axis=1).tolist() == [False] * 40 + [True] * 3
    centres = coordinates[:40].reshape(4, 10, 2).mean(axis=1)
    within = np.linalg.norm(coordinates[:40].reshape(4, 10, 2) - centres[:, None], axis=2).max()
    between = np.linalg.norm(centres[:, None] - centres, axis=2)[np.triu_indices(4, 1)].min()
    assert within < between
    again = ad.AnnData(var=embedded.var, varm={"dnaclip": embedded.varm["dnaclip"]})
    pl.gene_map(again, color="group", n_neighbors=6)
    np.testing.assert_array_equal(again.varm["dnaclip_umap"], coordinates)


@pytest.mark.parametrize("n_genes", [5, 6])
def test_very_few_genes(embedded: ad.AnnData, n_genes: int) -> None:
    part = embedded[:, :n_genes].copy()
    pl.gene_map(part, color="group")
    assert np.isfinite(part.varm["dnaclip_umap"]).all()


# -- coordinates are computed once -----------------------------------------------------------------------------------


def test_coordinates_are_used_again(
    embedded: ad.AnnData, umap_calls: list[Any], unchanged: Callable[[ad.AnnData], Any]
) -> None:
    pl.gene_map(embedded, color="group")
    with unchanged(embedded):
        pl.gene_map(embedded, color="expression")
        pl.gene_map(embedded, color="group", rng=0)
    assert len(umap_calls) == 1
    params = embedded.uns["dnaclip_umap"]["params"]
    assert (params["n_neighbors"], params["min_dist"], params["rng"]) == (15, 0.3, 0)


@pytest.mark.parametrize("how", ["h5ad", "zarr"])
@pytest.mark.filterwarnings("ignore:Writing zarr v2 data:UserWarning")
def test_coordinates_survive_a_file(embedded: ad.AnnData, umap_calls: list[Any], tmp_path: Path, how: str) -> None:
    pl.gene_map(embedded, color="group")
    getattr(embedded, f"write_{how}")(tmp_path / "file")
    again = getattr(ad, f"read_{how}")(tmp_path / "file")
    pl.gene_map(again, color="group")
    assert len(umap_calls) == 1
    np.testing.assert_array_equal(again.varm["dnaclip_umap"], embedded.varm["dnaclip_umap"])


@pytest.mark.parametrize("what", ["n_neighbors", "min_dist", "rng", "embedding", "genes", "generator"])
def test_a_change_asks_for_new_coordinates(embedded: ad.AnnData, umap_calls: list[Any], what: str) -> None:
    first: dict[str, Any] = {"rng": np.random.default_rng(0)} if what == "generator" else {}
    pl.gene_map(embedded, color="group", **first)
    changes: dict[str, dict[str, Any]] = {
        "n_neighbors": {"n_neighbors": 9},
        "min_dist": {"min_dist": 0.1},
        "rng": {"rng": 1},
    }
    if what == "embedding":
        embedded.varm["dnaclip"] = embedded.varm["dnaclip"][::-1]
    part = embedded[:, 5:].copy() if what == "genes" else embedded
    pl.gene_map(part, color="group", **changes.get(what, first))
    assert len(umap_calls) == 2


def test_another_embedding_has_coordinates_of_its_own(embedded: ad.AnnData, umap_calls: list[Any]) -> None:
    embedded.varm["other"] = embedded.varm["dnaclip"][:, ::-1]
    pl.gene_map(embedded, color="group")
    pl.gene_map(embedded, color="group", use_rep="other")
    assert len(umap_calls) == 2
    assert {"dnaclip_umap", "other_umap"} < set(embedded.varm)


# -- what is drawn ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("umap_calls")
def test_programs(embedded: ad.AnnData) -> None:
    tl.gene_programs(embedded, n_neighbors=5)
    embedded.var["gene_program"] = embedded.var["gene_program"].where(embedded.var["gene_program"] != "P4")
    ax = pl.gene_map(embedded)
    points = drawn(ax)
    assert set(points) == {"P1 (10)", "P2 (10)", "P3 (10)", "none (10)"}
    np.testing.assert_array_equal(points["P2 (10)"], embedded.varm["dnaclip_umap"][10:20])
    assert legend_of(ax) == ["P1 (10)", "P2 (10)", "P3 (10)", "none (10)"]
    assert title_of(ax) == "gene program"
    assert [text.get_text() for text in ax.texts] == ["P1", "P2", "P3"]
    for text, name in zip(ax.texts, ["P1 (10)", "P2 (10)", "P3 (10)"], strict=True):
        assert text.get_position() in [tuple(point) for point in points[name].tolist()], (
            "a name stands on a gene of its own"
        )
    colors = {str(dots.get_label()): to_hex(dots.get_facecolor()[0]).upper() for dots in dots_of(ax)}
    assert colors == {"P1 (10)": PALETTE[0], "P2 (10)": PALETTE[1], "P3 (10)": PALETTE[2], "none (10)": MISSING}
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("UMAP 1", "UMAP 2")


@pytest.mark.usefixtures("umap_calls")
def test_no_two_categories_look_alike_and_the_smallest_share_a_grey() -> None:
    n = 130
    sizes = np.arange(n, 0, -1)
    category = pd.Categorical(np.repeat([f"c{i}" for i in range(n)], sizes))
    vectors = np.random.default_rng(0).normal(size=(sizes.sum(), 3))
    adata = ad.AnnData(
        var=pd.DataFrame({"kind": category}, index=[f"gene{i}" for i in range(len(category))]),
        varm={"dnaclip": vectors},
    )
    ax = pl.gene_map(adata, color="kind", n_labels=3)
    n_shown = len(PALETTE) * len(MARKERS)
    looks = {
        (to_hex(dots.get_facecolor()[0]), dots.get_paths()[0].vertices.tobytes())
        for dots in dots_of(ax)
        if "smaller" not in str(dots.get_label())
    }
    assert len(looks) == n_shown
    rest = f"{n - n_shown} smaller ({sizes[n_shown:].sum()})"
    assert legend_of(ax) == [*(f"c{i} ({n - i})" for i in range(n_shown)), rest]
    (grey,) = [dots for dots in dots_of(ax) if dots.get_label() == rest]
    assert to_hex(grey.get_facecolor()[0]).upper() == SMALLER
    assert [text.get_text() for text in ax.texts] == ["c0", "c1", "c2"]


@pytest.mark.usefixtures("umap_calls")
def test_colours_are_the_same_whichever_genes_an_embedding_holds(embedded: ad.AnnData) -> None:
    embedded.varm["part"] = embedded.varm["dnaclip"].copy()
    embedded.varm["part"][3:10] = np.nan
    embedded.varm["part"][10:20] = np.nan

    def colors(ax: Axes) -> dict[str, str]:
        return {str(dots.get_label()).split()[0]: to_hex(dots.get_facecolor()[0]) for dots in dots_of(ax)}

    whole = colors(pl.gene_map(embedded, color="group"))
    part = pl.gene_map(embedded, color="group", use_rep="part")
    assert colors(part) == {name: color for name, color in whole.items() if name != "1"}
    assert legend_of(part) == ["3 (10)", "0 (3)", "2 (10)"], "the order of all genes, the numbers of those drawn"


@pytest.mark.usefixtures("umap_calls")
@pytest.mark.parametrize("dtype", ["float64", "Float64", "int32"])
def test_numbers_get_a_colour_bar(embedded: ad.AnnData, dtype: str) -> None:
    values = pd.Series(np.arange(43.0)[::-1], index=embedded.var_names)
    if dtype != "int32":
        values.iloc[[0, 1]] = np.nan
    embedded.var["gene_length"] = values.astype(pd.api.types.pandas_dtype(dtype))
    ax = pl.gene_map(embedded, color="gene_length")
    missing, dots = dots_of(ax)
    shown = values.iloc[:40].dropna().sort_values()
    assert len(missing.get_offsets()) == 40 - len(shown)
    np.testing.assert_array_equal(dots.get_array(), shown)
    np.testing.assert_array_equal(
        dots.get_offsets(), embedded.varm["dnaclip_umap"][embedded.var_names.get_indexer(shown.index)]
    )
    assert dots.colorbar.ax.get_ylabel() == "gene length"
    assert legend_of(ax) == []


@pytest.mark.usefixtures("umap_calls")
def test_mean_expression(embedded: ad.AnnData) -> None:
    embedded.layers["counts"] = embedded.X * 2
    for layer, factor, label in ((None, 1, "mean expression (X)"), ("counts", 2, "mean expression (counts)")):
        ax = pl.gene_map(embedded, color="expression", layer=layer)
        dots = dots_of(ax)[-1]
        means = np.asarray(embedded.X.mean(axis=0)).ravel()[:40] * factor
        np.testing.assert_allclose(dots.get_array(), np.sort(means), rtol=1e-6)
        assert dots.colorbar.ax.get_ylabel() == label
    embedded.var["expression"] = "a column of that name goes first"
    assert legend_of(pl.gene_map(embedded, color="expression")) == ["a column of that name goes first (40)"]


@pytest.mark.usefixtures("umap_calls")
@pytest.mark.parametrize("values", [True, False])
def test_booleans_are_categories(embedded: ad.AnnData, values: bool) -> None:  # noqa: FBT001
    embedded.var["tf"] = [values] * 20 + [True] * 23
    assert legend_of(pl.gene_map(embedded, color="tf")) == (["True (40)"] if values else ["True (20)", "False (20)"])


@pytest.mark.usefixtures("umap_calls")
@pytest.mark.parametrize("nothing", [np.nan, None, np.inf])
def test_a_column_without_values_is_all_grey(embedded: ad.AnnData, nothing: float | None) -> None:
    embedded.var["empty"] = [nothing] * 43
    ax = pl.gene_map(embedded, color="empty")
    assert len(dots_of(ax)[0].get_offsets()) == 40
    assert to_hex(dots_of(ax)[0].get_facecolor()[0]).upper() == MISSING
    ax.figure.canvas.draw()


@pytest.mark.usefixtures("umap_calls")
def test_labels_and_legend_may_be_left_out(embedded: ad.AnnData) -> None:
    ax = pl.gene_map(embedded, color="group", n_labels=0, legend=False, size=3)
    assert list(ax.texts) == []
    assert ax.get_legend() is None
    assert {dots.get_sizes()[0] for dots in dots_of(ax)} == {3}


@pytest.mark.usefixtures("umap_calls")
def test_it_draws_on_the_axes_given_and_opens_no_figure(embedded: ad.AnnData) -> None:
    figure, axes = plt.subplots(1, 2)
    axes[0].plot([0, 1], label="mine")
    assert pl.gene_map(embedded, color="group", ax=axes[0]) is axes[0]
    assert plt.get_fignums() == [figure.number]
    assert dots_of(axes[1]) == []
    assert legend_of(axes[0]) == ["3 (10)", "0 (10)", "1 (10)", "2 (10)"]
    plt.close(figure)
    pl.gene_map(embedded, color="group", ax=axes[1])  # axes of a closed figure


@pytest.mark.usefixtures("umap_calls")
def test_a_view_becomes_an_object_and_its_parent_stays(
    embedded: ad.AnnData, unchanged: Callable[[ad.AnnData], Any]
) -> None:
    view = embedded[:, :30]
    with unchanged(embedded):
        pl.gene_map(view, color="group")
    assert "dnaclip_umap" in view.varm


@pytest.mark.usefixtures("umap_calls")
def test_x_may_be_on_disk(embedded: ad.AnnData, tmp_path: Path) -> None:
    embedded.write_h5ad(tmp_path / "cells.h5ad")
    backed = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    try:
        dots = dots_of(pl.gene_map(backed, color="expression"))[-1]
    finally:
        backed.file.close()
    np.testing.assert_allclose(dots.get_array(), np.sort(np.asarray(embedded.X.mean(axis=0)).ravel()[:40]), rtol=1e-6)


# -- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, MissingKeyError, r"'gene_program' is not in adata.var.*Run dnaclip.tl.gene_programs\(adata\) first"),
        ({"color": "biotype"}, MissingKeyError, r"'biotype' is not in adata.var. Present: 'group'. Or use 'expression'"),
        ({"color": "group", "use_rep": "PCs"}, MissingKeyError, "'PCs' is not in adata.varm"),
        ({"color": "expression", "layer": "log"}, MissingKeyError, "'log' is not in adata.layers"),
        ({"color": "group", "n_neighbors": 1}, InputError, "n_neighbors must be a whole number of at least 2, got 1"),
        ({"color": "group", "n_labels": -1}, InputError, "n_labels must be a whole number of at least 0, got -1"),
        ({"color": "group", "rng": "x"}, InputError, "rng must be an int"),
    ],
)  # fmt: skip
def test_an_error_leaves_no_trace(
    embedded: ad.AnnData,
    unchanged: Callable[[ad.AnnData], Any],
    umap_calls: list[Any],
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with unchanged(embedded), pytest.raises(error, match=message):
        pl.gene_map(embedded, **options)
    assert umap_calls == []
    assert plt.get_fignums() == []


@pytest.mark.parametrize("n_genes", [0, 1, 4])
def test_too_few_genes(embedded: ad.AnnData, n_genes: int) -> None:
    with pytest.raises(InputError, match=rf"A gene map needs 5 genes with an embedding; .* has {n_genes}"):
        pl.gene_map(embedded[:, [*range(n_genes), 40, 41, 42]].copy(), color="group")
