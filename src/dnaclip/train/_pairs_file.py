"""Read a file of pairs without its sequences: these stay on the disk."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dnaclip._errors import InputError, MissingKeyError, examples

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["PairsFile", "read_pairs", "read_vectors"]

_ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class PairsFile:
    """The informative pairs of a file.

    Attributes
    ----------
    table
        These pairs, numbered from 0; the column `sequence` is mapped from a temporary file.
    rows
        int64 (n,): which rows of the file they are.
    n_rows
        Rows of the file.
    sha256
        Checksum of the file.
    """

    table: pd.DataFrame
    rows: np.ndarray
    n_rows: int
    sha256: str


def read_pairs(path: Path) -> PairsFile:
    """Read the informative pairs of a Parquet table; see :func:`train_folder` for the columns and errors."""
    if not path.is_file():
        msg = f"There is no file {str(path)!r}. Give a Parquet table with the columns 'sequence' and 'text'."
        raise InputError(msg)
    try:
        with pq.ParquetFile(path, memory_map=True, pre_buffer=False) as file:
            columns = [name for name in file.schema_arrow.names if name != "sequence"]
            absent = {"sequence", "text"} - set(file.schema_arrow.names)
            if absent:
                msg = f"{path.name} lacks the columns {examples(sorted(absent))}; it has {examples(file.schema_arrow.names, 12)}."
                raise MissingKeyError(msg)
            table = file.read(columns, use_pandas_metadata=False).to_pandas(ignore_metadata=True)
            informative = table["informative"].to_numpy(bool) if "informative" in table else np.ones(len(table), bool)
            sequences = _mapped(file, informative)
    except (OSError, ValueError, pa.ArrowException) as error:
        msg = f"{str(path)!r} cannot be read as a Parquet table ({error})."
        raise InputError(msg) from error
    rows = np.flatnonzero(informative)
    with path.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    return PairsFile(table.iloc[rows].reset_index(drop=True).assign(sequence=sequences), rows, len(table), sha256)


def _mapped(file: pq.ParquetFile, kept: np.ndarray) -> pd.Series:
    """Write the kept sequences to a temporary file, row group by row group, and map it."""
    schema = pa.schema([("sequence", pa.string())])
    # Without a name, the file is gone with the process, however that ends.
    with tempfile.TemporaryFile() as written:
        with pa.ipc.new_file(written, schema) as writer:
            done = 0
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=["sequence"], use_threads=False):
                of_batch = pa.array(kept[done : done + len(batch)])
                writer.write_batch(batch.filter(of_batch).cast(schema))
                done += len(batch)
        written.flush()
        mapped = pa.py_buffer(np.memmap(written, mode="r"))
    column = pa.ipc.open_file(mapped).read_all()["sequence"]
    return pd.Series(column, dtype=pd.ArrowDtype(pa.string()))


def read_vectors(path: Path, pairs: PairsFile) -> np.ndarray:
    """Read the vectors of the texts of the pairs, (n, d), from a file with one row per row of the table."""
    try:
        vectors = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError) as error:
        msg = f"{str(path)!r} cannot be read as a NumPy file (.npy) of numbers ({error})."
        raise InputError(msg) from error
    if vectors.ndim != 2 or len(vectors) != pairs.n_rows:
        msg = (
            f"{path.name} holds an array of shape {vectors.shape} for the {pairs.n_rows} rows of the Parquet table. Give one row "
            "of numbers per row of the table, in its order."
        )
        raise InputError(msg)
    return vectors[pairs.rows]
