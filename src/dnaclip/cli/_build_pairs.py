"""`dnaclip build-pairs`: fetch genomes and texts, and write a table of pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dnaclip.cli._options import Progress

__all__ = ["EXAMPLES", "build_pairs"]

EXAMPLES = (
    "dnaclip build-pairs --species 'Ciona savignyi' --out pairs.parquet",
    "dnaclip build-pairs --species 'Homo sapiens' --species 'Mus musculus' --feature cds",
    "dnaclip build-pairs --species 'Schizosaccharomyces pombe' --division fungi --no-texts",
)


def build_pairs(
    species: Annotated[
        list[str], typer.Option(help="Latin name; may be given several times. 'all' for the 24 species of the list.")
    ],
    out: Annotated[Path, typer.Option(help="Parquet file to write.")] = Path("pairs.parquet"),
    release: Annotated[int, typer.Option(help="Release of Ensembl.")] = 113,
    feature: Annotated[str, typer.Option(help="What is cut out: gene, transcript, cds or promoter.")] = "gene",
    flank: Annotated[int, typer.Option(help="Bases to add on both sides.")] = 0,
    biotype: Annotated[
        list[str] | None,
        typer.Option(
            help="Biotype to keep, such as protein_coding; may be given several times. By default all.",
            show_default=False,
        ),
    ] = None,
    texts: Annotated[bool, typer.Option(help="Fetch texts too.")] = True,
    style: Annotated[str, typer.Option(help="Composition of texts: genept or full.")] = "genept",
    mask: Annotated[
        list[str] | None,
        typer.Option(help="Leave out of texts: symbol, disease or go; may be given several times.", show_default=False),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file with your own list of species.", show_default=False)
    ] = None,
    division: Annotated[
        str, typer.Option(help="Where Ensembl keeps species that are not in the list, such as plants or fungi.")
    ] = "vertebrates",
    base_url: Annotated[
        str | None,
        typer.Option(
            rich_help_panel="How it runs",
            help="Address or folder with copies of what the providers hold.",
            show_default=False,
        ),
    ] = None,
    at_once: Annotated[int, typer.Option(rich_help_panel="How it runs", help="Files fetched at the same time.")] = 2,
    parts_only: Annotated[
        bool,
        typer.Option("--parts-only", rich_help_panel="How it runs", help="Build these species, to be joined later."),
    ] = False,
    progress: Progress = True,
) -> None:
    """Build a table of gene sequences and function texts.

    Genomes, annotations and texts are fetched from Ensembl, NCBI, UniProt and others; the table is
    what 'dnaclip train' reads. An interrupted run goes on where it was.
    """
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
