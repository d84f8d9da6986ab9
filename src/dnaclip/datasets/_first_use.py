"""Files of which no checksum is published: that of the first copy is kept beside it, and later copies must be equal."""

from __future__ import annotations

import hashlib
import logging
import re
from typing import TYPE_CHECKING

from dnaclip._errors import DownloadError
from dnaclip._files import write_atomic
from dnaclip.datasets._cache import cached
from dnaclip.datasets._expected import CHUNK, Expected
from dnaclip.datasets._names import check_file
from dnaclip.datasets._settings import cache_folder

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["cached_on_trust"]

logger = logging.getLogger(__name__)

_LINE = re.compile(r"([0-9a-f]{64})  \S+\n?")


def cached_on_trust(file: str, source: str | Path, size: int | None, *, progress: bool) -> Path:
    """Return a file of the cache folder of which no checksum is known, fetching it when it is absent.

    Its first copy is trusted. The SHA-256 is written to `<file>.sha256` beside it, in the form that the command
    `sha256sum -c` reads, and a warning says so. From then on only a file with this checksum is accepted.

    Parameters
    ----------
    file
        Its place below the cache folder, `/` between the parts.
    source
        An http(s) address, or a path.
    size
        Bytes; None when not known.
    progress
        Whether to show a progress bar.

    Raises
    ------
    DownloadError
        It cannot be fetched, or it is not the file that was fetched first.
    """
    target = cache_folder() / check_file(file, what="the name of a cached file")
    record = target.with_name(f"{target.name}.sha256")
    first = _read(record)
    try:
        path = cached(file, source, Expected(first, size), progress=progress)
    except DownloadError as error:
        if not first:
            raise
        msg = (
            f"{error} Nobody publishes a checksum of this file, so it is compared with the first copy that came to this "
            f"machine. If there is a new version that you trust, delete {str(record)!r}."
        )
        raise DownloadError(msg) from error
    if not first:
        with path.open("rb") as content:
            digest = hashlib.sha256()
            while chunk := content.read(CHUNK):
                digest.update(chunk)
        write_atomic(record, f"{digest.hexdigest()}  {path.name}\n".encode())
        logger.warning(
            "No checksum of %s is published, so this first copy is trusted. Its SHA-256 is %s; it is kept in %s, and later "
            "copies must have it too.",
            path.name,
            digest.hexdigest(),
            record,
        )
    return path


def _read(record: Path) -> str:
    """Return the checksum in a record, nothing if there is no record."""
    try:
        line = record.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        line = str(error)
    match = _LINE.fullmatch(line)
    if match is None:
        msg = f"{str(record)!r} should hold the SHA-256 of a file and its name, and does not. Delete it to start anew."
        raise DownloadError(msg)
    return match[1]
