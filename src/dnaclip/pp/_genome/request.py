"""Which rows a table of genes has, and which pieces of the genome each is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnaclip.pp._genome.attributes import public_id
from dnaclip.pp._genome.extract import Cut
from dnaclip.pp._genome.model import Gene, Transcript, in_order

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from dnaclip.pp._genome.model import Annotation, Piece

__all__ = ["FEATURES", "requested"]

FEATURES = ("gene", "transcript", "cds", "promoter")


def requested(
    annotation: Annotation,
    feature: str,
    *,
    flank: tuple[int, int],
    promoter: tuple[int, int],
    transcripts: str,
    biotypes: Collection[str] | None,
) -> Iterator[tuple[Gene, Transcript | None, Cut]]:
    """Yield each row's gene, its transcript if the row is one, and what to cut out, in the order of the annotation."""
    of_gene: dict[str, list[Transcript]] = {}
    if feature in ("transcript", "cds"):
        for transcript in annotation.transcripts.values():
            of_gene.setdefault(transcript.gene, []).append(transcript)
    for key, gene in annotation.genes.items():
        if biotypes is not None and gene.biotype not in biotypes:
            continue
        if feature == "gene":
            yield gene, None, Cut(in_order(gene.pieces), *flank)
        elif feature == "promoter":
            yield gene, None, _promoter(in_order(gene.pieces)[0], promoter, flank)
        else:
            candidates = [(each, _pieces(each, feature)) for each in of_gene.get(key, [])]
            candidates = [(each, pieces) for each, pieces in candidates if pieces]
            if not candidates and feature == "transcript" and not of_gene.get(key):
                # Bacterial genes are transcribed as they are.
                candidates = [(Transcript("", key), gene.pieces)]
            if transcripts == "one" and candidates:
                candidates = [min(candidates, key=_preference)]
            for transcript, pieces in candidates:
                yield gene, transcript, Cut(in_order(pieces), *flank)


def _pieces(transcript: Transcript, feature: str) -> list[Piece]:
    if feature == "cds":
        return transcript.coding
    return transcript.exons or ([transcript.span] if transcript.span else transcript.coding)


def _preference(candidate: tuple[Transcript, list[Piece]]) -> tuple[int, int, str]:
    transcript, pieces = candidate
    return transcript.rank, -sum(piece.end - piece.start + 1 for piece in pieces), public_id(transcript.id)


def _promoter(first: Piece, promoter: tuple[int, int], flank: tuple[int, int]) -> Cut:
    """What lies before the first base of a gene, and the first bases of the gene itself."""
    length = first.end - first.start + 1
    return Cut([first], promoter[0] + flank[0], promoter[1] + flank[1] - length)
