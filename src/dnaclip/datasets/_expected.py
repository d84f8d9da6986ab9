"""What a file must be: its checksum and its size, whichever checksum its provider publishes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["CHUNK", "BsdSum", "Expected"]

CHUNK = 1 << 20
# A file of unknown size is not read beyond this, so that a server which never ends cannot fill every disk.
MOST_BYTES = 64 << 30
# Bytes of one file; compiling takes as long as the checksum of so many without.
WORTH_COMPILING = 16 << 20


class Digest(Protocol):
    """A checksum in the making."""

    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


class BsdSum:
    r"""The 16-bit checksum of the Unix command `sum -r`, which Ensembl publishes.

    For each byte :math:`b` the sum :math:`s` is rotated right by one bit, then
    :math:`s \leftarrow (s + b) \bmod 2^{16}`.

    Examples
    --------
    >>> digest = BsdSum()
    >>> digest.update(b"dnaclip")
    >>> digest.hexdigest()
    '61654'
    """

    def __init__(self) -> None:
        self._sum = 0
        self._seen = 0

    def update(self, data: bytes) -> None:
        """Take in the next bytes."""
        # Dropping the carry makes the sum non-linear, so that bytes must be taken one by one.
        self._seen += len(data)
        add = _compiled() if self._seen > WORTH_COMPILING else _add
        self._sum = add(data, self._sum)

    def hexdigest(self) -> str:
        """The sum so far, decimal with five digits as `sum` prints it."""
        return f"{self._sum:05d}"


def _add(data: bytes, total: int) -> int:
    for byte in data:
        total = ((total >> 1 | (total & 1) << 15) + byte) & 0xFFFF
    return total


@cache
def _compiled() -> Callable[[bytes, int], int]:
    """The same loop, ten times as fast where numba is, which scanpy brings."""
    try:
        numba = import_module("numba")
    except ImportError:
        return _add
    return numba.njit("int64(Bytes(uint8, 1, 'C'), int64)", nogil=True)(_add)


def _md5() -> Digest:
    # Against damage, not against malice: where this is used, the provider publishes nothing better.
    return hashlib.md5(usedforsecurity=False)


_ALGORITHMS: dict[str, Callable[[], Digest]] = {"sha256": hashlib.sha256, "md5": _md5, "sum -r": BsdSum}


@dataclass(frozen=True)
class Expected:
    """Checksum and size that a file must have.

    Parameters
    ----------
    checksum
        As text, in the form that the algorithm prints; empty when it is not known.
    size
        In units of `unit` bytes, the last one counted whole; None when it is not known.
    algorithm
        `"sha256"`, `"md5"` or `"sum -r"`.
    """

    checksum: str
    size: int | None
    algorithm: str = "sha256"
    unit: int = 1

    @property
    def most_bytes(self) -> int:
        """No byte beyond this one needs to be read to know that a file is wrong."""
        return MOST_BYTES if self.size is None else self.size * self.unit

    def digest(self) -> Digest:
        """Start a checksum."""
        return _ALGORITHMS[self.algorithm]()

    def describe(self) -> str:
        """Size and checksum in words."""
        size = "size not known" if self.size is None else _size(self.size, self.unit)
        return f"{size}, {f'{self.algorithm} {self.checksum}' if self.checksum else 'no checksum known'}"

    def problem(self, digest: Digest, n_bytes: int) -> str:
        """Say what is wrong with a file of this checksum and size; nothing when it is right."""
        size = -(-n_bytes // self.unit)
        if self.size is not None and size != self.size:
            return f"it has {_size(size, self.unit)} instead of {_size(self.size, self.unit)}"
        if n_bytes == 0 and self.size is None:
            return "it is empty"
        if self.checksum and digest.hexdigest() != self.checksum:
            return f"its checksum is {self.algorithm} {digest.hexdigest()} instead of {self.checksum}"
        return ""

    def problem_of(self, path: Path) -> str:
        """Read a file and say what is wrong with it; nothing when it is right."""
        digest, n_bytes = self.digest(), 0
        with path.open("rb") as file:
            while n_bytes <= self.most_bytes and (chunk := file.read(CHUNK)):
                digest.update(chunk)
                n_bytes += len(chunk)
        # Of a file that is too long, only the size at which reading stopped is known: take the true one.
        return self.problem(digest, n_bytes if n_bytes <= self.most_bytes else path.stat().st_size)


def _size(size: int, unit: int) -> str:
    return f"{size} bytes" if unit == 1 else f"{size} blocks of {unit} bytes"
