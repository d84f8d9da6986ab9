"""Put pieces of like length together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnaclip.encoders._hyenadna.filters import fft_length

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dnaclip.encoders._pieces import Piece

__all__ = ["batches"]


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
