"""Fetch a species' sequences from Ensembl, checked against the list of checksums that Ensembl publishes beside them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from dnaclip._errors import DownloadError, examples
from dnaclip.datasets._cache import cached
from dnaclip.datasets._expected import Expected
from dnaclip.datasets._names import check_name
from dnaclip.datasets._settings import mirror, parse_base
from dnaclip.datasets._transfer import show

if TYPE_CHECKING:
    import os

__all__ = ["ENSEMBL", "ensembl_base", "fetch_sequences", "parse_checksums"]

ENSEMBL = "https://ftp.ensembl.org/pub"
_ENDINGS = {"cds": ".cds.all.fa.gz", "cdna": ".cdna.all.fa.gz", "ncrna": ".ncrna.fa.gz"}


def ensembl_base(base_url: str | os.PathLike[str] | None) -> str | Path:
    """Where Ensembl's releases lie: what the user says, or `ensembl` below `DNACLIP_MIRROR`, or Ensembl itself."""
    if base_url is not None:
        return parse_base(base_url, setting="base_url")
    elsewhere = mirror()
    return _join(elsewhere, "ensembl") if elsewhere else ENSEMBL


def fetch_sequences(folder: str, kind: str, *, release: int, base: str | Path, progress: bool) -> Path:
    """Fetch one of a species' FASTA files.

    The assembly stands in the file's name and changes between releases, so the name is looked up in the list of
    checksums.

    Parameters
    ----------
    folder
        Species as Ensembl names it.
    kind
        `"cds"`, `"cdna"` or `"ncrna"`.

    Returns
    -------
    Path in the cache folder, checked.

    Raises
    ------
    dnaclip._errors.DownloadError
        The list or the file cannot be had, or they do not fit together.
    """
    place = f"release-{release}/fasta/{folder}/{kind}"
    try:
        listing = cached(f"ensembl/{place}/CHECKSUMS", _join(base, f"{place}/CHECKSUMS"), None, progress=False)
    except DownloadError as error:
        msg = f"{error} Does Ensembl release {release} have {folder!r}? See {show(base)}/release-{release}/fasta."
        raise DownloadError(msg) from None
    known = parse_checksums(listing.read_text(encoding="utf-8", errors="replace"))
    names = [name for name in known if name.endswith(_ENDINGS[kind])]
    if len(names) != 1:
        # It would be believed offline.
        listing.unlink(missing_ok=True)
        msg = (
            f"CHECKSUMS in {show(base)}/{place} must name one file that ends in {_ENDINGS[kind]!r}, "
            f"but names {examples(names) or 'none'}; it lists {len(known)} files: {examples(known) or 'none'}."
        )
        raise DownloadError(msg)
    file = check_name(names[0], what="the name of a sequence file")
    return cached(f"ensembl/{place}/{file}", _join(base, f"{place}/{file}"), known[file], progress=progress)


def parse_checksums(text: str) -> dict[str, Expected]:
    """Read lines of checksum, number of 1024-byte blocks and file name, as the Unix command `sum` prints them.

    Examples
    --------
    >>> parse_checksums("55610 198719 Homo_sapiens.GRCh38.cds.all.fa.gz")[
    ...     "Homo_sapiens.GRCh38.cds.all.fa.gz"
    ... ].describe()
    '198719 blocks of 1024 bytes, sum -r 55610'
    """
    lines = (re.fullmatch(r"(\d{1,5})\s+(\d{1,12})\s+(?:\S*/)?(\S+)", line.strip()) for line in text.splitlines())
    return {line[3]: Expected(line[1].zfill(5), int(line[2]), "sum -r", 1024) for line in lines if line}


def _join(base: str | Path, place: str) -> str | Path:
    return base / place if isinstance(base, Path) else f"{base}/{place}"
