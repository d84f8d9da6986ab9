"""What is written comes back, whatever it is: names of perturbations, FASTA, vectors, tables."""

from __future__ import annotations

import gzip
import io
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from dnaclip._conditions import condition_genes, condition_name
from dnaclip._dataframe import read_dataframe
from dnaclip._fasta import read_records
from dnaclip.datasets import gene_sets
from dnaclip.encoders import VectorTable, read_vectors
from dnaclip.encoders._vectors.pickle_values import Numbers
from dnaclip.encoders._vectors.plain_pickle import read_plain_pickle

if TYPE_CHECKING:
    import pytest

WORDS = st.text(st.sampled_from("ABCxyz019-._"), min_size=1, max_size=8)
QUICK = settings(max_examples=40)


@given(st.sets(WORDS, max_size=4).filter(lambda genes: "ctrl" not in genes), st.randoms(use_true_random=False))
def test_a_condition_has_one_name_however_it_is_written(genes: set[str], random: Any) -> None:
    written = [*genes, *(["ctrl"] if random.random() < 0.5 or not genes else [])]
    random.shuffle(written)
    found = condition_genes("+".join(written))
    assert found == tuple(sorted(genes))
    assert condition_genes(condition_name(found)) == found


@QUICK
@given(
    records=st.lists(st.tuples(WORDS, st.text("ACGTNacgtn", max_size=60)), min_size=1, max_size=5),
    width=st.integers(1, 70),
    end=st.sampled_from(["\n", "\r\n"]),
    packed=st.booleans(),
)
def test_fasta_comes_back_however_its_lines_are_broken(
    tmp_path_factory: pytest.TempPathFactory, records: list[tuple[str, str]], width: int, end: str, *, packed: bool
) -> None:
    text = "".join(
        f">{name} more{end}" + "".join(sequence[i : i + width] + end for i in range(0, len(sequence), width))
        for name, sequence in records
    ).encode()
    path = tmp_path_factory.mktemp("any") / "any.fa"
    path.write_bytes(gzip.compress(text, mtime=0) if packed else text)
    assert list(read_records(path)) == records


PLAIN = st.recursive(
    st.none()
    | st.integers(-(2**62), 2**62)
    | st.text(st.characters(codec="utf-8"), max_size=20)
    | st.binary(max_size=20),
    lambda inner: (
        st.tuples(inner, inner) | st.dictionaries(st.text(max_size=5) | st.integers(0, 99), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(PLAIN, st.integers(2, 5))
def test_plain_pickles_are_read_as_python_reads_them(value: Any, protocol: int) -> None:
    assert read_plain_pickle(io.BytesIO(pickle.dumps(value, protocol))) == value


@given(
    st.lists(st.floats(width=32, allow_nan=False), max_size=40) | st.lists(st.integers(-(2**20), 2**20), max_size=40),
    st.integers(2, 5),
)
def test_pickled_lists_of_numbers_are_vectors(numbers: list[float], protocol: int) -> None:
    found = read_plain_pickle(io.BytesIO(pickle.dumps(numbers, protocol)))
    assert isinstance(found, Numbers)
    np.testing.assert_array_equal(found.vector(), np.array(numbers, dtype=np.float32))


@given(
    st.sampled_from(["<f4", ">f4", "<f8", ">f8", "<i2", "|u1"]),
    st.lists(st.integers(0, 100), min_size=1, max_size=12),
    st.integers(2, 5),
)
def test_pickled_arrays_of_any_type_are_vectors(kind: str, numbers: list[int], protocol: int) -> None:
    values = np.array(numbers, dtype=kind)
    found = read_plain_pickle(io.BytesIO(pickle.dumps({"a": values}, protocol)))
    np.testing.assert_array_equal(found["a"], values.astype(np.float32))


@QUICK
@given(st.lists(WORDS, min_size=1, max_size=6, unique=True), st.integers(1, 5), st.integers(0, 99))
def test_tables_of_vectors_come_back_from_their_own_file_and_from_text(
    tmp_path_factory: pytest.TempPathFactory, ids: list[str], dimension: int, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("any")
    vectors = np.random.default_rng(seed).normal(size=(len(ids), dimension)).astype(np.float32)
    own = VectorTable.load(VectorTable(ids, vectors, name="any").save(folder / "own.safetensors"))
    np.testing.assert_array_equal(own.encode(ids), vectors)
    # The first line names columns, so that a gene called 7 is not taken for a number of rows.
    lines = ["gene " + " ".join("d" * dimension)]
    lines += [f"{gene} {' '.join(repr(float(x)) for x in row)}" for gene, row in zip(ids, vectors, strict=True)]
    (folder / "text.txt").write_text("\n".join(lines))
    np.testing.assert_array_equal(read_vectors(folder / "text.txt").encode(ids), vectors)


@QUICK
@given(
    st.dictionaries(
        WORDS,
        st.lists(st.text("ABC123-", min_size=1, max_size=6), min_size=1, max_size=5, unique=True),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_gene_sets_come_back(tmp_path_factory: pytest.TempPathFactory, sets: dict[str, list[str]], end: str) -> None:
    path = tmp_path_factory.mktemp("any") / "any.gmt"
    path.write_bytes("".join(f"{name}\tabout\t" + "\t".join(genes) + end for name, genes in sets.items()).encode())
    assert gene_sets(path) == sets


@QUICK
@given(
    st.lists(
        st.tuples(WORDS, st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12)),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(["t.parquet", "t.csv", "t.tsv", "t.csv.gz"]),
)
def test_tables_of_text_come_back_in_every_form(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], name: str
) -> None:
    table, path = pd.DataFrame(rows, columns=["gene", "text"]), tmp_path_factory.mktemp("any") / name
    if name.endswith("parquet"):
        table.to_parquet(path)
    else:
        table.to_csv(path, sep="\t" if "tsv" in name else ",", index=False)
    found = read_dataframe(path, dtype=str, keep_default_na=False) if "parquet" not in name else read_dataframe(path)
    assert found.astype(object).to_numpy().tolist() == [list(row) for row in rows]
