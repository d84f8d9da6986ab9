"""Which gene an identifier means: a table of cases, and what order, duplicates and types may not change."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnaclip._errors import InputError
from dnaclip.datasets import EmbeddingTable
from dnaclip.datasets._table import GENE_COLUMNS
from dnaclip.pp import GeneMatch, match_genes

if TYPE_CHECKING:
    from collections.abc import Callable


def quiet_match(ids: Any, table: EmbeddingTable) -> GeneMatch:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return match_genes(ids, table)


TRUTH = [
    ("ENSG00000141510", "TP53", "ensembl"),
    ("ENSG00000141510.18", "TP53", "ensembl"),
    ("ENSG00000141510.18_PAR_Y", "TP53", "ensembl"),
    ("ensg00000141510", "TP53", "case"),
    ("ENSG00000141511", None, ""),
    ("7157", "TP53", "entrez"),
    ("7157.0", "TP53", "entrez"),
    (7157, "TP53", "entrez"),
    (np.int32(7157), "TP53", "entrez"),
    (7157.0, "TP53", "entrez"),
    (7157.5, None, ""),
    (np.inf, None, ""),
    ("LOC7157", "TP53", "entrez"),
    ("LOCUS", None, ""),
    ("7157.1", None, ""),
    ("TP53", "TP53", "symbol"),
    (" TP53\t\n", "TP53", "symbol"),
    ("\xa0TP53", "TP53", "symbol"),
    (b"TP53", "TP53", "symbol"),
    (b"TP\xff53", None, ""),
    ("p53", "TP53", "alias"),
    ("MARCH1", "MARCHF1", "alias"),
    ("SEPT2", "SEPTIN2", "alias"),
    ("ACTB", "ACTB", "symbol"),  # also an alias of DDX11L1: the approved symbol wins
    ("Actb", "ACTB", "case"),
    ("P53", "TP53", "case"),
    ("oct4", "POU5F1", "case"),
    ("DIFF6", None, "ambiguous"),
    ("diff6", None, "ambiguous"),
    ("DEC1", None, "ambiguous"),
    ("5S_rRNA", None, "ambiguous"),
    ("5s_rrna", None, "ambiguous"),
    ("1-Mar", "MARCHF1", "date"),
    ("Mar-01", "MARCHF1", "date"),
    ("01-Mar", "MARCHF1", "date"),
    ("1-MAR", "MARCHF1", "date"),
    ("2-Sep", "SEPTIN2", "date"),
    ("Sep-02", "SEPTIN2", "date"),
    ("15-Sep", "SELENOF", "date"),
    ("4-Oct", "POU5F1", "date"),
    ("1-Dec", "DELEC1", "date"),
    ("9-Mar", None, ""),
    ("1-Jan", None, ""),
    ("1-Mar-2020", None, ""),
    ("", None, ""),
    ("  ", None, ""),
    ("nan", None, ""),
    ("NA", None, ""),
    (None, None, ""),
    (np.nan, None, ""),
    (pd.NA, None, ""),
    (pd.NaT, None, ""),
    (True, None, ""),
    ("no-such-gene", None, ""),
]


@pytest.mark.parametrize(("name", "symbol", "how"), TRUTH, ids=[repr(name) for name, *_ in TRUTH])
def test_truth(gene_table: EmbeddingTable, name: Any, symbol: str | None, how: str) -> None:
    match = quiet_match([name], gene_table)
    assert match.rows.dtype == np.int64
    assert match.found.tolist() == [symbol is not None]
    if symbol is not None:
        assert gene_table.genes["symbol"][match.rows[0]] == symbol
    assert match.how[0] == ("" if how == "ambiguous" else how)
    assert len(match.ambiguous) == (how == "ambiguous")


def test_the_entry_with_most_identifiers_owns_a_repeated_symbol(gene_table: EmbeddingTable) -> None:
    assert match_genes(["A2MP1", "ENSG00000291190"], gene_table).rows.tolist() == [13, 14]


def test_all_kinds_may_be_mixed_and_repeated(gene_table: EmbeddingTable) -> None:
    match = match_genes(["TP53", "7157", "ENSG00000141510.2", "nothing", "DIFF6", "p53", "TP53", "Actb"], gene_table)
    assert match.rows.tolist() == [0, 0, 0, -1, -1, 0, 0, 1]
    assert match.counts == {"ensembl": 1, "entrez": 1, "symbol": 2, "alias": 1, "case": 1}
    assert match.ambiguous == ("DIFF6",)
    assert match.n_shared == 4
    assert match.how.categories.tolist() == ["ensembl", "entrez", "symbol", "alias", "case", "date", ""]
    assert match.summary() == (
        "6 of 8 genes found (75.0%); 1 by ensembl, 1 by entrez, 2 by symbol, 1 by alias, 1 by case; "
        "1 ambiguous names left out; 4 repeat a gene"
    )


def test_no_identifiers_at_all(gene_table: EmbeddingTable) -> None:
    match = match_genes([], gene_table)
    assert len(match.rows) == len(match.how) == 0
    assert match.summary() == "0 of 0 genes found"


@pytest.mark.parametrize(
    "make",
    [
        list,
        tuple,
        iter,
        np.array,
        pd.Index,
        pd.Categorical,
        pytest.param(lambda names: np.array(names, dtype=object), id="objects"),
        pytest.param(lambda names: pd.Series(names, index=range(5, 5 + len(names))), id="Series"),
        pytest.param(lambda names: pd.array(names, dtype="string"), id="string"),
    ],
)
def test_any_container_will_do(gene_table: EmbeddingTable, make: Callable[[list[str]], Any]) -> None:
    assert match_genes(make(["p53", "nothing", "ACTB", "ACTB"]), gene_table).rows.tolist() == [0, -1, 1, 1]


@pytest.mark.parametrize(
    "ids", [np.array([7157, 60]), np.array([7157.0, 60.0]), pd.Series([7157, 60], dtype="Int64"), [np.uint16(7157), 60]]
)
def test_numbers_of_any_type_are_entrez_ids(gene_table: EmbeddingTable, ids: Any) -> None:
    assert match_genes(ids, gene_table).rows.tolist() == [0, 1]


def test_missing_numbers_do_not_match(gene_table: EmbeddingTable) -> None:
    assert match_genes(np.array([7157, np.nan]), gene_table).rows.tolist() == [0, -1]
    assert match_genes(pd.Series([7157, None], dtype="Int64"), gene_table).rows.tolist() == [0, -1]


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ("TP53", "got the single text 'TP53'. Put it in a list"),
        (np.array([["TP53", "ACTB"]]), r"one-dimensional, got an array of shape \(1, 2\)"),
        (pd.DataFrame({"a": ["TP53"]}), r"one-dimensional, got an array of shape \(1, 1\)"),
    ],
)
def test_ids_of_the_wrong_shape_are_refused(gene_table: EmbeddingTable, ids: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        match_genes(ids, gene_table)


@pytest.mark.parametrize("organism", ["human", "Homo sapiens", "homo_sapiens", None])
def test_the_species_by_any_name(gene_table: EmbeddingTable, organism: str | None) -> None:
    assert match_genes(["TP53"], gene_table, organism=organism).rows.tolist() == [0]


def test_the_table_of_another_species_is_refused(gene_table: EmbeddingTable) -> None:
    with pytest.raises(InputError, match="organism='mouse', but the table is for 'human'"):
        match_genes(["Actb"], gene_table, organism="mouse")
    with pytest.raises(InputError, match="'hobbit' is not known. Use one of human, mouse"):
        match_genes(["Actb"], gene_table, organism="hobbit")


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["Actb", "Septin2", "TP53"], r"2 of 3 names fit the human table only without .* \('Actb', 'Septin2'\).*mouse"),
        (["TP53", "1-Mar", "2-Sep"], "2 names are dates .*: '1-Mar as MARCHF1', '2-Sep as SEPTIN2'. Better restore"),
        (["TP53", "ENSMUSG00000059552.8"], r"1 Ensembl ids are not of human genes \('ENSMUSG00000059552.8'\)"),
        (["TP53", "ENST00000269305"], r"not of human genes \('ENST00000269305'\).* or to transcripts"),
        (["TP53", "x", "y"], "Only 1 of 3 distinct names are in the human table; unknown are 'x', 'y'"),
    ],
)
def test_odd_names_give_one_warning(gene_table: EmbeddingTable, ids: list[str], message: str) -> None:
    with pytest.warns(UserWarning, match=message) as caught:
        match_genes(ids, gene_table)
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_ordinary_names_give_no_warning(gene_table: EmbeddingTable) -> None:
    # A few unknown, ambiguous or differently written names are what every data set has.
    match = match_genes(["TP53", "ENSG00000141510.1", "Oct4", "actb", "MARCH1", "DIFF6", "x", "60"], gene_table)
    assert match.notes == ()
    assert match.foreign == ()


names = st.lists(st.one_of(st.sampled_from([name for name, *_ in TRUTH]), st.text(max_size=4)), max_size=30)


@given(names=names, seed=st.integers(0, 2**32 - 1))
def test_order_changes_nothing(gene_table: EmbeddingTable, names: list[Any], seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(names))
    match, shuffled = quiet_match(names, gene_table), quiet_match([names[i] for i in order], gene_table)
    assert np.array_equal(shuffled.rows, match.rows[order])
    assert list(shuffled.how) == list(match.how[order])
    assert set(shuffled.ambiguous) == set(match.ambiguous)
    assert shuffled.counts == match.counts


@given(names=names)
def test_each_name_is_matched_as_if_it_were_alone(gene_table: EmbeddingTable, names: list[Any]) -> None:
    match = quiet_match(names, gene_table)
    alone = [quiet_match([name], gene_table) for name in names]
    assert match.rows.tolist() == [one.rows[0] for one in alone]
    assert list(match.how) == [one.how[0] for one in alone]


@given(names=names)
def test_duplicates_change_nothing(gene_table: EmbeddingTable, names: list[Any]) -> None:
    once, twice = quiet_match(names, gene_table), quiet_match(names * 2, gene_table)
    assert np.array_equal(twice.rows, np.tile(once.rows, 2))
    assert twice.ambiguous == once.ambiguous
    assert twice.notes == once.notes


@given(names=names)
def test_a_match_is_never_made_up(gene_table: EmbeddingTable, names: list[Any]) -> None:
    match = quiet_match(names, gene_table)
    assert ((match.rows >= -1) & (match.rows < len(gene_table))).all()
    assert np.array_equal(match.found, np.asarray(match.how) != "")


@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_the_table_changes_nothing(gene_table: EmbeddingTable, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(gene_table))
    sides = {side: vectors[order] for side, vectors in gene_table.sides.items()}
    shuffled = EmbeddingTable(gene_table.genes.iloc[order], sides, "human", 9606, "toy", "0" * 64)
    names = [name for name, *_ in TRUTH]
    match, again = quiet_match(names, gene_table), quiet_match(names, shuffled)
    assert np.array_equal(np.where(again.found, order[again.rows], -1), match.rows)


def test_locus_tags_and_other_stable_ids() -> None:
    ids = ["b0001", "FBgn0000003", "WBGene00000001", "YAL069W"]
    genes = pd.DataFrame({"ensembl_id": ids}).reindex(columns=list(GENE_COLUMNS), fill_value="")
    table = EmbeddingTable(genes, {"dna": np.eye(4)}, "zoo", 1, "toy", "0" * 64)
    assert match_genes([*ids, "B0001"], table).rows.tolist() == [0, 1, 2, 3, 0]
