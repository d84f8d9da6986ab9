"""Keep fetched files: checked before they get their name, fetched once however many processes ask."""

from __future__ import annotations

import glob
import logging
import os
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from dnaclip._errors import DownloadError
from dnaclip.datasets._names import check_file
from dnaclip.datasets._settings import CACHE_VARIABLE, MIRROR_VARIABLE, OFFLINE_VARIABLE, cache_folder, offline
from dnaclip.datasets._transfer import TransferError, show, transfer

if TYPE_CHECKING:
    from dnaclip.datasets._expected import Expected

__all__ = ["cached", "problem_of"]

logger = logging.getLogger(__name__)

# Seconds before the second and the third attempt.
PAUSES = (0.5, 2.0)

_ABSENT = "it is not there"

# Files read and found right in this process: path to what identifies that state of the file.
_right: dict[Path, tuple[object, ...]] = {}


def cached(file: str, source: str | Path, expected: Expected | None, *, progress: bool) -> Path:
    """Return a file of the cache folder, fetching it when it is absent or wrong.

    Parameters
    ----------
    file
        Its place below the cache folder, `/` between the parts.
    source
        An http(s) address, or a path.
    expected
        What the file must be. None: not known, so it is fetched anew each time the network may be used.
    progress
        Whether to show a progress bar.

    Raises
    ------
    DownloadError
        It is not there and cannot be fetched. No part of it is left.
    """
    target = cache_folder() / check_file(file, what="the name of a cached file")
    if expected is None and target.is_file() and not isinstance(source, Path) and offline():
        return target
    problem = problem_of(target, expected)
    # No lock for looking: files only ever take their name when they are complete.
    if not problem:
        return target
    if problem != _ABSENT and expected is not None:
        logger.warning("%s is damaged (%s) and will be fetched again.", target, problem)
    if offline() and not isinstance(source, Path):
        _refuse_offline(file, target, source, expected, problem)
    try:
        _fetch_locked(file, target, source, expected, progress=progress)
    except TransferError as error:
        _refuse(file, target, source, expected, error)
    except OSError as error:
        msg = (
            f"{target.name!r} could not be written to {str(target.parent)!r} ({error.strerror or error}). "
            f"Set {CACHE_VARIABLE} to a folder that you can write to and that has room."
        )
        raise DownloadError(msg) from error
    return target


def problem_of(path: Path, expected: Expected | None) -> str:
    """Say what is wrong with a file, nothing when it is right; it is read once per process and after each change."""
    if expected is None:
        return _ABSENT
    try:
        if not path.is_file():
            return _ABSENT
        state = path.stat()
        known = (expected, state.st_size, state.st_mtime_ns, state.st_ino)
        if _right.get(path) == known:
            return ""
        problem = expected.problem_of(path)
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    if not problem:
        _right[path] = known
    return problem


def _fetch_locked(file: str, target: Path, source: str | Path, expected: Expected | None, *, progress: bool) -> None:
    from filelock import FileLock, Timeout

    locks = cache_folder() / ".locks"
    locks.mkdir(parents=True, exist_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(locks / f"{file.replace('/', '~')}.lock")
    try:
        lock.acquire(timeout=0.5)
    except Timeout:
        logger.info("Waiting for another process that fetches %s.", target.name)
        lock.acquire()
    try:
        # Another process may have fetched it while this one waited.
        if problem_of(target, expected):
            # We hold the lock, so a part of this file that lies here belongs to a process that was killed.
            for orphan in target.parent.glob(f".{glob.escape(target.name)}~*.part"):
                orphan.unlink(missing_ok=True)
            _fetch(target, source, expected, progress=progress)
    finally:
        lock.release()


def _fetch(target: Path, source: str | Path, expected: Expected | None, *, progress: bool) -> None:
    logger.info("Fetching %s from %s.", target.name, show(source))
    for pause in (*PAUSES, None):
        try:
            _attempt(target, source, expected, progress=progress)
        except TransferError as error:
            if pause is None or not error.again or isinstance(source, Path):
                raise
            logger.info("%s: %s. Trying again.", target.name, error.reason)
            time.sleep(pause)
        else:
            return


def _attempt(target: Path, source: str | Path, expected: Expected | None, *, progress: bool) -> None:
    part = target.with_name(f".{target.name}~{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as file:
            transfer(source, file, expected, progress=progress, label=target.name)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _refuse_offline(file: str, target: Path, source: str, expected: Expected | None, problem: str) -> NoReturn:
    known = f" ({expected.describe()})" if expected else ""
    msg = (
        f"{target.name!r}{known} is needed and {OFFLINE_VARIABLE} forbids to fetch it from {show(source)}; "
        f"at {str(target)!r} {problem}. Unset {OFFLINE_VARIABLE}, or put the file there by hand, "
        f"or set {MIRROR_VARIABLE} to a folder that holds {file!r}."
    )
    raise DownloadError(msg)


def _refuse(file: str, target: Path, source: str | Path, expected: Expected | None, error: TransferError) -> NoReturn:
    known = f" ({expected.describe()})" if expected else ""
    msg = (
        f"{target.name!r}{known} could not be fetched from {show(source)}: {error.reason}. {error.advice} "
        f"You can also put the file at {str(target)!r} by hand, "
        f"or set {MIRROR_VARIABLE} to an address or a folder that holds {file!r}."
    )
    raise DownloadError(msg) from None
