"""A file is written whole or not at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from dnaclip._files import replacing, write_atomic

if TYPE_CHECKING:
    from pathlib import Path


def test_writes_a_new_file_and_its_folder_and_replaces_an_old_one(tmp_path: Path) -> None:
    path = tmp_path / "sub folder" / "é.bin"
    assert write_atomic(path, b"one") == path
    write_atomic(str(path), b"two")
    assert path.read_bytes() == b"two"
    assert [file.name for file in path.parent.iterdir()] == ["é.bin"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = tmp_path / "table"
    write_atomic(path, b"old")

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["table"]


def test_a_writer_that_fails_half_way_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "cells.h5ad"
    with replacing(path) as part:
        assert part.parent == tmp_path
        part.write_bytes(b"old")

    def write_half() -> None:
        with replacing(path) as part:
            part.write_bytes(b"ne")
            msg = "half way"
            raise RuntimeError(msg)

    with pytest.raises(RuntimeError, match="half way"):
        write_half()
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["cells.h5ad"]
