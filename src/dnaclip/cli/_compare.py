"""`dnaclip compare`: trained models side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["EXAMPLES", "compare"]

EXAMPLES = (
    "dnaclip compare my-model better",
    "dnaclip compare models/a models/b models/c --all --out comparison.csv",
)


def compare(
    folders: Annotated[list[Path], typer.Argument(help="Model folders, at least two.")],
    all_settings: Annotated[bool, typer.Option("--all", help="Show settings that are the same too.")] = False,
    out: Annotated[Path | None, typer.Option(help="CSV file to write the table to.", show_default=False)] = None,
) -> None:
    """Show what models score on held-out genes and how their settings differ."""
    from dnaclip._files import write_atomic
    from dnaclip.train import compare

    table = compare(folders, all_settings=all_settings)
    if out is not None:
        write_atomic(out, table.to_csv().encode())
    typer.echo(table.to_string(float_format=lambda value: f"{value:.3f}", na_rep="-"))
