"""Atlases of blood cells of many donors, summed into profiles while they are read: the cells never come into memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnaclip._docs import share_docs
from dnaclip._errors import InputError
from dnaclip._pseudobulk import check_columns, group_profiles
from dnaclip.datasets._registry import get_asset
from dnaclip.datasets._screens import fetch_large, source_of

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import anndata

__all__ = ["aida", "onek1k"]

# The size of the file of OneK1K is not published exactly.
BYTES_OF_ONEK1K = 4.2e9

# What the two functions have in common.
GROUPING = """
groupby
    Column of `obs`, or several, by which cells are summed.
donor_key
    `"donor_id"` for a profile for each donor and group.
min_cells
    Groups of fewer cells are left out.
target_sum
    Counts that each profile is scaled to, before log(1 + x).
path
    A copy of the file on this machine.
"""
PROFILES = """
Returns
-------
Groups by genes (Ensembl ids), as :func:`dnaclip.tl.pseudobulk` gives them, with `layers["sum"]`, `obs["n_cells"]` and,
in `uns["dataset"]`, where the file comes from.
"""


@share_docs(grouping=GROUPING, profiles=PROFILES)
def onek1k(
    groupby: str | Sequence[str] = "cell_type",
    donor_key: str | None = None,
    *,
    min_cells: int = 10,
    target_sum: float = 1e6,
    path: str | os.PathLike[str] | None = None,
    confirm_large: bool = False,
    progress: bool = True,
) -> anndata.AnnData:
    """Profiles of the blood cells of a thousand donors :cite:p:`Yazar2022`: OneK1K, the file of CELLxGENE.

    About 1.2 million cells, 4.2 GB on disk; they are read in blocks of some hundred cells.

    Parameters
    ----------
    {grouping}
    confirm_large
        Fetch the file also when it is above 8 GB.
    progress
        Whether to show a progress bar.

    {profiles}

    Raises
    ------
    DownloadError
        The file cannot be fetched, or is not the right one.
    InputError
        The file cannot be read, or holds no counts.
    MissingKeyError
        A column is absent.

    Examples
    --------
    >>> from dnaclip.datasets import list_assets
    >>> list_assets().loc["onek1k", ["kind", "species"]].tolist()
    ['dataset', 'human']
    """
    options: dict[str, Any] = {
        "min_cells": min_cells,
        "target_sum": target_sum,
        "confirm_large": confirm_large,
        "progress": progress,
    }
    return _load("onek1k", BYTES_OF_ONEK1K, groupby, donor_key, path, **options)


@share_docs(grouping=GROUPING, profiles=PROFILES)
def aida(
    groupby: str | Sequence[str] = "cell_type",
    donor_key: str | None = None,
    *,
    min_cells: int = 10,
    target_sum: float = 1e6,
    path: str | os.PathLike[str] | None = None,
    confirm_large: bool = False,
    progress: bool = True,
) -> anndata.AnnData:
    """Profiles of the blood cells of the Asian Immune Diversity Atlas, version 2 :cite:p:`Kock2025`: the file of CELLxGENE.

    The file has 14.2 GB, so it is fetched only with `confirm_large=True`; it is read in blocks of some hundred cells. No
    checksum is published, so the first copy is trusted, and the log says so.

    Parameters
    ----------
    {grouping}
    confirm_large
        Fetch the file although it is large.
    progress
        Whether to show a progress bar.

    {profiles}

    Raises
    ------
    DownloadError
        The file cannot be fetched, or is not the right one.
    InputError
        The file is large and `confirm_large` is not set, cannot be read, or holds no counts.
    MissingKeyError
        A column is absent.

    Examples
    --------
    >>> from dnaclip.datasets import aida
    >>> aida()
    Traceback (most recent call last):
        ...
    dnaclip._errors.InputError: 'aida-v2' is 14.2 GB and would be written to ...
    """
    options: dict[str, Any] = {
        "min_cells": min_cells,
        "target_sum": target_sum,
        "confirm_large": confirm_large,
        "progress": progress,
    }
    return _load("aida-v2", None, groupby, donor_key, path, **options)


def _load(
    name: str,
    n_bytes: float | None,
    groupby: str | Sequence[str],
    donor_key: str | None,
    path: str | os.PathLike[str] | None,
    *,
    min_cells: int,
    target_sum: float,
    confirm_large: bool,
    progress: bool,
) -> anndata.AnnData:
    import anndata as ad

    asset = get_asset(name)
    if path is None:
        place = fetch_large(asset, asset.bytes or n_bytes or 0, confirm_large=confirm_large, progress=progress)
    else:
        place = Path(path)
    try:
        cells = ad.read_h5ad(place, backed="r")
    except (OSError, KeyError, ValueError) as error:
        msg = f"{str(place)!r} cannot be read as an h5ad file: {error}"
        raise InputError(msg) from error
    try:
        columns = check_columns(cells.obs, groupby, donor_key, min_cells, target_sum)
        # Counts stand in raw where X holds something else, as is the rule of CELLxGENE.
        counts: Any = cells if cells.raw is None else cells.raw
        profiles = group_profiles(
            counts.X, cells.obs[columns], counts.var_names, min_cells=min_cells, target_sum=target_sum
        )
        if not profiles.counts:
            msg = f"{str(place)!r} holds no counts, neither in raw nor in X."
            raise InputError(msg)
        return ad.AnnData(
            profiles.values,
            obs=profiles.labels,
            var=counts.var.copy(),
            layers={"sum": profiles.sums},
            uns={"dataset": source_of(asset)},
        )
    finally:
        cells.file.close()
