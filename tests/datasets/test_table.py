"""The embedding table: what it accepts, what it computes, and that a file is read back exactly or refused."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors import safe_open
from safetensors.numpy import load, save

from dnaclip._errors import DnaclipError, InputError, MissingKeyError
from dnaclip._packing import pack_integers
from dnaclip.datasets import EmbeddingTable, _table_file
from dnaclip.datasets._rows import distinct_rows, unit_rows

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ["ensembl_id", "entrez_id", "symbol", "aliases", "name", "biotype", "chromosome"]


def genes_of(n: int) -> pd.DataFrame:
    return pd.DataFrame({column: [f"{column}{i}" for i in range(n)] for column in COLUMNS})


def table_of(sides: dict[str, Any], genes: pd.DataFrame | None = None) -> EmbeddingTable:
    genes = genes_of(len(next(iter(sides.values())))) if genes is None else genes
    return EmbeddingTable(genes, sides, "human", 9606, "toy", "0" * 64)


def test_rows_get_length_one_and_the_input_stays(gene_table: EmbeddingTable) -> None:
    given_text = np.array([[3.0, 4.0], [0.0, -2.0]])
    genes = genes_of(2)
    table = table_of({"text": given_text}, genes)
    np.testing.assert_allclose(table.vectors("text"), [[0.6, 0.8], [0.0, -1.0]], rtol=1e-6)
    assert table.vectors("text").dtype == np.float32
    assert given_text.tolist() == [[3, 4], [0, -2]]
    pd.testing.assert_frame_equal(genes, genes_of(2))
    for side in ("dna", "text", "joint"):
        length = np.linalg.norm(gene_table.vectors(side), axis=1)
        np.testing.assert_allclose(length[~np.isnan(length)], 1, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_huge_and_tiny_vectors_keep_their_direction(scale: float) -> None:
    table = table_of({"dna": np.array([[3.0, 4.0]]) * scale})
    np.testing.assert_allclose(table.vectors("dna"), [[0.6, 0.8]], rtol=1e-6)


def test_joint_is_the_mean_of_the_sides_there_are() -> None:
    nan = np.nan
    dna = np.array([[1, 0], [0, 1], [nan, nan], [nan, nan], [1, 0]], dtype=float)
    text = np.array([[0, 1], [nan, nan], [-1, 0], [nan, nan], [-1, 0]], dtype=float)
    table = table_of({"dna": dna, "text": text})
    half = np.sqrt(0.5)
    # The last gene's sides are opposite: their mean has no direction.
    expected = [[half, half], [0, 1], [-1, 0], [nan, nan], [nan, nan]]
    np.testing.assert_allclose(table.vectors(), np.array(expected), atol=1e-6)
    assert table.vectors() is table.vectors("joint")
    assert table.has("dna").tolist() == [True, True, False, False, True]
    assert table.has("text").tolist() == [True, False, True, False, True]


def test_a_table_may_have_one_side_only() -> None:
    table = table_of({"text": np.eye(3)})
    assert np.array_equal(table.vectors("joint"), table.vectors("text"))
    assert not table.has("dna").any()
    with pytest.raises(InputError, match="human has no 'dna' vectors, only 'text'"):
        table.vectors("dna")
    with pytest.raises(InputError, match="modality='protein' is not known. Use one of: 'joint', 'dna', 'text'"):
        table.vectors("protein")


def test_vectors_cannot_be_changed_by_accident(gene_table: EmbeddingTable) -> None:
    for modality in ("dna", "text", "joint"):
        with pytest.raises(ValueError, match="read-only"):
            gene_table.vectors(modality)[0] = 0


def test_repr_says_what_it_holds(gene_table: EmbeddingTable) -> None:
    assert repr(gene_table) == "EmbeddingTable(human, model toy, 16 genes, 8 dimensions: 7 dna, 14 text)"
    assert len(gene_table) == 16


def test_missing_texts_become_empty() -> None:
    genes = (
        genes_of(2)
        .assign(symbol=pd.Series([None, "B"]), name=[np.nan, "b"], extra=1)
        .set_index("ensembl_id", drop=False)
    )
    table = table_of({"dna": np.eye(2)}, genes)
    assert table.genes["symbol"].tolist() == ["", "B"]
    assert table.genes["name"].tolist() == ["", "b"]
    assert table.genes.columns.tolist() == COLUMNS
    assert table.genes.index.tolist() == [0, 1]


good = np.eye(3)


@pytest.mark.parametrize(
    ("sides", "message"),
    [
        ({}, "sides must map one or both of 'dna', 'text' to arrays, got nothing"),
        ({"protein": good}, "got 'protein'"),
        (good, "got ndarray"),
        ({"dna": good[:2]}, r"shape \(3 genes, d\), got float64 \(2, 3\)"),
        ({"dna": np.ones((8, 3))}, r"shape \(3 genes, d\), got float64 \(8, 3\)"),  # transposed
        ({"dna": good[0]}, r"got float64 \(3,\)"),
        ({"dna": np.ones((3, 0))}, r"got float64 \(3, 0\)"),
        ({"dna": good.astype(object)}, r"must be numbers of shape \(3 genes, d\), got object"),
        ({"dna": good.astype(str)}, "must be numbers"),
        ({"dna": good, "text": np.ones((3, 2))}, r"same number of dimensions, got dna \(3, 3\), text \(3, 2\)"),
        ({"dna": np.diag([1.0, 0, 0])}, r"'dna'\] has 2 rows that are zero, infinite or partly NaN: rows 1, 2\."),
        ({"text": np.diag([np.inf, 1, 1])}, r"'text'\] has 1 rows .* rows 0\. .* needs a row of NaN"),
        ({"dna": np.where(np.eye(3), np.nan, 1)}, "has 3 rows .* partly NaN"),
        ({"dna": np.full((3, 2), 1e300)}, "has 3 rows that are zero, infinite"),  # too large for float32
    ],
)
def test_bad_vectors_are_refused(sides: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        table_of(sides, genes_of(3))


@pytest.mark.parametrize(
    ("genes", "error", "message"),
    [
        ([["TP53"]], InputError, "genes must be a DataFrame with at least one row, got list"),
        (genes_of(0), InputError, "at least one row"),
        (
            genes_of(3).drop(columns=["symbol", "name"]),
            MissingKeyError,
            "lacks the columns 'symbol', 'name'. Needed: ens",
        ),
        (
            genes_of(3).assign(entrez_id=[1, 2, 3]),
            InputError,
            r"genes\['entrez_id'\] must hold text .* 3 values .*: 1, 2, 3",
        ),
        (genes_of(3).assign(name=["a", "b\nc", "d"]), InputError, r"1 values do not: 'b\\nc'"),
        (
            genes_of(3).assign(ensembl_id=["ENSG1", "ENSG1", ""]),
            InputError,
            "1 Ensembl ids stand in more than one row: 'ENSG1'",
        ),
    ],
)
def test_bad_genes_are_refused(genes: Any, error: type[DnaclipError], message: str) -> None:
    with pytest.raises(error, match=message):
        table_of({"dna": good}, genes)


def test_genes_without_ensembl_id_are_not_duplicates() -> None:
    assert len(table_of({"dna": good}, genes_of(3).assign(ensembl_id=""))) == 3


def assert_same(one: EmbeddingTable, other: EmbeddingTable) -> None:
    pd.testing.assert_frame_equal(one.genes, other.genes)
    assert list(one.sides) == list(other.sides)
    for fact in ("species", "taxon_id", "model", "model_sha256", "dimension"):
        assert getattr(one, fact) == getattr(other, fact)
    for side in one.sides:
        assert np.array_equal(one.has(side), other.has(side))
        cosine = np.einsum("ij,ij->i", one.vectors(side), other.vectors(side))[one.has(side)]
        # The furthest that rounding can turn a vector, whatever its number of dimensions.
        assert (cosine > 0.9955).all()


def test_a_file_gives_the_table_back_and_the_same_bytes(gene_table: EmbeddingTable, tmp_path: Path) -> None:
    first = gene_table.save(tmp_path / "first.safetensors")
    again = EmbeddingTable.load(first)
    assert_same(gene_table, again)
    copies = {gene_table.save(tmp_path / "copy").read_bytes() for _ in range(10)}
    assert copies == {first.read_bytes()} == {again.save(str(tmp_path / "copy")).read_bytes()}
    assert sorted(file.name for file in tmp_path.iterdir()) == ["copy", "first.safetensors"]


def test_a_file_is_small_and_hardly_turns_the_vectors(tmp_path: Path) -> None:
    table = table_of({"text": np.random.default_rng(0).normal(size=(5000, 128))})
    path = table.save(tmp_path / "table")
    again = EmbeddingTable.load(path)
    cosine = np.einsum("ij,ij->i", table.vectors("text"), again.vectors("text"))
    assert cosine.mean() > 0.9985
    assert cosine.min() > 0.997
    with safe_open(path, framework="numpy") as file:
        assert file.get_slice("text.codes").get_shape()[0] * 8 < 4.6 * 5000 * 128
        assert file.get_slice("text.rows").get_shape()[0] < 5000 * 2


def test_equal_vectors_are_stored_once(tmp_path: Path) -> None:
    vectors = np.repeat(np.random.default_rng(0).normal(size=(5, 128)), 400, axis=0)
    path = table_of({"text": vectors}).save(tmp_path / "table")
    with safe_open(path, framework="numpy") as file:
        assert file.get_tensor("text.shape").tolist() == [5, 128]


def test_a_side_without_any_vector_survives(tmp_path: Path) -> None:
    table = table_of({"dna": np.full((3, 4), np.nan), "text": np.ones((3, 4))})
    again = EmbeddingTable.load(table.save(tmp_path / "table"))
    assert_same(table, again)
    assert np.array_equal(again.vectors("joint"), again.vectors("text"))


def finite_rows(width: int) -> st.SearchStrategy[np.ndarray]:
    numbers = st.floats(-1e6, 1e6, width=32).filter(lambda x: x == 0 or abs(x) > 1e-6)
    rows = hnp.arrays(np.float32, st.tuples(st.integers(1, 12), st.just(width)), elements=numbers)
    return rows.filter(lambda x: x.any(axis=1).all())


@given(hnp.arrays(np.int8, st.tuples(st.integers(0, 30), st.just(2)), elements=st.integers(-1, 1)))
def test_distinct_rows_stand_in_order_and_rebuild_the_input(numbers: np.ndarray) -> None:
    vectors = numbers.astype(np.float32)
    distinct, places = distinct_rows(vectors)
    assert np.array_equal(distinct[places], vectors)
    assert [tuple(row) for row in distinct] == list(dict.fromkeys(map(tuple, vectors)))


def test_vectors_that_differ_in_the_last_digit_are_the_same() -> None:
    vectors = np.repeat(unit_rows(np.random.default_rng(0).normal(size=(1, 128))), 2, axis=0)
    vectors[1] = np.nextafter(vectors[1], np.float32(0))
    distinct, places = distinct_rows(vectors)
    assert np.array_equal(distinct, vectors[:1])
    assert places.tolist() == [0, 0]


text = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=8)


@given(st.data())
def test_any_table_survives_a_file(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    vectors = data.draw(finite_rows(6))
    n = len(vectors)
    genes = pd.DataFrame({column: data.draw(st.lists(text, min_size=n, max_size=n)) for column in COLUMNS})
    genes["ensembl_id"] = [f"{name}{i}" for i, name in enumerate(genes["ensembl_id"])]
    vectors[np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))] = np.nan
    table = table_of({data.draw(st.sampled_from(["dna", "text"])): vectors}, genes)
    path = tmp_path_factory.mktemp("table") / "table"
    assert_same(table, EmbeddingTable.load(table.save(path)))


def test_a_changed_file_is_refused_with_one_error(gene_table: EmbeddingTable, tmp_path: Path) -> None:
    path = gene_table.save(tmp_path / "table")
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    header = 8 + int.from_bytes(whole[:8], "little")
    accepted = 0
    for trial in range(600):
        data, where = bytearray(whole), int(rng.integers(len(whole)))
        match trial % 6:
            case 0:
                data = data[:where]
            case 1:
                data[where] ^= 1 << int(rng.integers(8))
            case 2:
                data[int(rng.integers(header))] = int(rng.integers(256))
            case 3:
                data[where:where] = rng.bytes(3)
            case 4:
                del data[where : where + 3]
            case 5:
                data[where : where + 8] = b"\xff" * 8
        path.write_bytes(data)
        try:
            again = EmbeddingTable.load(path)
        except InputError as error:
            assert str(path) in str(error)  # noqa: PT017
        else:
            assert_same(gene_table, again)
            accepted += 1
    # Only changes that say the same in other bytes (a byte put in the place of itself) can pass.
    assert accepted < 10


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "There is no embedding table at"),
        (b"", "not an embedding table, or it is damaged"),
        (b"<!DOCTYPE html><html>Please log in</html>", "not an embedding table, or it is damaged"),
        (save({"x": np.zeros(2)}), "not an embedding table, or it is damaged: KeyError"),
        (save({"x": np.zeros(2)}, metadata={"dnaclip_table": "[1]"}), "its record is list, not a JSON object"),
        (save({"x": np.zeros(2)}, metadata={"dnaclip_table": "{"}), "not an embedding table, or it is damaged"),
        (save({"x": np.zeros(2)}, metadata={"dnaclip_table": "{}"}), "does not fit its checksum. Delete it"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "table"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        EmbeddingTable.load(path)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not an embedding table, or it is damaged"):
        EmbeddingTable.load(tmp_path)


def forge(path: Path, *, record: dict[str, Any] | None = None, **tensors: np.ndarray | None) -> None:
    """Change parts of a table file and give it the checksum that fits."""
    with safe_open(path, framework="numpy") as file:
        facts = json.loads(file.metadata()["dnaclip_table"]) | (record or {})
    parts = {name: data for name, data in (load(path.read_bytes()) | tensors).items() if data is not None}
    facts.pop("checksum")
    facts["checksum"] = _table_file._checksum(facts, parts)
    path.write_bytes(save(parts, metadata={"dnaclip_table": json.dumps(facts)}))


@pytest.mark.parametrize(
    ("record", "tensors", "message"),
    [
        ({}, {"genes.symbol": None}, "not a usable embedding table: genes lacks the columns 'symbol'"),
        ({}, {"text.codes": None}, "not an embedding table: Damaged data: 'codes' cannot be unpacked: KeyError"),
        ({}, {"text.shape": np.array([10**15, 8])}, "not an embedding table: Damaged data: 'codes' claims to unpack"),
        ({}, {"text.rows": pack_integers(np.full(16, 99))}, "not an embedding table: index 99"),
        ({}, {"text.rows": pack_integers(np.zeros(5))}, "'rows' does not unpack to the 64 bytes it should"),
        ({}, {"genes.name": np.zeros(9, np.uint8)}, "not an embedding table: Error -3"),
        ({}, {"genes.name": np.frombuffer(zlib.compress(b"a\nb"), np.uint8)}, "not an embedding table: "),
        ({}, {"genes.name": np.frombuffer(zlib.compress(b"\xff"), np.uint8)}, "not an embedding table: 'utf-8'"),
        ({"sides": "x"}, {}, "not an embedding table: Damaged data: 'shape' must be two whole numbers"),
        ({"taxon_id": "many"}, {}, "not a usable embedding table: invalid literal"),
    ],
)
def test_a_forged_file_is_refused(
    gene_table: EmbeddingTable, tmp_path: Path, record: dict[str, Any], tensors: dict[str, Any], message: str
) -> None:
    path = gene_table.save(tmp_path / "table")
    forge(path, record=record, **tensors)
    with pytest.raises(InputError, match=message):
        EmbeddingTable.load(path)


def test_a_forged_file_cannot_unpack_without_end(
    gene_table: EmbeddingTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = gene_table.save(tmp_path / "table")
    forge(path, record=None, **{"genes.name": np.frombuffer(zlib.compress(b"a" * 10_000), np.uint8)})
    monkeypatch.setattr(_table_file, "_MAX_COLUMN_BYTES", 1000)
    with pytest.raises(InputError, match="a text column is cut short, or unreasonably long"):
        EmbeddingTable.load(path)


def test_a_newer_format_asks_for_an_update(gene_table: EmbeddingTable, tmp_path: Path) -> None:
    path = gene_table.save(tmp_path / "table")
    forge(path, record={"format_version": 2})
    with pytest.raises(
        InputError, match="format version 2, this dnaclip reads up to 1. Please update dnaclip: pip install"
    ):
        EmbeddingTable.load(path)
