"""Read a FASTA file record by record, packed or not."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from dnaclip._errors import InputError, examples

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Contents", "read_records", "survey"]

_GZIP = b"\x1f\x8b"
_BUFFER = 1 << 20
_BLOCK = 1 << 20  # letters checked together


@dataclass(frozen=True)
class Contents:
    """What a FASTA file holds, without the sequences.

    Attributes
    ----------
    ids
        First word of each header.
    lengths
        Letters of each sequence.
    sha256
        Of identifiers and sequences: the same however lines are broken or the file is packed.
    """

    ids: list[str]
    lengths: list[int]
    sha256: str


def survey(path: str | os.PathLike[str], check: Callable[[Sequence[str]], None]) -> Contents:
    """Read a file once and check it whole, before anything costly begins.

    Parameters
    ----------
    path
        FASTA file.
    check
        Called with some sequences at a time; what it raises is raised with the name of the record.

    Raises
    ------
    InputError
        The file is no whole FASTA file, holds nothing, names a record twice, or has a record without a sequence or with what
        is no letter.
    """
    lengths: dict[str, int] = {}
    twice: list[str] = []
    digest = hashlib.sha256()
    block, letters = dict[str, str](), 0
    for name, sequence in read_records(path):
        if name in lengths:
            twice.append(name)
        lengths[name] = len(sequence)
        if not sequence:
            _refuse(path, f"the record {name!r} has no sequence.")
        if not sequence.replace("*", "").isalpha():
            strange = sorted({letter for letter in sequence if not letter.isalpha() and letter != "*"})
            _refuse(path, f"the record {name!r} holds {examples(strange)}, which are no bases or residues.")
        block[name], letters = sequence, letters + len(sequence)
        if letters > _BLOCK:
            _check(path, block, check)
            block, letters = {}, 0
        digest.update(f">{name}\n{sequence}\n".encode())
    _check(path, block, check)
    if twice:
        _refuse(path, f"{len(twice)} records have a name that came before: {examples(twice)}. Give each its own.")
    if not lengths:
        _refuse(path, "it holds no record.")
    return Contents(list(lengths), list(lengths.values()), digest.hexdigest())


def _check(path: str | os.PathLike[str], block: dict[str, str], check: Callable[[Sequence[str]], None]) -> None:
    """Check sequences together, which is quicker, and one by one only to name the one that is refused."""
    try:
        check(list(block.values()))
    except InputError:
        for name, sequence in block.items():
            try:
                check([sequence])
            except InputError as error:
                _refuse(path, f"the record {name!r} cannot be encoded. {error}")
        raise


def read_records(path: str | os.PathLike[str]) -> Iterator[tuple[str, str]]:
    """Yield the first word of the header and the sequence of each record; one record is in memory at a time."""
    name: str | None = None
    lines: list[bytes] = []
    try:
        with Path(path).open("rb", buffering=_BUFFER) as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            for number, line in enumerate(gzip.GzipFile(fileobj=raw) if packed else raw, 1):
                if line.startswith(b">"):
                    if name is not None:
                        yield name, b"".join(lines).decode("ascii")
                    name, lines = _name(path, number, line), []
                elif name is not None:
                    lines.append(line.strip())
                elif line.strip():
                    _refuse(path, f"line {number} comes before any header: {line[:40]!r}. Headers start with '>'.")
            if name is not None:
                yield name, b"".join(lines).decode("ascii")
    except UnicodeDecodeError:
        _refuse(path, f"the record {name!r} holds letters that are not ASCII.")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        _refuse(path, f"the packed file is cut off or damaged ({error}). 'gzip -t FILE' tells whether it is whole.")
    except OSError as error:
        _refuse(path, f"{error.strerror or error}.")


def _name(path: str | os.PathLike[str], number: int, line: bytes) -> str:
    words = line[1:].split(maxsplit=1)
    if not words:
        _refuse(path, f"line {number} is a header without a name.")
    return words[0].decode("utf-8", "replace")


def _refuse(path: str | os.PathLike[str], why: str) -> NoReturn:
    msg = f"{str(path)!r} cannot be read as FASTA: {why}"
    raise InputError(msg)
