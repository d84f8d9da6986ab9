"""Finding genes by words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import dnaclip
from dnaclip._errors import InputError, MissingKeyError
from dnaclip.models import load_pretrained
from dnaclip.tl import search

if TYPE_CHECKING:
    from collections.abc import Callable

    import anndata as ad

    from dnaclip.models import DnaClip


@pytest.fixture(scope="module")
def model() -> DnaClip:
    """A model whose words are symbols: each is encoded as that gene's text vector."""
    model = load_pretrained()
    table = dnaclip.datasets.load_table("human")
    rows = dict(zip(table.genes["symbol"], table.vectors("text"), strict=True))
    model.encode_text = lambda texts, **_: np.array([rows[text] for text in texts])  # type: ignore[method-assign]
    return model


def test_words_find_genes_in_a_table(model: DnaClip) -> None:
    found = search(["TP53", "UBB"], n=4, modality="text", model=model)
    assert found["query"].tolist() == ["TP53"] * 4 + ["UBB"] * 4
    assert found["rank"].tolist() == [1, 2, 3, 4] * 2
    assert found.loc[0, "symbol"] == "TP53"
    assert found.loc[0, "similarity"] == pytest.approx(1, abs=1e-5)
    assert found["gene"].str.startswith("ENSG").all()
    assert found.groupby("query")["similarity"].apply(lambda x: x.is_monotonic_decreasing).all()


@pytest.mark.parametrize("modality", ["dna", "joint"])
def test_sides_can_be_chosen(model: DnaClip, modality: Any) -> None:
    found = search("TP53", "human", n=5, modality=modality, model=model)
    assert len(found) == 5
    assert found["similarity"].max() < 0.999 or modality == "joint"


def test_words_find_genes_of_adata(model: DnaClip, tiny_adata: ad.AnnData, unchanged: Callable) -> None:
    dnaclip.tl.embed(tiny_adata, modality="text")
    with unchanged(tiny_adata):
        found = search("CD3D", tiny_adata, n=3, model=model)
    assert found["gene"].iloc[0] == "CD3D"
    assert list(found) == ["query", "rank", "gene", "similarity"]


def test_more_genes_than_there_are(model: DnaClip, tiny_adata: ad.AnnData) -> None:
    dnaclip.tl.embed(tiny_adata)
    assert len(search("CD3D", tiny_adata, n=1000, model=model)) == tiny_adata.n_vars


@pytest.mark.parametrize("query", ["", [], ["fine", " "], [3]])
def test_blank_queries_are_refused(query: Any) -> None:
    with pytest.raises(InputError, match="query must be words"):
        search(query)


def test_vectors_that_do_not_fit(model: DnaClip, embedded: ad.AnnData, gene_table: Any) -> None:
    with pytest.raises(InputError, match="4 dimensions, the model has 128"):
        search("TP53", embedded, model=model)
    with pytest.raises(InputError, match="use one model for both"):
        search("TP53", gene_table, model=model)
    with pytest.raises(MissingKeyError, match="tl.embed"):
        search("TP53", embedded, use_rep="other", model=model)
