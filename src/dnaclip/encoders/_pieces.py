"""Cut long strings into pieces, and halve batches of them that the memory does not hold."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnaclip._errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Piece", "halved", "pieces"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Piece:
    """Letters or tokens `start` to `stop` of one string."""

    string: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def pieces(lengths: Sequence[int], longest: int, *, even: bool = True) -> list[Piece]:
    """Cut strings of these lengths into pieces of `longest` at most, without overlap, short pieces first.

    Pieces of a string are of like size, or else (`even` false) as long as they may be, with a rest.

    Examples
    --------
    >>> from dnaclip.encoders._pieces import pieces
    >>> [len(piece) for piece in pieces([9, 2], longest=4)]
    [2, 3, 3, 3]
    >>> [len(piece) for piece in pieces([9, 2], longest=4, even=False)]
    [1, 2, 4, 4]
    """
    cut = []
    for i, length in enumerate(lengths):
        n = -(-length // longest)
        edges = [length * k // n if even else min(longest * k, length) for k in range(n + 1)]
        cut += [Piece(i, start, stop) for start, stop in zip(edges, edges[1:], strict=False)]
    return sorted(cut, key=lambda piece: (len(piece), piece.string, piece.start))


def halved(
    batch: list[Piece], at_once: int, *, device: object, unit: str, advice: str
) -> tuple[list[list[Piece]], int]:
    """After a lack of memory: the two halves of a batch, and half of what goes at once from now on.

    Raises
    ------
    InputError
        The batch is a single piece; the message gives the advice.
    """
    import torch

    if len(batch) == 1:
        msg = f"{device} has not enough memory for a piece of {len(batch[0])} {unit}. {advice}"
        raise InputError(msg)
    torch.cuda.empty_cache()
    fewer = max(at_once // 2, 1)
    logger.warning("%s is out of memory: going on with %d %s at once.", device, fewer, unit)
    middle = len(batch) // 2
    return [batch[:middle], batch[middle:]], fewer
