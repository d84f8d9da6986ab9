"""`dnaclip encode`: turn the sequences of a FASTA file into vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from dnaclip.cli._options import Progress

__all__ = ["EXAMPLES", "encode"]

EXAMPLES = (
    "dnaclip encode --list",
    "dnaclip encode --fasta genes.fa --encoder composition --out vectors.safetensors",
    "dnaclip encode --fasta genes.fa --encoder hyenadna-small-32k --out vectors.safetensors",
)


def _show_list(wanted: bool) -> None:
    if wanted:
        from dnaclip import encoders

        typer.echo(encoders.list().drop(columns="note").to_string())
        raise typer.Exit


def encode(
    fasta: Annotated[Path, typer.Option(help="FASTA file, plain or packed with gzip.")],
    out: Annotated[Path, typer.Option(help="File of vectors to write.")],
    encoder: Annotated[str, typer.Option(help="Name as in 'dnaclip encode --list', a file or folder, or owner/model.")],
    option: Annotated[
        list[str] | None,
        typer.Option(help="Option of the encoder, as name=value; may be given several times.", show_default=False),
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(
            rich_help_panel="How it runs",
            help="auto, cpu, cuda or cuda:1, for encoders that take one.",
            show_default=False,
        ),
    ] = None,
    letters_per_part: Annotated[
        int, typer.Option(rich_help_panel="How it runs", help="Bases between two savings: what a kill may cost.")
    ] = 1 << 20,
    progress: Progress = True,
    show_list: Annotated[
        bool, typer.Option("--list", callback=_show_list, is_eager=True, help="List the encoders and exit.")
    ] = False,
) -> None:
    """Turn every record of a FASTA file into a vector.

    An interrupted run goes on where it was; under torchrun several processes share the work.
    """
    from dnaclip.encoders import VectorTable, encode_fasta

    options = dict(_parsed(text) for text in option or ())
    if device is not None:
        options["device"] = device
    path = encode_fasta(fasta, encoder, out, letters_per_part=letters_per_part, progress=progress, **options)
    typer.echo(repr(VectorTable.load(path)) if path.is_file() else "This process has done its share.")


def _parsed(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign or not name.isidentifier():
        msg = f"--option {text!r} must be name=value, such as piece_length=32768."
        raise typer.BadParameter(msg)
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
