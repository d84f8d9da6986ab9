"""Cut genes out of contigs: the arithmetic of coordinates, strands, flanks and circles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from dnaclip.pp._genome.lines import bad_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dnaclip.pp._genome.fasta import Contig
    from dnaclip.pp._genome.model import Piece

__all__ = ["Cut", "Extracted", "extract", "reverse_complement"]

_COMPLEMENT = bytes.maketrans(b"ACGTNRYSWKMBDHV", b"TGCANYRSWMKVHDB")


class Extracted(NamedTuple):
    """The sequence of row `row` of what was asked, and the span of the genome that it covers (one-based, closed)."""

    row: int
    sequence: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Cut:
    """What to cut out for one row: pieces from 5' to 3', the outer ends moved outwards by so many bases.

    A negative number moves an end inwards.
    """

    pieces: Sequence[Piece]
    five: int = 0
    three: int = 0


def extract(
    cuts: Sequence[Cut], contigs: Iterable[Contig], *, circular: frozenset[str], path: str
) -> Iterator[Extracted]:
    """Yield the sequence of each cut as soon as its contigs have passed by.

    Parameters
    ----------
    cuts
        What to cut out.
    contigs
        The genome, under the names that the pieces use. Each is needed once, and none of them longer.
    circular
        Names of the contigs that are closed to a circle.
    path
        Annotation file, for messages.

    Raises
    ------
    InputError
        A piece reaches beyond its contig; the message names its line.
    """
    wanted: dict[str, list[tuple[int, int]]] = {}
    for row, cut in enumerate(cuts):
        for k, piece in enumerate(cut.pieces):
            wanted.setdefault(piece.seqid, []).append((row, k))
    partial: dict[int, dict[int, tuple[bytes, int, int]]] = {}
    for contig in contigs:
        for row, k in wanted.pop(contig.name, ()):
            cut = cuts[row]
            five = cut.five if k == 0 else 0
            three = cut.three if k == len(cut.pieces) - 1 else 0
            done = partial.setdefault(row, {})
            done[k] = _bases(contig, cut.pieces[k], five, three, circular=contig.name in circular, path=path)
            if len(done) == len(cut.pieces):
                yield _join(row, cut, partial.pop(row), len(contig))


def reverse_complement(bases: bytes) -> bytes:
    """Read the other strand.

    Examples
    --------
    >>> reverse_complement(b"AACGR")
    b'YCGTT'
    """
    return bases.translate(_COMPLEMENT)[::-1]


def _bases(contig: Contig, piece: Piece, five: int, three: int, *, circular: bool, path: str) -> tuple[bytes, int, int]:
    """Bases of a piece on its strand, and where they start and end."""
    length = len(contig)
    start, end = piece.start, piece.end
    if start > end and circular:
        end += length
    _check(piece, start, end, length, circular=circular, path=path)
    left, right = (three, five) if piece.strand == "-" else (five, three)
    start, end = start - left, end + right
    if not circular:
        start, end = max(start, 1), min(end, length)
        bases = contig.bases(start - 1, end) if start <= end else b""
    else:
        # At most once around the circle, and flanks share what the gene leaves.
        while end - start + 1 > length:
            start, end = start + (left > 0), end - (right > 0)
        offset = (start - 1) % length
        n = max(end - start + 1, 0)
        start, end = offset + 1, offset + n
        bases = contig.bases(offset, min(offset + n, length)) + contig.bases(0, max(offset + n - length, 0))
    return (reverse_complement(bases) if piece.strand == "-" else bases), start, end


def _check(piece: Piece, start: int, end: int, length: int, *, circular: bool, path: str) -> None:
    if end <= length or (circular and end - start < length and start <= 2 * length):
        return
    problem = f"the feature ends at {end}, but {piece.seqid!r} has {length} bases."
    hint = (
        "A feature cannot go around a circle more than once."
        if circular
        else "Genome and annotation may be of two assemblies; "
        f"or, if {piece.seqid!r} is a circle, pass circular=[{piece.seqid!r}]."
    )
    raise bad_line(path, piece.line, f"{problem} {hint}")


def _join(row: int, cut: Cut, parts: dict[int, tuple[bytes, int, int]], length: int) -> Extracted:
    ordered = [parts[k] for k in range(len(cut.pieces))]
    sequence = b"".join(bases for bases, _, _ in ordered).decode("ascii")
    first = cut.pieces[0]
    here = [
        (start, end) for (_, start, end), piece in zip(ordered, cut.pieces, strict=True) if piece.seqid == first.seqid
    ]
    if first.strand == "-":
        here.reverse()
    start, end = here[0]
    one_strand = all((piece.seqid, piece.strand) == (first.seqid, first.strand) for piece in cut.pieces)
    if one_strand and here[-1][0] < start:
        # Pieces that go down where they should go up have passed the origin of a circle.
        return Extracted(row, sequence, start, here[-1][1] + length)
    return Extracted(row, sequence, min(start for start, _ in here), max(end for _, end in here))
