"""Words of more genes than memory holds, sorted by way of a file."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from dnaclip.pp._shared_words import GENE_BITS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from dnaclip.pp._shared_words import WordKind

__all__ = ["WordFile"]

_RANGES = 32


class WordFile:
    """Collects the words of one block of genes after the other, and gives them back word by word.

    A context manager: they lie in a file without a name in the folder for temporary files.

    Parameters
    ----------
    kind
        The words.
    """

    def __init__(self, kind: WordKind) -> None:
        self._edges = (
            np.arange(1, _RANGES, dtype=np.uint64) * np.uint64(kind.letters**kind.length // _RANGES) << GENE_BITS
        )
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed on leaving the context)
        self._n = 0
        self._bounds: list[np.ndarray] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, keys: np.ndarray) -> None:
        """Write what :func:`distinct_words` returned, uint64 (n,), rising."""
        self._bounds.append(self._n + np.concatenate([[0], np.searchsorted(keys, self._edges), [len(keys)]]))
        self._n += len(keys)
        keys.tofile(self._file)

    def ranges(self) -> Iterator[np.ndarray]:
        """Yield all keys, uint64, rising, in pieces; genes with one word are in one piece."""
        if not self._n:  # an empty file cannot be mapped
            yield np.empty(0, np.uint64)
            return
        self._file.flush()
        keys = np.memmap(self._file, np.uint64, mode="r")
        for starts, stops in pairwise(np.stack(self._bounds, axis=1)):
            yield np.sort(np.concatenate([keys[start:stop] for start, stop in zip(starts, stops, strict=True)]))
