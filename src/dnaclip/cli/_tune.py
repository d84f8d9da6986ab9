"""`dnaclip tune`: search for better settings of a training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["EXAMPLES", "tune"]

EXAMPLES = (
    "dnaclip tune --pairs pairs.parquet --out search --trials 20",
    "dnaclip tune --pairs pairs.parquet --out search --vary lr=1e-4:1e-2 --vary dimension=64,128,256",
)


def tune(
    pairs: Annotated[Path, typer.Option(help="Parquet table with the columns sequence and text.")],
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
    held_out_species: Annotated[
        list[str] | None,
        typer.Option(help="Species to keep out of training; may be given several times.", show_default=False),
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
    rng: Annotated[int, typer.Option(rich_help_panel="How it runs", help="Seed of all random choices.")] = 0,
    device: Annotated[str, typer.Option(rich_help_panel="How it runs", help="auto, cpu, cuda or cuda:1.")] = "auto",
    progress: Annotated[bool, typer.Option(rich_help_panel="How it runs", help="Show progress bars.")] = True,
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
