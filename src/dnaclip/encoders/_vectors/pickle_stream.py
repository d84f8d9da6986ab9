"""The bytes of a pickle, some megabytes at a time."""

from __future__ import annotations

import struct
from typing import Any, BinaryIO, NoReturn

import numpy as np

from dnaclip._errors import InputError

__all__ = ["Stream", "refuse"]

CHUNK = 1 << 22
LONGEST_RUN = 1 << 14


class Stream:
    """Bytes of a file, some megabytes at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._data, self._at = file, b"", 0

    def _need(self, n: int) -> None:
        while len(self._data) - self._at < n:
            # Never at once what a number in the file says: it may be made up to fill the memory.
            missing = n - (len(self._data) - self._at)
            more = self._file.read(min(max(missing, CHUNK), max(len(self._data), CHUNK)))
            if not more:
                refuse("it ends in the middle")
            self._data, self._at = self._data[self._at :] + more, 0

    def take(self, n: int) -> bytes:
        self._need(n)
        self._at += n
        return self._data[self._at - n : self._at]

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> str:
        while (end := self._data.find(b"\n", self._at)) < 0:
            if len(self._data) - self._at > 1000:
                refuse("a name in it is longer than any of NumPy's")
            self._need(len(self._data) - self._at + 1)
        line, self._at = self._data[self._at : end], end + 1
        return line.decode("utf-8", "replace")

    def floats(self) -> np.ndarray:
        """The number that starts here, and those that follow it directly: each is the letter G and eight bytes."""
        self._need(8)
        rest = np.frombuffer(self._data, dtype=np.uint8, offset=self._at + 8)
        marks = rest[: 9 * min(len(rest) // 9, LONGEST_RUN)][::9] == ord("G")
        n = 1 + (len(marks) if marks.all() else int(marks.argmin()))
        values = np.ndarray((n,), dtype=">f8", buffer=self._data, offset=self._at, strides=(9,))
        self._at += 9 * n - 1
        return values


def refuse(why: str) -> NoReturn:
    msg = (
        f"The pickle is not read: {why}. Only dictionaries, lists, text, numbers and NumPy arrays of numbers are. "
        "Nothing of it was run."
    )
    raise InputError(msg)
