"""The genes to be annotated: from strings, a table, a FASTA file, or an AnnData object."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dnaclip._errors import InputError, MissingKeyError, examples
from dnaclip._fasta import read_records, refuse_fasta

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Queries", "read_genes", "read_queries"]


@dataclass(frozen=True)
class Queries:
    """Genes in the order given.

    Attributes
    ----------
    names
        One name a gene, no name twice.
    sequences
        DNA of each gene; `None` if only vectors are known.
    vectors
        float32 (n, d), rows of length one; `None` if there are sequences.
    """

    names: list[str]
    sequences: list[str] | None
    vectors: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.names)

    def block(self, start: int, size: int) -> Queries:
        """Some of the genes."""
        part = slice(start, start + size)
        return Queries(
            self.names[part],
            None if self.sequences is None else self.sequences[part],
            None if self.vectors is None else self.vectors[part],
        )


def read_queries(data: Any, *, sequence_key: str, use_rep: str) -> Queries:
    """Read genes from whatever :func:`dnaclip.tl.annotate` takes."""
    if hasattr(data, "varm"):
        return _of_adata(data, sequence_key, use_rep)
    if isinstance(data, os.PathLike) or (isinstance(data, str) and not _is_dna(data)):
        pairs = list(read_genes(data))
    elif isinstance(data, str):
        pairs = [("gene1", data)]
    elif isinstance(data, pd.DataFrame):
        pairs = _of_table(data, sequence_key)
    elif isinstance(data, (Mapping, pd.Series)):
        pairs = [(str(name), sequence) for name, sequence in data.items()]
    else:
        pairs = [(f"gene{i}", sequence) for i, sequence in enumerate(data, start=1)]
    return _checked(pairs)


def read_genes(path: str | os.PathLike[str]) -> Iterator[tuple[str, str]]:
    """Yield name and sequence of each record of a FASTA file, plain or packed with gzip, one after the other.

    The name is the first word of the header.

    Raises
    ------
    InputError
        There is no such file, it is no FASTA file, or a record has no name or no sequence.
    """
    path = Path(path)
    if not path.is_file():
        msg = f"There is no file {str(path)!r}. Sequences are given as a list of strings, files as a path to FASTA."
        raise InputError(msg)
    empty = True
    for name, sequence in read_records(path):
        if not sequence:
            refuse_fasta(path, f"the record {name!r} has no sequence.")
        empty = False
        yield name, sequence
    if empty:
        refuse_fasta(path, "it holds no record.")


def _is_dna(text: str) -> bool:
    return len(text) >= 10 and set(text.upper()) <= set("ACGTUNRYSWKMBDHV")


def _of_table(table: pd.DataFrame, sequence_key: str) -> list[tuple[str, Any]]:
    column = "gene" if "gene" in table else "gene_id" if "gene_id" in table else None
    if sequence_key not in table or column is None:
        msg = f"A table of genes needs the columns 'gene' (or 'gene_id') and {sequence_key!r}; it has {examples(table.columns, 10)}."
        raise MissingKeyError(msg)
    return list(zip(map(str, table[column]), table[sequence_key], strict=True))


def _of_adata(adata: Any, sequence_key: str, use_rep: str) -> Queries:
    from dnaclip.tl._adata import check_adata
    from dnaclip.tl._gene_vectors import gene_vectors

    check_adata(adata)
    if sequence_key in adata.var:
        return _checked(list(zip(adata.var_names.astype(str), adata.var[sequence_key], strict=True)))
    if use_rep not in adata.varm:
        msg = (
            f"adata has neither sequences in var[{sequence_key!r}] nor embeddings in varm[{use_rep!r}]. Put the DNA of each gene "
            "into the former, or run dnaclip.tl.embed(adata) first."
        )
        raise MissingKeyError(msg)
    positions, vectors = gene_vectors(adata, use_rep)
    if not len(positions):
        msg = f"No gene of adata has an embedding in varm[{use_rep!r}]."
        raise InputError(msg)
    return Queries(adata.var_names[positions].astype(str).tolist(), None, vectors)


def _checked(pairs: list[tuple[str, Any]]) -> Queries:
    if not pairs:
        msg = "There are no genes to annotate."
        raise InputError(msg)
    wrong = [name for name, sequence in pairs if not isinstance(sequence, str) or not sequence.strip()]
    if wrong:
        msg = f"{len(wrong)} of {len(pairs)} genes have no sequence (a string of letters): {examples(wrong)}. Leave them out."
        raise InputError(msg)
    names = pd.Index([name for name, _ in pairs])
    if names.has_duplicates:
        twice = names[names.duplicated()].unique()
        msg = f"{len(twice)} names stand for more than one gene: {examples(twice)}. Give each gene its own name."
        raise InputError(msg)
    return Queries(names.tolist(), ["".join(sequence.split()) for _, sequence in pairs])
