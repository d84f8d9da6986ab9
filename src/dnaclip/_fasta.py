"""Read a FASTA file record by record, packed or not."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from dnaclip._errors import InputError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

__all__ = ["read_records", "refuse_fasta"]

_GZIP = b"\x1f\x8b"
_BUFFER = 1 << 20


def read_records(path: str | os.PathLike[str]) -> Iterator[tuple[str, str]]:
    """Yield the first word of the header and the sequence of each record; one record is in memory at a time.

    Raises
    ------
    InputError
        The file is missing, damaged, or no FASTA file, or a header has no name. A record may lack a sequence.
    """
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
                    refuse_fasta(path, f"line {number} comes before any header: {line[:40]!r}. Headers start with '>'.")
            if name is not None:
                yield name, b"".join(lines).decode("ascii")
    except UnicodeDecodeError:
        refuse_fasta(path, f"the record {name!r} holds letters that are not ASCII.")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        refuse_fasta(
            path, f"the packed file is cut off or damaged ({error}). 'gzip -t FILE' tells whether it is whole."
        )
    except OSError as error:
        refuse_fasta(path, f"{error.strerror or error}.")


def _name(path: str | os.PathLike[str], number: int, line: bytes) -> str:
    words = line[1:].split(maxsplit=1)
    if not words:
        refuse_fasta(path, f"line {number} is a header without a name.")
    return words[0].decode("utf-8", "replace")


def refuse_fasta(path: str | os.PathLike[str], why: str) -> NoReturn:
    """Raise an InputError that names the file."""
    msg = f"{str(path)!r} cannot be read as FASTA: {why}"
    raise InputError(msg)
