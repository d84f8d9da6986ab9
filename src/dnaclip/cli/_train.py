"""`dnaclip train`: train a model on a table of pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["train"]


def train(
    pairs: Annotated[Path, typer.Option(help="Parquet table with the columns sequence and text.")],
    out: Annotated[Path, typer.Option(help="Model folder to write.")],
    name: Annotated[str, typer.Option(help="Name of the model.")] = "my-dnaclip",
    held_out_species: Annotated[
        list[str] | None, typer.Option(help="Species to keep out of training as a test; may be given several times.")
    ] = None,
    text_encoder: Annotated[str, typer.Option(help="Frozen sentence-transformers model.")] = "all-MiniLM-L6-v2",
    text_vectors: Annotated[
        Path | None, typer.Option(help="NumPy file with the vectors of the texts, one row per pair, to save time.")
    ] = None,
    remember: Annotated[str, typer.Option(help="Genes that the model looks for relatives in: all or train.")] = "all",
    recipe: Annotated[Path | None, typer.Option(help="Settings in JSON, as dnaclip tune writes them.")] = None,
    max_epochs: Annotated[int | None, typer.Option(help="Passes over the data at most; by default 8.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Genes per step; by default 1,024.")] = None,
    rng: Annotated[int, typer.Option(help="Seed.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:1.")] = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Go on from an interrupted run.")] = False,
    log: Annotated[Path | None, typer.Option(help="CSV file for the history, written after each epoch.")] = None,
    progress: Annotated[bool, typer.Option(help="Show progress bars.")] = True,
) -> None:
    """Train a model that aligns gene sequences with descriptions of their function."""
    from dnaclip.train import Recipe, train_folder

    result = train_folder(
        pairs,
        out,
        name=name,
        held_out_species=held_out_species or (),
        text_encoder=text_encoder,
        text_vectors=text_vectors,
        remember=remember,
        recipe=None if recipe is None else Recipe.load(recipe),
        max_epochs=max_epochs,
        batch_size=batch_size,
        rng=rng,
        device=device,
        resume=resume,
        log=log,
        progress=progress,
    )
    typer.echo(f"Model written to {out}.")
    typer.echo(result.round(3).to_string())
