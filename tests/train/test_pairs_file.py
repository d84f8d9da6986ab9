"""Sequences of a file of pairs stay on the disk, and what is computed from there is the same."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dnaclip._errors import InputError, MissingKeyError
from dnaclip.pp import cluster_pairs, split_pairs
from dnaclip.train import prepare_pairs
from dnaclip.train._pairs_file import read_pairs, read_vectors

if TYPE_CHECKING:
    from pathlib import Path

N = 60


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Sixty genes in row groups of seven, one in five without information, with a copy of a gene and one of a text."""
    rng = np.random.default_rng(0)
    codons = [a + b + c for a in "ACG" for b in "ACG" for c in "ACGT"]  # none of them a stop
    sequences = ["".join(rng.choice(codons, n)) for n in rng.integers(100, 400, N)]
    sequences[11] = sequences[3]
    table = pa.table(
        {
            "gene_id": [f"g{i}" for i in range(N)],
            "sequence": sequences,
            "text": [f"gene {i % 50}" for i in range(N)],
            "informative": [i % 5 != 0 for i in range(N)],
        }
    )
    pq.write_table(table, tmp_path / "pairs.parquet", row_group_size=7)
    return tmp_path / "pairs.parquet"


def test_same_as_the_whole_table(path: Path) -> None:
    whole = pd.read_parquet(path)
    pairs = read_pairs(path)
    np.testing.assert_array_equal(pairs.rows, np.flatnonzero(whole["informative"]))
    kept = whole.iloc[pairs.rows].reset_index(drop=True)
    for column in whole:
        assert pairs.table[column].tolist() == kept[column].tolist()
    assert (pairs.n_rows, pairs.sha256) == (N, hashlib.sha256(path.read_bytes()).hexdigest())


def test_what_is_computed_from_the_file_is_the_same(path: Path) -> None:
    mapped = read_pairs(path).table
    held = mapped.assign(sequence=mapped["sequence"].astype(object))
    vectors = np.random.default_rng(1).normal(size=(len(held), 8))
    prepared = []
    for table in (mapped, held):
        split = split_pairs(table)
        np.testing.assert_array_equal(split["near_copies"], cluster_pairs(table["sequence"], [""] * len(table)))
        prepared.append((split, prepare_pairs(table, split, text_vectors=vectors, progress=False)))
    (split, first), (other_split, second) = prepared
    pd.testing.assert_frame_equal(split, other_split)
    np.testing.assert_array_equal(first.features.composition, second.features.composition)
    assert abs(first.features.seeds - second.features.seeds).nnz == 0
    np.testing.assert_array_equal(first.neighbours.ids, second.neighbours.ids)


def test_sequences_are_not_in_memory(tmp_path: Path) -> None:
    bases = 20_000_000
    sequences = ["ACGT" * (bases // 80)] * 20
    pq.write_table(
        pa.table({"sequence": sequences, "text": ["gene"] * 20}),
        tmp_path / "pairs.parquet",
        row_group_size=1,
        use_dictionary=False,
    )
    before = pa.total_allocated_bytes()
    table = read_pairs(tmp_path / "pairs.parquet").table
    assert table["sequence"].str.len().sum() == bases
    assert pa.total_allocated_bytes() - before < bases / 10


def test_mapped_sequences_outlive_their_file(path: Path) -> None:
    table = read_pairs(path).table
    expected = table["sequence"].tolist()
    path.unlink()
    assert table["sequence"].tolist() == expected


def test_vectors_of_the_informative_rows(path: Path) -> None:
    vectors = np.arange(N * 3.0).reshape(N, 3)
    np.save(path.with_name("vectors.npy"), vectors)
    pairs = read_pairs(path)
    np.testing.assert_array_equal(read_vectors(path.with_name("vectors.npy"), pairs), vectors[pairs.rows])
    np.save(path.with_name("vectors.npy"), vectors[1:])
    with pytest.raises(InputError, match=r"holds an array of shape \(59, 3\) for the 60 rows of the Parquet table"):
        read_vectors(path.with_name("vectors.npy"), pairs)


def test_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file"):
        read_pairs(tmp_path / "absent.parquet")
    (tmp_path / "text.parquet").write_text("not a table")
    with pytest.raises(InputError, match="cannot be read as a Parquet table"):
        read_pairs(tmp_path / "text.parquet")
    pd.DataFrame({"gene_id": ["a"], "text": ["b"]}).to_parquet(tmp_path / "short.parquet")
    with pytest.raises(MissingKeyError, match=r"short.parquet lacks the columns 'sequence'; it has 'gene_id', 'text'"):
        read_pairs(tmp_path / "short.parquet")
    pd.DataFrame({"sequence": [1, 2], "text": ["a", "b"]}).to_parquet(tmp_path / "numbers.parquet")
    with pytest.raises(InputError, match="Gene number 0 has '1' at position 1"):
        split_pairs(read_pairs(tmp_path / "numbers.parquet").table)
