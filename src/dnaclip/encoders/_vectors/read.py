"""Read published vectors of genes, in each of the forms they come in."""

from __future__ import annotations

import csv
import io
import itertools
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, cast

import numpy as np

from dnaclip._errors import InputError, examples
from dnaclip.encoders._vectors.pickle_values import Numbers
from dnaclip.encoders._vectors.plain_pickle import read_plain_pickle
from dnaclip.encoders._vectors.table import VectorTable

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

__all__ = ["read_vectors"]

_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"


def read_vectors(path: str | os.PathLike[str], *, member: str | None = None, name: str | None = None) -> VectorTable:
    r"""Read ready vectors of genes from a file of others.

    Parameters
    ----------
    path
        One of these, told apart by what they hold:

        * a pickled dictionary from gene to list or array of numbers, as GenePT publishes. It is read without unpickling, so
          nothing in it can run;
        * text with one gene a line and its numbers after it, separated by white space or commas, as Gene2vec publishes; a
          line of column names or sizes may come first;
        * a folder with one `.txt` list of genes and one `.csv` of numbers without names, as in the benchmark of Zhong et al.;
        * a zip archive with one of the first two in it;
        * a table of dnaclip's own, see :meth:`dnaclip.encoders.VectorTable.load`.
    member
        File in the archive.
    name
        What to call the vectors; by default the name of the file.

    Returns
    -------
    The vectors, float32. Genes that share one list in a pickle share one row.

    Raises
    ------
    InputError
        There is no such file, it has none of these forms, genes come twice, or vectors have several lengths or no finite
        numbers.

    References
    ----------
    Chen and Zou, GenePT (2024). Du et al., Gene2vec, BMC Genomics 20, 82 (2019). Zhong et al., Benchmarking gene embeddings
    from sequence, expression, network, and text models for functional prediction tasks (2025).

    Examples
    --------
    >>> from pathlib import Path
    >>> from dnaclip.encoders import read_vectors
    >>> _ = Path("toy.txt").write_text("TP53 0.5 1\nACTB 0 -1\n")
    >>> read_vectors("toy.txt").encode(["ACTB"])
    array([[ 0., -1.]], dtype=float32)
    """
    path = Path(path)
    called = name or member or path.name
    try:
        if path.is_dir():
            return VectorTable(*_from_folder(path), name=called)
        with path.open("rb") as file:
            start = file.read(9)
            file.seek(0)
            if start.startswith(_ZIP):
                return _from_zip(path, member, called)
            if member is not None:
                _refuse(path, f"it is no zip archive, so there is no {member!r} in it.")
            if start[8:] == b"{":
                return VectorTable.load(path)
            return _from_stream(path, file, called)
    except OSError as error:
        _refuse(path, f"{error.strerror or error}.")


def _from_zip(path: Path, member: str | None, name: str) -> VectorTable:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
            # The folder that an archive may have around its files need not be given.
            found = [known for known in names if member in (None, known, known.rpartition("/")[2])]
            if len(found) != 1:
                _refuse(path, f"it holds {examples(names, 20)}. Name one of them with member=.")
            with archive.open(found[0]) as file:
                return _from_stream(path, cast("BinaryIO", file), name if member else found[0])
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        IndexError,
        UnicodeDecodeError,
    ) as error:
        _refuse(path, f"the archive is damaged or of a kind that is not read ({error}).")


def _from_stream(path: Path, file: BinaryIO, name: str) -> VectorTable:
    if cast("io.BufferedReader", file).peek(1)[:1] == _PICKLE:
        return _from_pickle(path, read_plain_pickle(file), name)
    return VectorTable(*_from_text(path, file), name=name)


