"""What stands for lists and NumPy arrays of numbers while a pickle of them is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dnaclip.encoders._vectors.pickle_stream import refuse

__all__ = ["Array", "Numbers", "Type", "Word", "numbers"]


class Numbers:
    """A list in the making: numbers in blocks, and whatever else it may hold, in order."""

    __slots__ = ("parts",)

    def __init__(self) -> None:
        self.parts: list[Any] = []

    def vector(self) -> np.ndarray:
        """All as one float32 vector; a TypeError where something is no number."""
        if not all(isinstance(part, (float, int, np.ndarray)) for part in self.parts):
            msg = "something in the list is no number"
            raise TypeError(msg)
        blocks = [np.atleast_1d(np.asarray(part, dtype=np.float32)) for part in self.parts]
        return np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.float32)


@dataclass(frozen=True)
class Word:
    """Something that the pickle names, by what it means."""

    meaning: str


@dataclass
class Type:
    """A NumPy type of numbers: its code, such as `f4`, and the order of its bytes."""

    code: str
    order: Any = "="

    def read(self, data: bytes) -> np.ndarray:
        """Return the numbers in bytes, (n,)."""
        return np.frombuffer(data, dtype=np.dtype(self.code).newbyteorder(self.order))


@dataclass
class Array:
    """A NumPy array, empty until its numbers come."""

    values: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.float32))


def numbers(kind: Type, data: bytes, shape: tuple[Any, ...], *, fortran: bool) -> np.ndarray:
    """Return the numbers in bytes in this shape, as float32; refuse the pickle where they do not fit."""
    try:
        values = kind.read(data).reshape(shape, order="F" if fortran else "C")
    except (ValueError, TypeError):
        refuse("an array in it is damaged")
    return values.astype(np.float32)
