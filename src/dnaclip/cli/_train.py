"""`dnaclip train`: train a model on a table of pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dnaclip.cli._options import Device, HeldOutSpecies, Pairs, Progress, Seed, TextEncoderName, TextVectors

__all__ = ["EXAMPLES", "train"]

EXAMPLES = (
    "dnaclip train --pairs pairs.parquet --out my-model",
    "dnaclip train --pairs pairs.parquet --out my-model --held-out-species 'Danio rerio'",
    "dnaclip train --pairs pairs.parquet --out better --recipe search/recipe.json --resume",
)


def train(
    pairs: Pairs,
    out: Annotated[Path, typer.Option(help="Model folder to write.")],
    name: Annotated[str, typer.Option(help="Name of the model, for its card.")] = "my-dnaclip",
    held_out_species: HeldOutSpecies = None,
    text_encoder: TextEncoderName = "all-MiniLM-L6-v2",
    text_vectors: TextVectors = None,
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
    rng: Seed = 0,
    device: Device = "auto",
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
    progress: Progress = True,
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
