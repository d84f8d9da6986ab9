"""`dnaclip benchmark`: score an embedding by gene-level tasks, beside the published ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["benchmark"]


def benchmark(
    embedding: Annotated[str, typer.Option(help="File with gene vectors, or 'dnaclip' for the table that is here.")],
    tasks: Annotated[str, typer.Option(help="Any of go,omim,sl,class,dosage,ggi.")] = "go,omim,sl,class",
    mode: Annotated[
        str, typer.Option(help="published, or fast: linear models, not the published protocol.")
    ] = "published",
    genes: Annotated[
        str, typer.Option(help="all, or intersect: the genes that all published embeddings hold.")
    ] = "all",
    modality: Annotated[str, typer.Option(help="joint, dna or text, for an embedding table.")] = "joint",
    pair_features: Annotated[str, typer.Option(help="Any of sum,product,concat.")] = "sum",
    data: Annotated[Path | None, typer.Option(help="Folder with the labels of the tasks.")] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for tables, figures and what a later --resume goes on from.")
    ] = Path("benchmark"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")] = False,
    n_jobs: Annotated[int, typer.Option(help="Number of threads; -1 uses all cores.")] = 1,
    progress: Annotated[bool, typer.Option(help="Show a progress bar.")] = True,
) -> None:
    """Print where an embedding stands among 38 published ones; save scores (CSV) and ranking plots (PNG)."""
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
