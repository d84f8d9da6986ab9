"""`tl.gene_programs`: the groups that are there are found, every time the same, and written to last."""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from dnaclip import __version__, tl
from dnaclip._errors import InputError, MissingKeyError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def many() -> ad.AnnData:
    """Four hundred genes without clear groups, where another seed gives other programs."""
    vectors = np.random.default_rng(0).normal(size=(400, 6)).astype(np.float32)
    return ad.AnnData(var=pd.DataFrame(index=[f"gene{i}" for i in range(400)]), varm={"dnaclip": vectors})


def programs_of(adata: ad.AnnData, **options: Any) -> list[Any]:
    return tl.gene_programs(adata, copy=True, **options).var["gene_program"].tolist()  # type: ignore[union-attr]


def test_groups_are_found(embedded: ad.AnnData) -> None:
    assert tl.gene_programs(embedded, n_neighbors=5) is None
    program = embedded.var["gene_program"]
    assert program.cat.categories.tolist() == ["P1", "P2", "P3", "P4"]
    assert not program.cat.ordered
    assert program.isna().tolist() == [False] * 40 + [True] * 3
    assert adjusted_rand_score(embedded.var["group"][:40], program[:40]) == 1
    assert program.tolist()[:40:10] == ["P1", "P2", "P3", "P4"], "programs of equal size in the order of their genes"


def test_programs_are_named_by_size(embedded: ad.AnnData) -> None:
    part = embedded[:, [*range(6), *range(10, 20), *range(20, 28)]].copy()
    tl.gene_programs(part, n_neighbors=4)
    sizes = part.var["gene_program"].value_counts()
    assert sizes.to_dict() == {"P1": 10, "P2": 8, "P3": 6}
    assert part.var["gene_program"].iloc[0] == "P3"


def test_small_programs_are_dissolved(embedded: ad.AnnData, caplog: pytest.LogCaptureFixture) -> None:
    part = embedded[:, :24].copy()
    with caplog.at_level(logging.INFO, logger="dnaclip"):
        tl.gene_programs(part, n_neighbors=3)
    assert part.var["gene_program"].tolist() == ["P1"] * 10 + ["P2"] * 10 + [np.nan] * 4
    assert caplog.messages == ["2 gene programs hold 20 of the 24 genes used."]
    tl.gene_programs(part, n_neighbors=3, min_genes=4)
    assert part.var["gene_program"].cat.categories.tolist() == ["P1", "P2", "P3"]


def test_a_higher_resolution_gives_more_programs(many: ad.AnnData) -> None:
    few, more = (pd.Series(programs_of(many, resolution=r, min_genes=1)).nunique() for r in (0.5, 5))
    assert few < more


def test_what_is_recorded(embedded: ad.AnnData) -> None:
    tl.gene_programs(embedded, resolution=2, min_genes=3, rng=np.random.default_rng(0))
    record = embedded.uns["gene_program"]
    assert record["params"] == {
        "use_rep": "dnaclip",
        "method": "leiden",
        "n_neighbors": 15,
        "resolution": 2.0,
        "n_programs": None,
        "expression_weight": 0.0,
        "min_genes": 3,
        "min_membership": 0.1,
        "genes": None,
        "mask_var": None,
        "layer": None,
        "rng": "generator",
        "dnaclip_version": __version__,
    }
    assert record["programs"].tolist() == embedded.var["gene_program"].cat.categories.tolist()
    assert list(record) == ["params", "programs", "coherence"], "no stability, because nothing was chosen by it"
    assert embedded.var["gene_program_used"].tolist() == [True] * 40 + [False] * 3
    assert embedded.uns["mine"] == {"a": 1}


# -- other methods, and their level of detail ------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["hierarchical", "spectral"])
def test_every_method_finds_the_groups(embedded: ad.AnnData, method: Any) -> None:
    tl.gene_programs(embedded, method=method, n_programs=4, n_neighbors=6)
    program = embedded.var["gene_program"]
    assert adjusted_rand_score(embedded.var["group"][:40], program[:40]) == 1
    assert program.isna().tolist() == [False] * 40 + [True] * 3
    assert embedded.uns["gene_program"]["params"]["resolution"] is None


