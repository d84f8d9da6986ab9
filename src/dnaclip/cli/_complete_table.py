"""`dnaclip complete-table`: fill the DNA side of a species' table from Ensembl's sequences."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["complete_table"]


def complete_table(
    species: Annotated[str, typer.Option(help="English or Latin name; any species that Ensembl has.")] = "human",
    release: Annotated[int, typer.Option(help="Release of Ensembl.")] = 113,
    feature: Annotated[str, typer.Option(help="Sequences: cds+ncrna, cds or cdna.")] = "cds+ncrna",
    model: Annotated[str | None, typer.Option(help="Name of the model; by default that of dnaclip.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Address or folder with Ensembl's releases.")] = None,
    out: Annotated[Path | None, typer.Option(help="File to write, in place of the cache folder.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace DNA vectors that are there.")] = False,
    progress: Annotated[bool, typer.Option(help="Show progress bars.")] = True,
) -> None:
    """Encode Ensembl's sequences on this machine, so that every gene with a sequence has a DNA embedding."""
    from dnaclip.datasets import complete_table

    table = complete_table(
        species,
        release=release,
        feature=feature,
        model=model,
        base_url=base_url,
        out=out,
        overwrite=overwrite,
        progress=progress,
    )
    typer.echo(repr(table))
