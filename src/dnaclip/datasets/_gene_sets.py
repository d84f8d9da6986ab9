"""Known gene sets as a dictionary, from whatever holds them."""

from __future__ import annotations

import gzip
import logging
import os
import re
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from dnaclip._errors import DownloadError, InputError, MissingKeyError, examples
from dnaclip.datasets._fetch import fetch
from dnaclip.datasets._registry import load_registry
from dnaclip.datasets._settings import OFFLINE_VARIABLE, offline

__all__ = ["gene_sets"]

logger = logging.getLogger(__name__)

# Some libraries write a weight behind the name: "TP53,1.0". No symbol holds a comma.
_WEIGHT = re.compile(r",\s*[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?$")


def gene_sets(source: Any, *, organism: str = "human") -> dict[str, list[str]]:
    """Read gene sets, with the names of the genes as they stand there.

    Parameters
    ----------
    source
        One of

        - a GMT file, also gzipped: one set per line with its name, a description and the genes, separated by tabs.
          Weights behind the names of genes are dropped.
        - a dictionary of lists of genes.
        - a long table with the columns `source` (name of the set) and `target` (gene), the form that decoupler uses;
          further columns such as `weight` are ignored.
        - the name of gene sets in :func:`list_assets` (`kind` `gene-sets`), such as `"hallmark-7.0"`: fetched once and
          checked.
        - the name of an Enrichr library, such as `"Reactome_2022"`: downloaded by gseapy each time, unchecked. A
          warning in the log says so.
    organism
        Organism of an Enrichr library, as gseapy names it: `human`, `mouse`, `yeast`, `fly`, `fish` or `worm`.

    Returns
    -------
    Genes of each set, without repetition, in the order of the source. A name that occurs again adds its genes to the
    set, and sets without genes are left out; the log says how many.

    Raises
    ------
    InputError
        There is no such file, it is no GMT file, or `source` holds no gene.
    MissingKeyError
        A table has no column `source` or `target`.
    DownloadError
        The gene sets could not be fetched, or `DNACLIP_OFFLINE` forbids it.

    Examples
    --------
    >>> import pandas as pd
    >>> from dnaclip.datasets import gene_sets
    >>> gene_sets(pd.DataFrame({"source": ["TCR", "TCR", "BCR"], "target": ["CD3D", "CD3E", "CD79A"]}))
    {'TCR': ['CD3D', 'CD3E'], 'BCR': ['CD79A']}
    """
    if isinstance(source, Mapping):
        return _checked([(name, _listed(name, genes)) for name, genes in source.items()], "the dictionary")
    if isinstance(source, pd.DataFrame):
        return _checked(_pairs(source), "the table")
    if isinstance(source, os.PathLike):
        return _read_gmt(Path(source))
    if not isinstance(source, str):
        msg = f"gene sets must be a GMT file, a dictionary, a table or a name, got {type(source).__name__}."
        raise InputError(msg)
    if source in load_registry().assets:
        return _read_gmt(fetch(source))
    if Path(source).is_file() or source.lower().endswith((".gmt", ".gmt.gz", ".txt", ".tsv")) or os.sep in source:
        return _read_gmt(Path(source))
    return _checked(list(_download(source, organism).items()), f"the library {source!r}")


def _read_gmt(path: Path) -> dict[str, list[str]]:
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8-sig")
    except FileNotFoundError:
        msg = f"There is no GMT file {str(path)!r}."
        raise InputError(msg) from None
    except (EOFError, OSError, zlib.error, UnicodeDecodeError) as error:
        msg = f"{str(path)!r} cannot be read as a GMT file: {error}."
        raise InputError(msg) from error
    rows = [line.split("\t") for line in re.split(r"[\r\n]+", text) if line.strip()]
    bad = [row[0] for row in rows if len(row) < 2]
    if bad:
        shown = examples(name[:60] for name in bad)
        msg = (
            f"{str(path)!r} is not a GMT file: {len(bad)} of {len(rows)} lines have no tab ({shown}). "
            "A line must hold the name of the set, a description (which may be empty) and genes, separated by tabs."
        )
        raise InputError(msg)
    return _checked(
        [(name, [_WEIGHT.sub("", gene.strip()) for gene in genes]) for name, _, *genes in rows], repr(str(path))
    )


def _pairs(table: pd.DataFrame) -> list[tuple[Any, list[Any]]]:
    missing = [column for column in ("source", "target") if column not in table.columns]
    if missing:
        msg = (
            f"A table of gene sets needs the columns 'source' (name of the set) and 'target' (gene); {examples(missing)} "
            f"is missing. Present: {examples(table.columns, 10) or 'nothing'}. Rename them with table.rename(columns=...)."
        )
        raise MissingKeyError(msg)
    kept = table[["source", "target"]].dropna()
    return [(name, genes.tolist()) for name, genes in kept.groupby("source", sort=False, observed=True)["target"]]


def _download(library: str, organism: str) -> dict[str, list[str]]:
    """Get a library from Enrichr, by gseapy."""
    named = examples(asset.name for asset in load_registry().assets.values() if asset.kind == "gene-sets")
    advice = f"Give a GMT file, or one of the sets that dnaclip knows: {named}."
    if offline():
        msg = f"There is no file {library!r}, and {OFFLINE_VARIABLE} forbids to ask Enrichr for a library of this name. {advice}"
        raise DownloadError(msg)
    import gseapy

    logger.warning(
        "Downloading the gene sets %r (%s) from Enrichr, maayanlab.cloud; there is no checksum.", library, organism
    )
    try:
        return gseapy.get_library(library, organism=organism, min_size=1, max_size=10**9)
    except Exception as error:
        # Errors of the network that are also a ValueError are of a class of their own.
        if type(error) is ValueError:
            msg = f"{library!r} is neither a file nor an Enrichr library for {organism}. {advice}"
            raise InputError(msg) from error
        msg = f"The gene sets {library!r} could not be downloaded from Enrichr: {error}. {advice}"
        raise DownloadError(msg) from error


def _listed(name: object, genes: Any) -> list[Any]:
    if isinstance(genes, (str, bytes)) or not isinstance(genes, Iterable):
        msg = f"The gene set {name!r} must be a list of gene names, got {genes!r}."
        raise InputError(msg)
    return list(genes)


def _checked(named: list[tuple[Any, list[Any]]], where: str) -> dict[str, list[str]]:
    """Join the parts of sets that occur several times, drop missing genes and empty sets, say so in the log."""
    sets: dict[str, dict[str, None]] = {}
    for name, genes in named:
        sets.setdefault(str(name).strip(), {}).update(dict.fromkeys(map(_text, genes)))
    for members in sets.values():
        members.pop("", None)
    full = {name: list(members) for name, members in sets.items() if members}
    if not full:
        msg = f"There is no gene set in {where}: {'it is empty' if not named else f'all {len(named)} sets are without genes'}."
        raise InputError(msg)
    if len(named) > len(sets):
        logger.warning(
            "%d names of gene sets occur more than once in %s; their genes were joined.", len(named) - len(sets), where
        )
    if len(sets) > len(full):
        logger.info("%d gene sets in %s are empty and were left out.", len(sets) - len(full), where)
    return full


def _text(gene: Any) -> str:
    if isinstance(gene, str):
        return gene.strip()
    if isinstance(gene, float) and gene.is_integer():  # numbers of genes, out of a column with gaps
        return str(int(gene))
    return "" if pd.api.types.is_scalar(gene) and pd.isna(gene) else str(gene)
