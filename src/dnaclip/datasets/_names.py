"""Which file names are safe to join to the cache folder."""

from __future__ import annotations

import re

from dnaclip._errors import InputError

__all__ = ["check_file", "check_name"]

# Letters, digits and -_. only, never first a dot or last a dot: nothing that a file system or a URL reads as more than
# a name. The length keeps whole paths below the limit of Windows.
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9_-])?")
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(10))}


def check_name(name: object, *, what: str) -> str:
    """Return `name` if it is a plain file name.

    Raises
    ------
    InputError
        It has a separator, `..`, a drive, a control character or the like, or is no string.
    """
    if (
        isinstance(name, str)
        and _NAME.fullmatch(name)
        and ".." not in name
        and name.split(".")[0].lower() not in _DEVICES
    ):
        return name
    shown = repr(name)
    shown = shown if len(shown) <= 120 else f"{shown[:120]}..."
    msg = f"{shown} cannot be {what}: it must be a plain name of at most 100 letters, digits, '-', '_' or single '.'s."
    raise InputError(msg)


def check_file(path: object, *, what: str) -> str:
    """Return `path` if it is one plain name, or several joined by `/`."""
    for part in path.split("/") if isinstance(path, str) else [path]:
        check_name(part, what=what)
    return str(path)
