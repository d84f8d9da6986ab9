"""A genome file: read from end to end, or by its index only where genes lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dnaclip._errors import InputError, MissingDependencyError
from dnaclip._optional import require
from dnaclip.pp._genome.fasta import read_contigs, upper_bases

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterable, Iterator

    from dnaclip.pp._genome.fasta import Contig

__all__ = ["Genome", "IndexedGenome", "LoadedGenome", "StreamedGenome", "open_genome"]


class Genome(Protocol):
    """Contigs, and what their lines say of them."""

    def headers(self) -> dict[str, str]:
        """Names of all contigs, each with the rest of its line."""
        ...

    def contigs(self, wanted: Collection[str]) -> Iterator[Contig]:
        """Yield at least the contigs `wanted`, those that there are."""
        ...


class StreamedGenome:
    """A FASTA file of any kind, read from end to end; the longest contig is in memory."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        self._headers: dict[str, str] | None = None

    def headers(self) -> dict[str, str]:
        """Names of all contigs, each with the rest of its line."""
        if self._headers is None:
            self._headers = {contig.name: contig.header for contig in read_contigs(self._path, names_only=True)}
        return self._headers

    def contigs(self, wanted: Collection[str]) -> Iterator[Contig]:
        """Yield all contigs."""
        headers = {}
        for contig in read_contigs(self._path):
            headers[contig.name] = contig.header
            yield contig
        self._headers = headers


class LoadedGenome:
    """Contigs in memory."""

    def __init__(self, contigs: Iterable[Contig]) -> None:
        self._contigs = list(contigs)

    def headers(self) -> dict[str, str]:
        """Names of all contigs, each with the rest of its line."""
        return {contig.name: contig.header for contig in self._contigs}

    def contigs(self, wanted: Collection[str]) -> Iterator[Contig]:
        """Yield all contigs."""
        yield from self._contigs


@dataclass(frozen=True)
class _IndexedContig:
    name: str
    header: str
    file: Any
    length: int
    own_name: str

    def __len__(self) -> int:
        return self.length

    def bases(self, start: int, end: int) -> bytes:
        bases, wrong = upper_bases(self.file.fetch(self.own_name, start, end).encode())
        if wrong >= 0:
            msg = f"{self.own_name!r} has a letter for no base at {start + wrong + 1}: {chr(bases[wrong])!r}."
            raise InputError(msg)
        return bases


class IndexedGenome:
    """A FASTA file, plain or packed with bgzip, with the index of `samtools faidx`; only the genes are in memory."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        pysam = require("pysam", extra="genomes", purpose="Reading a genome by its index")
        try:
            self._file = pysam.FastaFile(str(path))
        except (OSError, ValueError) as error:
            msg = f"{path} cannot be read by its index ({error}). Delete {path}.fai, or pass index=False."
            raise InputError(msg) from error

    def headers(self) -> dict[str, str]:
        """Names of all contigs; an index has no more of their lines."""
        return dict.fromkeys(self._file.references, "")

    def contigs(self, wanted: Collection[str]) -> Iterator[Contig]:
        """Yield the contigs `wanted`."""
        for name, length in zip(self._file.references, self._file.lengths, strict=True):
            if name in wanted:
                yield _IndexedContig(name, "", self._file, length, name)


def open_genome(path: str | os.PathLike[str], *, index: bool | None = None) -> Genome:
    """Open a FASTA file.

    Parameters
    ----------
    path
        FASTA file: plain, or packed with gzip or bgzip.
    index
        Whether to read by the index `.fai` (and `.gzi` of a packed file) beside it, which pysam makes if need be. `None`
        does so if an up-to-date index and pysam are there.

    Raises
    ------
    InputError
        An index is asked for, and the file cannot have one.
    MissingDependencyError
        An index is asked for without pysam.
    """
    if index is False:
        return StreamedGenome(path)
    path = Path(path)
    if index is None:
        if not _is_indexed(path):
            return StreamedGenome(path)
        try:
            return IndexedGenome(path)
        except MissingDependencyError:
            return StreamedGenome(path)
    if not _is_indexed(path):
        _make_index(path)
    return IndexedGenome(path)


def _is_indexed(path: Path) -> bool:
    """Whether an index lies beside the file that is not older."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    needed = [Path(f"{path}.fai"), *([Path(f"{path}.gzi")] if packed else [])]
    return all(each.is_file() and each.stat().st_mtime_ns >= path.stat().st_mtime_ns for each in needed)


def _make_index(path: Path) -> None:
    pysam = require("pysam", extra="genomes", purpose="Making the index of a genome")
    # A plain read tells in which line the file is broken; what makes the index does not.
    for stale in (Path(f"{path}.fai"), Path(f"{path}.gzi")):
        stale.unlink(missing_ok=True)
    try:
        pysam.faidx(str(path))
    except (OSError, pysam.SamtoolsError) as error:
        msg = (
            f"{path} cannot have an index ({' '.join(str(error).split())}). A packed file must be packed with bgzip, not "
            f"gzip: 'gunzip -c {path.name} | bgzip > new.fa.gz'. With index=False it is read from end to end."
        )
        raise InputError(msg) from error
