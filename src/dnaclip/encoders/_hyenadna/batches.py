"""Cut long sequences into pieces and put pieces of like length together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnaclip.encoders._hyenadna.filters import fft_length

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Piece", "batches", "pieces"]


@dataclass(frozen=True, slots=True)
class Piece:
    """Bases `start` to `stop` of one sequence."""

    sequence: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def pieces(lengths: Sequence[int], longest: int) -> list[Piece]:
    """Cut sequences of `lengths` into pieces of `longest` bases and a rest, without overlap, short pieces first.

    Examples
    --------
    >>> from dnaclip.encoders._hyenadna.batches import pieces
    >>> pieces([5, 2], 4)
    [Piece(sequence=0, start=4, stop=5), Piece(sequence=1, start=0, stop=2), Piece(sequence=0, start=0, stop=4)]
    """
    cut = [
        Piece(i, start, min(start + longest, length))
        for i, length in enumerate(lengths)
        for start in range(0, length, longest)
    ]
    return sorted(cut, key=lambda piece: (len(piece), piece.sequence, piece.start))


def batches(sorted_pieces: Iterable[Piece], *, bases: int, n_special: int) -> list[list[Piece]]:
    """Batches of pieces that share a Fourier length, so that a vector does not depend on what it is encoded with.

    Padded, a batch holds at most `bases` bases, or one piece.
    """
    made: list[list[Piece]] = []
    length = 0
    for piece in sorted_pieces:
        n = fft_length(len(piece) + n_special)
        if not made or n != length or (len(made[-1]) + 1) * len(piece) > bases:
            made.append([])
        length = n
        made[-1].append(piece)
    return made
