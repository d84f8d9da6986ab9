"""Nothing in the package can run code that it reads from a file, and nothing rests on `assert`."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import dnaclip

SOURCES = sorted(Path(dnaclip.__file__).parent.rglob("*.py"))

UNSAFE_MODULES = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
UNSAFE_CALLS = {
    "eval",
    "exec",
    "torch.load",
    "yaml.load",
    "yaml.full_load",
    "yaml.unsafe_load",
    "pandas.read_pickle",
    "pd.read_pickle",
    "os.system",
}
UNSAFE_METHODS = {"extractall"}
UNSAFE_OPTIONS = {"allow_pickle": True, "shell": True, "trust_remote_code": True, "weights_only": False}


def unsafe_lines(source: str) -> list[str]:
    """Say for each unsafe statement of `source` which one it is and on what line."""
    found: list[tuple[ast.stmt | ast.expr, str]] = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found += [(node, name.name) for name in names if name.name.split(".")[0] in UNSAFE_MODULES]
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in UNSAFE_MODULES:
                found.append((node, module))
            case ast.Assert():
                found.append((node, "assert"))
            case ast.Call(func=func, keywords=keywords):
                name = ast.unparse(func)
                options = {option.arg: ast.unparse(option.value) for option in keywords}
                only_tensors = name == "torch.load" and options.get("weights_only") == "True"
                if (name in UNSAFE_CALLS and not only_tensors) or name.split(".")[-1] in UNSAFE_METHODS:
                    found.append((node, name))
                found += [
                    (node, f"{option.arg}={option.value.value}")
                    for option in keywords
                    if option.arg in UNSAFE_OPTIONS
                    and isinstance(option.value, ast.Constant)
                    and option.value.value == UNSAFE_OPTIONS[option.arg]
                ]
    return [f"line {node.lineno}: {what}" for node, what in found]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(SOURCES[0].parent)))
def test_source_is_safe(path: Path) -> None:
    assert unsafe_lines(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("import pickle", "pickle"),
        ("from joblib import load", "joblib"),
        ("torch.load(path)", "torch.load"),
        ("np.load(path, allow_pickle=True)", "allow_pickle=True"),
        ("yaml.load(text, Loader=yaml.SafeLoader)", "yaml.load"),
        ("eval(text)", "eval"),
        ("exec(text)", "exec"),
        ("archive.extractall(folder)", "archive.extractall"),
        ("assert n > 0", "assert"),
        ("AutoModel.from_pretrained(name, trust_remote_code=True)", "trust_remote_code=True"),
        ("subprocess.run(line, shell=True)", "shell=True"),
    ],
)
def test_the_check_sees_what_is_unsafe(source: str, what: str) -> None:
    assert unsafe_lines(source) == [f"line 1: {what}"]


@pytest.mark.parametrize(
    "source",
    [
        "model.eval()",
        "np.load(path, allow_pickle=False)",
        "yaml.safe_load(text)",
        "torch.load(path, weights_only=True)",
    ],
)
def test_the_check_lets_pass_what_is_safe(source: str) -> None:
    assert unsafe_lines(source) == []
