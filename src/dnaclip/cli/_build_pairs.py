"""`dnaclip build-pairs`: fetch genomes and texts, and write a table of pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["build_pairs"]


def build_pairs(
    species: Annotated[
        list[str], typer.Option(help="Latin name, may be given several times; 'all' for the 24 listed.")
    ],
    out: Annotated[Path, typer.Option(help="Parquet file to write.")] = Path("pairs.parquet"),
    release: Annotated[int, typer.Option(help="Release of Ensembl.")] = 113,
    feature: Annotated[str, typer.Option(help="gene, transcript, cds or promoter.")] = "gene",
    flank: Annotated[int, typer.Option(help="Bases to add on both sides.")] = 0,
    biotype: Annotated[list[str] | None, typer.Option(help="Biotype to keep; may be given several times.")] = None,
    texts: Annotated[bool, typer.Option(help="Fetch texts too.")] = True,
    style: Annotated[str, typer.Option(help="Composition of texts: genept or full.")] = "genept",
    mask: Annotated[list[str] | None, typer.Option(help="Leave out of texts: symbol, disease, go.")] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with your own list of species.")] = None,
    division: Annotated[str, typer.Option(help="Where Ensembl keeps species that are not listed.")] = "vertebrates",
    base_url: Annotated[str | None, typer.Option(help="Address or folder with the providers' folders.")] = None,
    at_once: Annotated[int, typer.Option(help="Files fetched at the same time.")] = 2,
    parts_only: Annotated[bool, typer.Option("--parts-only", help="Build these species, to be joined later.")] = False,
    progress: Annotated[bool, typer.Option(help="Show progress bars.")] = True,
) -> None:
    """Build a table of pairs of gene sequence and function text for training."""
    from dnaclip.pp import build_pairs

    summary = build_pairs(
        species,
        out,
        release=release,
        feature=feature,  # type: ignore[arg-type]
        flank=flank,
        biotypes=biotype,
        texts=texts,
        style=style,  # type: ignore[arg-type]
        mask=mask or (),
        config=config,
        division=division,
        base_url=base_url,
        at_once=at_once,
        parts_only=parts_only,
        progress=progress,
    )
    typer.echo(summary.iloc[:, :7].round().astype(int).to_string())
    typer.echo(f"Parts are in {out}.parts." if parts_only else f"Pairs written to {out}.")