@pytest.mark.parametrize("method", ["hierarchical", "spectral"])
def test_a_number_of_programs_is_kept_to(many: ad.AnnData, method: Any) -> None:
    for n in (3, 7):
        assert len(set(programs_of(many, method=method, n_programs=n, min_genes=1, min_membership=0))) == n


@pytest.mark.parametrize(
    ("method", "options"),
    [("leiden", {"resolution": "auto"}), ("hierarchical", {}), ("spectral", {"n_programs": "auto"})],
)
def test_the_number_is_found_by_stability(embedded: ad.AnnData, method: Any, options: dict[str, Any]) -> None:
    tl.gene_programs(embedded, method=method, n_neighbors=5, **options)
    assert adjusted_rand_score(embedded.var["group"][:40], embedded.var["gene_program"][:40]) == 1
    curve = embedded.uns["gene_program"]["stability"]
    assert curve.columns.tolist() == ["level", "n_programs", "largest", "ari", "ari_sd", "chosen"]
    assert curve["chosen"].sum() == 1
    assert curve.loc[curve["chosen"], "n_programs"].item() == 4
    assert curve.loc[curve["chosen"], "ari"].item() > 0.95
    assert curve["ari"].between(-0.5, 1).all()


def test_levels_to_choose_from_may_be_given(many: ad.AnnData) -> None:
    tl.gene_programs(many, resolution=[4, 1], n_subsamples=2)
    curve = many.uns["gene_program"]["stability"]
    assert curve["level"].tolist() == [1, 4]
    assert many.uns["gene_program"]["params"]["resolution"] == [4, 1]


# -- membership ------------------------------------------------------------------------------------------------------


def test_membership_is_the_share_of_neighbours(embedded: ad.AnnData) -> None:
    tl.gene_programs(embedded, n_neighbors=5)
    membership = embedded.varm["gene_program_membership"]
    assert membership.dtype == np.float32
    assert membership.shape == (43, 4)
    assert (membership[40:] == 0).all()
    np.testing.assert_array_equal(membership[:40], np.eye(4)[np.repeat(range(4), 10)])


def test_a_gene_between_two_groups_belongs_to_both(embedded: ad.AnnData) -> None:
    embedded.varm["dnaclip"][0] = [1, 1, 0, 0]
    tl.gene_programs(embedded, n_neighbors=8)
    first, second = embedded.var["gene_program"].cat.codes.iloc[[5, 15]]
    between = embedded.varm["gene_program_membership"][0]
    assert first != second
    assert between[[first, second]].sum() == 1
    assert 0.2 < between[first] < 0.8


def test_genes_that_fit_nowhere_are_in_no_program(embedded: ad.AnnData) -> None:
    embedded.varm["dnaclip"][0] = [1, 1, 1, 1]
    tl.gene_programs(embedded, n_neighbors=12, min_membership=0.7)
    program, membership = embedded.var["gene_program"], embedded.varm["gene_program_membership"]
    assert program.isna().tolist() == [True] + [False] * 39 + [True] * 3
    assert membership[0].max() < 0.7
    assert (membership[np.arange(1, 40), program.cat.codes[1:40]] >= 0.7).all()
    with pytest.raises(InputError, match="a smaller min_genes or min_membership"):
        tl.gene_programs(embedded, n_neighbors=30, min_membership=1)


# -- coherence -------------------------------------------------------------------------------------------------------


