"""The documentation names every public function, and the examples in docstrings run."""

from __future__ import annotations

import doctest
import inspect
import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest

import dnaclip

API = Path(__file__).parents[1] / "docs" / "api.md"
MODULES = [module.name for module in pkgutil.walk_packages(dnaclip.__path__, "dnaclip.")]


def public_callables(room: str) -> dict[str, object]:
    module = import_module(f"dnaclip.{room}")
    return {name: getattr(module, name) for name in module.__all__ if callable(getattr(module, name))}


@pytest.mark.skipif(not API.exists(), reason="docs/ is not beside the tests")
@pytest.mark.parametrize("room", dnaclip.__all__)
def test_api_page_lists_what_the_room_holds(room: str) -> None:
    listed = set(re.findall(rf"^ +{room}\.(\w+)$", API.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert listed == set(public_callables(room))


@pytest.mark.parametrize("room", dnaclip.__all__)
def test_every_public_function_has_a_docstring_with_an_example(room: str) -> None:
    functions = {name: value for name, value in public_callables(room).items() if inspect.isfunction(value)}
    without = [name for name, function in functions.items() if "Examples\n" not in (function.__doc__ or "")]
    assert without == []


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(import_module(name), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0, "see the captured output"
