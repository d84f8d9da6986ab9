"""Store unit vectors, and rows of sorted integers, in few bytes: round to what matters, then compress with zlib.

Each `pack_` function returns arrays that fit into a safetensors file, and its `unpack_` function takes them back. They
refuse anything else with an InputError, and never unpack one array to more than 1 GiB. The same values always give the
same bytes (with one version of zlib), and unit vectors that came out of a file go back into it as the same bytes, save
for a rare one at the edge between two steps.

Why not float16: it spends 16 bits on each number, ten of them on digits that neither cosines nor neighbours of a
learned embedding depend on, and those digits look random, so that no compression gets rid of them. Whole multiples of
one coarse step are mostly small numbers, and cost a little over four bits once the frequent ones have short codes.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

from dnaclip._errors import InputError, examples

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "pack_integers",
    "pack_sorted_rows",
    "pack_vectors",
    "unpack_integers",
    "unpack_sorted_rows",
    "unpack_vectors",
]

_LARGEST_CODE = 127
# Far above anything stored here; what claims to unpack to more is damaged, or made to fill the memory.
_MAX_BYTES = 2**30
_STRATEGIES = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY)


def pack_vectors(vectors: np.ndarray, *, levels: float) -> dict[str, np.ndarray]:
    """Round unit vectors to whole multiples of one step and compress them.

    Parameters
    ----------
    vectors
        Rows of length one, (n, d).
    levels
        Steps per root mean square entry, `1 / sqrt(d)`. The mean cosine between a row and what comes back is about
        ``1 - 1 / (24 * levels**2)``, that is .9985 for 5.3, and none is below ``sqrt(1 - 1 / (4 * levels**2))``, .9955.
        Fewer levels are used where the largest entry of all would not fit into one signed byte.

    Returns
    -------
    `codes`, zlib data as uint8, and `shape`, int64 (2,).

    Raises
    ------
    dnaclip._errors.InputError
        A row does not have length one, or all its entries are smaller than half a step.

    Notes
    -----
    One step for all rows and columns is the best uniform rounding for a given size: a finer step for some would cost
    more there than it saves elsewhere. The length of a row is not stored, since it is one.

    Examples
    --------
    >>> import numpy as np
    >>> from dnaclip._packing import pack_vectors, unpack_vectors
    >>> unpack_vectors(pack_vectors(np.array([[0.6, 0.8], [0.0, -1.0]]), levels=20))
    array([[ 0.5943911 ,  0.80417615],
           [ 0.        , -1.        ]], dtype=float32)
    """
    vectors = np.asarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or vectors.shape[1] == 0:
        msg = f"vectors must have the shape (n, d) with d above 0, got {vectors.shape}."
        raise InputError(msg)
    bad = np.flatnonzero(~(np.abs(np.einsum("ij,ij->i", vectors, vectors) - 1) < 1e-3)).tolist()
    if bad:
        msg = f"Only vectors of length one can be packed; {len(bad)} are not: rows {examples(bad)}."
        raise InputError(msg)
    largest = np.abs(vectors).max(initial=0)
    steps = levels * np.sqrt(vectors.shape[1])
    codes = np.rint(vectors * np.float32(min(steps, _LARGEST_CODE / largest) if largest else steps)).astype(np.int8)
    zero = np.flatnonzero(~codes.any(axis=1)).tolist()
    if zero:
        msg = f"With levels={levels}, {len(zero)} vectors become zero: rows {examples(zero)}. Use more levels."
        raise InputError(msg)
    # Column by column, because entries of one column are alike in size and zlib adapts its codes as it goes.
    return {"codes": _compress(codes.T), "shape": np.array(codes.shape, dtype=np.int64)}


def unpack_vectors(packed: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the vectors that :func:`pack_vectors` packed: float32 (n, d), rows of length one.

    Raises
    ------
    dnaclip._errors.InputError
        The arrays are incomplete or damaged.
    """
    n, d = _two_counts(packed, "shape")
    if not 0 < d <= _MAX_BYTES:
        msg = f"Damaged data: vectors with {d} entries."
        raise InputError(msg)
    codes = _expand(packed, "codes", n * d).view(np.int8).reshape(d, n).T
    vectors = np.ascontiguousarray(codes, dtype=np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    if not lengths.all():
        msg = f"Damaged data: {(lengths == 0).sum()} of {n} vectors are zero."
        raise InputError(msg)
    vectors /= lengths[:, None]
    return vectors


def pack_integers(values: np.ndarray) -> np.ndarray:
    """Compress whole numbers that fit into int32, without loss; returns zlib data as uint8.

    The bytes of a number are stored apart: all lowest bytes, which look random, then all second ones, and so on. The
    higher ones are mostly alike, and cost next to nothing.
    """
    return _compress(np.asarray(values).astype("<i4").view(np.uint8).reshape(-1, 4).T)


def unpack_integers(packed: Mapping[str, np.ndarray], name: str, n: int) -> np.ndarray:
    """Return the `n` int32 numbers that :func:`pack_integers` packed into ``packed[name]``.

    Raises
    ------
    dnaclip._errors.InputError
        The array is absent or damaged, or holds more or fewer numbers.
    """
    planes = _expand(packed, name, 4 * n).reshape(4, n)
    return np.ascontiguousarray(planes.T).view("<i4").ravel().astype(np.int32, copy=False)


def pack_sorted_rows(indptr: np.ndarray, indices: np.ndarray) -> dict[str, np.ndarray]:
    """Compress the pattern of a sparse matrix in CSR form without loss.

    Parameters
    ----------
    indptr
        Start of each row in `indices`, then their number, (n + 1,).
    indices
        Column indices, ascending within each row, smaller than 2**31.

    Returns
    -------
    `lengths` and `steps`, zlib data as uint8: number of entries of each row, and for each entry how much larger it is
    than the one before it in its row; and `counts`, int64 (2,): rows and entries.

    Raises
    ------
    dnaclip._errors.InputError
        These are not sorted rows of a sparse matrix.

    Examples
    --------
    >>> from dnaclip._packing import pack_sorted_rows, unpack_sorted_rows
    >>> unpack_sorted_rows(pack_sorted_rows([0, 2, 2, 3], [5, 700, 6]), n_columns=1000)
    (array([0, 2, 2, 3]), array([  5, 700,   6], dtype=int32))
    """
    indptr, indices = np.asarray(indptr, dtype=np.int64), np.asarray(indices, dtype=np.int64)
    if indptr.ndim != 1 or indices.ndim != 1 or indptr[:1].tolist() != [0] or indptr[-1] != len(indices):
        msg = f"indptr must go from 0 to the number of indices, {indices.size}."
        raise InputError(msg)
    lengths = np.diff(indptr)
    steps = np.diff(indices, prepend=0)
    first = indptr[:-1][lengths > 0]
    if (lengths < 0).any():
        msg = "indptr must not descend."
        raise InputError(msg)
    steps[first] = indices[first]
    if (steps < 0).any() or indices.max(initial=0) >= 2**31:
        msg = "indices must ascend within each row, from 0 to at most 2**31 - 1."
        raise InputError(msg)
    return {
        "lengths": pack_integers(lengths),
        "steps": pack_integers(steps),
        "counts": np.array([len(lengths), len(steps)], dtype=np.int64),
    }


def unpack_sorted_rows(packed: Mapping[str, np.ndarray], *, n_columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what :func:`pack_sorted_rows` packed: `indptr` (int64) and `indices` (int32).

    Parameters
    ----------
    packed
        The arrays of :func:`pack_sorted_rows`.
    n_columns
        Columns of the matrix: all indices must be smaller.

    Raises
    ------
    dnaclip._errors.InputError
        The arrays are incomplete or damaged.
    """
    n_rows, n_entries = _two_counts(packed, "counts")
    lengths = unpack_integers(packed, "lengths", n_rows)
    indices = unpack_integers(packed, "steps", n_entries).astype(np.int64)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    if lengths.min(initial=0) < 0 or indices.min(initial=0) < 0 or indptr[-1] != n_entries:
        msg = f"Damaged data: rows of {indptr[-1]} entries in all do not fit the {n_entries} entries there are."
        raise InputError(msg)
    # A running sum over everything, taken back by what had piled up before each row.
    np.cumsum(indices, out=indices)
    before = np.concatenate([[0], indices])[indptr[:-1]]
    indices -= np.repeat(before, lengths)
    if indices.max(initial=-1) >= n_columns:
        msg = f"Damaged data: column {indices.max()} of a matrix with {n_columns} columns."
        raise InputError(msg)
    return indptr, indices.astype(np.int32)


def _compress(values: np.ndarray) -> np.ndarray:
    data = values.tobytes()
    if len(data) > _MAX_BYTES:
        msg = f"{len(data):,} bytes are too many to pack at once; the limit is {_MAX_BYTES:,}."
        raise InputError(msg)
    tries = []
    for strategy in _STRATEGIES:
        stream = zlib.compressobj(9, strategy=strategy)
        tries.append(stream.compress(data) + stream.flush())
    return np.frombuffer(min(tries, key=len), dtype=np.uint8)


def _expand(packed: Mapping[str, np.ndarray], name: str, size: int) -> np.ndarray:
    if size > _MAX_BYTES:
        msg = f"Damaged data: {name!r} claims to unpack to {size:,} bytes; the limit is {_MAX_BYTES:,}."
        raise InputError(msg)
    stream = zlib.decompressobj()
    try:
        # One byte more than expected shows whether there is more; a limit of 0 would mean none.
        data = stream.decompress(np.asarray(packed[name], dtype=np.uint8).tobytes(), size + 1)
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        msg = f"Damaged data: {name!r} cannot be unpacked: {type(error).__name__}: {error}"
        raise InputError(msg) from error
    if len(data) != size or not stream.eof or stream.unused_data:
        msg = f"Damaged data: {name!r} does not unpack to the {size:,} bytes it should."
        raise InputError(msg)
    return np.frombuffer(data, dtype=np.uint8)


def _two_counts(packed: Mapping[str, np.ndarray], name: str) -> tuple[int, int]:
    counts = np.asarray(packed.get(name))
    if counts.dtype != np.int64 or counts.shape != (2,) or counts.min() < 0:
        msg = f"Damaged data: {name!r} must be two whole numbers, not below 0, got {packed.get(name)!r}."
        raise InputError(msg)
    first, second = counts.tolist()
    return first, second