def test_coherence_beside_random_sets(embedded: ad.AnnData) -> None:
    tl.gene_programs(embedded, n_neighbors=5)
    table = embedded.uns["gene_program"]["coherence"]
    parts = ["", "_random", "_z", "_p"]
    kinds = ("embedding", "expression")
    assert table.columns.tolist() == ["n_genes", *(kind + part for kind in kinds for part in parts)]
    assert table.index.tolist() == ["P1", "P2", "P3", "P4"]
    assert (table["n_genes"] == 10).all()
    cosine = np.corrcoef(embedded.varm["dnaclip"][:10])  # not the cosine, but near it
    assert table["embedding"].iloc[0] == pytest.approx(cosine[np.triu_indices(10, 1)].mean(), abs=0.03)
    assert (table["embedding_z"] > 3).all()
    assert (table["embedding_p"] == 1 / 201).all()
    correlation = np.corrcoef(embedded.X.toarray().T[:10])
    assert table["expression"].iloc[0] == pytest.approx(correlation[np.triu_indices(10, 1)].mean(), abs=1e-4)
    assert (table["expression_z"].iloc[:3] > 3).all()
    assert table["expression_z"].iloc[3] < 1, "the fourth group is expressed everywhere alike"


def test_coherence_without_expression(embedded: ad.AnnData) -> None:
    bare = ad.AnnData(var=embedded.var, varm=dict(embedded.varm))
    tl.gene_programs(bare, n_neighbors=5)
    assert bare.uns["gene_program"]["coherence"].columns.tolist()[1:] == [
        "embedding", "embedding_random", "embedding_z", "embedding_p",
    ]  # fmt: skip
    tl.gene_programs(embedded, n_neighbors=5, coherence=False)
    assert "coherence" not in embedded.uns["gene_program"]


# -- expression ------------------------------------------------------------------------------------------------------


def test_expression_alone(embedded: ad.AnnData) -> None:
    del embedded.varm["dnaclip"]
    tl.gene_programs(embedded, expression_weight=1, n_neighbors=5)
    first = embedded.var["gene_program"].to_numpy()[:30]
    assert adjusted_rand_score(embedded.var["group"][:30], first) > 0.9
    assert embedded.var["gene_program_used"].all(), "no embedding is needed"
    assert "embedding" not in embedded.uns["gene_program"]["coherence"]
    assert embedded.uns["gene_program"]["params"]["use_rep"] is None


def test_expression_can_be_blended_in(embedded: ad.AnnData) -> None:
    # To the embedding the first two groups are one; expression tells them apart.
    embedded.varm["dnaclip"][10:20] = embedded.varm["dnaclip"][:10]
    tl.gene_programs(embedded, n_neighbors=7)
    assert embedded.var["gene_program"].nunique() == 3
    tl.gene_programs(embedded, n_neighbors=7, expression_weight=0.5)
    assert adjusted_rand_score(embedded.var["group"][:40], embedded.var["gene_program"][:40]) == 1
    assert embedded.var["gene_program_used"].tolist() == [True] * 40 + [False] * 3


def test_the_layer_is_read(embedded: ad.AnnData) -> None:
    embedded.layers["log"] = embedded.X.copy()
    expected = programs_of(embedded, expression_weight=1)
    embedded.X = np.zeros(embedded.shape)
    assert programs_of(embedded, expression_weight=1, layer="log") == expected
    with pytest.raises(InputError, match="Only 0 of 43 genes vary in expression"):
        tl.gene_programs(embedded, expression_weight=1)


@pytest.mark.parametrize("how", ["constant", "one cell", "no cells"])
def test_expression_that_says_nothing_is_no_error_beside_an_embedding(embedded: ad.AnnData, how: str) -> None:
    if how == "constant":
        embedded.X = np.ones(embedded.shape)
    adata = embedded[: {"constant": 60, "one cell": 1, "no cells": 0}[how]].copy()
    tl.gene_programs(adata, n_neighbors=5, expression_weight=0.5 if how == "constant" else 0)
    assert adata.var["gene_program"].nunique() == 4
    table = adata.uns["gene_program"]["coherence"]
    if how != "no cells":
        assert (table["expression"] == 0).all()
        assert (table["expression_z"] == 0).all()


# -- the same every time ---------------------------------------------------------------------------------------------


