"""What every source is read into: statements about a gene, under all names that the source has for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dnaclip.pp._genome.lines import bad_line, numbered_lines

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

__all__ = ["KINDS", "Source", "Statement", "cross_reference", "table_rows"]

# From the richest to the poorest.
KINDS = ("summary", "function", "description", "name")


@dataclass(frozen=True, slots=True)
class Statement:
    """What a source says of one gene.

    `kind` is one of `KINDS`. `ids` are identifiers that are one gene's only (Ensembl, locus tag, MGI, ...), without
    version. `evidence` says what it rests on, in the source's own terms, and `date` when it was last changed.
    """

    kind: str
    text: str
    entrez_id: str = ""
    ids: tuple[str, ...] = ()
    symbol: str = ""
    aliases: tuple[str, ...] = ()
    evidence: str = ""
    accession: str = ""
    date: str = ""


@dataclass(slots=True)
class Source:
    """All statements of one file, and its date."""

    name: str
    path: str
    release: str = ""
    statements: list[Statement] = field(default_factory=list)


def cross_reference(database: str, value: str) -> str:
    """Write an identifier so that it cannot be taken for that of another database: bare numbers get its name.

    Examples
    --------
    >>> cross_reference("MGI", "MGI:87853"), cross_reference("RGD", "620474"), cross_reference("SGD", "S000000001")
    ('MGI:87853', 'RGD:620474', 'S000000001')
    """
    return f"{database}:{value}" if value.isdigit() else value


def table_rows(
    path: str | os.PathLike[str], required: tuple[str, ...], *, what: str, delimiter: str = "\t"
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield line number and cells by column of a table with a head line, which may start with `#`.

    Raises
    ------
    InputError
        A column is missing, a line has too few cells, or the text is not UTF-8; the message names file and line.
    """
    columns: list[str] | None = None
    for number, line in numbered_lines(path):
        try:
            text = line.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise bad_line(path, number, f"the byte {line[error.start]:#04x} is not UTF-8.") from None
        if columns is None:
            names = text.lstrip("#").strip().split(delimiter)
            absent = [name for name in required if name not in names]
            if absent and text.startswith("#") and len(names) == 1:
                continue  # a remark above the head line
            if absent:
                problem = f"this is not {what}: its head line lacks the columns {', '.join(absent)}. It has {', '.join(names[:12])}."
                raise bad_line(path, number, problem)
            columns = names
            continue
        if not text.strip():
            continue
        cells = text.split(delimiter)
        if len(cells) < len(columns):
            raise bad_line(path, number, f"{len(cells)} cells instead of {len(columns)}. Is the line whole?")
        yield number, dict(zip(columns, cells, strict=False))
    if columns is None:
        raise bad_line(path, 1, f"this is not {what}: it has no head line.")
