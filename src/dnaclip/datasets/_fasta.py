"""Read Ensembl's FASTA files: one transcript per gene, with what the header says about the gene."""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnaclip._errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Transcript", "longest_transcripts", "parse_header", "read_fasta"]

# Ensembl's own identifiers carry a version; a dot in another provider's identifier belongs to it.
_VERSIONED = re.compile(r"((?:ENS|MGP_)\w+)\.\d+")


@dataclass(frozen=True)
class Transcript:
    """A transcript's sequence and its gene."""

    gene: str
    """Gene id without version."""
    transcript: str
    sequence: str
    symbol: str = ""
    name: str = ""
    biotype: str = ""
    chromosome: str = ""


def longest_transcripts(path: Path) -> dict[str, Transcript]:
    """Keep each gene's longest transcript; of equally long ones, that with the first identifier.

    Parameters
    ----------
    path
        FASTA file packed with gzip. It is read once, line by line.

    Returns
    -------
    Transcripts by gene id, in the order in which the genes first appear.

    Raises
    ------
    dnaclip._errors.InputError
        It is no such file, or a header does not name a gene.
    """
    kept: dict[str, Transcript] = {}
    for header, sequence in read_fasta(path):
        found = parse_header(header, sequence)
        if found is None:
            msg = f"{path} has a header without 'gene:', which Ensembl's sequence files always have: {header[:100]!r}."
            raise InputError(msg)
        best = kept.get(found.gene)
        if best is None or (-len(sequence), found.transcript) < (-len(best.sequence), best.transcript):
            kept[found.gene] = found
    if not kept:
        msg = f"{path} holds no sequence."
        raise InputError(msg)
    return kept


def read_fasta(path: Path) -> Iterator[tuple[str, str]]:
    """Yield header (without `>`) and sequence of each record with a sequence."""
    header, lines = "", list[str]()
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for line in file:
                if line.startswith(">"):
                    if lines:
                        yield header, "".join(lines)
                    header, lines = line[1:].strip(), []
                elif header:
                    lines.append(line.strip())
                elif line.strip():
                    msg = f"{path} is not a FASTA file: it starts with {line[:50]!r}."
                    raise InputError(msg)
    except (EOFError, gzip.BadGzipFile, zlib.error, UnicodeDecodeError) as error:
        msg = f"{path} is not a whole FASTA file packed with gzip ({error}). Delete it, so that it is fetched again."
        raise InputError(msg) from error
    if lines:
        yield header, "".join(lines)


def parse_header(header: str, sequence: str = "") -> Transcript | None:
    """Read a header of the form `ID TYPE LOCATION gene:ID gene_biotype:... gene_symbol:... description:...`.

    Returns
    -------
    The transcript; None if the header names no gene.

    Examples
    --------
    >>> parse_header("ENST01.2 cds chromosome:GRCh38:7:10:99:1 gene:ENSG01.4 gene_symbol:A1 description:a b [Source:C]")
    Transcript(gene='ENSG01', transcript='ENST01.2', sequence='', symbol='A1', name='a b', biotype='', chromosome='7')
    """
    # The description comes last and is free text.
    facts, _, description = header.partition(" description:")
    transcript, *rest = facts.split()
    values = dict(fact.split(":", 1) for fact in rest if ":" in fact)
    if not values.get("gene"):
        return None
    versioned = _VERSIONED.fullmatch(values["gene"])
    location = next((fact.split(":") for fact in rest if fact.count(":") == 5), [])
    return Transcript(
        gene=versioned[1] if versioned else values["gene"],
        transcript=transcript,
        sequence=sequence,
        symbol=values.get("gene_symbol", ""),
        name=description.split(" [Source:")[0].strip(),
        biotype=values.get("gene_biotype", ""),
        chromosome=location[2] if location else "",
    )
