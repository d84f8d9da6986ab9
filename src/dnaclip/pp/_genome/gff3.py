"""Read GFF3: Ensembl's, NCBI's, GENCODE's, SGD's, FlyBase's, WormBase's, TAIR's, Prokka's and Bakta's."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dnaclip.pp._genome.attributes import (
    biotype_of,
    description_of,
    entrez_id_of,
    parse_gff3,
    public_id,
    rank_of,
    symbol_of,
    whole_number,
)
from dnaclip.pp._genome.lines import bad_line
from dnaclip.pp._genome.model import Annotation, Gene, Transcript
from dnaclip.pp._genome.rows import refuse_second, refuse_without

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dnaclip.pp._genome.rows import Row

__all__ = ["read_gff3"]

logger = logging.getLogger(__name__)

# What may carry an attribute that names a gene without a line of its own, the first that is there.
_GENE_KEYS = ("locus_tag", "gene_id", "ID", "gene", "Name")


def read_gff3(annotation: Annotation, rows: Iterable[Row]) -> Annotation:
    """Take the features of a GFF3 file into `annotation`.

    A coding sequence or RNA without parent is a gene of its own, unless a line for a gene has its identifier or symbol.

    Raises
    ------
    InputError
        A feature has no identifier, or one that another has, or is its own parent.
    """
    alone: list[tuple[Row, dict[str, str]]] = []
    for row in rows:
        attributes = parse_gff3(row.text)
        part = attributes.get("part", "").partition("/")[0]
        number = attributes.get("rank", "")
        row = row._replace(piece=row.piece._replace(part=whole_number(part), exon=whole_number(number)))
        if row.kind == "stop":
            continue  # GFF3 counts the stop codon to the coding sequence
        # An operon is no gene, but a gene may have it as its parent.
        of_operon = row.type == "gene" and attributes.get("Parent") not in annotation.genes
        if attributes.get("Parent") and not of_operon:
            _take_child(annotation, row, attributes)
        elif row.kind == "gene":
            _take_gene(annotation, row, attributes)
        elif row.kind in ("cds", "transcript"):
            alone.append((row, attributes))
    _take_alone(annotation, alone)
    _find_genes(annotation)
    return annotation


def _take_gene(annotation: Annotation, row: Row, attributes: dict[str, str]) -> None:
    key = attributes.get("ID") or attributes.get("gene_id") or attributes.get("locus_tag", "")
    if not key:
        refuse_without(annotation.path, row.piece.line, "ID", attributes)
    before = annotation.genes.get(key)
    if before is None:
        annotation.genes[key] = _gene(key, row, attributes)
    elif row.piece.part or "trans-splicing" in attributes.get("exception", ""):
        before.pieces.append(row.piece)
    else:
        refuse_second(annotation.path, row.piece.line, "gene ID", key, before.pieces[0].line)


def _take_child(annotation: Annotation, row: Row, attributes: dict[str, str]) -> None:
    key, parents = attributes.get("ID", ""), attributes["Parent"].split(",")
    if row.kind in ("transcript", "gene"):
        if not key:
            refuse_without(annotation.path, row.piece.line, "ID", attributes)
        transcript = annotation.transcripts.setdefault(key, Transcript(key, ""))
        if transcript.span is not None and not (row.piece.part or "exception" in attributes):
            refuse_second(annotation.path, row.piece.line, "transcript ID", key, transcript.span.line)
        transcript.gene = parents[0]
        transcript.span = transcript.span or row.piece
        transcript.biotype = biotype_of(attributes, row.type)
        transcript.product = transcript.product or description_of(attributes)
        transcript.rank = min(transcript.rank, rank_of(attributes))
        return
    for parent in parents:
        name = parent
        if parent in annotation.genes:
            # Bacterial genes have no transcript; each of their coding sequences counts as one.
            name = key or f"{parent}:CDS"
            annotation.transcripts.setdefault(name, Transcript(name, parent))
        transcript = annotation.transcripts.setdefault(name, Transcript(name, ""))
        if row.kind == "cds":
            transcript.coding.append(row.piece)
            transcript.product = transcript.product or description_of(attributes)
        elif row.kind == "exon":
            transcript.exons.append(row.piece)


def _take_alone(annotation: Annotation, alone: list[tuple[Row, dict[str, str]]]) -> None:
    """Make genes of coding sequences and RNAs that no line for a gene stands for."""
    known = {public_id(key) for key in annotation.genes} | {gene.symbol for gene in annotation.genes.values()} - {""}
    made: dict[str, str] = {}
    for row, attributes in alone:
        key = next((attributes[name] for name in _GENE_KEYS if attributes.get(name)), "")
        if not key:
            refuse_without(annotation.path, row.piece.line, "ID", attributes)
        if key in known or attributes.get("gene", "") in known:
            continue
        own = attributes.get("ID", key)
        if key not in made:
            made[key] = own
            annotation.genes[key] = _gene(key, row, attributes)
        elif made[key] == own and row.kind == "cds":
            # Lines with one ID are one coding sequence in several pieces.
            annotation.genes[key].pieces.append(row.piece)
        else:
            first = annotation.genes[key].pieces[0].line
            refuse_second(annotation.path, row.piece.line, f"{row.type} identifier", key, first)
        if row.kind == "cds":
            transcript = annotation.transcripts.setdefault(own, Transcript(own, key, biotype="protein_coding"))
            transcript.coding.append(row.piece)


def _find_genes(annotation: Annotation) -> None:
    """Let each transcript name its gene: the parent of a microRNA is a transcript, whose parent is the gene."""
    genes, transcripts = annotation.genes, annotation.transcripts
    n_without = 0
    for transcript in transcripts.values():
        seen = {transcript.id}
        while transcript.gene not in genes and transcript.gene in transcripts:
            if transcript.gene in seen:
                line = transcript.span.line if transcript.span else 0
                raise bad_line(annotation.path, line, f"{transcript.id!r} is its own parent.")
            seen.add(transcript.gene)
            transcript.gene = transcripts[transcript.gene].gene
        n_without += transcript.gene not in genes
    if n_without:
        logger.info("%s: %d transcripts belong to no gene and are left out.", annotation.path, n_without)


def _gene(key: str, row: Row, attributes: dict[str, str]) -> Gene:
    return Gene(
        attributes.get("gene_id") or public_id(key, keep_version=True),
        [row.piece],
        symbol_of(attributes, key),
        biotype_of(attributes, row.type),
        description_of(attributes),
        entrez_id_of(attributes),
    )
