"""Read GTF: Ensembl's, GENCODE's, NCBI's, and files that list transcripts or exons only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnaclip.pp._genome.attributes import (
    biotype_of,
    description_of,
    entrez_id_of,
    parse_gtf,
    rank_of,
    symbol_of,
    whole_number,
)
from dnaclip.pp._genome.model import Annotation, Gene, Piece, Transcript
from dnaclip.pp._genome.rows import refuse_second, refuse_without

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dnaclip.pp._genome.rows import Row

__all__ = ["read_gtf"]


def read_gtf(annotation: Annotation, rows: Iterable[Row]) -> Annotation:
    """Take the features of a GTF file into `annotation`.

    Raises
    ------
    InputError
        A feature has no identifier, or one that another has.
    """
    path = annotation.path
    without_line: dict[str, dict[str, str]] = {}
    for row in rows:
        attributes = parse_gtf(row.text)
        key, line = attributes.get("gene_id", ""), row.piece.line
        if not key:
            refuse_without(path, line, "gene_id", attributes)
        part = attributes.get("part", "").partition("/")[0]
        piece = row.piece._replace(part=whole_number(part), exon=whole_number(attributes.get("exon_number", "")))
        if row.kind == "gene":
            before = annotation.genes.get(key)
            if before is None:
                annotation.genes[key] = _gene(key, [piece], attributes, row.type)
            elif piece.part:
                before.pieces.append(piece)
            else:
                refuse_second(path, line, "gene_id", key, before.pieces[0].line)
            continue
        name = attributes.get("transcript_id") or key
        transcript = annotation.transcripts.setdefault(name, Transcript(name, key))
        transcript.rank = min(transcript.rank, rank_of(attributes))
        transcript.product = transcript.product or attributes.get("product", "")
        if row.kind == "transcript":
            if transcript.span is not None:
                refuse_second(path, line, "transcript_id", name, transcript.span.line)
            transcript.span = piece
            transcript.biotype = biotype_of(attributes, row.type)
        elif row.kind == "exon":
            transcript.exons.append(piece)
        # Most providers leave the stop codon out of the CDS, but not all of them.
        elif row.kind == "cds" or not any(
            cds.start <= piece.start <= piece.end <= cds.end for cds in transcript.coding
        ):
            transcript.coding.append(piece)
        if key not in annotation.genes:
            without_line.setdefault(key, attributes)
    spans: dict[str, list[Piece]] = {}
    for transcript in annotation.transcripts.values():
        if transcript.gene not in annotation.genes:
            annotation.needs_exons |= transcript.span is None
            pieces = [transcript.span] if transcript.span else transcript.exons + transcript.coding
            spans.setdefault(transcript.gene, []).extend(pieces)
    for key, pieces in spans.items():
        annotation.genes[key] = _gene(key, _hulls(pieces), without_line.get(key, {}), "gene")
    return annotation


def _gene(key: str, pieces: list[Piece], attributes: dict[str, str], kind: str) -> Gene:
    of_gene = {name: value for name, value in attributes.items() if not name.startswith("transcript")}
    return Gene(
        key,
        pieces,
        symbol_of(attributes, key),
        biotype_of(of_gene, kind),
        description_of(attributes),
        entrez_id_of(attributes),
    )


def _hulls(pieces: list[Piece]) -> list[Piece]:
    """Cover the pieces of each strand of each contig by one."""
    hulls: dict[tuple[str, str], Piece] = {}
    for piece in pieces:
        hull = hulls.setdefault((piece.seqid, piece.strand), piece)
        hulls[piece.seqid, piece.strand] = hull._replace(
            start=min(hull.start, piece.start), end=max(hull.end, piece.end)
        )
    return list(hulls.values())
