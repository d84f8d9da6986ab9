"""The command line as a whole; each command has a test of its own in its room."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

import dnaclip
from dnaclip._errors import DnaclipError, InputError, MissingKeyError
from dnaclip.cli import _Commands, app


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_lists_the_commands(runner: CliRunner, option: str) -> None:
    result = runner.invoke(app, [option])
    assert result.exit_code == 0
    for command in ("demo", "fetch", "train", "complete-table"):
        assert re.search(rf"^\W*{command} ", result.output, re.MULTILINE), command


GROUP = typer.main.get_command(app)
COMMANDS = GROUP.list_commands(typer.Context(GROUP))  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_describes_every_option_and_ends_with_examples(runner: CliRunner, name: str) -> None:
    command = GROUP.get_command(typer.Context(GROUP), name)  # type: ignore[attr-defined]
    assert [parameter.name for parameter in command.params if not getattr(parameter, "help", None)] == []
    first = command.help.split("\n\n")[0]
    assert len(first) < 78, "one line in the list of commands"
    assert first.endswith(".")
    _, _, epilog = command.epilog.partition("Examples:\n\n")
    for example in epilog.split("\n\n"):
        assert len(example) < 98, "one line of a terminal of 100 columns"
        program, subcommand, *arguments = shlex.split(example)
        assert (program, subcommand) == ("dnaclip", name)
        if "--list" not in arguments:  # prints and exits
            command.make_context(name, arguments)  # reads the arguments, and refuses unknown ones
    shown = runner.invoke(app, [name, "--help"], env={"COLUMNS": "100", "TERMINAL_WIDTH": "100"}).output
    assert all(example in shown for example in epilog.split("\n\n"))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_there(runner: CliRunner, shell: str) -> None:
    answer = runner.invoke(app, [], env={"_DNACLIP_COMPLETE": f"source_{shell}"}, prog_name="dnaclip").output
    assert "_DNACLIP_COMPLETE" in answer


def test_version(runner: CliRunner) -> None:
    result = runner.invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.output.strip() == f"dnaclip {dnaclip.__version__}"


def test_unknown_command_is_refused(runner: CliRunner) -> None:
    result = runner.invoke(app, ["sing"])
    assert result.exit_code == 2
    assert "No such command 'sing'" in result.output


@pytest.mark.parametrize("error", [InputError("bad value.\nUse another one."), MissingKeyError("no such key.")])
def test_an_error_of_ours_is_one_line_and_exit_code_1(runner: CliRunner, error: DnaclipError) -> None:
    failing = typer.Typer(cls=_Commands)

    @failing.callback()
    def group() -> None: ...

    @failing.command()
    def fail() -> None:
        raise error

    result = runner.invoke(failing, ["fail"])
    assert result.exit_code == 1
    assert result.stdout == ""
    said, where = result.stderr.splitlines()
    assert said == f"Error: {' '.join(str(error).split())}"
    assert where.endswith("fail --help shows all options and examples.")


def test_any_other_error_keeps_its_traceback(runner: CliRunner) -> None:
    failing = typer.Typer(cls=_Commands)

    @failing.callback()
    def group() -> None: ...

    @failing.command()
    def fail() -> None:
        raise RuntimeError

    assert isinstance(runner.invoke(failing, ["fail"]).exception, RuntimeError)


def test_help_loads_nothing_heavy() -> None:
    code = """
import json, sys
from dnaclip.cli import main
sys.argv = ["dnaclip", "--help"]
try:
    main()
finally:
    heavy = ["torch", "scanpy", "anndata", "matplotlib", "pandas"]
    print(json.dumps([name for name in heavy if name in sys.modules]), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0
    assert "Usage" in done.stdout
    assert json.loads(done.stderr.splitlines()[-1]) == []
