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
    assert embedded.uns["gene_program"] == {
        "params": {
            "use_rep": "dnaclip",
            "n_neighbors": 15,
            "resolution": 2.0,
            "min_genes": 3,
            "mask_var": None,
            "rng": "generator",
            "dnaclip_version": __version__,
        }
    }
    assert embedded.uns["mine"] == {"a": 1}


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
    tl.gene_programs(embedded)
    getattr(embedded, f"write_{how}")(tmp_path / "file")
    again = getattr(ad, f"read_{how}")(tmp_path / "file")
    pd.testing.assert_series_equal(again.var["gene_program"], embedded.var["gene_program"])
    assert again.uns["gene_program"] == embedded.uns["gene_program"]


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
        ({"key_added": "a/b"}, InputError, "key_added='a/b' contains '/'"),
        ({"key_added": ""}, InputError, "must be a non-empty string"),
        ({"key_added": "dnaclip"}, InputError, "would overwrite the record of the embedding"),
        ({"rng": "seed"}, InputError, "rng must be an int"),
        ({"mask_var": "used"}, MissingKeyError, r"'used' is not in adata.var. Present: 'group'"),
        ({"mask_var": "group"}, InputError, r"adata.var\['group'\] must hold 43 booleans"),
        ({"mask_var": [True]}, InputError, "mask_var must hold 43 booleans, one per gene, got 1 values of type bool"),
        ({"mask_var": [1] * 43}, InputError, "of type int64"),
        ({"mask_var": [False] * 42 + [True]}, InputError, "Only 0 of 43 genes .* a program needs at least 5"),
        ({"mask_var": [True] * 4 + [False] * 39}, InputError, "Only 4 of 43 genes"),
        ({"min_genes": 11, "n_neighbors": 5}, InputError, "No program has 11 genes or more. Use a lower resolution than 1.0"),
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


def test_a_mask_with_gaps_is_refused(embedded: ad.AnnData) -> None:
    embedded.var["use"] = pd.array([True, None, *[True] * 41], dtype="boolean")
    with pytest.raises(InputError, match="must hold 43 booleans"):
        tl.gene_programs(embedded, mask_var="use")


def test_genes_that_point_apart_form_no_program() -> None:
    adata = ad.AnnData(var=pd.DataFrame(index=list("abcdef")), varm={"dnaclip": np.vstack([np.eye(3), -np.eye(3)])})
    with pytest.raises(InputError, match="No program has 5 genes or more"):
        tl.gene_programs(adata)
