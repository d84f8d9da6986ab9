"""The pages of the documentation keep their word: Python parses and names what exists, commands exist, links lead somewhere."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
import yaml

import dnaclip
from dnaclip.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MADE = ("_build", "generated", "tutorials")
FILES = [path for path in sorted(DOCS.rglob("*.md")) if path.relative_to(DOCS).parts[0] not in MADE]
PAGES = {path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8") for path in FILES}
PYTHON = [(page, code) for page, text in PAGES.items() for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL)]
CONSOLE = [
    (page, line.partition("#")[0].strip())
    for page, text in PAGES.items()
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    for line in re.findall(r"^\$ (.*)$", block, re.MULTILINE)
] + [
    (page, line)
    for page, text in PAGES.items()
    for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    for line in re.findall(r"^(?:dnaclip|torchrun) .*$", block, re.MULTILINE)
]

pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="docs/ is not beside the tests")


def dotted(node: ast.expr) -> list[str]:
    """Return `a.b.c` as its parts, nothing if it is something else."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute) and (before := dotted(node.value)):
        return [*before, node.attr]
    return []


def attribute(parts: list[str]) -> Any:
    """Return what `dnaclip.room.name` is."""
    thing: Any = dnaclip
    for part in parts[1:]:
        thing = getattr(thing, part)
    return thing


def imported(tree: ast.Module) -> dict[str, Any]:
    """Return what the code imports from dnaclip, by name."""
    found: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "dnaclip":
            module = import_module(node.module or "")
            found |= {alias.asname or alias.name: getattr(module, alias.name) for alias in node.names}
    return found


def calls(tree: ast.Module) -> Iterator[tuple[Any, ast.Call]]:
    """Yield each call of something public, with what is called."""
    names = imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (parts := dotted(node.func)):
            if parts[0] == "dnaclip":
                yield attribute(parts), node
            elif parts[0] in names and len(parts) == 1:
                yield names[parts[0]], node


@pytest.mark.parametrize(("page", "code"), PYTHON, ids=[f"{page}-{i}" for i, (page, _) in enumerate(PYTHON)])
def test_python_parses_and_uses_what_exists(page: str, code: str) -> None:
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (parts := dotted(node)) and parts[0] == "dnaclip":
            attribute(parts)  # raises if it does not exist
    for function, call in calls(tree):
        if any(keyword.arg is None for keyword in call.keywords) or any(isinstance(a, ast.Starred) for a in call.args):
            continue
        options = dict.fromkeys(keyword.arg for keyword in call.keywords if keyword.arg)
        inspect.signature(function).bind(*[None] * len(call.args), **options)  # raises on an unknown or a missing one


def test_there_is_python_and_it_is_called() -> None:
    called = {function.__name__ for _, code in PYTHON for function, _ in calls(ast.parse(code))}
    assert {"embed", "annotate", "fit", "PerturbationPredictor"} <= called


@pytest.mark.parametrize(("page", "command"), CONSOLE, ids=[f"{page}-{i}" for i, (page, _) in enumerate(CONSOLE)])
def test_commands_exist(page: str, command: str) -> None:
    words = [word for word in shlex.split(command) if not re.fullmatch(r"[A-Z_]+=\S+", word)]
    if words[0] == "torchrun":
        words = words[words.index("--no-python") + 1 :]
    if words[0] == "make":
        makefile = ROOT / "Makefile"
        assert re.search(rf"^{words[1]}:", makefile.read_text(encoding="utf-8"), re.MULTILINE)
    elif words[0] == "dnaclip":
        group = typer.main.get_command(app)
        context = typer.Context(group)
        if words[1].startswith("-"):
            assert words[1] in {option for parameter in group.get_params(context) for option in parameter.opts}
            return
        name, subcommand, arguments = group.resolve_command(context, words[1:])  # type: ignore[attr-defined]
        if "--list" not in arguments:  # prints and exits
            subcommand.make_context(name, arguments)  # reads the arguments, and refuses unknown ones
    else:
        assert words[:2] == ["pip", "install"]


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_functions_in_sentences_exist(page: str) -> None:
    text = re.sub(r"```.*?```", "", PAGES[page], flags=re.DOTALL)
    group = typer.main.get_command(app)
    commands = set(group.list_commands(typer.Context(group)))  # type: ignore[attr-defined]
    assert set(re.findall(r"`dnaclip ([a-z][a-z-]*)", text)) <= commands
    rooms = "|".join(dnaclip.__all__)
    for room, name in re.findall(rf"`(?:dnaclip\.)?({rooms})\.([A-Za-z_]\w*)", text):
        assert hasattr(import_module(f"dnaclip.{room}"), name), f"{room}.{name}"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", PAGES[page]) if "://" not in link]
    paths = [(DOCS / page).parent / link for link in links if link]
    # Notebooks are copied from the folder `tutorials`, which the source archive lacks, when the pages are built.
    paths = [ROOT / "tutorials" / path.name if path.suffix == ".ipynb" else path for path in paths]
    if not (ROOT / "tutorials").is_dir():
        paths = [path for path in paths if path.suffix != ".ipynb"]
    assert [path for path in paths if not path.exists()] == []


@pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="not a clone of the repository")
@pytest.mark.parametrize("page", PAGES)
def test_files_of_the_repository_that_are_named_exist(page: str) -> None:
    named = re.findall(r"`((?:benchmarks|scripts|tutorials|docs)/[\w./-]+\.\w+)`", PAGES[page])
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_gallery_shows_every_plot() -> None:
    shown = set(re.findall(r"^### (\w+)$", PAGES["gallery.md"], re.MULTILINE))
    assert shown == set(dnaclip.pl.__all__)
    pictures = list((DOCS / "_static" / "gallery").glob("*.png"))
    assert {path.stem for path in pictures} == shown
    assert sum(path.stat().st_size for path in pictures) < 1_000_000


@pytest.mark.skipif(not (ROOT / "pyproject.toml").exists(), reason="not a clone of the repository")
def test_the_entry_for_scverse_agrees_with_the_package() -> None:
    entry = yaml.safe_load((DOCS / "meta.yaml").read_text(encoding="utf-8"))
    assert entry["version"] == dnaclip.__version__
    assert entry["license"] == "BSD-3-Clause"
    # What the schema of the ecosystem requires.
    required = {"name", "description", "project_home", "documentation_home", "install", "license", "tags", "version"}
    assert required | {"category", "contact"} <= set(entry)
    assert entry["category"] == "ecosystem"
    # Nothing is made up in place of what does not exist yet, and the page says what that is.
    unfilled = {key for key, value in entry.items() if "OWNER" in str(value) or "ACCOUNT" in str(value)}
    assert unfilled <= {"project_home", "contact"}
    assert all(f"`{key}`" in PAGES["ecosystem.md"] for key in unfilled)


def test_every_page_is_in_a_table_of_contents() -> None:
    listed = {
        (DOCS / page / ".." / entry).resolve()
        for page, text in PAGES.items()
        for block in re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL)
        for entry in re.findall(r"^([\w/]+\.md)$", block, re.MULTILINE)
    }
    assert [page for page in PAGES if page != "index.md" and (DOCS / page).resolve() not in listed] == []
