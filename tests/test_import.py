"""Import is quick and quiet, and the lower strata stand without AnnData."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

import pytest

import dnaclip

HEAVY = ["torch", "scanpy", "matplotlib", "gseapy", "anndata"]


def in_fresh_interpreter(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_is_quick_and_loads_nothing_heavy() -> None:
    code = f"""
import json, sys, time
start = time.perf_counter()
import dnaclip
seconds = time.perf_counter() - start
print(json.dumps([seconds, [name for name in {HEAVY} if name in sys.modules]]))
"""
    runs = [json.loads(in_fresh_interpreter(code)) for _ in range(3)]
    assert runs[0][1] == []
    assert statistics.median(seconds for seconds, _ in runs) < 0.5


def test_import_says_nothing_and_sets_up_no_logging() -> None:
    code = "import logging, dnaclip; assert not logging.root.handlers; assert not logging.getLogger('dnaclip').handlers"
    assert in_fresh_interpreter(code) == ""


@pytest.mark.parametrize("room", ["encoders", "models", "train", "metrics"])
def test_lower_strata_import_without_anndata_and_scanpy(room: str) -> None:
    code = f"""
import sys
sys.modules["anndata"] = sys.modules["scanpy"] = None  # makes their import fail
from importlib import import_module
room = import_module("dnaclip.{room}")
print(*[getattr(room, name) for name in room.__all__])
"""
    in_fresh_interpreter(code)


@pytest.mark.parametrize("room", dnaclip.__all__)
def test_rooms_are_attributes_and_list_what_they_hold(room: str) -> None:
    module = getattr(dnaclip, room)
    assert module.__name__ == f"dnaclip.{room}"
    assert module.__doc__
    missing = [name for name in module.__all__ if not hasattr(module, name)]
    assert missing == []


def test_dir_shows_the_rooms() -> None:
    assert set(dnaclip.__all__) < set(dir(dnaclip))


def test_an_unknown_attribute_names_the_rooms() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'pq'.*\bpp\b"):
        _ = dnaclip.pq
