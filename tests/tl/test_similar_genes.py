"""`tl.similar_genes`: the right genes in the right order, and errors that name what is wrong."""

from __future__ import annotations

import warnings
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

SIX = {
    "a": (1.0, 0.0),
    "b": (0.0, 2.0),
    "c": (3.0, 4.0),
    "no": (np.nan, np.nan),
    "c2": (0.3, 0.4),
    "zero": (0.0, 0.0),
}


@pytest.fixture
def six() -> ad.AnnData:
    return ad.AnnData(var=pd.DataFrame(index=list(SIX)), varm={"dnaclip": np.array(list(SIX.values()))})


def test_one_gene(six: ad.AnnData) -> None:
    table = tl.similar_genes(six, "a")
    expected = pd.DataFrame({"query": "a", "gene": ["c", "c2", "b"], "rank": [1, 2, 3], "similarity": [0.6, 0.6, 0.0]})
    pd.testing.assert_frame_equal(table, expected)


def test_several_genes_in_the_order_given_each_once(six: ad.AnnData) -> None:
    table = tl.similar_genes(six, ["c", "a", "c"], n_neighbors=1)
    assert table["query"].tolist() == ["c", "a"]
    assert table["gene"].tolist() == ["c2", "c"]
    assert table["similarity"].tolist() == [1.0, 0.6]
    assert table["rank"].tolist() == [1, 1]


def test_the_earlier_of_equally_similar_genes_comes_first(six: ad.AnnData) -> None:
    assert tl.similar_genes(six, "b")["gene"].tolist() == ["c", "c2", "a"]
    turned = six[:, ["c2", "zero", "b", "c", "a", "no"]]
    assert tl.similar_genes(turned, "b")["gene"].tolist() == ["c2", "c", "a"]


@pytest.mark.parametrize(
    "genes", [["a", "c"], ("a", "c"), np.array(["a", "c"]), pd.Index(["a", "c"]), pd.Series(["a", "c"])]
)
def test_genes_come_in_any_container(six: ad.AnnData, genes: Any) -> None:
    pd.testing.assert_frame_equal(tl.similar_genes(six, genes), tl.similar_genes(six, ["a", "c"]))


@pytest.mark.parametrize("kind", [np.float16, np.float64, sparse.csr_matrix, pd.DataFrame])
def test_embeddings_come_in_any_form(embedded: ad.AnnData, kind: Callable[..., Any]) -> None:
    vectors = embedded.varm["dnaclip"].astype(np.float16).astype(np.float32)
    embedded.varm["dnaclip"] = vectors
    expected = tl.similar_genes(embedded, "gene0")
    if kind is sparse.csr_matrix:
        vectors = np.nan_to_num(vectors)  # rows of zeros are no embedding either
    embedded.varm["other"] = kind(vectors, index=embedded.var_names) if kind is pd.DataFrame else kind(vectors)
    pd.testing.assert_frame_equal(tl.similar_genes(embedded, "gene0", use_rep="other"), expected)


def test_nothing_is_written(embedded: ad.AnnData, unchanged: Callable[[ad.AnnData], Any]) -> None:
    view = embedded[:10, :20]
    with unchanged(embedded), unchanged(view):
        tl.similar_genes(view, ["gene0", "gene1"])


def test_a_name_that_stands_twice_gives_one_warning_and_the_first(six: ad.AnnData) -> None:
    six.var_names = ["a", "b", "b", "no", "c", "zero"]
    with pytest.warns(UserWarning, match=r"1 of the genes stand more than once in adata.var_names.*'b'") as caught:
        table = tl.similar_genes(six, "b", n_neighbors=1)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert table["similarity"].tolist() == [0.8]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tl.similar_genes(six, "a")


@pytest.mark.parametrize(
    ("genes", "options", "error", "message"),
    [
        (["a", "x", "y"], {}, MissingKeyError, r"2 of 3 genes are not in adata.var_names: 'x', 'y'. The names there look like 'a', 'b', 'c'"),
        ([f"x{i}" for i in range(8)], {}, MissingKeyError, r"8 of 8 .*'x4' \.\.\. and 3 more"),
        (["a", "no"], {}, InputError, r"1 of 2 genes have no embedding in adata.varm\['dnaclip'\]: 'no'. 4 of 6 genes have one"),
        ("zero", {}, InputError, "have no embedding"),
        ([], {}, InputError, "an empty list"),
        (["a", 3], {}, InputError, "must be a gene name or a list of gene names, got 3"),
        (7, {}, InputError, "got 7"),
        ("a", {"n_neighbors": 0}, InputError, "n_neighbors must be a whole number of at least 1, got 0"),
        ("a", {"n_neighbors": True}, InputError, "got True"),
        ("a", {"n_neighbors": 2.0}, InputError, "got 2.0"),
        ("a", {"use_rep": "PCs"}, MissingKeyError, r"'PCs' is not in adata.varm. Present: 'dnaclip'. Run dnaclip.tl.embed"),
    ],
)  # fmt: skip
def test_errors_name_what_is_wrong(
    six: ad.AnnData, genes: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        tl.similar_genes(six, genes, **options)


def test_infinite_values_are_refused(six: ad.AnnData) -> None:
    six.varm["dnaclip"][1, 0] = np.inf
    with pytest.raises(InputError, match=r"infinite values for 1 genes: 'b'"):
        tl.similar_genes(six, "a")


@pytest.mark.parametrize("values", [np.full((6, 2), "x"), np.ones((6, 2), dtype=bool), np.ones((6, 2, 2))])
def test_a_matrix_of_numbers_is_needed(six: ad.AnnData, values: np.ndarray) -> None:
    six.varm["dnaclip"] = values
    with pytest.raises(InputError, match="must be a matrix of numbers"):
        tl.similar_genes(six, "a")


def test_a_gene_alone_has_no_neighbours(six: ad.AnnData) -> None:
    with pytest.raises(InputError, match="'a' is the only gene with an embedding"):
        tl.similar_genes(six[:, ["a", "no"]], "a")


def test_only_an_anndata_is_accepted() -> None:
    with pytest.raises(InputError, match=r"adata must be an AnnData, got dict.*mdata\['rna'\]"):
        tl.similar_genes({}, "a")  # type: ignore[arg-type]
