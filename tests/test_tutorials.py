"""Tutorials are committed with the outputs of a run from top to bottom, and tell nothing about the machine."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[1] / "tutorials"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def cells(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    notebook = json.loads(request.param.read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def test_run_from_top_to_bottom_without_errors(cells: list[dict[str, Any]]) -> None:
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert outputs
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert not [output for output in outputs if output.get("name") == "stderr"], "nothing warns"


def test_no_path_of_a_machine(cells: list[dict[str, Any]]) -> None:
    texts = [text for cell in cells for output in cell["outputs"] for text in _texts(output)]
    assert not [text for text in texts if re.search(r"(^|[\s'\"(])(/[a-z]\w*/|[A-Z]:\\)", text)]


def _texts(output: dict[str, Any]) -> list[str]:
    shown = [value for kind, value in output.get("data", {}).items() if kind.startswith("text/")]
    return ["".join(value) for value in [*shown, output.get("text", "")]]


def test_small(cells: list[dict[str, Any]]) -> None:
    assert len(json.dumps(cells)) < 500_000
