"""Gene vectors from whatever holds them, found by identifiers of any kind."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnaclip._dataframe import read_dataframe
from dnaclip._errors import InputError, examples
from dnaclip._validate import check_key
from dnaclip.datasets import EmbeddingTable, load_table

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["GeneVectors", "read_vectors"]


@dataclass(frozen=True, eq=False)
class GeneVectors:
    """Vectors of human genes, and what finds the gene of an identifier.

    Attributes
    ----------
    name
        What the embedding is called in results.
    matrix
        float64 (n, d), finite.
    row_of
        Row of `matrix` by gene: its row in `table`, or its identifier where the table does not know it.
    table
        Human genes with their identifiers.
    reads_text
        Whether the vectors were made from texts about the genes; `None`: not known.
    """

    name: str
    matrix: np.ndarray
    row_of: dict[int | str, int]
    table: EmbeddingTable
    reads_text: bool | None

    def rows(self, ids: Iterable[object]) -> np.ndarray:
        """Rows of `matrix` for identifiers of any kind, int64, -1 where there is no vector."""
        distinct, place = np.unique(np.array([str(one) for one in ids], dtype=object), return_inverse=True)
        keys = _keys(distinct, self.table)
        return np.array([self.row_of.get(key, -1) for key in keys], dtype=np.int64)[place]

    @property
    def fingerprint(self) -> str:
        """Checksum of the vectors and the genes they belong to."""
        digest = hashlib.sha256(np.ascontiguousarray(self.matrix).tobytes())
        digest.update("\n".join(map(str, self.row_of)).encode())
        return digest.hexdigest()


def read_vectors(
    embedding: Any, *, modality: str, use_rep: str, name: str | None, reads_text: bool | None
) -> GeneVectors:
    """Read an embedding table, a DataFrame, an AnnData object or a file; see :func:`dnaclip.benchmark.run`."""
    given = embedding
    if isinstance(embedding, str) and embedding in ("dnaclip", "dnaclip-base"):
        embedding = _human()
    elif isinstance(embedding, (str, os.PathLike)):
        embedding = _read_file(Path(embedding))
    if isinstance(embedding, EmbeddingTable):
        return _of_table(embedding, modality, name, reads_text=reads_text)
    if isinstance(embedding, pd.DataFrame):
        ids, matrix = embedding.index, _numbers(embedding)
    elif hasattr(embedding, "varm"):
        check_key(use_rep, list(embedding.varm), where="adata.varm", hint="Run dnaclip.tl.embed(adata) first.")
        ids, matrix = embedding.var_names, np.asarray(embedding.varm[use_rep], dtype=np.float64)
    else:
        msg = (
            "embedding must be an EmbeddingTable, a DataFrame with genes as index, an AnnData object, a file or "
            f"'dnaclip', got {type(embedding).__name__}."
        )
        raise InputError(msg)
    fallback = Path(given).stem if isinstance(given, (str, os.PathLike)) else "embedding"
    return _of_matrix(ids, matrix, name or fallback, reads_text=reads_text)


@cache
def _human() -> EmbeddingTable:
    """The table that knows the identifiers: reading and indexing it takes a second or more."""
    return load_table("human")


def _of_table(table: EmbeddingTable, modality: str, name: str | None, *, reads_text: bool | None) -> GeneVectors:
    if table.species != "human":
        msg = f"The tasks are about human genes, but the table is for {table.species!r}. Use a table of human genes."
        raise InputError(msg)
    vectors = table.vectors(modality)
    known = np.flatnonzero(np.isfinite(vectors[:, 0]))
    return GeneVectors(
        name or f"{table.model} {modality}",
        vectors[known].astype(np.float64),
        {int(row): i for i, row in enumerate(known)},
        table,
        modality != "dna" if reads_text is None else reads_text,
    )


def _of_matrix(ids: Iterable[object], matrix: np.ndarray, name: str, *, reads_text: bool | None) -> GeneVectors:
    names = [str(one) for one in ids]
    if matrix.ndim != 2 or matrix.shape[0] != len(names) or matrix.shape[1] == 0:
        msg = f"The embedding must have shape ({len(names)} genes, d), got {matrix.shape}."
        raise InputError(msg)
    known = np.isfinite(matrix).all(axis=1)
    broken = ~known & ~np.isnan(matrix).all(axis=1)
    if broken.any():
        wrong = [names[i] for i in np.flatnonzero(broken)]
        msg = (
            f"{len(wrong)} of {len(names)} genes have values that are NaN or infinite among others that are not: "
            f"{examples(wrong)}. A gene without a vector needs a row of NaN."
        )
        raise InputError(msg)
    if not known.any():
        msg = f"None of the {len(names)} genes has a vector."
        raise InputError(msg)
    from dnaclip.pp import match_genes

    table = _human()
    match_genes(names, table)  # warns about what looks wrong with the identifiers
    keys = _keys(np.array(names, dtype=object), table)
    first: dict[int | str, int] = {}
    for i in np.flatnonzero(known):
        # Of several rows of one gene the first speaks for it.
        first.setdefault(keys[i], int(i))
    kept = np.fromiter(first.values(), dtype=np.int64)
    return GeneVectors(name, matrix[kept], {key: i for i, key in enumerate(first)}, table, reads_text)


def _keys(names: np.ndarray, table: EmbeddingTable) -> list[int | str]:
    from dnaclip.pp._match import find_genes

    found = find_genes(names, table).rows
    return [int(row) if row >= 0 else str(name) for name, row in zip(names, found, strict=True)]


def _numbers(frame: pd.DataFrame) -> np.ndarray:
    odd = [str(column) for column in frame.columns if not pd.api.types.is_numeric_dtype(frame[column])]
    if odd or frame.empty:
        msg = (
            f"The table must hold numbers, with genes as index; columns that are not numbers: {examples(odd) or 'all'}."
        )
        raise InputError(msg)
    return frame.to_numpy(dtype=np.float64, na_value=np.nan)


def _read_file(path: Path) -> EmbeddingTable | pd.DataFrame:
    kind = path.suffix.lower()
    if not path.is_file():
        msg = f"There is no file {str(path)!r} with an embedding."
        raise InputError(msg)
    if kind == ".safetensors":
        return EmbeddingTable.load(path)
    if kind not in (".parquet", ".csv", ".tsv", ".txt"):
        msg = f"{path.name!r} has a form that is not known. Use .parquet, .csv, .tsv or dnaclip's .safetensors."
        raise InputError(msg)
    frame = read_dataframe(path, dtype={0: str})
    if isinstance(frame.index, pd.RangeIndex):
        # No index of its own: the first column names the genes.
        frame = frame.set_index(frame.columns[0])
    return frame
