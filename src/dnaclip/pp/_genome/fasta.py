"""Read a genome contig by contig: no more of it is in memory than one contig."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

from dnaclip._errors import InputError
from dnaclip.pp._genome.lines import bad_line, open_bytes, unreadable

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

__all__ = ["Contig", "LoadedContig", "read_contigs", "upper_bases"]

_CHUNK = 4 << 20
_BASES = b"ACGTNRYSWKMBDHVacgtnryswkmbdhvUu"
_TO_UPPER = bytes(range(256)).upper().replace(b"U", b"T")
_SPACE = b"\r\n\t "


class Contig(Protocol):
    """A contig of the genome: a chromosome, a scaffold, a plasmid.

    `header` is what its line says after the name.
    """

    @property
    def name(self) -> str: ...
    @property
    def header(self) -> str: ...
    def __len__(self) -> int: ...
    def bases(self, start: int, end: int) -> bytes:
        """Upper-case bases from `start` up to, not including, `end`, counted from 0."""
        ...


@dataclass(frozen=True)
class LoadedContig:
    """A contig in memory."""

    name: str
    header: str
    sequence: bytes

    def __len__(self) -> int:
        return len(self.sequence)

    def bases(self, start: int, end: int) -> bytes:
        """Upper-case bases from `start` up to, not including, `end`, counted from 0."""
        return self.sequence[start:end]


def read_contigs(path: str | os.PathLike[str], *, names_only: bool = False) -> Iterator[LoadedContig]:
    """Yield the contigs of a FASTA file, packed or not, in upper case and with T for U.

    A GFF3 file with the genome behind `##FASTA` is read as well.

    Parameters
    ----------
    path
        The file.
    names_only
        Leave the sequences out.

    Raises
    ------
    InputError
        It is no FASTA file, is cut off, or a name comes twice; the message names the line.
    """
    seen: dict[str, int] = {}
    name, header, parts = "", "", list[bytes]()
    line = 1
    with open_bytes(path) as file:
        try:
            for is_header, text in _tokens(file):
                if is_header:
                    if seen:
                        yield LoadedContig(name, header, b"".join(parts))
                    name, header = _split_header(path, line, text, seen)
                    parts = []
                    line += 1
                    continue
                if not seen:
                    _check_before_first(path, text)
                elif not names_only:
                    parts.append(_bases(path, line, text))
                line += text.count(b"\n")
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise unreadable(path, line - 1, error) from error
    if not seen:
        msg = f"{path} holds no sequence: no line starts with '>'."
        raise InputError(msg)
    yield LoadedContig(name, header, b"".join(parts))


def _tokens(file: BinaryIO) -> Iterator[tuple[bool, bytes]]:
    """Yield header lines, without `>` and line end, and what stands between them in blocks."""
    header: list[bytes] | None = None
    at_start = True
    while block := file.read(_CHUNK):
        here = 0
        while here < len(block):
            if header is not None:
                end = block.find(b"\n", here)
                header.append(block[here : end if end >= 0 else None])
                if end < 0:
                    break
                yield True, b"".join(header)
                header, at_start, here = None, True, end + 1
            elif at_start and block[here] == ord(">"):
                header, here = [], here + 1
            else:
                end = block.find(b"\n>", here)
                end = end + 1 if end >= 0 else len(block)
                yield False, block[here:end]
                at_start, here = block[end - 1] == ord("\n"), end
    if header is not None:
        yield True, b"".join(header)


def _split_header(path: str | os.PathLike[str], line: int, text: bytes, seen: dict[str, int]) -> tuple[str, str]:
    name, _, header = text.decode("utf-8", "replace").strip().partition(" ")
    if not name:
        raise bad_line(path, line, "there is no name behind '>'.")
    if name in seen:
        raise bad_line(path, line, f"the name {name!r} stands in line {seen[name]} already.")
    seen[name] = line
    return name, header


def _check_before_first(path: str | os.PathLike[str], text: bytes) -> None:
    """Let a GFF3 file's features pass, but nothing else but blank lines."""
    if text.strip() and not text.startswith(b"##gff-version") and b"\n##FASTA" not in text:
        shown = text.lstrip()[:50].decode("utf-8", "replace").splitlines()[0]
        raise bad_line(path, 1, f"this is no FASTA file, whose first letter is '>'. It starts with {shown!r}.")


def upper_bases(text: bytes) -> tuple[bytes, int]:
    """Take white space out, write in upper case and with T for U.

    Returns
    -------
    The bases, and the position in `text` of the first byte that is none, or -1.
    """
    clean = text.translate(_TO_UPPER, _SPACE)
    foreign = clean.translate(None, _BASES)
    if not foreign:
        return clean, -1
    same = (foreign[:1], foreign[:1].lower())
    return clean, min(i for i in map(text.find, same) if i >= 0)


def _bases(path: str | os.PathLike[str], line: int, text: bytes) -> bytes:
    clean, wrong = upper_bases(text)
    if wrong >= 0:
        letter = text[wrong : wrong + 1].decode("latin-1")
        shown = repr(letter) if letter.isprintable() and letter.isascii() else f"byte {text[wrong]:#04x}"
        hint = " Is this a file of proteins?" if letter.upper() in "EFILPQ*" else ""
        problem = f"{shown} is no letter for a base of DNA.{hint}"
        raise bad_line(path, line + text[:wrong].count(b"\n"), problem)
    return clean
