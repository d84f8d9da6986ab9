"""Vectors that were paid for, kept on disk by what was asked."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dnaclip._errors import InputError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["VectorCache"]

_AT_ONCE = 500  # SQLite takes a thousand values in a question at least


class VectorCache:
    """One SQLite file: fingerprint of a question -> float32 vector. Neither texts nor keys are stored.

    A set of vectors is written as a whole or not at all, whenever the process is killed, and several processes may read and
    write at once.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.path = Path(folder) / "vectors.sqlite"

    def get(self, keys: Sequence[str]) -> dict[str, np.ndarray]:
        """Return the vectors that are kept under some of `keys`."""
        if not self.path.is_file():
            return {}
        found: dict[str, np.ndarray] = {}
        with self._open() as database:
            for first in range(0, len(keys), _AT_ONCE):
                asked = keys[first : first + _AT_ONCE]
                marks = ",".join("?" * len(asked))
                rows = database.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", list(asked))
                found.update((key, np.frombuffer(data, dtype="<f4")) for key, data in rows)
        return found

    def put(self, vectors: Mapping[str, np.ndarray]) -> None:
        """Keep vectors."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        rows = [(key, np.asarray(vector, dtype="<f4").tobytes()) for key, vector in vectors.items()]
        with self._open() as database:
            database.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(sqlite3.connect(self.path, timeout=60)) as database, database:
                database.execute("CREATE TABLE IF NOT EXISTS vectors (key TEXT PRIMARY KEY, vector BLOB NOT NULL)")
                yield database
        except sqlite3.Error as error:
            msg = f"The vectors kept in {str(self.path)!r} cannot be used ({error}). Delete the file, or give cache=False."
            raise InputError(msg) from error
