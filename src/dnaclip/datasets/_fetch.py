"""Get a registered file: bundled with the package, kept from an earlier time, or fetched and checked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dnaclip._errors import DownloadError
from dnaclip.datasets._cache import cached, problem_of
from dnaclip.datasets._first_use import cached_on_trust
from dnaclip.datasets._registry import assets_of_group, get_asset, load_registry
from dnaclip.datasets._settings import MIRROR_VARIABLE, cache_folder, mirror

if TYPE_CHECKING:
    from dnaclip.datasets._registry import Asset

__all__ = ["fetch", "fetch_asset", "fetch_group"]

BUNDLED = Path(__file__).with_name("bundled")


def fetch(name: str, *, progress: bool = True) -> Path:
    """Return the path of a registered file, fetching it first if need be.

    A file that comes with the package is used from there. Any other is kept in the folder `DNACLIP_DATA_DIR` (by
    default the cache of the operating system) and fetched once, from `DNACLIP_MIRROR` (an http(s) address or a folder)
    if that is set and otherwise from its public address; `DNACLIP_OFFLINE=1` forbids the network. Size and checksum are
    checked wherever it comes from, at its first use in a process: SHA-256, or for data sets of others what is published.
    Of those without any checksum the first copy is trusted, with a warning, and later ones must be equal to it. Any
    number of processes may ask at once.

    Parameters
    ----------
    name
        Name of the file as in :func:`list_assets`.
    progress
        Whether to show a progress bar.

    Returns
    -------
    Where the file is. Do not change it.

    Raises
    ------
    dnaclip._errors.DownloadError
        The file is not here and cannot be had, or what came is not the file. No part of it is left.
    dnaclip._errors.MissingKeyError
        There is no asset of this name.
    dnaclip._errors.InputError
        `name` is not a plain name, or an environment variable has an unusable value.

    Examples
    --------
    >>> from dnaclip.datasets import fetch
    >>> fetch("all-MiniLM-L6-v2.config")
    Traceback (most recent call last):
        ...
    dnaclip._errors.MissingKeyError: There is no asset 'all-MiniLM-L6-v2.config'. Near names: ...
    """
    asset = get_asset(name)
    if (BUNDLED / asset.file).is_file():
        return _bundled(asset)
    return fetch_asset(asset, progress=progress)


def fetch_group(name: str, *, progress: bool = True) -> Path:
    """Return the folder of a group of registered files (a model, a text encoder), fetching what is missing.

    Parameters
    ----------
    name
        Name of the group as in the column `group` of :func:`list_assets`.
    progress
        Whether to show progress bars.

    Returns
    -------
    The folder that holds all files of the group. Do not change it.

    Raises
    ------
    dnaclip._errors.DownloadError
        A file is not here and cannot be had, or what came is not the file.
    dnaclip._errors.MissingKeyError
        There is no group of this name.
    dnaclip._errors.InputError
        `name` is not a plain name, or an environment variable has an unusable value.

    Examples
    --------
    >>> from dnaclip.datasets import fetch_group
    >>> fetch_group("word2vec")
    Traceback (most recent call last):
        ...
    dnaclip._errors.MissingKeyError: There is no group of assets 'word2vec'. There are: ...
    """
    members = assets_of_group(name)
    if all((BUNDLED / asset.file).is_file() for asset in members):
        for asset in members:
            _bundled(asset)
        return BUNDLED / name
    for asset in members:
        fetch_asset(asset, progress=progress)
    return cache_folder() / name


def _bundled(asset: Asset) -> Path:
    path = BUNDLED / asset.file
    problem = problem_of(path, asset.expected)
    if problem:
        msg = (
            f"The file {str(path)!r} that comes with dnaclip is damaged: {problem}. "
            "Install dnaclip again: pip install --force-reinstall --no-deps dnaclip"
        )
        raise DownloadError(msg)
    return path


def fetch_asset(asset: Asset, *, progress: bool) -> Path:
    """Return the local copy of an asset that is not bundled, registered or not."""
    elsewhere = mirror()
    source: str | Path | None
    if isinstance(elsewhere, Path):
        source = elsewhere / asset.file
    else:
        source = f"{elsewhere}/{asset.file}" if elsewhere else load_registry().url(asset)
    if source and not asset.expected.checksum:
        return cached_on_trust(asset.file, source, asset.bytes, progress=progress)
    if source:
        return cached(asset.file, source, asset.expected, progress=progress)
    target = cache_folder() / asset.file
    if not problem_of(target, asset.expected):
        return target
    msg = (
        f"{asset.name!r} ({asset.expected.describe()}) does not come with this installation, and the dnaclip project has "
        f"no public address yet to fetch it from. Set {MIRROR_VARIABLE} to an http(s) address or a folder that holds "
        f"{asset.file!r}, or put the file at {str(target)!r}."
    )
    raise DownloadError(msg)
