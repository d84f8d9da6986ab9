"""The three environment variables that say where data come from and where they are kept."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from dnaclip._errors import InputError

__all__ = ["CACHE_VARIABLE", "MIRROR_VARIABLE", "OFFLINE_VARIABLE", "cache_folder", "mirror", "offline", "parse_base"]

CACHE_VARIABLE = "DNACLIP_DATA_DIR"
MIRROR_VARIABLE = "DNACLIP_MIRROR"
OFFLINE_VARIABLE = "DNACLIP_OFFLINE"

_YES = ("1", "true", "yes", "on")
_NO = ("", "0", "false", "no", "off")


def cache_folder() -> Path:
    """Folder that keeps fetched files: `DNACLIP_DATA_DIR`, or the usual cache of the operating system."""
    import pooch

    # Read at each call, so that a change of the variable inside a session counts.
    chosen = os.environ.get(CACHE_VARIABLE, "").strip()
    return Path(chosen).expanduser().absolute() if chosen else Path(pooch.os_cache("dnaclip"))


def mirror() -> str | Path | None:
    """Where every file is taken from in place of its public address: `DNACLIP_MIRROR`, or None."""
    chosen = os.environ.get(MIRROR_VARIABLE, "").strip()
    return parse_base(chosen, setting=MIRROR_VARIABLE) if chosen else None


def offline() -> bool:
    """Whether `DNACLIP_OFFLINE` forbids the network."""
    value = os.environ.get(OFFLINE_VARIABLE, "").strip().lower()
    if value not in _YES + _NO:
        msg = f"{OFFLINE_VARIABLE}={value!r} is not understood. Use 1 to forbid the network, or 0 (or nothing) to allow it."
        raise InputError(msg)
    return value in _YES


def parse_base(text: str | os.PathLike[str], *, setting: str) -> str | Path:
    """Read an http(s) address or an existing folder below which files are found.

    Raises
    ------
    InputError
        It is neither. The message names `setting`, and never shows the address: it may hold a password.
    """
    text = os.fspath(text).strip()
    if text.lower().startswith(("http://", "https://")):
        parts = urlsplit(text)
        if not parts.hostname or parts.query or parts.fragment:
            msg = f"{setting} must be a plain address such as https://host/folder, without '?' or '#'."
            raise InputError(msg)
        return text.rstrip("/")
    folder = Path(text).expanduser()
    if "://" in text or not folder.is_dir():
        msg = f"{setting} must be an http(s) address or an existing folder; only these two are read."
        raise InputError(msg if "://" in text else f"{msg} There is no folder {str(folder)!r}.")
    return folder.absolute()
