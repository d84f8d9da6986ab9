"""Read an annotation, whatever its format."""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING

from dnaclip._errors import InputError
from dnaclip.pp._genome.gff3 import read_gff3
from dnaclip.pp._genome.gtf import read_gtf
from dnaclip.pp._genome.model import Annotation
from dnaclip.pp._genome.rows import feature_rows

if TYPE_CHECKING:
    import os
    from collections.abc import Collection

__all__ = ["read_annotation"]

_GTF = re.compile(r'\s*\w+[ \t]+["\w]')


def read_annotation(path: str | os.PathLike[str], *, exons: bool = False, circular: Collection[str] = ()) -> Annotation:
    """Read the genes and transcripts of a GTF or GFF3 file; which of the two it is, its attributes tell.

    Parameters
    ----------
    path
        The file, packed with gzip or not.
    exons
        Whether to keep exons. Most lines are exons, and neither genes nor coding sequences need them.
    circular
        Contigs that are circles, beside those that the file calls so.

    Raises
    ------
    InputError
        A line cannot be read, or an identifier stands for two things; the message names file and line.
    """
    annotation = Annotation(str(path), circular=set(circular))
    rows = feature_rows(path, exons=exons, circular=annotation.circular)
    first = next(rows, None)
    if first is not None:
        read = read_gtf if _GTF.match(first.text) else read_gff3
        read(annotation, chain([first], rows))
    if (annotation.needs_exons or not annotation.genes) and not exons:
        return read_annotation(path, exons=True, circular=circular)
    if not annotation.genes:
        msg = f"{path} holds no gene: none of its features is a gene, transcript, exon or CDS."
        raise InputError(msg)
    fill_genes(annotation)
    return annotation


def fill_genes(annotation: Annotation) -> None:
    """Give genes the biotype and the description that only their transcripts have."""
    for transcript in annotation.transcripts.values():
        gene = annotation.genes.get(transcript.gene)
        if gene is not None:
            gene.biotype = gene.biotype or transcript.biotype or ("protein_coding" if transcript.coding else "")
            gene.description = gene.description or transcript.product
