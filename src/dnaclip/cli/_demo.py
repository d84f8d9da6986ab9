"""`dnaclip demo`: the whole way on real cells."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["EXAMPLES", "demo"]

EXAMPLES = (
    "dnaclip demo",
    "dnaclip demo --out my-demo --data cells.h5ad --groupby cell_type",
)


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the report, the figures and the annotated data.")] = Path(
        "demo-output"
    ),
    data: Annotated[
        Path | None,
        typer.Option(
            help="h5ad file with log-normalised expression in .raw, or else in X. Without it: the blood cells that come "
            "with scanpy.",
            show_default=False,
        ),
    ] = None,
    organism: Annotated[str, typer.Option(help="Species of the genes.")] = "human",
    groupby: Annotated[
        str | None,
        typer.Option(help="Column of obs with cell types. Without it: the first usual name.", show_default=False),
    ] = None,
) -> None:
    """Turn single cells into gene embeddings, gene programs, figures and a report."""
    from dnaclip.demo import run_demo

    typer.echo(f"Report: {run_demo(out, data=data, organism=organism, groupby=groupby)}")