def test_the_seed_decides(many: ad.AnnData) -> None:
    first = programs_of(many, rng=3)
    assert programs_of(many, rng=3) == first
    assert programs_of(many, rng=np.random.default_rng(3)) == first
    assert any(programs_of(many, rng=seed) != first for seed in (4, 5, 6))


def test_python_random_state_is_left_alone(many: ad.AnnData) -> None:
    before = random.getstate()
    first = programs_of(many)
    assert random.getstate() == before
    random.seed(99)
    try:
        assert programs_of(many) == first
    finally:
        random.setstate(before)


def test_igraph_gets_its_generator_back_even_after_an_error(many: ad.AnnData, monkeypatch: pytest.MonkeyPatch) -> None:
    import igraph

    given: list[Any] = []
    monkeypatch.setattr(igraph, "set_random_number_generator", given.append)

    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(igraph.Graph, "community_leiden", fail)
    with pytest.raises(RuntimeError):
        tl.gene_programs(many)
    assert isinstance(given[0], random.Random)
    assert given[1] is random


def test_length_of_vectors_and_expression_do_not_matter(many: ad.AnnData) -> None:
    first = programs_of(many)
    many.varm["dnaclip"] = many.varm["dnaclip"] * np.linspace(1, 9, 400, dtype=np.float32)[:, None]
    other = ad.AnnData(np.full((3, 400), np.nan), varm=dict(many.varm))
    assert programs_of(other, coherence=False) == first
    other.X = np.random.default_rng(0).random((3, 400))
    assert programs_of(other) == first


# -- which genes are used --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["column", "boolean column", "array", "list"])
def test_a_mask_chooses_genes(embedded: ad.AnnData, how: str) -> None:
    mask = np.arange(43) >= 10
    embedded.var["use"] = pd.array(mask, dtype="boolean") if how == "boolean column" else mask
    mask_var = {"array": mask, "list": mask.tolist()}.get(how, "use")
    tl.gene_programs(embedded, n_neighbors=5, mask_var=mask_var)
    program = embedded.var["gene_program"]
    assert program.isna().tolist() == [True] * 10 + [False] * 30 + [True] * 3
    assert program.nunique() == 3
    assert embedded.uns["gene_program"]["params"]["mask_var"] == ("use" if "column" in how else "array")


def test_genes_may_be_named(embedded: ad.AnnData) -> None:
    names = [f"gene{i}" for i in (*range(25, 10, -1), 12, 41)]
    tl.gene_programs(embedded, n_neighbors=4, genes=iter(names))
    program = embedded.var["gene_program"]
    assert program.isna().tolist() == [True] * 11 + [False] * 15 + [True] * 17
    assert program.nunique() == 2
    assert embedded.uns["gene_program"]["params"]["genes"] == "list"


def test_genes_may_be_those_that_differ_between_groups(embedded: ad.AnnData) -> None:
    import scanpy as sc

    sc.tl.rank_genes_groups(embedded, "cell_type", method="t-test")
    table = sc.get.rank_genes_groups_df(embedded, group=None, pval_cutoff=1e-4)
    tl.gene_programs(embedded, genes=table["names"], n_neighbors=5)
    assert embedded.var["gene_program"].cat.categories.tolist() == ["P1", "P2", "P3"]
    assert embedded.var["gene_program"][30:].isna().all()


def test_genes_named_twice_in_adata_are_refused(embedded: ad.AnnData) -> None:
    embedded.var_names = ["gene0", *embedded.var_names[:-1]]
    tl.gene_programs(embedded, n_neighbors=4, genes=[f"gene{i}" for i in range(1, 20)])
    with pytest.raises(InputError, match=r"1 of the genes asked for are several genes.*'gene0'.*var_names_make_unique"):
        tl.gene_programs(embedded, genes=[f"gene{i}" for i in range(20)])


def test_the_same_as_on_the_chosen_genes_alone(many: ad.AnnData) -> None:
    mask = np.arange(400) % 3 > 0
    assert [p for p in programs_of(many, mask_var=mask) if isinstance(p, str)] == [
        p for p in programs_of(many[:, mask].copy()) if isinstance(p, str)
    ]


