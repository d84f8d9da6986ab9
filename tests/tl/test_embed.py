"""`tl.embed`: what is written, on every kind of AnnData, and that an error leaves no trace."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from dnaclip import __version__, tl
from dnaclip._errors import DnaclipError, InputError, MissingKeyError
from dnaclip.datasets import EmbeddingTable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# One gene of each kind: both sides, dna only, text only, neither, ambiguous, unknown; and one gene twice.
NAMES = ["TP53", "MTARC1", "SEPT2", "ENSG00000243485", "DIFF6", "no-such-gene", "60", "ACTB"]
ROWS = [0, 3, 4, 15, -1, -1, 1, 1]


def make_adata(names: list[str] | None = None, n_obs: int = 3, X: Any = None, **var: Any) -> ad.AnnData:
    names = NAMES if names is None else names
    X = np.ones((n_obs, len(names)), dtype=np.float32) if X is None else X
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Variable names are not unique")
        return ad.AnnData(X, var=pd.DataFrame(var, index=names), uns={"mine": {"a": 1}})


def snapshot(adata: ad.AnnData) -> dict[str, Any]:
    """Everything about an object, in a form that can be compared."""
    return {
        "X": None if adata.X is None else np.asarray(adata.X).copy(),
        "var": adata.var.copy(),
        "obs": adata.obs.copy(),
        "varm": {key: np.array(value) for key, value in adata.varm.items()},
        "uns": dict(adata.uns),
        "is_view": adata.is_view,
    }


def assert_unchanged(adata: ad.AnnData, before: dict[str, Any]) -> None:
    after = snapshot(adata)
    pd.testing.assert_frame_equal(after["var"], before["var"])
    pd.testing.assert_frame_equal(after["obs"], before["obs"])
    np.testing.assert_equal(after["X"], before["X"])
    np.testing.assert_equal(after["varm"], before["varm"])
    np.testing.assert_equal(after["uns"], before["uns"])
    assert after["is_view"] == before["is_view"]


def expected(table: EmbeddingTable, modality: str = "joint", rows: list[int] | None = None) -> np.ndarray:
    """Row by row what stands in varm."""
    rows = ROWS if rows is None else rows
    empty = np.full(table.dimension, np.nan, dtype=np.float32)
    return np.stack([table.vectors(modality)[row] if row >= 0 else empty for row in rows])


def test_what_is_written(gene_table: EmbeddingTable) -> None:
    adata = make_adata()
    assert tl.embed(adata, gene_table) is None
    stored = adata.varm["dnaclip"]
    assert type(stored) is np.ndarray
    assert stored.dtype == np.float32
    assert stored.flags.c_contiguous
    assert stored.flags.writeable
    np.testing.assert_array_equal(stored, expected(gene_table))
    assert adata.var["dnaclip_found"].dtype == bool
    assert adata.var["dnaclip_found"].tolist() == [True, True, True, False, False, False, True, True]
    used = adata.var["dnaclip_modalities"]
    assert used.tolist() == ["dna+text", "dna", "text", "none", "none", "none", "dna+text", "dna+text"]
    assert used.cat.categories.tolist() == ["dna+text", "dna", "text", "none"]
    assert adata.uns == {
        "mine": {"a": 1},
        "dnaclip": {
            "params": {
                "model": "toy",
                "model_sha256": "0" * 64,
                "modality": "joint",
                "organism": "human",
                "gene_ids": "var_names",
                "missing": "nan",
                "n_genes": 8,
                "n_found": 5,
                "found_by": {"ensembl": 1, "entrez": 1, "symbol": 3, "alias": 1},
                "dnaclip_version": __version__,
            }
        },
    }


@pytest.mark.parametrize(
    ("modality", "used"),
    [
        ("dna", ["dna", "dna", "none", "none", "none", "none", "dna", "dna"]),
        ("text", ["text", "none", "text", "none", "none", "none", "text", "text"]),
    ],
)
def test_one_modality(gene_table: EmbeddingTable, modality: Any, used: list[str]) -> None:
    adata = make_adata()
    tl.embed(adata, gene_table, modality)
    np.testing.assert_array_equal(adata.varm["dnaclip"], expected(gene_table, modality))
    assert adata.var["dnaclip_modalities"].tolist() == used
    assert adata.var["dnaclip_found"].tolist() == [side != "none" for side in used]
    assert adata.uns["dnaclip"]["params"]["modality"] == modality


def test_missing_genes_may_be_zero(gene_table: EmbeddingTable) -> None:
    adata = make_adata()
    tl.embed(adata, gene_table, missing="zero")
    np.testing.assert_array_equal(adata.varm["dnaclip"], np.nan_to_num(expected(gene_table)))
    assert adata.var["dnaclip_found"].sum() == 5


def test_missing_genes_may_be_an_error(gene_table: EmbeddingTable) -> None:
    adata = make_adata()
    before = snapshot(adata)
    with pytest.raises(
        InputError, match="3 of 8 genes have no joint embedding: 'ENSG00000243485', 'DIFF6', 'no-such-gene'"
    ):
        tl.embed(adata, gene_table, missing="error")
    assert_unchanged(adata, before)
    tl.embed(full := adata[:, [0, 1, 2]].copy(), gene_table, missing="error")
    assert not np.isnan(full.varm["dnaclip"]).any()


def test_another_key_renames_all(gene_table: EmbeddingTable) -> None:
    adata = make_adata()
    tl.embed(adata, gene_table, key_added="mine too")
    assert list(adata.varm) == ["mine too"]
    assert list(adata.var) == ["mine too_found", "mine too_modalities"]
    assert list(adata.uns) == ["mine", "mine too"]


def test_a_copy_leaves_the_original(gene_table: EmbeddingTable) -> None:
    adata = make_adata()
    before = snapshot(adata)
    changed = tl.embed(adata, gene_table, copy=True)
    assert_unchanged(adata, before)
    assert changed is not None
    np.testing.assert_array_equal(changed.varm["dnaclip"], expected(gene_table))


def test_the_table_cannot_be_changed_through_adata(gene_table: EmbeddingTable) -> None:
    adata = make_adata()
    tl.embed(adata, gene_table)
    adata.varm["dnaclip"][:] = 0
    assert gene_table.vectors("joint")[0].any()


def test_one_line_tells_the_coverage(gene_table: EmbeddingTable, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="dnaclip"):
        tl.embed(make_adata(), gene_table)
    assert [record.message for record in caplog.records] == [
        "5 of 8 genes have a joint embedding (toy, human), now in varm['dnaclip']. By var_names: 6 of 8 genes found "
        "(75.0%); 1 by ensembl, 1 by entrez, 3 by symbol, 1 by alias; 1 ambiguous names left out; 1 repeat a gene."
    ]


# -- kinds of AnnData ------------------------------------------------------------------------------------------------

counts = np.random.default_rng(0).poisson(1, (4, len(NAMES)))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint16", "bool"])
@pytest.mark.parametrize(
    "kind",
    [np.asarray, sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.csc_array],
    ids=lambda kind: kind.__name__,
)
def test_the_kind_of_x_does_not_matter(gene_table: EmbeddingTable, kind: Callable[..., Any], dtype: str) -> None:
    X = kind(counts.astype(dtype))
    adata = make_adata(X=X)
    tl.embed(adata, gene_table)
    np.testing.assert_array_equal(adata.varm["dnaclip"], expected(gene_table))
    assert type(adata.X) is type(X)
    assert adata.X.dtype == dtype


def test_x_may_be_dask(gene_table: EmbeddingTable) -> None:
    da = pytest.importorskip("dask.array")
    adata = make_adata(X=da.from_array(counts.astype(np.float32), chunks=(2, 3)))
    tl.embed(adata, gene_table)
    np.testing.assert_array_equal(adata.varm["dnaclip"], expected(gene_table))
    assert isinstance(adata.X, da.Array)


def test_x_may_be_nan_or_absent(gene_table: EmbeddingTable) -> None:
    for adata in (make_adata(X=np.full((2, len(NAMES)), np.nan)), ad.AnnData(var=pd.DataFrame(index=NAMES))):
        tl.embed(adata, gene_table)
        np.testing.assert_array_equal(adata.varm["dnaclip"], expected(gene_table))
        assert adata.X is None or np.isnan(adata.X).all()


def test_a_view_becomes_an_object_and_its_parent_stays(gene_table: EmbeddingTable) -> None:
    parent = make_adata()
    before = snapshot(parent)
    view = parent[:2, [2, 0, 5]]
    tl.embed(view, gene_table)
    assert not view.is_view
    np.testing.assert_array_equal(view.varm["dnaclip"], expected(gene_table, rows=[4, 0, -1]))
    assert_unchanged(parent, before)


def test_a_backed_file_stays_backed(gene_table: EmbeddingTable, tmp_path: Path) -> None:
    path = tmp_path / "cells.h5ad"
    make_adata().write_h5ad(path)
    adata = ad.read_h5ad(path, backed="r")
    try:
        tl.embed(adata, gene_table)
        assert adata.isbacked
        np.testing.assert_array_equal(adata.varm["dnaclip"], expected(gene_table))
        with pytest.raises(InputError, match=r"backed AnnData cannot be copied.*adata.to_memory\(\)"):
            tl.embed(adata, gene_table, copy=True)
        with pytest.raises(InputError, match="nor a view of it be changed"):
            tl.embed(adata[:, :3], gene_table)
    finally:
        adata.file.close()
    assert "dnaclip" not in ad.read_h5ad(path).varm


@pytest.mark.parametrize("n_obs", [0, 1])
def test_few_cells_and_genes(gene_table: EmbeddingTable, n_obs: int) -> None:
    empty = make_adata([], n_obs)
    tl.embed(empty, gene_table)
    assert empty.varm["dnaclip"].shape == (0, 8)
    assert empty.uns["dnaclip"]["params"]["n_found"] == 0
    one = make_adata(["TP53"], n_obs)
    tl.embed(one, gene_table)
    np.testing.assert_array_equal(one.varm["dnaclip"], gene_table.vectors()[:1])


def test_repeated_names_get_the_same_vector(gene_table: EmbeddingTable) -> None:
    adata = make_adata(["TP53", "ACTB", "TP53"])
    tl.embed(adata, gene_table)
    np.testing.assert_array_equal(adata.varm["dnaclip"], gene_table.vectors()[[0, 1, 0]])


@given(order=st.permutations(range(len(NAMES))), n=st.integers(1, len(NAMES)))
def test_subset_and_order_of_genes_change_nothing(gene_table: EmbeddingTable, order: list[int], n: int) -> None:
    chosen = order[:n]
    whole, part = make_adata(), make_adata([NAMES[i] for i in chosen])
    tl.embed(whole, gene_table)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            tl.embed(part, gene_table)
    except InputError:
        assert not whole.var["dnaclip_found"].iloc[chosen].any()
    else:
        np.testing.assert_array_equal(part.varm["dnaclip"], whole.varm["dnaclip"][chosen])


# -- what becomes of it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("how", "version"), [("h5ad", 2), ("zarr", 2), ("zarr", 3)])
def test_it_survives_a_file(gene_table: EmbeddingTable, tmp_path: Path, how: str, version: int) -> None:
    adata = make_adata()
    tl.embed(adata, gene_table)
    # Both formats have their notices: version 2 is the old one, version 3 has no fixed place for some metadata.
    with warnings.catch_warnings(action="ignore"), ad.settings.override(zarr_write_format=version):
        getattr(adata, f"write_{how}")(tmp_path / "file")
    again = getattr(ad, f"read_{how}")(tmp_path / "file")
    np.testing.assert_array_equal(again.varm["dnaclip"], adata.varm["dnaclip"])
    assert again.varm["dnaclip"].dtype == np.float32
    pd.testing.assert_frame_equal(again.var, adata.var)
    np.testing.assert_equal(again.uns["dnaclip"], adata.uns["dnaclip"])
    tl.embed(again, gene_table, "dna")
    np.testing.assert_array_equal(again.varm["dnaclip"], expected(gene_table, "dna"))


def test_it_survives_subsetting_and_concatenation(gene_table: EmbeddingTable) -> None:
    adata = make_adata()
    tl.embed(adata, gene_table)
    parts = [adata[:1, [5, 0, 2]].copy(), adata[1:, [0, 2, 5]].copy()]
    np.testing.assert_array_equal(parts[0].varm["dnaclip"], expected(gene_table, rows=[-1, 0, 4]))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Observation names are not unique")
        joined = ad.concat(parts, merge="same")
    assert joined.var_names.tolist() == [NAMES[5], NAMES[0], NAMES[2]]
    np.testing.assert_array_equal(joined.varm["dnaclip"], expected(gene_table, rows=[-1, 0, 4]))
    assert joined.var["dnaclip_found"].tolist() == [False, True, True]
    # Concatenation dropped the record in uns; the result is still known as ours, and can be made again.
    assert "dnaclip" not in joined.uns
    tl.embed(joined, gene_table, "text")
    np.testing.assert_array_equal(joined.varm["dnaclip"], expected(gene_table, "text", rows=[-1, 0, 4]))


def test_it_works_inside_mudata(gene_table: EmbeddingTable) -> None:
    mudata = pytest.importorskip("mudata")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mdata = mudata.MuData({"rna": make_adata()})
    with pytest.raises(InputError, match=r"must be an AnnData, got MuData.*mdata\['rna'\]"):
        tl.embed(mdata, gene_table)
    tl.embed(mdata["rna"], gene_table)
    np.testing.assert_array_equal(mdata["rna"].varm["dnaclip"], expected(gene_table))


def test_running_again_replaces_the_result(gene_table: EmbeddingTable) -> None:
    adata = make_adata()
    tl.embed(adata, gene_table, "dna")
    adata.uns["dnaclip"]["result of the old vectors"] = 1
    tl.embed(adata, gene_table, "text")
    np.testing.assert_array_equal(adata.varm["dnaclip"], expected(gene_table, "text"))
    assert list(adata.uns["dnaclip"]) == ["params"]


# -- which identifiers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [list, np.array, pd.Series, pd.Index, iter])
def test_ids_may_be_given(gene_table: EmbeddingTable, make: Callable[[list[str]], Any]) -> None:
    adata = make_adata(["a", "b"])
    tl.embed(adata, gene_table, gene_ids=make(["ACTB", "7157"]))
    np.testing.assert_array_equal(adata.varm["dnaclip"], gene_table.vectors()[[1, 0]])
    assert adata.uns["dnaclip"]["params"]["gene_ids"] == "array"


@pytest.mark.parametrize("values", [["ACTB", "TP53"], pd.Categorical(["ACTB", "TP53"]), [60, 7157], [60.0, 7157.0]])
def test_ids_may_be_a_column(gene_table: EmbeddingTable, values: Any) -> None:
    adata = make_adata(["TP53", "ACTB"], x=values)
    tl.embed(adata, gene_table, gene_ids="x")
    np.testing.assert_array_equal(adata.varm["dnaclip"], gene_table.vectors()[[1, 0]])
    assert adata.uns["dnaclip"]["params"]["gene_ids"] == "x"


def test_a_usual_column_is_taken_when_names_fit_nothing(
    gene_table: EmbeddingTable, caplog: pytest.LogCaptureFixture
) -> None:
    adata = make_adata(
        ["g0", "g1", "TP53"], n_cells=[7157, 60, 3], gene_ids=["7157", "60", "x"], symbol=["TP53", "x", "x"]
    )
    tl.embed(adata, gene_table)
    np.testing.assert_array_equal(adata.varm["dnaclip"], expected(gene_table, rows=[0, 1, -1]))
    assert adata.uns["dnaclip"]["params"]["gene_ids"] == "gene_ids"
    assert caplog.messages[0] == (
        "var_names fit 1 of 3 genes of the human table, var['gene_ids'] fits 2: using gene_ids='gene_ids'."
    )


def test_names_that_fit_are_kept(gene_table: EmbeddingTable) -> None:
    adata = make_adata(["TP53", "x"], gene_ids=["ACTB", "DDX11L1"])
    tl.embed(adata, gene_table)
    np.testing.assert_array_equal(adata.varm["dnaclip"], expected(gene_table, rows=[0, -1]))


def test_a_better_column_is_only_advised_when_it_is_not_clearly_better(gene_table: EmbeddingTable) -> None:
    adata = make_adata(["TP53", "a", "b", "c", "d"], Symbol=["TP53", "ACTB", "b", "c", "d"])
    with pytest.warns(
        UserWarning, match="Only 1 of 5 .* The column 'Symbol' of var fits 2 genes: try gene_ids='Symbol'"
    ):
        tl.embed(adata, gene_table)
    assert adata.var["dnaclip_found"].sum() == 1


def test_symbols_do_not_hide_that_the_ids_are_of_another_species(gene_table: EmbeddingTable) -> None:
    adata = make_adata(["ENSMUSG00000059552", "ENSMUSG00000029580"], gene_name=["Trp53", "Actb"])
    before = snapshot(adata)
    with pytest.raises(InputError, match="2 Ensembl ids are not of human genes .*: they belong to another species"):
        tl.embed(adata, gene_table)
    assert_unchanged(adata, before)


def test_mouse_symbols_are_not_matched_in_silence(gene_table: EmbeddingTable) -> None:
    adata = make_adata(["Actb", "Septin2", "Gm1234"])
    with pytest.warns(UserWarning, match="look like another species' symbols, such as mouse's") as caught:
        tl.embed(adata, gene_table)
    assert len(caught) == 1
    assert caught[0].filename == __file__


# -- which table -----------------------------------------------------------------------------------------------------


def test_the_table_may_be_a_file_or_a_name(
    gene_table: EmbeddingTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = gene_table.save(tmp_path / "toy.safetensors")
    asked = []

    def load_table(species: str, model: str | None) -> EmbeddingTable:
        asked.append((species, model))
        return gene_table

    monkeypatch.setattr("dnaclip.tl._embed.load_table", load_table)
    for model in (path, str(path), None, "some-model"):
        adata = make_adata()
        tl.embed(adata, model)
        np.testing.assert_allclose(adata.varm["dnaclip"], expected(gene_table), atol=0.05)
    assert asked == [("human", None), ("human", "some-model")]


# -- errors ----------------------------------------------------------------------------------------------------------

ERRORS: list[tuple[dict[str, Any], type[DnaclipError], str]] = [
    ({"modality": "protein"}, InputError, "modality='protein' is not known. Use one of: 'joint', 'dna', 'text'"),
    ({"missing": "drop"}, InputError, "missing='drop' is not known. Use one of: 'nan', 'zero', 'error'"),
    ({"organism": "hobbit"}, InputError, "'hobbit' is not known. Use one of human, mouse"),
    ({"organism": "mouse"}, InputError, "organism='mouse', but the table is for 'human'"),
    ({"organism": None}, InputError, "None is not known"),
    ({"key_added": "a/b"}, InputError, "'a/b' contains '/'"),
    ({"key_added": ""}, InputError, "must be a non-empty string"),
    ({"gene_ids": "feature"}, MissingKeyError, "'feature' is not in adata.var. Present: 'column'. gene_ids must name"),
    ({"gene_ids": ["TP53"]}, InputError, "gene_ids has 1 identifiers, but adata has 8 genes"),
    ({"gene_ids": 7}, InputError, "gene_ids must be None, a column of adata.var, or 8 identifiers, got 7"),
    ({"gene_ids": np.array([NAMES])}, InputError, "one-dimensional"),
    (
        {"gene_ids": pd.Series("TP53", index=NAMES[::-1])},
        InputError,
        r"another order. Use gene_ids.reindex\(adata.var_names",
    ),
    (
        {"gene_ids": "column"},
        InputError,
        "No gene of adata has a joint embedding for organism 'human'. Looked up were the ",
    ),
    ({"model": 5}, InputError, "model must be a name, a file, an EmbeddingTable or None, got int"),
    ({"model": "no-such-model"}, MissingKeyError, "no embedding table for 'human' made by the model 'no-such-model'"),
    ({"model": "absent.safetensors"}, InputError, "There is no embedding table at absent.safetensors"),
    (
        {"key_added": "taken"},
        InputError,
        r"adata.varm\['taken'\] exists and was not written by dnaclip.tl.embed. Use another",
    ),
    ({"key_added": "mine"}, InputError, r"adata.uns\['mine'\] exists and was not written by dnaclip.tl.embed"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), ERRORS, ids=range(len(ERRORS)))
@pytest.mark.parametrize("view", [False, True], ids=["whole", "view"])
def test_an_error_leaves_no_trace(
    gene_table: EmbeddingTable, arguments: dict[str, Any], error: type[DnaclipError], message: str, *, view: bool
) -> None:
    adata = make_adata(column=list("abcdefgh"))
    adata.varm["taken"] = np.zeros((8, 2))
    adata.uns["mine"] = "not a record"
    adata = adata[:2] if view else adata
    before = snapshot(adata)
    with pytest.raises(error, match=message):
        tl.embed(adata, **{"model": gene_table, **arguments})
    assert_unchanged(adata, before)


def test_no_gene_found_shows_names_and_helps(gene_table: EmbeddingTable) -> None:
    adata = make_adata([f"gene{i}" for i in range(7)], feature_name=["TP53", *"abcdef"])
    with pytest.raises(InputError) as caught:
        tl.embed(adata, gene_table)
    assert str(caught.value) == (
        "No gene of adata has a joint embedding for organism 'human'. Looked up were the var_names: 'gene0', 'gene1', "
        "'gene2', 'gene3', 'gene4' ... and 2 more. None of them is known. The column 'feature_name' of var fits 1 genes: "
        "try gene_ids='feature_name'. Only 0 of 7 distinct names are in the human table; unknown are 'gene0', 'gene1', "
        "'gene2', 'gene3', 'gene4' ... and 2 more."
    )


def test_known_genes_without_the_modality_are_told_apart(gene_table: EmbeddingTable) -> None:
    with pytest.raises(InputError, match="No gene .* dna embedding .* 2 are known, but without dna vectors."):
        tl.embed(make_adata(["SEPT2", "SEPTIN1"]), gene_table, "dna")
    text_only = EmbeddingTable(gene_table.genes, {"text": np.ones((16, 4))}, "human", 9606, "toy", "0" * 64)
    with pytest.raises(InputError, match="has no 'dna' vectors, only 'text'"):
        tl.embed(make_adata(), text_only, "dna")


def test_only_an_anndata_is_accepted(gene_table: EmbeddingTable) -> None:
    with pytest.raises(InputError, match="adata must be an AnnData, got DataFrame"):
        tl.embed(pd.DataFrame(index=["TP53"]), gene_table)  # type: ignore[arg-type]


def test_a_warning_turned_into_an_error_leaves_no_trace(gene_table: EmbeddingTable) -> None:
    adata = make_adata(["Actb", "x", "y"])
    before = snapshot(adata)
    with pytest.raises(UserWarning, match="Only 1 of 3"):
        tl.embed(adata, gene_table)
    assert_unchanged(adata, before)
