"""What a FASTA file holds, checked whole before anything costly begins."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dnaclip._errors import InputError, examples
from dnaclip._fasta import read_records, refuse_fasta

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

__all__ = ["Contents", "survey"]

_BLOCK = 1 << 20  # letters checked together


@dataclass(frozen=True)
class Contents:
    """What a FASTA file holds, without the sequences.

    Attributes
    ----------
    ids
        First word of each header.
    lengths
        Letters of each sequence.
    sha256
        Of identifiers and sequences: the same however lines are broken or the file is packed.
    """

    ids: list[str]
    lengths: list[int]
    sha256: str


def survey(path: str | os.PathLike[str], check: Callable[[Sequence[str]], None]) -> Contents:
    """Read a file once and check it whole, before anything costly begins.

    Parameters
    ----------
    path
        FASTA file.
    check
        Called with some sequences at a time; what it raises is raised with the name of the record.

    Raises
    ------
    InputError
        The file is no whole FASTA file, holds nothing, names a record twice, or has a record without a sequence or with what
        is no letter.
    """
    lengths: dict[str, int] = {}
    twice: list[str] = []
    digest = hashlib.sha256()
    block, letters = dict[str, str](), 0
    for name, sequence in read_records(path):
        if name in lengths:
            twice.append(name)
        lengths[name] = len(sequence)
        if not sequence:
            refuse_fasta(path, f"the record {name!r} has no sequence.")
        if not sequence.replace("*", "").isalpha():
            strange = sorted({letter for letter in sequence if not letter.isalpha() and letter != "*"})
            refuse_fasta(path, f"the record {name!r} holds {examples(strange)}, which are no bases or residues.")
        block[name], letters = sequence, letters + len(sequence)
        if letters > _BLOCK:
            _check(path, block, check)
            block, letters = {}, 0
        digest.update(f">{name}\n{sequence}\n".encode())
    _check(path, block, check)
    if twice:
        refuse_fasta(path, f"{len(twice)} records have a name that came before: {examples(twice)}. Give each its own.")
    if not lengths:
        refuse_fasta(path, "it holds no record.")
    return Contents(list(lengths), list(lengths.values()), digest.hexdigest())


def _check(path: str | os.PathLike[str], block: dict[str, str], check: Callable[[Sequence[str]], None]) -> None:
    """Check sequences together, which is quicker, and one by one only to name the one that is refused."""
    try:
        check(list(block.values()))
    except InputError:
        for name, sequence in block.items():
            try:
                check([sequence])
            except InputError as error:
                refuse_fasta(path, f"the record {name!r} cannot be encoded. {error}")
        raise