# -- kinds of AnnData ------------------------------------------------------------------------------------------------


def test_a_view_becomes_an_object_and_its_parent_stays(
    embedded: ad.AnnData, unchanged: Callable[[ad.AnnData], Any]
) -> None:
    view = embedded[:5, :30]
    with unchanged(embedded):
        tl.gene_programs(view, n_neighbors=5)
    assert not view.is_view
    assert view.var["gene_program"].nunique() == 3


def test_a_copy_leaves_the_original(embedded: ad.AnnData, unchanged: Callable[[ad.AnnData], Any]) -> None:
    with unchanged(embedded):
        changed = tl.gene_programs(embedded, n_neighbors=5, key_added="mine", copy=True)
    assert changed is not None
    assert changed.var["mine"].nunique() == 4


def test_x_may_be_absent_or_on_disk(embedded: ad.AnnData, tmp_path: Path) -> None:
    expected = programs_of(embedded)
    embedded.write_h5ad(tmp_path / "cells.h5ad")
    backed = ad.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    try:
        tl.gene_programs(backed)
        with pytest.raises(InputError, match=r"backed AnnData cannot be copied.*adata.to_memory\(\)"):
            tl.gene_programs(backed, copy=True)
    finally:
        backed.file.close()
    assert [*backed.var["gene_program"][:40]] == expected[:40]
    assert programs_of(ad.AnnData(var=embedded.var, varm=dict(embedded.varm)))[:40] == expected[:40]


def test_repeated_gene_names_are_no_matter(embedded: ad.AnnData) -> None:
    embedded.var_names = ["same"] * 43
    tl.gene_programs(embedded, n_neighbors=5)
    assert embedded.var["gene_program"].nunique() == 4


@pytest.mark.parametrize("how", ["h5ad", "zarr"])
@pytest.mark.filterwarnings("ignore:Writing zarr v2 data:UserWarning")
def test_it_survives_a_file(embedded: ad.AnnData, tmp_path: Path, how: str) -> None:
    tl.gene_programs(embedded, resolution="auto", n_subsamples=2)
    getattr(embedded, f"write_{how}")(tmp_path / "file")
    again = getattr(ad, f"read_{how}")(tmp_path / "file")
    pd.testing.assert_series_equal(again.var["gene_program"], embedded.var["gene_program"])
    np.testing.assert_array_equal(
        again.varm["gene_program_membership"], embedded.varm["gene_program_membership"], strict=True
    )
    record, expected = again.uns["gene_program"], embedded.uns["gene_program"]
    assert record["params"] == expected["params"]
    assert record["programs"].tolist() == expected["programs"].tolist()
    for table in ("coherence", "stability"):
        pd.testing.assert_frame_equal(record[table], expected[table])


