"""Damaged files of every kind are refused with one kind of error, or read; with a checksum, never wrongly."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks/mutated_files.py"
CASES = 360


def script() -> Any:
    spec = importlib.util.spec_from_file_location("mutated_files", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


if not SCRIPT.is_file():
    pytest.skip("the benchmarks come with the repository only", allow_module_level=True)
MODULE = script()


@pytest.mark.parametrize("kind", MODULE.KINDS, ids=lambda kind: kind.name.replace(" ", "-"))
def test_a_damaged_file_raises_nothing_but_our_errors(kind: Any, tmp_path: Path) -> None:
    found = list(MODULE.outcomes(kind, tmp_path, CASES, seed=1))
    assert [(what, said) for what, said, _ in found if what in ("error", "silently wrong")] == []
    refused = sum(what == "refused" for what, _, _ in found)
    assert refused > CASES // 10


def test_what_the_harness_would_say_of_a_bad_reader(tmp_path: Path) -> None:
    def write(folder: Path) -> Path:
        (folder / "numbers").write_text("1 2 3 4 5 6 7 8 9")
        return folder / "numbers"

    kind = MODULE.Kind("numbers", write, lambda path: [int(word) for word in path.read_text().split()], checked=True)
    found = {what for what, _, _ in MODULE.outcomes(kind, tmp_path, 50, seed=0)}
    assert found >= {"error", "silently wrong"}
