"""`dnaclip train`: train a model on a table of pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["EXAMPLES", "train"]

EXAMPLES = (
    "dnaclip train --pairs pairs.parquet --out my-model",
    "dnaclip train --pairs pairs.parquet --out my-model --held-out-species 'Danio rerio'",
    "dnaclip train --pairs pairs.parquet --out better --recipe search/recipe.json --resume",
)


def train(
    pairs: Annotated[Path, typer.Option(help="Parquet table with the columns sequence and text.")],
    out: Annotated[Path, typer.Option(help="Model folder to write.")],
    name: Annotated[str, typer.Option(help="Name of the model, for its card.")] = "my-dnaclip",
    held_out_species: Annotated[
        list[str] | None,
        typer.Option(help="Species to keep out of training as a test; may be given several times.", show_default=False),
    ] = None,
    text_encoder: Annotated[
        str, typer.Option(help="Frozen sentence-transformers model for the texts.")
    ] = "all-MiniLM-L6-v2",
    text_vectors: Annotated[
        Path | None,
        typer.Option(
            help="NumPy file with the vectors of the texts, one row per pair, to save time.", show_default=False
        ),
    ] = None,
    remember: Annotated[str, typer.Option(help="Genes that the model looks for relatives in: all or train.")] = "all",
    recipe: Annotated[
        Path | None, typer.Option(help="Settings in JSON, as dnaclip tune writes them.", show_default=False)
    ] = None,
    max_epochs: Annotated[
        int | None, typer.Option(help="Passes over the data at most; by default 8.", show_default=False)
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Genes per step; by default 1,024.", show_default=False)
    ] = None,
    rng: Annotated[int, typer.Option(rich_help_panel="How it runs", help="Seed of all random choices.")] = 0,
    device: Annotated[str, typer.Option(rich_help_panel="How it runs", help="auto, cpu, cuda or cuda:1.")] = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", rich_help_panel="How it runs", help="Go on from an interrupted run.")
    ] = False,
    log: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel="How it runs",
            help="History after each epoch: a .csv file, or a folder for TensorBoard.",
            show_default=False,
        ),
    ] = None,
    progress: Annotated[bool, typer.Option(rich_help_panel="How it runs", help="Show progress bars.")] = True,
) -> None:
    """Train a model on gene sequences and descriptions of their function.

    Near copies and equal texts stay on one side of the split. Writes a model folder with a card
    that holds the accuracy on held-out genes. Needs the extra 'text'.
    """
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