def _from_pickle(path: Path, content: Any, name: str) -> VectorTable:
    if not isinstance(content, dict) or not content:
        _refuse(path, f"it holds no dictionary from gene to vector but {type(content).__name__}.")
    rows = np.empty(len(content), dtype=np.int32)
    place: dict[int, int] = {}  # of the lists met so far: several names of one gene have the same one
    vectors: list[np.ndarray] = []
    for i, (gene, value) in enumerate(content.items()):
        if id(value) not in place:
            place[id(value)] = len(vectors)
            vectors.append(_vector(path, gene, value))
        rows[i] = place[id(value)]
    return VectorTable([str(gene) for gene in content], _stacked(path, list(content), vectors), rows=rows, name=name)


def _vector(path: Path, gene: Any, value: Any) -> np.ndarray:
    try:
        if isinstance(value, tuple):
            numbers = Numbers()
            numbers.parts = list(value)
            value = numbers
        vector = value.vector() if isinstance(value, Numbers) else value
        if isinstance(vector, np.ndarray) and vector.size == max(vector.shape, default=0):
            return vector.reshape(-1)
    except (TypeError, ValueError):
        pass
    _refuse(path, f"what it holds for {gene!r} is no vector of numbers.")


def _from_text(path: Path, file: BinaryIO) -> tuple[list[str], np.ndarray]:
    genes: list[str] = []
    vectors: list[np.ndarray] = []
    for number, (gene, *numbers) in enumerate(_fields(path, file), 1):
        try:
            vector = np.array(numbers, dtype=np.float32)
        except ValueError:
            if number > 1:
                _refuse(path, f"line {number} holds something other than a gene and numbers.")
            continue  # names of the columns
        if number == 1 and len(numbers) == 1 and gene.isdecimal():
            continue  # how many genes, and numbers each
        genes.append(gene)
        vectors.append(vector)
    if not genes:
        _refuse(path, "there is no line with a gene and its numbers in it.")
    return genes, _stacked(path, genes, vectors)


def _fields(path: Path, file: BinaryIO) -> Iterator[list[str]]:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        first = text.readline()
        lines = itertools.chain([first], text)
        rows = csv.reader(lines) if "," in first else (line.split() for line in lines)
        yield from (row for row in rows if row)
    except (UnicodeDecodeError, csv.Error) as error:
        _refuse(path, f"it is neither a pickle, nor an archive, nor text ({error}).")
    finally:
        text.detach()  # else it would close the file


def _from_folder(path: Path) -> tuple[list[str], np.ndarray]:
    lists, tables = sorted(path.glob("*.txt")), sorted(path.glob("*.csv"))
    if len(lists) != 1 or len(tables) != 1:
        _refuse(
            path, f"a folder must hold one .txt list of genes and one .csv; there are {len(lists)} and {len(tables)}."
        )
    try:
        genes = lists[0].read_text(encoding="utf-8").split()
    except UnicodeDecodeError as error:
        _refuse(path, f"{lists[0].name} holds something other than text ({error}).")
    with tables[0].open(encoding="utf-8", newline="") as file:
        try:
            vectors = [np.array(row, dtype=np.float32) for row in csv.reader(file) if row]
        except (ValueError, csv.Error) as error:
            _refuse(path, f"{tables[0].name} holds something other than numbers ({error}).")
    if len(genes) != len(vectors):
        _refuse(path, f"{lists[0].name} names {len(genes)} genes, {tables[0].name} holds {len(vectors)} vectors.")
    return genes, _stacked(path, genes, vectors)


def _stacked(path: Path, genes: list[Any], vectors: list[np.ndarray]) -> np.ndarray:
    lengths = {len(vector) for vector in vectors}
    if len(lengths) != 1 or 0 in lengths:
        odd = [gene for gene, vector in zip(genes, vectors, strict=False) if len(vector) != len(vectors[0])]
        _refuse(path, f"vectors have the lengths {examples(sorted(lengths))}; other than the first: {examples(odd)}.")
    return np.stack(vectors)


def _refuse(path: Path, why: str) -> NoReturn:
    msg = f"{str(path)!r} cannot be read as vectors of genes: {why}"
    raise InputError(msg)
