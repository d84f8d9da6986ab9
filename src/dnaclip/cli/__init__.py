"""The command line: `dnaclip <command>`, one file per command, each a thin cover over one public function."""

from __future__ import annotations

import logging
from importlib import import_module
from pkgutil import iter_modules
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from dnaclip._errors import DnaclipError

__all__ = ["app", "main"]


class _Commands(TyperGroup):
    """Shows an error that dnaclip raised on purpose as one red line and where to look, and ends with exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except DnaclipError as error:
            typer.secho(f"Error: {' '.join(str(error).split())}", fg=typer.colors.RED, err=True)
            typer.echo(f"{ctx.command_path} {ctx.invoked_subcommand} --help shows all options and examples.", err=True)
            raise typer.Exit(1) from error


app = typer.Typer(
    name="dnaclip",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from dnaclip import __version__

        typer.echo(f"dnaclip {__version__}")
        raise typer.Exit


@app.callback(
    epilog="Start with 'dnaclip demo'; 'dnaclip COMMAND --help' shows the options of a command, and examples."
)
def _dnaclip(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Function-aware gene embeddings for AnnData, learned by aligning DNA sequence with function text."""


# Each file here but that of the options holds one command, a function of the file's name: `_complete_table.py` makes
# `dnaclip complete-table`. It imports nothing heavier than typer at its top, so that `dnaclip --help` stays quick. Its
# EXAMPLES end its help.
for _name in sorted({file.name.removeprefix("_") for file in iter_modules(__path__)} - {"options"}):
    _module = import_module(f"dnaclip.cli._{_name}")
    _epilog = "\n\n".join(["Examples:", *_module.EXAMPLES])
    app.command(_name.replace("_", "-"), epilog=_epilog)(getattr(_module, _name))


def main() -> None:
    """Run the command line, with the package's log shown on standard error."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger("dnaclip").setLevel(logging.INFO)
    app()
