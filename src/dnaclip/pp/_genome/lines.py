"""Read a text file line by line, packed or not, and say in which line it breaks."""

from __future__ import annotations

import gzip
import io
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from dnaclip._errors import InputError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

__all__ = ["TextLines", "bad_line", "numbered_lines", "open_bytes", "unreadable"]

_GZIP = b"\x1f\x8b"
_BUFFER = 1 << 20
# Marks at the start of a file that is text of two or four bytes a letter.
_WIDE = (b"\xff\xfe", b"\xfe\xff")


def bad_line(path: str | os.PathLike[str], line: int, problem: str) -> InputError:
    """Make the error that says what is wrong in which line of which file."""
    msg = f"{path}, line {line}: {problem}"
    return InputError(msg)


def unreadable(path: str | os.PathLike[str], line: int, error: Exception) -> InputError:
    """Make the error for a packed file that breaks off or is damaged after `line` whole lines."""
    msg = (
        f"{path}, after line {line}: the packed file is cut off or damaged ({error}). Fetch it again; "
        "'gzip -t FILE' tells whether it is whole."
    )
    return InputError(msg)


@contextmanager
def open_bytes(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file, unpacking it if it is packed with gzip or bgzip; what it holds tells, not its name.

    Raises
    ------
    InputError
        There is no such file, it cannot be read, is empty, or is not text of one byte a letter.
    """
    path = Path(path)
    try:
        raw = path.open("rb")
    except OSError as error:
        msg = f"{str(path)!r} cannot be read: {error.strerror}."
        raise InputError(msg) from error
    with raw:
        packed = raw.read(2) == _GZIP
        raw.seek(0)
        unpacked = gzip.GzipFile(fileobj=raw) if packed else raw
        file = io.BufferedReader(cast("io.RawIOBase", unpacked), _BUFFER)
        try:
            head = file.peek(4)[:4]
        except (EOFError, OSError, zlib.error) as error:
            raise unreadable(path, 0, error) from error
        if not head:
            raise bad_line(path, 1, "the file is empty.")
        if head.startswith(_WIDE) or b"\0" in head:
            raise bad_line(path, 1, "this is not plain text but UTF-16 or binary. Save it as UTF-8.")
        yield cast("BinaryIO", file)


def numbered_lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, bytes]]:
    """Yield the number, from 1, and the bytes of each line, its end included.

    Raises
    ------
    InputError
        The file cannot be read, is empty, or is cut off.
    """
    number = 0
    with open_bytes(path) as file:
        try:
            for number, line in enumerate(file, 1):
                yield number, line
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise unreadable(path, number, error) from error


class TextLines:
    """Lines as text, counted, in the form of an open file that Biopython's parsers read.

    Attributes
    ----------
    number
        Number of the last line read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.number = 0
        self._path = path
        self._lines = numbered_lines(path)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self.number, line = next(self._lines)
        try:
            return line.decode("utf-8").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            raise bad_line(self._path, self.number, f"the byte {line[error.start]:#04x} is not UTF-8.") from None

    def readline(self) -> str:
        """Return the next line, nothing at the end."""
        return next(self, "")

    def read(self, n: int = -1) -> str:
        """Return the rest; or nothing of it, by which the parsers see that the file is text."""
        return "" if n == 0 else "".join(self)
