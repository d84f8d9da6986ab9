"""What an annotation says: genes and transcripts, and the pieces of the genome that they are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Annotation", "Gene", "Piece", "Transcript", "in_order"]


class Piece(NamedTuple):
    """A stretch of one contig.

    `start` and `end` are one-based and closed, as in GFF; on a circular contig `end` may lie beyond its length. `part`
    and `exon` are the piece's place in its feature where the file says so, else 0. `line` is where it stands.
    """

    seqid: str
    start: int
    end: int
    strand: str
    line: int
    part: int = 0
    exon: int = 0


@dataclass(slots=True)
class Gene:
    """A gene; several pieces when it is spliced from transcripts of different places, or lies over the origin."""

    id: str
    pieces: list[Piece]
    symbol: str = ""
    biotype: str = ""
    description: str = ""
    entrez_id: str = ""


@dataclass(slots=True)
class Transcript:
    """A transcript, or what is coded directly by a gene.

    `span` is its own line. `rank` is lower the more the provider prefers it: 0 MANE Select or canonical, 2 no preference.
    """

    id: str
    gene: str
    span: Piece | None = None
    biotype: str = ""
    product: str = ""
    rank: int = 2
    exons: list[Piece] = field(default_factory=list)
    coding: list[Piece] = field(default_factory=list)


@dataclass(slots=True)
class Annotation:
    """All that was read of one file; genes and transcripts by the id under which their parts refer to them."""

    path: str
    genes: dict[str, Gene] = field(default_factory=dict)
    transcripts: dict[str, Transcript] = field(default_factory=dict)
    circular: set[str] = field(default_factory=set)
    needs_exons: bool = False
    """Whether only exons tell how far a gene reaches."""


def in_order(pieces: list[Piece]) -> list[Piece]:
    """Order the pieces of one feature from its 5' to its 3' end.

    Pieces that are numbered as parts come in that order. Those of one strand of one contig come in the order of their
    coordinates, as not every provider numbers exons from the 5' end. Trans-spliced ones come by exon number, or else as
    they stand in the file.
    """
    if len(pieces) < 2:
        return pieces
    if all(piece.part for piece in pieces):
        return sorted(pieces, key=lambda piece: piece.part)
    if len({(piece.seqid, piece.strand) for piece in pieces}) == 1:
        return sorted(pieces, key=lambda piece: piece.start, reverse=pieces[0].strand == "-")
    if all(piece.exon for piece in pieces):
        return sorted(pieces, key=lambda piece: piece.exon)
    return pieces
