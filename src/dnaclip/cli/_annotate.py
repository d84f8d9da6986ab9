"""`dnaclip annotate`: name the genes of a genome."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dnaclip.cli._options import Progress

__all__ = ["EXAMPLES", "annotate"]

# Identifiers stay text, also those that look like numbers or like nothing (the gene NA).
AS_TEXT = {"dtype": str, "keep_default_na": False}
EXAMPLES = (
    "dnaclip annotate genes.fa --report report.html",
    "dnaclip annotate genome.fa genes.gff3 --candidates human --candidates mouse",
    "dnaclip annotate genome.fa genes.gff3 --candidates known.parquet --evidence diamond --threads 8",
)


def annotate(
    fasta: Annotated[Path, typer.Argument(help="Genome, or FASTA file with one gene per record.")],
    annotation: Annotated[
        Path | None, typer.Argument(help="GTF, GFF3 or GenBank file with the genes of the genome.", show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="TSV file to write.")] = Path("annotations.tsv"),
    candidates: Annotated[
        list[str] | None,
        typer.Option(
            help="Known genes: a species, or a table (Parquet, CSV, TSV) with the columns gene, text and, for --evidence, "
            "sequence. Species may be given several times. By default human.",
            show_default=False,
        ),
    ] = None,
    texts: Annotated[
        Path | None,
        typer.Option(
            help="Table with the columns gene and text, in place of the texts of the candidates.", show_default=False
        ),
    ] = None,
    evidence: Annotated[
        str | None, typer.Option(help="Align as well: blast, diamond or mmseqs.", show_default=False)
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(help="Table of genes to align with, if not the candidates.", show_default=False)
    ] = None,
    n_neighbors: Annotated[int, typer.Option(help="Known genes to list for each gene.")] = 5,
    min_confidence: Annotated[
        float, typer.Option(help="From 0 to 1; below it a gene is left without annotation.")
    ] = 0.5,
    feature: Annotated[
        str,
        typer.Option(help="What is read of a gene: auto (coding sequence, or else transcript), cds, transcript, gene."),
    ] = "auto",
    model: Annotated[
        str | None, typer.Option(help="Name of the model; by default that of dnaclip.", show_default=False)
    ] = None,
    threads: Annotated[int, typer.Option(rich_help_panel="How it runs", help="Processor cores for the alignment.")] = 1,
    batch_size: Annotated[int, typer.Option(rich_help_panel="How it runs", help="Genes between two savings.")] = 200,
    report: Annotated[Path | None, typer.Option(help="HTML page to write as well.", show_default=False)] = None,
    restart: Annotated[
        bool, typer.Option("--restart", rich_help_panel="How it runs", help="Begin anew instead of going on.")
    ] = False,
    progress: Progress = True,
) -> None:
    """Say what genes do from their DNA, with a confidence.

    Writes a table with the known genes that are nearest to each gene. An interrupted run goes on where it was.
    """
    from dnaclip._dataframe import read_dataframe
    from dnaclip.tl._annotation.stream import annotate_file

    known: object = candidates
    if candidates is not None and len(candidates) == 1 and Path(candidates[0]).suffix:
        known = read_dataframe(candidates[0], **AS_TEXT)
    table = annotate_file(
        fasta,
        annotation,
        out=out,
        feature=feature,
        report=report,
        batch_size=batch_size,
        restart=restart,
        progress=progress,
        candidates=known,
        texts=None if texts is None else read_dataframe(texts, **AS_TEXT),
        evidence=evidence,
        reference=None if reference is None else read_dataframe(reference, **AS_TEXT),
        n_neighbors=n_neighbors,
        min_confidence=min_confidence,
        model=model,
        threads=threads,
    )
    genes = table[table["rank"] == 1]
    annotated = int(genes["status"].str.startswith("annotated").sum())
    typer.echo(f"{annotated:,} of {len(genes):,} genes annotated: {out}")
