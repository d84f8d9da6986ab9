"""Packed vectors and integers: how small, how exact, and that damaged data is refused before it fills the memory."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dnaclip import _packing
from dnaclip._errors import InputError
from dnaclip._packing import (
    pack_integers,
    pack_sorted_rows,
    pack_vectors,
    unpack_integers,
    unpack_sorted_rows,
    unpack_vectors,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def unit_vectors(n: int, d: int = 128) -> np.ndarray:
    vectors = np.random.default_rng(0).normal(size=(n, d))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", one.astype(float), other.astype(float))


def zipped(values: Any, dtype: str = "i1") -> np.ndarray:
    return np.frombuffer(zlib.compress(np.asarray(values, dtype=dtype).tobytes()), dtype=np.uint8)


@pytest.mark.parametrize("levels", [3.0, 5.3, 10.0])
def test_more_levels_turn_vectors_less_as_promised(levels: float) -> None:
    vectors = unit_vectors(3000)
    cosine = cosines(vectors, unpack_vectors(pack_vectors(vectors, levels=levels)))
    assert 1 - cosine.mean() == pytest.approx(1 / (24 * levels**2), rel=0.05)
    assert cosine.min() > np.sqrt(1 - 1 / (4 * levels**2))


def test_an_entry_costs_little_more_than_its_information() -> None:
    # A normal variable in steps of sigma / 5.3 carries 4.45 bits.
    packed = pack_vectors(unit_vectors(3000), levels=5.3)
    assert packed["codes"].nbytes * 8 / (3000 * 128) < 4.6


def test_packing_again_does_not_round_again() -> None:
    once = pack_vectors(unit_vectors(3000), levels=5.3)
    vectors = unpack_vectors(once)
    assert vectors.dtype == np.float32
    assert vectors.flags.c_contiguous
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    twice = pack_vectors(vectors, levels=5.3)
    assert np.array_equal(once["codes"], twice["codes"])
    assert np.array_equal(once["shape"], twice["shape"])


directions = hnp.arrays(
    np.float64, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=20), elements=st.integers(-1000, 1000)
).filter(lambda x: x.any(axis=1).all())


@given(directions, st.floats(1, 11))
def test_no_vector_turns_further_than_promised(vectors: np.ndarray, levels: float) -> None:
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    again = unpack_vectors(pack_vectors(vectors, levels=levels))
    assert (cosines(vectors, again) > np.sqrt(1 - 1 / (4 * levels**2)) - 1e-6).all()


def test_a_large_entry_makes_the_step_coarser() -> None:
    vectors = np.vstack([np.eye(3, 20_000), -np.eye(3, 20_000)])
    assert np.array_equal(unpack_vectors(pack_vectors(vectors, levels=5.3)), vectors)


def test_no_vectors_are_packed_too() -> None:
    assert unpack_vectors(pack_vectors(np.empty((0, 7)), levels=5)).shape == (0, 7)


@pytest.mark.parametrize(
    ("vectors", "levels", "message"),
    [
        (np.ones(3), 5, r"shape \(n, d\) with d above 0, got \(3,\)"),
        (np.ones((3, 0)), 5, r"got \(3, 0\)"),
        (np.diag([1.0, 2.0, np.nan, 1.0, 0.0]), 5, r"length one can be packed; 3 are not: rows 1, 2, 4\."),
        (np.full((2, 100), 0.1), 0.2, "With levels=0.2, 2 vectors become zero: rows 0, 1. Use more levels"),
    ],
)
def test_other_vectors_are_refused(vectors: np.ndarray, levels: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        pack_vectors(vectors, levels=levels)


@given(hnp.arrays(np.int32, st.integers(0, 50)))
def test_integers_come_back_exactly(values: np.ndarray) -> None:
    again = unpack_integers({"x": pack_integers(values)}, "x", len(values))
    assert np.array_equal(again, values)
    assert again.dtype == np.int32


sorted_rows = st.lists(st.lists(st.integers(0, 2**31 - 1), max_size=6).map(sorted), max_size=12)


@given(sorted_rows)
def test_sorted_rows_come_back_exactly(rows: list[list[int]]) -> None:
    indptr = np.cumsum([0, *map(len, rows)])
    indices = np.array([column for row in rows for column in row], dtype=np.int32)
    packed = pack_sorted_rows(indptr, indices)
    same = pack_sorted_rows(indptr.astype(np.int32), indices.astype(np.int64))
    assert {name: data.tolist() for name, data in packed.items()} == {k: data.tolist() for k, data in same.items()}
    again = unpack_sorted_rows(packed, n_columns=2**31)
    assert np.array_equal(again[0], indptr)
    assert np.array_equal(again[1], indices)
    assert again[1].dtype == np.int32


def test_sorted_rows_become_small() -> None:
    rng = np.random.default_rng(0)
    indices = np.concatenate([np.sort(rng.choice(1_000_000, 500, replace=False)) for _ in range(200)])
    packed = pack_sorted_rows(np.arange(0, 100_001, 500), indices)
    # Distances of 2,000 on average carry 12.4 bits.
    assert sum(data.nbytes for data in packed.values()) * 8 < 13 * 100_000


@pytest.mark.parametrize(
    ("indptr", "indices", "message"),
    [
        ([], [], "indptr must go from 0 to the number of indices, 0"),
        ([1, 2], [3, 4], "indptr must go from 0 to the number of indices, 2"),
        ([0, 1], [3, 4], "indptr must go from 0 to the number of indices, 2"),
        ([[0, 2]], [3, 4], "indptr must go from 0"),
        ([0, 2, 1, 2], [3, 4], "indptr must not descend"),
        ([0, 2], [4, 3], "indices must ascend within each row"),
        ([0, 1, 2], [4, -1], "indices must ascend within each row, from 0"),
        ([0, 1], [2**31], "to at most 2"),
    ],
)
def test_other_rows_are_refused(indptr: Any, indices: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        pack_sorted_rows(indptr, indices)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"codes": None}, "'codes' cannot be unpacked: KeyError"),
        ({"codes": np.zeros(9, np.uint8)}, "'codes' cannot be unpacked: error"),
        ({"codes": zipped([1] * 11)}, "'codes' does not unpack to the 12 bytes"),
        ({"codes": zipped([1] * 13)}, "'codes' does not unpack to the 12 bytes"),
        ({"codes": zipped([1] * 12)[:-1]}, "'codes' does not unpack to the 12 bytes"),
        ({"codes": np.append(zipped([1] * 12), np.uint8(0))}, "'codes' does not unpack to the 12 bytes"),
        ({"codes": zipped([0] * 12)}, "3 of 3 vectors are zero"),
        ({"shape": None}, "'shape' must be two whole numbers, not below 0, got None"),
        ({"shape": np.array([3, -4])}, "'shape' must be two whole numbers"),
        ({"shape": np.array([3, 4, 1])}, "'shape' must be two whole numbers"),
        ({"shape": np.array([3.0, 4.0])}, "'shape' must be two whole numbers"),
        ({"shape": np.array([2**62, 0]), "codes": zipped([])}, "vectors with 0 entries"),
        ({"shape": np.array([0, 2**62]), "codes": zipped([])}, "vectors with 4611686018427387904 entries"),
        ({"shape": np.array([2**62, 4])}, "'codes' claims to unpack to"),
        ({"shape": np.array([2, 6]), "codes": zipped([1] * 10_000_000)}, "'codes' does not unpack to the 12 bytes"),
    ],
)
def test_damaged_vectors_are_refused(change: dict[str, Any], message: str) -> None:
    packed = pack_vectors(unit_vectors(3, 4), levels=5) | change
    with pytest.raises(InputError, match=message):
        unpack_vectors({name: data for name, data in packed.items() if data is not None})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lengths": None}, "'lengths' cannot be unpacked: KeyError"),
        ({"steps": pack_integers(np.array([5, 1]))}, "'steps' does not unpack to the 12 bytes"),
        ({"counts": np.array([2, 2**62])}, "'steps' claims to unpack to"),
        ({"counts": np.array(5)}, "'counts' must be two whole numbers"),
        ({"lengths": pack_integers(np.array([1, 1]))}, "rows of 2 entries in all do not fit the 3 entries"),
        ({"lengths": pack_integers(np.array([4, -1]))}, "do not fit the 3 entries"),
        ({"steps": pack_integers(np.array([5, -1, 1]))}, "do not fit"),
        ({"steps": pack_integers(np.array([5, 2**31 - 1, 1]))}, "column 2147483652 of a matrix with 100 columns"),
        ({"steps": pack_integers(np.array([99, 1, 1]))}, "column 100 of a matrix with 100 columns"),
    ],
)
def test_damaged_rows_are_refused(change: dict[str, Any], message: str) -> None:
    packed = pack_sorted_rows(np.array([0, 2, 3]), np.array([5, 70, 6])) | change
    with pytest.raises(InputError, match=message):
        unpack_sorted_rows({name: data for name, data in packed.items() if data is not None}, n_columns=100)


@pytest.mark.parametrize(
    ("pack", "unpack"),
    [
        (lambda: pack_vectors(unit_vectors(20, 8), levels=5), unpack_vectors),
        (
            lambda: pack_sorted_rows(np.array([0, 2, 3]), np.array([5, 70, 6])),
            lambda packed: unpack_sorted_rows(packed, n_columns=100),
        ),
    ],
)
@given(data=st.data())
def test_flipped_bits_are_refused_or_harmless(
    pack: Callable[[], dict[str, np.ndarray]], unpack: Callable[[Any], Any], data: st.DataObject
) -> None:
    packed = pack()
    name = data.draw(st.sampled_from(sorted(packed)))
    raw = bytearray(packed[name].tobytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        again = unpack(packed | {name: np.frombuffer(raw, dtype=packed[name].dtype)})
    except InputError:
        return
    # zlib has its own checksum over the content: what still unpacks is what was packed.
    np.testing.assert_equal(again, unpack(packed))


def test_more_than_the_limit_is_neither_packed_nor_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = pack_vectors(unit_vectors(20, 8), levels=5)
    monkeypatch.setattr(_packing, "_MAX_BYTES", 100)
    with pytest.raises(InputError, match="160 bytes are too many to pack at once; the limit is 100"):
        pack_vectors(unit_vectors(20, 8), levels=5)
    with pytest.raises(InputError, match="'codes' claims to unpack to 160 bytes; the limit is 100"):
        unpack_vectors(packed)
