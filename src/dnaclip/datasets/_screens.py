"""From the file of a perturbation screen to AnnData: only the cells that are wanted come into memory."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._conditions import CONTROL
from dnaclip._errors import InputError
from dnaclip._matrix import expression, not_log_normalised
from dnaclip._validate import as_generator, check_count
from dnaclip.datasets._convert_conditions import convert_conditions
from dnaclip.datasets._fetch import fetch_asset
from dnaclip.datasets._registry import get_asset
from dnaclip.datasets._settings import cache_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import anndata

    from dnaclip.datasets._registry import Asset

__all__ = [
    "SCREEN_OPTIONS",
    "SCREEN_RESULT",
    "check_options",
    "fetch_large",
    "finish",
    "load_screen",
    "read_screen",
    "source_of",
]

logger = logging.getLogger(__name__)

# What the functions that return a screen have in common.
SCREEN_OPTIONS = """
normalize
    Divide by the total of each cell, times 10,000, and take log(1 + x); otherwise the counts are left as stored.
max_cells
    Read at most this many cells of each perturbation, drawn at random; all control cells are kept.
rng
    Seed or generator for that draw.
backed
    Leave the expression on disk. Cells of unknown condition then stay, with NaN.
progress
    Whether to show a progress bar.
"""
SCREEN_RESULT = """
Returns
-------
Cells by genes, with `obs["condition"]` (`ctrl`, `A+ctrl`, `A+B`), `obs["cell_type"]` and, in `uns["dataset"]`, where
the file comes from. Cells whose perturbation was not determined are left out.

Raises
------
DownloadError
    The file cannot be fetched, or is not the right one.
InputError
    Options do not fit, or the file does not hold what it should.
"""

# Files above this are fetched only when the user has said so.
LARGE = 8e9


def load_screen(
    name: str,
    convention: str,
    cell_type: str,
    *,
    normalize: bool,
    max_cells: int | None,
    rng: int | np.random.Generator | None,
    backed: bool,
    progress: bool,
    confirm_large: bool = False,
) -> anndata.AnnData:
    """Fetch a screen of the registry and read it; the options are those of the functions for users."""
    check_options(max_cells, rng, normalize=normalize, backed=backed)
    asset = get_asset(name)
    path = fetch_large(asset, asset.bytes or 0, confirm_large=confirm_large, progress=progress)
    return read_screen(
        path, convention, cell_type, source_of(asset), normalize=normalize, max_cells=max_cells, rng=rng, backed=backed
    )


def source_of(asset: Asset) -> dict[str, str]:
    """What is known of the origin of a file, for `uns`."""
    checksum = f"sha256:{asset.sha256}" if asset.sha256 else f"md5:{asset.md5}" if asset.md5 else "unknown"
    return {
        "name": asset.name,
        "url": asset.url or "",
        "licence": asset.licence,
        "checksum": checksum,
        "note": asset.note,
    }


def check_options(
    max_cells: int | None, rng: int | np.random.Generator | None, *, normalize: bool, backed: bool
) -> None:
    """Raise before anything is fetched when the options of a data set do not fit."""
    if max_cells is not None:
        check_count("max_cells", max_cells)
    as_generator(rng)
    if backed and (normalize or max_cells is not None):
        msg = "backed=True leaves the expression on disk as it is: it cannot go with normalize=True or max_cells."
        raise InputError(msg)


def fetch_large(asset: Asset, n_bytes: float, *, confirm_large: bool, progress: bool) -> Path:
    """Fetch a file; when it is large and not here yet, only after the user has said so."""
    target = cache_folder() / asset.file
    if n_bytes > LARGE and not confirm_large and not target.is_file():
        msg = (
            f"{asset.name!r} is {n_bytes / 1e9:.1f} GB and would be written to {str(target.parent)!r}. "
            "Pass confirm_large=True to fetch it. backed=True or max_cells keep most of it out of memory."
        )
        raise InputError(msg)
    return fetch_asset(asset, progress=progress)


def read_screen(
    path: Path,
    convention: str,
    cell_type: str,
    source: Mapping[str, str],
    *,
    normalize: bool,
    max_cells: int | None,
    rng: int | np.random.Generator | None,
    backed: bool,
) -> anndata.AnnData:
    """Read an h5ad file and name the conditions; what `source` says goes to `uns["dataset"]`."""
    import anndata as ad

    try:
        adata = ad.read_h5ad(path, backed="r")
    except (OSError, KeyError, ValueError) as error:
        msg = f"{str(path)!r} cannot be read as an h5ad file: {error}"
        raise InputError(msg) from error
    convert_conditions(adata, convention)
    if backed:
        n_unknown = int(adata.obs["condition"].isna().sum())
        if n_unknown:
            logger.warning("The condition of %d cells is not known (NaN); leave them out before you use it.", n_unknown)
        return finish(adata, cell_type, source, normalize=False)
    rows = _chosen(adata.obs["condition"], max_cells, rng)
    loaded = adata.to_memory() if len(rows) == adata.n_obs else adata[rows].to_memory()
    adata.file.close()
    return finish(loaded, cell_type, source, normalize=normalize)


def finish(adata: anndata.AnnData, cell_type: str, source: Mapping[str, str], *, normalize: bool) -> anndata.AnnData:
    """Make gene names unique, write the cell type and the origin, and log-normalise when asked."""
    if not adata.var_names.is_unique:
        n_repeated = int(adata.var_names.duplicated().sum())
        logger.info("%d names of genes stand more than once; the later ones get a number.", n_repeated)
        adata.var_names_make_unique()
    adata.obs["cell_type"] = pd.Categorical([cell_type] * adata.n_obs)
    adata.obs["condition"] = adata.obs["condition"].cat.remove_unused_categories()
    adata.uns["dataset"] = dict(source)
    if normalize:
        _log_normalize(adata)
    return adata


def _chosen(condition: pd.Series, max_cells: int | None, rng: int | np.random.Generator | None) -> np.ndarray:
    """Return the cells to read, in their order: all controls, and of each perturbation at most `max_cells`."""
    codes = condition.cat.codes.to_numpy()
    if max_cells is None:
        return np.flatnonzero(codes >= 0)
    # By condition, and at random within each: the position there is the rank of a cell.
    order = as_generator(rng).permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    rank = np.arange(len(order)) - np.searchsorted(codes[order], codes[order])
    keep = (rank < max_cells) | (condition == CONTROL).to_numpy()[order]
    return np.sort(order[keep & (codes[order] >= 0)])


def _log_normalize(adata: anndata.AnnData) -> None:
    import scanpy as sc

    if not not_log_normalised(expression(adata, None)).startswith("whole numbers"):
        msg = "The stored expression does not hold counts, so it is not log-normalised again. Use normalize=False."
        raise InputError(msg)
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
