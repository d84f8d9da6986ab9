"""`dnaclip tune`: search for better settings of a training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["tune"]


def tune(
    pairs: Annotated[Path, typer.Option(help="Parquet table with the columns sequence and text.")],
    out: Annotated[Path, typer.Option(help="Folder for the study; a second run goes on with it.")],
    vary: Annotated[
        list[str] | None,
        typer.Option(help="Setting to vary, name=low:high or name=one,two; may be given several times."),
    ] = None,
    trials: Annotated[int | None, typer.Option(help="Trainings in all; by default 30.")] = None,
    sampler: Annotated[str, typer.Option(help="tpe, random or one_at_a_time.")] = "tpe",
    metric: Annotated[str, typer.Option(help="What counts, on validation genes.")] = "accuracy@10",
    labels: Annotated[str | None, typer.Option(help="Column with gene classes, to compare clusters with.")] = None,
    recipe: Annotated[Path | None, typer.Option(help="The other settings, in JSON.")] = None,
    held_out_species: Annotated[
        list[str] | None, typer.Option(help="Species to keep out of training; may be given several times.")
    ] = None,
    text_encoder: Annotated[str, typer.Option(help="Frozen sentence-transformers model.")] = "all-MiniLM-L6-v2",
    text_vectors: Annotated[
        Path | None, typer.Option(help="NumPy file with the vectors of the texts, one row per pair, to save time.")
    ] = None,
    rng: Annotated[int, typer.Option(help="Seed.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:1.")] = "auto",
    progress: Annotated[bool, typer.Option(help="Show progress bars.")] = True,
) -> None:
    """Search over learning rate, dimension, temperature, loss and batch size, or over what --vary names."""
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
