"""`dnaclip complete-table`: fill the DNA side of a species' table from Ensembl's sequences."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dnaclip.cli._options import Progress

__all__ = ["EXAMPLES", "complete_table"]

EXAMPLES = (
    "dnaclip complete-table --species human --release 113",
    "dnaclip complete-table --species ciona_savignyi --out ciona.safetensors",
)


def complete_table(
    species: Annotated[str, typer.Option(help="English or Latin name of any species that Ensembl has.")] = "human",
    release: Annotated[int, typer.Option(help="Release of Ensembl.")] = 113,
    feature: Annotated[str, typer.Option(help="Which sequences: cds+ncrna, cds or cdna.")] = "cds+ncrna",
    model: Annotated[
        str | None, typer.Option(help="Name of the model; by default that of dnaclip.", show_default=False)
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(help="Address or folder with a copy of Ensembl's releases.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write, in place of the cache folder.", show_default=False)
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace DNA vectors that are there.")] = False,
    progress: Progress = True,
) -> None:
    """Give every gene of a species a DNA embedding.

    Ensembl's sequences are fetched and encoded on this machine, some 1,000 genes a second; 'tl.embed'
    finds the table from then on.
    """
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
