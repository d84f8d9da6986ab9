"""Find files in the providers' lists of checksums, say how much room they need, and fetch them a few at a time."""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from dnaclip._errors import DownloadError, InputError, examples
from dnaclip.datasets._cache import cached, problem_of
from dnaclip.datasets._ensembl import parse_checksums
from dnaclip.datasets._expected import CHUNK, Expected
from dnaclip.datasets._first_use import cached_on_trust
from dnaclip.datasets._names import check_name
from dnaclip.datasets._settings import cache_folder, offline
from dnaclip.datasets._transfer import ask_size, show

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dnaclip.datasets._genomes.layout import Wanted

__all__ = ["Fetched", "Located", "check_room", "fetch_files", "locate", "parse_metalink"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Located:
    """A file found: its role, its place in the cache, its address, and what it must be (None: nobody says)."""

    role: str
    file: str
    source: str | Path
    expected: Expected | None


@dataclass(frozen=True)
class Fetched:
    """A file that is here, checked."""

    role: str
    path: Path
    url: str
    published: str
    sha256: str
    bytes: int


def locate(wanted: Wanted, bases: Mapping[str, str | Path]) -> Located:
    """Look a file up in its provider's list of checksums, which names the assembly that stands in the file's name.

    Raises
    ------
    DownloadError
        The list cannot be had, or does not name exactly one such file.
    """
    base = bases[wanted.provider]
    file = "/".join(part for part in (wanted.provider, wanted.place) if part)
    if not wanted.listing:
        return Located(wanted.role, f"{file}/{wanted.name}", _join(base, wanted.place, wanted.name), None)
    address = _join(base, wanted.place, wanted.listing)
    listing = cached(f"{file}/{wanted.listing}", address, None, progress=False)
    text = listing.read_text(encoding="utf-8", errors="replace")
    try:
        known = _PARSERS[Path(wanted.listing).suffix](text)
    except ElementTree.ParseError as error:
        listing.unlink(missing_ok=True)
        msg = f"{show(address)} is no list of checksums ({error})."
        raise DownloadError(msg) from error
    names = [name for name in known if re.fullmatch(wanted.name, name)]
    if len(names) != 1:
        # It would be believed offline.
        listing.unlink(missing_ok=True)
        msg = (
            f"{show(address)} must name one file for the {wanted.role}, but names {examples(names) or 'none'}; it lists "
            f"{len(known)} files: {examples(known) or 'none'}."
        )
        raise DownloadError(msg)
    name = check_name(names[0], what="the name of a file")
    return Located(wanted.role, f"{file}/{name}", _join(base, wanted.place, name), known[name])


def parse_metalink(text: str) -> dict[str, Expected]:
    """Read UniProt's list of files with sizes and MD5 sums.

    Examples
    --------
    >>> text = (
    ...     '<metalink><files><file name="a.gz"><size>3</size><verification><hash type="md5">f0</hash></verification>'
    ... )
    >>> parse_metalink(text + "</file></files></metalink>")["a.gz"].describe()
    '3 bytes, md5 f0'
    """
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        msg = "the list of checksums defines entities, which are never needed"
        raise ElementTree.ParseError(msg)
    found = {}
    for element in ElementTree.fromstring(text).iter():
        if _tag(element) != "file" or "name" not in element.attrib:
            continue
        size = next((each.text for each in element.iter() if _tag(each) == "size"), None)
        digest = next(
            (each.text for each in element.iter() if _tag(each) == "hash" and each.get("type") == "md5"), None
        )
        if digest:
            found[element.attrib["name"]] = Expected(digest.strip(), int(size) if size else None, "md5")
    return found


def parse_md5(text: str) -> dict[str, Expected]:
    """Read NCBI's list of MD5 sums, which has no sizes.

    Examples
    --------
    >>> parse_md5("d41d8cd98f00b204e9800998ecf8427e  ./a_genomic.fna.gz")["a_genomic.fna.gz"].algorithm
    'md5'
    """
    lines = (re.fullmatch(r"([0-9a-f]{32})\s+\*?(?:\./)?(\S+)", line.strip()) for line in text.splitlines())
    return {line[2]: Expected(line[1], None, "md5") for line in lines if line}


# By the ending of the list's name.
_PARSERS = {".metalink": parse_metalink, ".txt": parse_md5, "": parse_checksums}


def check_room(files: Sequence[Located], *, at_once: int, more: int = 0) -> int:
    """Say how many bytes will be fetched, and refuse when the disk has no room for them.

    Where no size is published the server is asked, a few files at a time.

    Parameters
    ----------
    files
        What is to be fetched.
    at_once
        How many questions at a time.
    more
        Bytes that will be written, for each byte of the packed genomes, in hundredths.

    Returns
    -------
    Bytes to fetch, as far as they are known.

    Raises
    ------
    InputError
        The disk of the cache folder has less room.
    """
    distinct = list({file.file: file for file in files}.values())
    here = [file for file in distinct if _is_here(file)]
    absent = [file for file in distinct if file not in here]
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        sizes = list(pool.map(_bytes_of, absent))
    needed, unknown = sum(filter(None, sizes)), sizes.count(None)
    packed = sum(size or 0 for file, size in zip(absent, sizes, strict=True) if file.role == "genome")
    packed += sum((cache_folder() / file.file).stat().st_size for file in here if file.role == "genome")
    written = packed * more // 100
    folder = next(each for each in (cache_folder(), *cache_folder().parents) if each.is_dir())
    free = shutil.disk_usage(folder).free
    logger.info(
        "%d of %d files are to be fetched: %s%s. About %s will be written. There is room for %s in %s.",
        len(absent),
        len(distinct),
        _size(needed),
        f", and {unknown} whose size nobody says" if unknown else "",
        _size(written),
        _size(free),
        folder,
    )
    if needed + written > free:
        msg = (
            f"{_size(needed)} are to be fetched and about {_size(written)} to be written, but {str(folder)!r} has room for "
            f"{_size(free)} only. Set DNACLIP_DATA_DIR to a folder on a larger disk, or build fewer species at a time."
        )
        raise InputError(msg)
    return needed


def _is_here(file: Located) -> bool:
    path = cache_folder() / file.file
    return path.is_file() if file.expected is None else not problem_of(path, file.expected)


def _bytes_of(file: Located) -> int | None:
    if file.expected is not None and file.expected.size is not None:
        return file.expected.size * file.expected.unit
    return None if offline() and not isinstance(file.source, Path) else ask_size(file.source)


def fetch_files(files: Sequence[Located], *, at_once: int, progress: bool) -> list[Fetched]:
    """Fetch files, a few at a time; those that are here already are only checked.

    Raises
    ------
    DownloadError
        A file cannot be had, or is not what its provider says. Files that came before stay in the cache.
    """
    distinct = {file.file: file for file in files}
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        futures = {name: pool.submit(_fetch, file, progress=progress) for name, file in distinct.items()}
        try:
            done = {name: future.result() for name, future in futures.items()}
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [Fetched(file.role, *done[file.file]) for file in files]


def _fetch(file: Located, *, progress: bool) -> tuple[Path, str, str, str, int]:
    if file.expected is None:
        path = cached_on_trust(file.file, file.source, None, progress=progress)
        published = ""
    else:
        path = cached(file.file, file.source, file.expected, progress=progress)
        published = f"{file.expected.algorithm} {file.expected.checksum}"
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
    return path, show(file.source), published, digest.hexdigest(), path.stat().st_size


def _join(base: str | Path, *parts: str) -> str | Path:
    for part in parts:
        if part:
            base = base / part if isinstance(base, Path) else f"{base}/{part}"
    return base


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _size(n: int) -> str:
    return f"{n / 1e9:.1f} GB" if n >= 1e9 else f"{n / 1e6:.1f} MB"
