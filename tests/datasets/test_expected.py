"""Checksums against the command `sum` and against the definition."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnaclip.datasets import _expected
from dnaclip.datasets._expected import BsdSum, Expected


def bsd_sum(data: bytes) -> int:
    """The definition, bit by bit."""
    total = 0
    for byte in data:
        total = (total >> 1) | ((total & 1) << 15)
        total = (total + byte) % 2**16
    return total


@pytest.mark.parametrize("data", [b"", b"\0", b"\xff", b"a", b"\xff" * 5000, b"\0" * 5000, bytes(range(256)) * 40])
def test_bsd_sum_is_its_definition(data):
    digest = BsdSum()
    digest.update(data)
    assert digest.hexdigest() == f"{bsd_sum(data):05d}"


@settings(max_examples=50, deadline=None)
@given(pieces=st.lists(st.binary(max_size=3000), max_size=4), plain=st.integers(0, 6000))
def test_bsd_sum_is_its_definition_compiled_or_not(pieces, plain):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_expected, "WORTH_COMPILING", plain)
        digest = BsdSum()
        for piece in pieces:
            digest.update(piece)
    assert digest.hexdigest() == f"{bsd_sum(b''.join(pieces)):05d}"


def test_bsd_sum_needs_no_compiler(monkeypatch):
    monkeypatch.setattr(_expected, "WORTH_COMPILING", 0)
    monkeypatch.setitem(sys.modules, "numba", None)
    _expected._compiled.cache_clear()
    digest = BsdSum()
    digest.update(b"dnaclip")
    _expected._compiled.cache_clear()
    assert digest.hexdigest() == "61654"


def test_bsd_sum_in_pieces():
    data = np.random.default_rng(0).bytes(100_000)
    for cut in (0, 1, 513, 99_999):
        digest = BsdSum()
        digest.update(data[:cut])
        digest.update(data[cut:])
        assert digest.hexdigest() == f"{bsd_sum(data):05d}"


@pytest.mark.skipif(shutil.which("sum") is None, reason="there is no command sum on this system")
@pytest.mark.parametrize("size", [1, 1023, 1024, 1025, 300_000])
def test_bsd_sum_is_what_the_command_prints(tmp_path, size):
    path = tmp_path / "file"
    path.write_bytes(np.random.default_rng(size).bytes(size))
    checksum, blocks = subprocess.run(["sum", "-r", path], capture_output=True, text=True, check=True).stdout.split()[
        :2
    ]
    assert Expected(checksum, int(blocks), "sum -r", 1024).problem_of(path) == ""


def test_problems_are_told(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    right = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert Expected(right, 3).problem_of(path) == ""
    assert Expected(right, 4).problem_of(path) == "it has 3 bytes instead of 4 bytes"
    # Reading stops when there is too much, yet the true size is told.
    path.write_bytes(b"abc" * 1_000_000)
    assert Expected(right, 3).problem_of(path) == "it has 3000000 bytes instead of 3 bytes"
    path.write_bytes(b"abd")
    assert Expected(right, 3).problem_of(path).startswith("its checksum is sha256 a52d159f")
    blocks = Expected("00001", 2, "sum -r", 1024)
    assert blocks.problem_of(path) == "it has 1 blocks of 1024 bytes instead of 2 blocks of 1024 bytes"
    path.write_bytes(b"\0" * 2000)
    assert blocks.problem_of(path) == "its checksum is sum -r 00000 instead of 00001"
