"""`pl.program_heatmap`: the numbers that are drawn, their order, and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from dnaclip import pl, tl
from dnaclip._errors import InputError, MissingKeyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from matplotlib.axes import Axes


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture
def scored(embedded: ad.AnnData) -> ad.AnnData:
    tl.gene_programs(embedded, n_neighbors=5)
    tl.score_programs(embedded)
    return embedded


def table_of(ax: Axes) -> pd.DataFrame:
    rows, columns = ([label.get_text() for label in labels] for labels in (ax.get_yticklabels(), ax.get_xticklabels()))
    return pd.DataFrame(np.asarray(ax.images[0].get_array()), index=rows, columns=columns)


def test_values_are_standardised_group_means(scored: ad.AnnData, unchanged: Callable[[ad.AnnData], Any]) -> None:
    with unchanged(scored):
        ax = pl.program_heatmap(scored, "cell_type")
    table = table_of(ax)
    for p, program in enumerate(["P1", "P2", "P3", "P4"]):
        means = {
            group: scored.obsm["gene_program"][(scored.obs["cell_type"] == group).to_numpy(), p].mean(dtype=float)
            for group in ("T cell", "B cell", "monocyte")
        }
        values = np.array([*means.values()])
        for group, mean in means.items():
            assert table.loc[program, group] == pytest.approx((mean - values.mean()) / values.std(), abs=1e-5)
    assert table.loc[["P1", "P2", "P3"]].idxmax(axis=1).tolist() == ["T cell", "B cell", "monocyte"]


def test_labels_and_colours(scored: ad.AnnData) -> None:
    ax = pl.program_heatmap(scored, "cell_type")
    image: Any = ax.images[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("cell type", "gene program")
    assert image.colorbar.ax.get_ylabel() == "mean score\n(z-scored per program)"
    assert image.norm.vmin == -image.norm.vmax
    assert image.norm.vmax == pytest.approx(np.abs(image.get_array()).max())


def test_what_is_alike_stands_together() -> None:
    rng = np.random.default_rng(0)
    pattern = np.array([[1, 1, 0, 0], [0, 0, 1, 1]])[[0, 1, 0, 1, 0, 1]]  # programs by groups
    scores = pattern.T[np.repeat([0, 2, 1, 3], 5)] + 0.01 * rng.normal(size=(20, 6))
    adata = ad.AnnData(
        obs=pd.DataFrame({"group": np.repeat(["a", "c", "b", "d"], 5)}, index=[f"cell{i}" for i in range(20)]),
        obsm={"gene_program": scores},
        uns={"gene_program": {"scores": {"programs": np.array([f"P{i}" for i in range(6)])}}},
    )
    table = table_of(pl.program_heatmap(adata, "group"))
    assert {frozenset(table.columns[:2]), frozenset(table.columns[2:])} == {frozenset("ab"), frozenset("cd")}
    assert {frozenset(table.index[:3]), frozenset(table.index[3:])} == {
        frozenset({"P0", "P2", "P4"}),
        frozenset({"P1", "P3", "P5"}),
    }


def test_cells_without_a_group_and_unused_groups_are_left_out(scored: ad.AnnData) -> None:
    scored.obs["cell_type"] = scored.obs["cell_type"].cat.add_categories(["never"])
    scored.obs.loc[scored.obs_names[:20], "cell_type"] = np.nan
    assert sorted(table_of(pl.program_heatmap(scored, "cell_type")).columns) == ["B cell", "monocyte"]


@pytest.mark.parametrize("values", [["a", "b"], [0, 1], [True, False]])
def test_groups_may_be_of_any_type(scored: ad.AnnData, values: list[Any]) -> None:
    scored.obs["group"] = values * 30
    assert sorted(table_of(pl.program_heatmap(scored, "group")).columns) == sorted(map(str, values))


def test_a_program_that_is_the_same_everywhere_is_zero(scored: ad.AnnData) -> None:
    scored.obsm["gene_program"][:, 1] = 0.3
    assert (table_of(pl.program_heatmap(scored, "cell_type")).loc["P2"] == 0).all()
    scored.obsm["gene_program"][:] = 0.3
    ax = pl.program_heatmap(scored, "cell_type")
    assert (table_of(ax) == 0).all(axis=None)
    ax.figure.canvas.draw()


def test_one_program(scored: ad.AnnData) -> None:
    scored.var["one"] = "P1"
    scored.var.loc[scored.var_names[10:], "one"] = None
    tl.score_programs(scored, program_key="one")
    ax = pl.program_heatmap(scored, "cell_type", program_key="one")
    assert table_of(ax).shape == (1, 3)
    assert ax.get_ylabel() == "one"


@pytest.mark.parametrize("n_programs", [1, 2, 6])
def test_the_label_of_the_colour_bar_is_not_cut(scored: ad.AnnData, n_programs: int) -> None:
    scored.var["few"] = [f"P{i % n_programs}" for i in range(scored.n_vars)]
    tl.score_programs(scored, program_key="few")
    ax = pl.program_heatmap(scored, "cell_type", program_key="few")
    ax.figure.canvas.draw()
    image: Any = ax.images[0]
    label, page = image.colorbar.ax.yaxis.label.get_window_extent(), ax.figure.bbox
    assert page.y0 <= label.y0 < label.y1 <= page.y1
    assert label.x1 <= page.x1


def test_it_draws_on_the_axes_given(scored: ad.AnnData) -> None:
    figure, ax = plt.subplots()
    assert pl.program_heatmap(scored, "cell_type", ax=ax) is ax
    assert plt.get_fignums() == [figure.number]


def test_a_new_figure_grows_with_the_table(scored: ad.AnnData) -> None:
    scored.obs["many"] = [f"group {i}" for i in range(60)]
    wide, narrow = (pl.program_heatmap(scored, groupby).figure.bbox.width for groupby in ("many", "cell_type"))
    assert wide > 2 * narrow


def test_scores_from_a_file(scored: ad.AnnData, tmp_path: Path) -> None:
    scored.write_h5ad(tmp_path / "cells.h5ad")
    again = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    try:
        table = table_of(pl.program_heatmap(again, "cell_type"))
    finally:
        again.file.close()
    pd.testing.assert_frame_equal(table, table_of(pl.program_heatmap(scored, "cell_type")))


@pytest.mark.parametrize(
    ("groupby", "program_key", "error", "message"),
    [
        ("leiden", "gene_program", MissingKeyError, "'leiden' is not in adata.obs. Present: 'cell_type', 'one', 'nothing'"),
        ("cell_type", "mine", MissingKeyError, r"'mine' is not in adata.obsm.*Run dnaclip.tl.score_programs\(adata\) first"),
        ("one", "gene_program", InputError, r"adata.obs\['one'\] has 1 group; a heatmap compares at least two"),
        ("nothing", "gene_program", InputError, "has 0 group"),
    ],
)  # fmt: skip
def test_an_error_leaves_no_figure(
    scored: ad.AnnData, groupby: str, program_key: str, error: type[Exception], message: str
) -> None:
    scored.obs["one"] = "all"
    scored.obs["nothing"] = pd.Categorical([None] * 60)
    with pytest.raises(error, match=message):
        pl.program_heatmap(scored, groupby, program_key=program_key)
    assert plt.get_fignums() == []


def test_new_programs_make_old_scores_unusable(scored: ad.AnnData) -> None:
    tl.gene_programs(scored, n_neighbors=5, resolution=3)
    with pytest.raises(MissingKeyError, match=r"'scores' is not in adata.uns\['gene_program'\].*score_programs"):
        pl.program_heatmap(scored, "cell_type")


def test_scores_that_do_not_fit_their_names_are_refused(scored: ad.AnnData) -> None:
    scored.obsm["gene_program"] = scored.obsm["gene_program"][:, :2]
    with pytest.raises(InputError, match=r"has shape \(60, 2\), but .* names 4 programs"):
        pl.program_heatmap(scored, "cell_type")
