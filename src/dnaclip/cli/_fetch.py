"""`dnaclip fetch`: get files before they are needed, or see which there are."""

from __future__ import annotations

from typing import Annotated

import typer

from dnaclip.cli._options import Progress

__all__ = ["EXAMPLES", "fetch"]

EXAMPLES = (
    "dnaclip fetch --list",
    "dnaclip fetch all-MiniLM-L6-v2",
    "dnaclip fetch dnaclip-base-mouse",
)


def fetch(
    name: Annotated[
        str,
        typer.Argument(
            help="Name of a file or of a group of files, or 'all' (of dnaclip's own and what it needs).",
            show_default=False,
        ),
    ] = "",
    show_list: Annotated[bool, typer.Option("--list", help="List what can be fetched.")] = False,
    progress: Progress = True,
) -> None:
    """Fetch models, tables and data sets before they are needed.

    They go into the cache folder (DNACLIP_DATA_DIR), and their size and checksum are checked. With
    DNACLIP_MIRROR they come from an address or folder of yours.
    """
    from dnaclip import datasets

    assets = datasets.list_assets()
    if show_list:
        typer.echo(assets[["group", "kind", "species", "bytes", "licence"]].to_string())
    elif name == "all":
        # Data sets and encoders of others are large, and nobody wants all of them.
        for asset in assets.index[~assets["kind"].isin(["benchmark", "dataset", "encoder"])]:
            typer.echo(datasets.fetch(asset, progress=progress))
    elif name and name in set(assets["group"]):
        typer.echo(datasets.fetch_group(name, progress=progress))
    elif name:
        typer.echo(datasets.fetch(name, progress=progress))
    else:
        msg = "Say what to fetch: a name, a group or 'all'. --list shows what there is."
        raise typer.BadParameter(msg)
