"""The lines of a GTF or GFF3 file as features: columns checked, attributes not yet read."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, NoReturn

from dnaclip._errors import InputError
from dnaclip.pp._genome.lines import bad_line, numbered_lines
from dnaclip.pp._genome.model import Piece

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

__all__ = ["Row", "feature_rows", "kind_of", "refuse_second", "refuse_without"]

_COLUMNS = 9
_STRANDS = {b"+": "+", b"-": "-", b".": ".", b"?": "."}
_EXONS = {"exon", "noncoding_exon", "pseudogenic_exon"}


class Row(NamedTuple):
    """A feature: its kind for us, its type in the file, where it lies, its attributes."""

    kind: str
    type: str
    piece: Piece
    text: str


def feature_rows(path: str | os.PathLike[str], *, exons: bool, circular: set[str]) -> Iterator[Row]:
    """Yield the features that genes, transcripts and coding sequences are made of.

    Parameters
    ----------
    path
        The file, packed or not.
    exons
        Whether exons are among them.
    circular
        Contigs known to be circular; takes in those that the file calls so.

    Raises
    ------
    InputError
        A line cannot be read, or there is no feature at all.
    """
    kinds: dict[bytes, str] = {}
    names: dict[bytes, str] = {}
    n = 0
    for number, line in numbered_lines(path):
        if line.startswith((b"#", b">")):
            # Prokka and others append the genome itself.
            if line.startswith((b"##FASTA", b">")):
                break
            continue
        columns = line.rstrip(b"\r\n").split(b"\t")
        if len(columns) != _COLUMNS:
            if line.strip():
                raise _wrong_columns(path, number, len(columns), line)
            continue
        n += 1
        kind = kinds.get(columns[2])
        if kind is None:
            kind = kinds[columns[2]] = kind_of(columns[2].decode("ascii", "replace"))
        if b"Is_circular=true" in columns[8]:
            circular.add(columns[0].decode("utf-8", "replace"))
        if kind == "other" or (kind == "exon" and not exons):
            continue
        seqid = names.get(columns[0]) or names.setdefault(columns[0], _decode(path, number, columns[0]))
        piece = _piece(path, number, seqid, columns)
        if piece.start > piece.end and seqid not in circular:
            problem = f"start {piece.start} is behind end {piece.end}. If {seqid!r} is a circle and this feature lies over its"
            raise bad_line(path, number, f"{problem} origin, pass circular=[{seqid!r}].")
        yield Row(kind, columns[2].decode("ascii", "replace"), piece, _decode(path, number, columns[8]))
    if not n:
        msg = f"{path} holds no feature: no line has the {_COLUMNS} columns of GTF and GFF3, separated by tabs."
        raise InputError(msg)


def kind_of(feature: str) -> str:
    """Sort types of features into `gene`, `transcript`, `exon`, `cds`, `stop` and `other`.

    Examples
    --------
    >>> [kind_of(name) for name in ("ncRNA_gene", "lnc_RNA", "V_gene_segment", "CDS", "five_prime_UTR")]
    ['gene', 'transcript', 'transcript', 'cds', 'other']
    """
    if feature in ("gene", "pseudogene") or feature.endswith("_gene"):
        return "gene"
    if feature in _EXONS:
        return "exon"
    if feature in ("CDS", "stop_codon"):
        return "cds" if feature == "CDS" else "stop"
    if feature.lower().endswith(("rna", "transcript", "gene_segment")):
        return "transcript"
    return "other"


def refuse_without(path: str | os.PathLike[str], line: int, key: str, attributes: Mapping[str, str]) -> NoReturn:
    """Refuse a feature without identifier."""
    shown = ", ".join(list(attributes)[:8]) or "none that can be read"
    raise bad_line(path, line, f"the attribute {key} is missing or empty. Attributes there: {shown}.")


def refuse_second(path: str | os.PathLike[str], line: int, what: str, name: str, first: int) -> NoReturn:
    """Refuse an identifier that stands for two things."""
    raise bad_line(path, line, f"the {what} {name!r} stands in line {first} already. Give one of them another id.")


def _piece(path: str | os.PathLike[str], line: int, seqid: str, columns: list[bytes]) -> Piece:
    try:
        start, end = int(columns[3]), int(columns[4])
    except ValueError:
        shown = " and ".join(repr(value.decode("utf-8", "replace")) for value in columns[3:5])
        raise bad_line(path, line, f"start and end must be whole numbers, but are {shown}.") from None
    if start < 1 or end < 1:
        raise bad_line(path, line, f"start is {start} and end {end}, but coordinates count from 1.")
    strand = _STRANDS.get(columns[6])
    if strand is None:
        shown = columns[6].decode("utf-8", "replace")
        raise bad_line(path, line, f"the strand is {shown!r}; it must be '+', '-', or '.' where it is not known.")
    return Piece(seqid, start, end, strand, line)


def _decode(path: str | os.PathLike[str], line: int, value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        problem = (
            f"the byte {value[error.start]:#04x} is not UTF-8. Convert the file, for instance with 'iconv -t UTF-8'."
        )
        raise bad_line(path, line, problem) from None


def _wrong_columns(path: str | os.PathLike[str], number: int, n: int, line: bytes) -> InputError:
    hint = "Are there spaces in place of tabs?" if n == 1 else "Is the line whole?"
    shown = line.decode("utf-8", "replace").strip()
    shown = shown if len(shown) <= 60 else f"{shown[:60]}..."
    return bad_line(path, number, f"{n} columns separated by tabs, instead of {_COLUMNS}. {hint} It reads {shown!r}.")
