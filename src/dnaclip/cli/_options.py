"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Device", "HeldOutSpecies", "Pairs", "Progress", "Seed", "TextEncoderName", "TextVectors"]

_HOW = "How it runs"

Pairs = Annotated[Path, typer.Option(help="Parquet table with the columns sequence and text.")]
HeldOutSpecies = Annotated[
    list[str] | None,
    typer.Option(help="Species to keep out of training as a test; may be given several times.", show_default=False),
]
TextEncoderName = Annotated[str, typer.Option(help="Frozen sentence-transformers model for the texts.")]
TextVectors = Annotated[
    Path | None,
    typer.Option(help="NumPy file with the vectors of the texts, one row per pair, to save time.", show_default=False),
]
Seed = Annotated[int, typer.Option(rich_help_panel=_HOW, help="Seed of all random choices.")]
Device = Annotated[str, typer.Option(rich_help_panel=_HOW, help="auto, cpu, cuda or cuda:1.")]
Progress = Annotated[bool, typer.Option(rich_help_panel=_HOW, help="Show progress bars.")]
