"""Cut long strings into pieces of like length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Piece", "pieces"]


@dataclass(frozen=True, slots=True)
class Piece:
    """Letters or tokens `start` to `stop` of one string."""

    string: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def pieces(lengths: Sequence[int], longest: int) -> list[Piece]:
    """Cut strings of these lengths into pieces of like size, `longest` at most, without overlap, short pieces first.

    Examples
    --------
    >>> from dnaclip.encoders._pieces import pieces
    >>> [len(piece) for piece in pieces([9, 2], longest=4)]
    [2, 3, 3, 3]
    """
    cut = []
    for i, length in enumerate(lengths):
        n = -(-length // longest)
        edges = [length * k // n for k in range(n + 1)]
        cut += [Piece(i, start, stop) for start, stop in zip(edges, edges[1:], strict=False)]
    return sorted(cut, key=lambda piece: (len(piece), piece.string, piece.start))
