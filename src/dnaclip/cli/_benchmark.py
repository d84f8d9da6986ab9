"""`dnaclip benchmark`: score an embedding by gene-level tasks, beside the published ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dnaclip.cli._options import Progress

__all__ = ["EXAMPLES", "benchmark"]

EXAMPLES = (
    "dnaclip benchmark --embedding dnaclip --tasks go --mode fast --data benchmarks-data",
    "dnaclip benchmark --embedding vectors.safetensors --tasks go,omim,sl --genes intersect --n-jobs 4",
)


def benchmark(
    embedding: Annotated[str, typer.Option(help="File with gene vectors, or 'dnaclip' for the human table.")],
    tasks: Annotated[
        str, typer.Option(help="Joined by commas: go, omim, sl, class, dosage, ggi.")
    ] = "go,omim,sl,class",
    mode: Annotated[
        str, typer.Option(help="published, or fast: linear models, not the published protocol.")
    ] = "published",
    genes: Annotated[
        str, typer.Option(help="all, or intersect: the genes that all published embeddings hold.")
    ] = "all",
    modality: Annotated[str, typer.Option(help="joint, dna or text, for an embedding table.")] = "joint",
    pair_features: Annotated[
        str, typer.Option(help="How two vectors become one, joined by commas: sum, product, concat.")
    ] = "sum",
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with the labels of the tasks; by default they are fetched.", show_default=False),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for tables, figures and what a later --resume goes on from.")
    ] = Path("benchmark"),
    resume: Annotated[
        bool, typer.Option("--resume", rich_help_panel="How it runs", help="Go on with a run that was stopped.")
    ] = False,
    n_jobs: Annotated[
        int, typer.Option(rich_help_panel="How it runs", help="Number of threads; -1 uses all cores.")
    ] = 1,
    progress: Progress = True,
) -> None:
    """Rank an embedding of genes among 38 published ones.

    Prints where it stands, and saves scores (CSV) and plots of the ranking (PNG).
    """
    from dnaclip.benchmark import compare, run
    from dnaclip.benchmark._report import save_report

    result = run(
        embedding,
        tasks.split(","),
        mode=mode,
        genes=genes,
        modality=modality,
        pair_features=pair_features.split(","),
        data=data,
        n_jobs=n_jobs,
        checkpoint=out / "parts",
        resume=resume,
        progress=progress,
    )
    table = compare(result, data=data)
    for line in save_report(result, table, out):
        typer.echo(line)
