"""What every encoder offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

__all__ = ["Encoder"]


class Encoder(Protocol):
    """Strings in, one vector each out. Nothing is learned: the same string always gives the same vector.

    Anything with these three is an encoder, of this package or not. Two more are used where they are there: `settings`, a
    dictionary of the options that change vectors, and `check(strings)`, which raises for strings that `encode` would refuse.

    Attributes
    ----------
    name
        What it is called in results.
    dimension
        Length of the vectors.

    Examples
    --------
    >>> import numpy as np
    >>> class Length:
    ...     name, dimension = "length", 1
    ...
    ...     def encode(self, strings, *, progress=False):
    ...         return np.array([[len(string)] for string in strings], dtype=np.float32)
    >>> Length().encode(["ACGT"])
    array([[4.]], dtype=float32)
    """

    name: str

    @property
    def dimension(self) -> int: ...

    def encode(self, strings: Sequence[str], /, *, progress: bool = False) -> np.ndarray:
        """Turn strings into vectors.

        Parameters
        ----------
        strings
            Sequences, texts or identifiers, whichever the encoder reads.
        progress
            Whether to show a progress bar.

        Returns
        -------
        float32 (n, dimension), in the order of `strings`. A string that comes twice is encoded once, and a vector does not
        depend on what else is encoded with it.

        Raises
        ------
        InputError
            A string cannot be read.
        """
        ...
