"""Plots of gene programs: what is drawn is what was computed; axes, new figures and errors."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from dnaclip import pl, tl
from dnaclip.errors import InputError, MissingKeyError
from dnaclip.pl._colors import PALETTE
from dnaclip.pl._enrichment_dotplot import short_term

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from matplotlib.axes import Axes


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    plt.close("all")
    yield
    plt.close("all")


@pytest.fixture
def programs(embedded: ad.AnnData) -> ad.AnnData:
    """Four programs of ten genes each, enriched in sets, and compared between six donors of two states."""
    tl.gene_programs(embedded, n_neighbors=5)
    tl.score_programs(embedded)
    names = embedded.var_names
    sets = {f"SET_{k}": names[10 * k : 10 * k + 10].tolist() for k in range(3)} | {"HALF": names[:5].tolist()}
    tl.enrich(embedded, sets, prune_parents=False)
    donor = np.tile(np.arange(8), 8)[:60]
    embedded.obs["donor"] = [f"D{i}" for i in donor]
    embedded.obs["state"] = np.where(donor < 4, "healthy", "ill")
    embedded.obsm["gene_program"][donor >= 4, 1] += 3
    tl.rank_programs(embedded, "state", reference="healthy", donor_key="donor", groupby="cell_type", min_cells=2)
    return embedded


@pytest.fixture
def with_curve(embedded: ad.AnnData) -> ad.AnnData:
    tl.gene_programs(embedded, n_neighbors=5, resolution=[0.5, 1, 2], n_subsamples=4)
    return embedded


def labels(texts: Any) -> list[str]:
    return [text.get_text() for text in texts]


PLOTS: dict[str, Callable[..., Axes]] = {
    "similarity": pl.program_similarity,
    "network": pl.program_network,
    "dotplot": pl.enrichment_dotplot,
    "effects": pl.program_effects,
}


@pytest.mark.parametrize("plot", PLOTS.values(), ids=PLOTS)
def test_axes_are_taken_or_made_and_nothing_is_written(
    programs: ad.AnnData, unchanged: Callable[[ad.AnnData], Any], plot: Callable[..., Axes]
) -> None:
    figure, ax = plt.subplots()
    with unchanged(programs):
        assert plot(programs, ax=ax) is ax
        assert plt.get_fignums() == [figure.number]
        new = plot(programs)
    new.figure.canvas.draw()
    assert len(plt.get_fignums()) == 2


@pytest.mark.parametrize("plot", [*PLOTS.values(), pl.program_stability])
def test_data_without_programs_leave_no_figure(embedded: ad.AnnData, plot: Callable[..., Axes]) -> None:
    with pytest.raises(MissingKeyError, match="'gene_program' is not in adata"):
        plot(embedded)
    assert plt.get_fignums() == []


# --- similarity


def test_similarity_is_the_cosine_ordered_by_program(programs: ad.AnnData) -> None:
    ax: Any = pl.program_similarity(programs)
    image: Any = ax.images[0]
    cosine = np.asarray(image.get_array())
    assert cosine.shape == (40, 40)
    np.testing.assert_allclose(np.diag(cosine), 1, atol=1e-6)
    blocks = cosine.reshape(4, 10, 4, 10).mean(axis=(1, 3))
    assert np.diag(blocks).min() > 0.9
    assert blocks[~np.eye(4, dtype=bool)].max() < 0.3
    assert (image.norm.vmin, image.norm.vmax) == (-1, 1)
    assert sorted(labels(ax.get_yticklabels())) == ["P1", "P2", "P3", "P4"]
    np.testing.assert_allclose(ax.get_yticks(), [4.5, 14.5, 24.5, 34.5])
    # Within a program, from the most to the least like its centroid.
    assert (np.diff([cosine[i, :10].mean() for i in range(10)]) < 0.02).all()


def test_similarity_draws_some_genes_of_many(programs: ad.AnnData) -> None:
    ax: Any = pl.program_similarity(programs, max_genes=20)
    assert np.asarray(ax.images[0].get_array()).shape == (20, 20)
    assert len(ax.get_yticks()) == 4


def test_similarity_by_another_embedding(programs: ad.AnnData) -> None:
    programs.varm["noise"] = np.random.default_rng(0).normal(size=(43, 8))
    cosine = np.asarray(pl.program_similarity(programs, use_rep="noise").images[0].get_array())
    assert abs(cosine[:10, :10][~np.eye(10, dtype=bool)].mean()) < 0.3
    with pytest.raises(MissingKeyError, match="'other' is not in adata.varm"):
        pl.program_similarity(programs, use_rep="other")


def test_similarity_of_too_few_genes(programs: ad.AnnData) -> None:
    programs.var["one"] = pd.Categorical(["P1"] + [None] * 42)
    with pytest.raises(InputError, match="1 genes are in a program"):
        pl.program_similarity(programs, program_key="one")
    programs.var["none"] = pd.Categorical([None] * 43)
    with pytest.raises(InputError, match="No gene with an embedding"):
        pl.program_similarity(programs, program_key="none")


def test_names_of_small_programs_do_not_overlap() -> None:
    rng = np.random.default_rng(0)
    adata = ad.AnnData(np.ones((1, 300), dtype=np.float32), varm={"dnaclip": rng.normal(size=(300, 5))})
    adata.var["gene_program"] = [f"P{i // 3 + 1}" for i in range(300)]
    ax: Any = pl.program_similarity(adata)
    assert 5 < len(ax.get_yticks()) <= 40
    assert (np.diff(ax.get_yticks()) >= 7).all()


# --- network


def test_network_joins_the_most_similar_centroids(programs: ad.AnnData) -> None:
    programs.varm["line"] = np.array([[np.cos(a), np.sin(a)] for a in np.repeat([0, 0.3, 0.7, 1.2], [10, 10, 10, 13])])
    programs.var["gene_program"] = np.repeat(["P1", "P2", "P3", "P4"], [10, 10, 10, 13])
    ax: Any = pl.program_network(programs, use_rep="line", n_neighbors=1)
    lines: Any = ax.collections[0]
    np.testing.assert_allclose(np.sort(lines.get_array()), np.cos([0.5, 0.4, 0.3]), atol=1e-6)
    assert labels(ax.texts) == ["P1", "P2", "P3", "P4"]
    sizes = ax.collections[1].get_sizes()
    assert sizes[3] == sizes.max() == 800
    np.testing.assert_allclose(sizes[:3], 150 + 650 * 10 / 13)


def test_network_is_the_same_with_the_same_seed(programs: ad.AnnData) -> None:
    first, again = (np.asarray(pl.program_network(programs, rng=3).collections[1].get_offsets()) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def many_programs(n: int = 70) -> ad.AnnData:
    rng = np.random.default_rng(0)
    adata = ad.AnnData(np.ones((2, 2 * n), dtype="float32"))
    adata.varm["dnaclip"] = (rng.normal(size=(n, 8)).repeat(2, axis=0) + 3).astype("float32")
    adata.var["gene_program"] = [f"P{i // 2 + 1}" for i in range(2 * n)]
    return adata


def test_many_nodes_do_not_cover_each_other() -> None:
    ax: Any = pl.program_network(many_programs())
    ax.figure.canvas.draw()
    nodes = ax.collections[1]
    places = ax.transData.transform(nodes.get_offsets()) / ax.figure.dpi * 72
    radii = np.sqrt(nodes.get_sizes()) / 2
    distance = np.linalg.norm(places[:, None] - places, axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (distance > 0.9 * (radii[:, None] + radii)).all()


def test_the_names_of_many_programs_do_not_overlap() -> None:
    ax: Any = pl.program_similarity(many_programs())
    ax.figure.canvas.draw()
    for labels_of_side, low, high in ((ax.get_xticklabels(), "x0", "x1"), (ax.get_yticklabels(), "y0", "y1")):
        ends = sorted(
            (getattr(box, low), getattr(box, high)) for box in (label.get_window_extent() for label in labels_of_side)
        )
        assert len(ends) > 10
        assert all(one[1] <= other[0] + 1 for one, other in pairwise(ends))


def test_network_of_opposite_programs_has_nodes_only() -> None:
    adata = ad.AnnData(
        np.ones((1, 4), dtype=np.float32), varm={"dnaclip": np.array([[1, 0], [1, 0], [-1, 0], [-1, 0]])}
    )
    adata.var["gene_program"] = ["P1", "P1", "P2", "P2"]
    ax: Any = pl.program_network(adata)
    assert len(ax.collections[0].get_segments()) == 0
    assert labels(ax.texts) == ["P1", "P2"]
    adata.var["gene_program"] = "P1"
    with pytest.raises(InputError, match="has one program; a network needs at least two"):
        pl.program_network(adata)


# --- dot plot


def test_dots_are_the_enrichment(programs: ad.AnnData) -> None:
    ax: Any = pl.enrichment_dotplot(programs, n_terms=1)
    assert labels(ax.get_xticklabels()) == ["P1", "P2", "P3"]
    assert labels(ax.get_yticklabels()) == ["set 0", "set 1", "set 2"]
    dots: Any = ax.collections[0]
    np.testing.assert_array_equal(dots.get_offsets(), [[0, 0], [1, 1], [2, 2]])
    table = programs.uns["gene_program"]["enrichment"]["table"]
    table = table[table["term"] != "HALF"]
    np.testing.assert_allclose(dots.get_array(), -np.log10(table["fdr"]))
    share = table["n_overlap"] / table["n_program"]
    np.testing.assert_allclose(dots.get_sizes(), 160 * share / share.max())
    assert [label.get_text() for label in ax.get_legend().get_texts()] == ["25%", "50%", "100%"]


def test_a_term_of_several_programs_has_one_row() -> None:
    names = [f"G{i}" for i in range(60)]
    programs = {"P1": names[:10], "P2": names[5:15]}
    table = tl.enrich(programs, {"both": names[:15], "second": names[8:15]}, background=names, prune_parents=False)
    ax: Any = pl.enrichment_dotplot(table, n_terms=2)
    assert sorted(labels(ax.get_yticklabels())) == ["both", "second"]
    assert len(ax.collections[0].get_offsets()) == len(table)
    only: Any = pl.enrichment_dotplot(table, programs=["P1", "never"])
    assert labels(only.get_xticklabels()) == ["P1"]


def test_ranked_genes_have_dots_too(programs: ad.AnnData) -> None:
    sets = {f"SET_{k}": programs.var_names[10 * k : 10 * k + 10].tolist() for k in range(3)}
    table = tl.enrich(programs, sets, method="prerank", n_permutations=50, key_added="ranked")
    ax: Any = pl.enrichment_dotplot(programs, enrichment_key="ranked")
    assert len(ax.collections[0].get_offsets()) == len(table)
    assert np.asarray(ax.collections[0].get_array()).max() <= 20
    assert ax.get_legend().get_title().get_text() == "share of term"


def test_nothing_enriched_is_said(programs: ad.AnnData) -> None:
    table = programs.uns["gene_program"]["enrichment"]["table"]
    with pytest.raises(InputError, match="There is no enriched term to draw. Programs with terms: none"):
        pl.enrichment_dotplot(table[:0])
    with pytest.raises(InputError, match="to draw for 'P9'. Programs with terms: 'P1', 'P2', 'P3'"):
        pl.enrichment_dotplot(table, programs=["P9"])
    with pytest.raises(MissingKeyError, match="'other' is not in adata.uns"):
        pl.enrichment_dotplot(programs, enrichment_key="other")


@pytest.mark.parametrize(
    ("term", "name"),
    [
        ("HALLMARK_TNFA_SIGNALING_VIA_NFKB", "tnfa signaling via nfkb"),
        ("REACTOME_GLYCOGEN_BREAKDOWN_GLYCOGENOLYSIS", "glycogen breakdown glycogenolysis"),
        ("GO_FILOPODIUM", "filopodium"),
        ("GOBP_DNA_REPAIR", "dna repair"),
        ("DNA repair (GO:0006281)", "DNA repair"),
        ("Apoptosis R-HSA-109581", "Apoptosis"),
        ("TP53", "TP53"),
        ("my_own_set", "my_own_set"),
        ("a" * 60, "a" * 47 + "…"),
    ],
)
def test_terms_are_written_as_people_write_them(term: str, name: str) -> None:
    assert short_term(term) == name


# --- effects


def test_effects_with_intervals_and_significance(programs: ad.AnnData) -> None:
    table = programs.uns["gene_program"]["ranking"]["table"]
    ax: Any = pl.program_effects(programs, programs=["P2", "P1"])
    assert labels(ax.get_yticklabels()) == ["P2", "P1"]
    groups = ["B cell", "T cell", "monocyte"]
    assert labels(ax.get_legend().get_texts()) == [*groups, "FDR ≤ 0.05", "FDR > 0.05"]
    lines, dots = ax.collections[0::3][:3], ax.collections[1::3][:3]
    for i, group in enumerate(groups):
        rows = table[(table["group"] == group) & table["program"].isin(["P1", "P2"])]
        segments = sorted(segment[:, 0].tolist() for segment in lines[i].get_segments())
        np.testing.assert_allclose(segments, sorted(rows[["ci_low", "ci_high"]].to_numpy().tolist()))
        points = {
            round(float(y)): (x, to_hex(color))
            for (x, y), color in zip(dots[i].get_offsets(), dots[i].get_facecolors(), strict=True)
        }
        for place, program in enumerate(["P2", "P1"]):
            row = rows[rows["program"] == program].iloc[0]
            assert points[place][0] == pytest.approx(row["difference"])
            assert points[place][1] == (PALETTE[i].lower() if row["fdr"] <= 0.05 else "#ffffff")
    assert (table[table["program"] == "P2"]["fdr"] <= 0.05).all()
    assert "ill - reference" in ax.get_xlabel()


def test_small_effects_have_labels_that_do_not_touch() -> None:
    table = pd.DataFrame({"condition": "ill", "group": "all", "program": ["P1", "P2"], "difference": [0.003, -0.003]})
    table = table.assign(ci_low=[0.002, -0.0045], ci_high=[0.0035, -0.002], p_value=0.001, fdr=0.002)
    ax: Any = pl.program_effects(table)
    ax.figure.canvas.draw()
    boxes = [label.get_window_extent() for label in ax.get_xticklabels() if ax.get_xlim()[0] <= label.get_position()[0]]
    assert all(left.x1 < right.x0 for left, right in zip(boxes, boxes[1:], strict=False))


def test_the_best_programs_are_shown(programs: ad.AnnData) -> None:
    ax: Any = pl.program_effects(programs, n_programs=2)
    assert labels(ax.get_yticklabels())[0] == "P2"
    assert len(ax.get_yticks()) == 2


def test_several_conditions_need_a_name(programs: ad.AnnData) -> None:
    table = programs.uns["gene_program"]["ranking"]["table"]
    both = pd.concat([table, table.assign(condition="mild")])
    with pytest.raises(InputError, match="condition=None: name one of the conditions compared, 'ill', 'mild'"):
        pl.program_effects(both)
    assert "mild - reference" in pl.program_effects(both, condition="mild").get_xlabel()
    with pytest.raises(InputError, match="condition='severe'"):
        pl.program_effects(both, condition="severe")
    with pytest.raises(InputError, match="There is no difference to draw. Programs with one: 'P2'"):
        pl.program_effects(table, programs=["P9"])
    with pytest.raises(InputError, match="of which there are none"):
        pl.program_effects(table[:0])


# --- stability


def test_stability_draws_the_curve(with_curve: ad.AnnData, unchanged: Callable[[ad.AnnData], Any]) -> None:
    with unchanged(with_curve):
        ax: Any = pl.program_stability(with_curve)
    curve = with_curve.uns["gene_program"]["stability"]
    np.testing.assert_allclose(ax.lines[0].get_xydata(), curve[["level", "ari"]])
    chosen = curve[curve["chosen"]]
    marked = next(line for line in ax.lines if line.get_label() == "chosen")
    np.testing.assert_allclose(marked.get_xydata(), chosen[["level", "ari"]])
    assert labels(ax.texts) == curve["n_programs"].astype(str).tolist()
    assert labels(ax.get_xticklabels()) == ["0.5", "1", "2"]
    ax.figure.canvas.draw()


def test_stability_of_a_number_of_programs(embedded: ad.AnnData) -> None:
    tl.gene_programs(embedded, n_neighbors=5, method="hierarchical", n_programs=[2, 4], n_subsamples=4)
    ax: Any = pl.program_stability(embedded)
    assert ax.get_xlabel() == "number of programs"
    assert len(ax.texts) == 0
    ax.figure.canvas.draw()


def test_programs_not_chosen_by_stability_have_no_curve(programs: ad.AnnData) -> None:
    with pytest.raises(MissingKeyError, match="'stability' is not in .*resolution='auto'"):
        pl.program_stability(programs)
    assert plt.get_fignums() == []
