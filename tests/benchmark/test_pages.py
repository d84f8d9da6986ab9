"""The Python of the pages on embeddings and the benchmark runs, on made-up labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.skipif(not DOCS.is_dir(), reason="docs/ is not beside the tests")
@pytest.mark.parametrize("page", ["which_embedding.md", "tasks/benchmark.md"])
def test_the_python_of_a_page_runs(
    page: str,
    labels: Path,
    vectors: pd.DataFrame,
    run_blocks: Callable[..., dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DNACLIP_DATA_DIR", str(tmp_path / "cache"))
    (tmp_path / "benchmarks").symlink_to(labels, target_is_directory=True)
    vectors.to_parquet("vectors.parquet")
    names = run_blocks((DOCS / page).read_text(encoding="utf-8"))
    assert names["table"]["ours"].sum() == 1