# -- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"use_rep": "PCs"}, MissingKeyError, r"'PCs' is not in adata.varm.*Run dnaclip.tl.embed"),
        ({"n_neighbors": 0}, InputError, "n_neighbors must be a whole number of at least 1, got 0"),
        ({"min_genes": 0}, InputError, "min_genes must be a whole number of at least 1, got 0"),
        ({"resolution": 0}, InputError, "resolution must be a number above 0, got 0"),
        ({"resolution": float("nan")}, InputError, "resolution must be a number above 0, got nan"),
        ({"resolution": "high"}, InputError, "got 'high'"),
        ({"resolution": []}, InputError, "resolution is an empty list"),
        ({"resolution": [1, -1]}, InputError, "got -1"),
        ({"method": "louvain"}, InputError, "method='louvain' is not known. Use one of: 'leiden', 'hierarchical'"),
        ({"n_programs": 5}, InputError, "n_programs=5 is for method='hierarchical' and 'spectral'"),
        ({"method": "spectral", "n_programs": 1}, InputError, "n_programs must be a whole number of at least 2, got 1"),
        ({"method": "spectral", "n_programs": "many"}, InputError, "got 'many'"),
        ({"n_subsamples": 1}, InputError, "n_subsamples must be a whole number of at least 2, got 1"),
        ({"expression_weight": 1.1}, InputError, "expression_weight must be a number from 0 to 1, got 1.1"),
        ({"min_membership": None}, InputError, "min_membership must be a number from 0 to 1, got None"),
        ({"layer": "log"}, MissingKeyError, "'log' is not in adata.layers"),
        ({"genes": "gene1"}, InputError, "genes must be a list of names of adata.var_names, got 'gene1'"),
        ({"genes": ["gene1"]}, InputError, "Only 1 of 43 genes .* a program needs at least 5"),
        ({"genes": []}, InputError, r"among those asked for \(0\)"),
        ({"genes": ["gene1", "TP53"]}, MissingKeyError, "1 of 2 genes are not in adata.var_names: 'TP53'. Names there look like 'gene0'"),
        ({"genes": ["gene1"], "mask_var": "group"}, InputError, "Give genes or mask_var, not both"),
        ({"key_added": "a/b"}, InputError, "key_added='a/b' contains '/'"),
        ({"key_added": ""}, InputError, "must be a non-empty string"),
        ({"key_added": "dnaclip"}, InputError, "would overwrite the record of the embedding"),
        ({"rng": "seed"}, InputError, "rng must be an int"),
        ({"mask_var": "used"}, MissingKeyError, r"'used' is not in adata.var. Present: 'group'"),
        ({"mask_var": "group"}, InputError, r"adata.var\['group'\] must hold 43 booleans"),
        ({"mask_var": [True]}, InputError, "mask_var must hold 43 booleans, one per gene, got 1 values of type bool"),
        ({"mask_var": [1] * 43}, InputError, "of type int64"),
        ({"mask_var": [False] * 42 + [True]}, InputError, r"Only 0 of 43 genes .* \(1\); a program needs at least 5"),
        ({"mask_var": [True] * 4 + [False] * 39}, InputError, "Only 4 of 43 genes"),
        ({"min_genes": 11, "n_neighbors": 5}, InputError, "No program has 11 genes or more. Ask for fewer programs"),
    ],
)  # fmt: skip
def test_an_error_leaves_no_trace(
    embedded: ad.AnnData,
    unchanged: Callable[[ad.AnnData], Any],
    options: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with unchanged(embedded), pytest.raises(error, match=message):
        tl.gene_programs(embedded, **options)


def test_expression_that_is_not_finite_is_refused(embedded: ad.AnnData, unchanged: Callable[[ad.AnnData], Any]) -> None:
    embedded.X = embedded.X.toarray()
    embedded.X[3, 7], embedded.X[5, 2] = np.nan, np.inf
    embedded.X[:, 41] = np.nan  # has no embedding, so it is not used
    with (
        unchanged(embedded),
        pytest.raises(InputError, match=r"2 of 40 genes holds NaN.*'gene2', 'gene7'.*coherence=False"),
    ):
        tl.gene_programs(embedded)


def test_expression_that_is_needed_and_absent(embedded: ad.AnnData) -> None:
    with pytest.raises(InputError, match="adata.X is None"):
        tl.gene_programs(ad.AnnData(var=embedded.var, varm=dict(embedded.varm)), expression_weight=0.2)


def test_a_mask_with_gaps_is_refused(embedded: ad.AnnData) -> None:
    embedded.var["use"] = pd.array([True, None, *[True] * 41], dtype="boolean")
    with pytest.raises(InputError, match="must hold 43 booleans"):
        tl.gene_programs(embedded, mask_var="use")


def test_genes_that_point_apart_form_no_program() -> None:
    adata = ad.AnnData(var=pd.DataFrame(index=list("abcdef")), varm={"dnaclip": np.vstack([np.eye(3), -np.eye(3)])})
    with pytest.raises(InputError, match="No program has 5 genes or more"):
        tl.gene_programs(adata)
