"""`dnaclip tune`: search for better settings of a training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dnaclip.cli._options import Device, HeldOutSpecies, Pairs, Progress, Seed, TextEncoderName, TextVectors

__all__ = ["EXAMPLES", "tune"]

EXAMPLES = (
    "dnaclip tune --pairs pairs.parquet --out search --trials 20",
    "dnaclip tune --pairs pairs.parquet --out search --vary lr=1e-4:1e-2 --vary dimension=64,128,256",
)


def tune(
    pairs: Pairs,
    out: Annotated[Path, typer.Option(help="Folder for the study; a second run goes on with it.")],
    vary: Annotated[
        list[str] | None,
        typer.Option(
            help="Setting to vary, as name=low:high or name=one,two; may be given several times. By default learning rate, dimension, temperature, loss and batch size.",
            show_default=False,
        ),
    ] = None,
    trials: Annotated[int | None, typer.Option(help="Trainings in all; by default 30.", show_default=False)] = None,
    sampler: Annotated[str, typer.Option(help="How settings are chosen: tpe, random or one_at_a_time.")] = "tpe",
    metric: Annotated[str, typer.Option(help="What counts, on validation genes.")] = "accuracy@10",
    labels: Annotated[
        str | None,
        typer.Option(help="Column of the table with gene classes, to compare clusters with.", show_default=False),
    ] = None,
    recipe: Annotated[Path | None, typer.Option(help="The other settings, in JSON.", show_default=False)] = None,
    held_out_species: HeldOutSpecies = None,
    text_encoder: TextEncoderName = "all-MiniLM-L6-v2",
    text_vectors: TextVectors = None,
    rng: Seed = 0,
    device: Device = "auto",
    progress: Progress = True,
) -> None:
    """Search for better settings of the training.

    Every trial is kept, and a second run goes on with the search. Needs the extras 'text' and 'tune'.
    """
    from dnaclip.train import Recipe, tune_folder

    table = tune_folder(
        pairs,
        out,
        space=vary or None,
        n_trials=trials,
        sampler=sampler,
        metric=metric,
        labels=labels,
        recipe=None if recipe is None else Recipe.load(recipe),
        held_out_species=held_out_species or (),
        text_encoder=text_encoder,
        text_vectors=text_vectors,
        rng=rng,
        device=device,
        progress=progress,
    )
    typer.echo(table.drop(columns="error", errors="ignore").sort_values(metric, ascending=False).head(10).to_string())
    typer.echo(f"Best settings: {out / 'recipe.json'}; use them with dnaclip train --recipe.")
