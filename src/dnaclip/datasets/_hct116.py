"""The HCT116 screen of X-Atlas/Orion, batch by batch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dnaclip._errors import InputError, examples
from dnaclip._validate import check_count
from dnaclip.datasets._convert_conditions import convert_conditions
from dnaclip.datasets._fetch import fetch
from dnaclip.datasets._registry import Asset, get_asset
from dnaclip.datasets._screens import check_options, fetch_large, finish, read_screen, source_of
from dnaclip.datasets._x_atlas import read_x_atlas

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import anndata

__all__ = ["hct116"]

GENES = "hct116-genes"
N_BATCHES = 109
# All batches together have 46.6 GB; the size of a single one is not published.
BYTES_OF_BATCH = 46.6e9 / N_BATCHES


def hct116(
    batches: Sequence[int] = (1,),
    *,
    targets: Sequence[str] | None = None,
    path: str | os.PathLike[str] | None = None,
    confirm_large: bool = False,
    normalize: bool = False,
    backed: bool = False,
    progress: bool = True,
) -> anndata.AnnData:
    """CRISPR interference of some 18,000 genes in HCT116 cells :cite:p:`Huang2025`: X-Atlas/Orion.

    The screen has 3.4 million cells in 109 batches of about 0.4 GB each on disk and, as counts in memory, 1 to 2 GB. A
    batch holds few cells of each perturbation: take several, and the `targets` that you need. No checksum of the batches
    is published, so the first copy of each is trusted, with a warning. **The licence, CC BY-NC-SA 4.0, forbids commercial
    use.**

    Parameters
    ----------
    batches
        Numbers of batches, 1 to 109.
    targets
        Only cells in which one of these genes is the target are read, and the control cells; `None` for all.
    path
        A file on this machine in place of batches: the h5ad file of the screen, or one of its Parquet files. The list of
        genes is fetched for the latter.
    confirm_large
        Fetch batches of more than 8 GB together.
    normalize
        Divide by the total of each cell, times 10,000, and take log(1 + x); otherwise the counts are left as stored.
    backed
        Leave the expression on disk; for an h5ad file alone.
    progress
        Whether to show progress bars.

    Returns
    -------
    Cells by genes, with `obs["condition"]` (`ctrl`, `A+ctrl`), `obs["cell_type"]` and, in `uns["dataset"]`, where the file
    comes from. Cells that did not pass the guide filter of the screen are left out.

    Raises
    ------
    DownloadError
        A file cannot be fetched, or is not the one that was fetched first.
    InputError
        Options do not fit, the batches are large and `confirm_large` is not set, or a file does not hold what it should.

    Examples
    --------
    >>> from dnaclip.datasets import hct116
    >>> hct116(batches=range(1, 110))
    Traceback (most recent call last):
        ...
    dnaclip._errors.InputError: 'hct116' is 46.6 GB and would be written to ...
    """
    check_options(None, 0, normalize=normalize, backed=backed)
    if isinstance(targets, str):
        msg = f"targets is a single string. Pass a list: [{targets!r}]."
        raise InputError(msg)
    local = None if path is None else Path(path)
    genes = get_asset(GENES)
    if local is not None and local.suffix == ".h5ad":
        return _from_h5ad(local, targets, normalize=normalize, backed=backed)
    if backed:
        msg = "backed=True is for an h5ad file: the Parquet files of the screen cannot be read like that. Name fewer batches."
        raise InputError(msg)
    if local is not None:
        files = [local]
    else:
        files = _fetch_batches(genes, batches, confirm_large=confirm_large, progress=progress)
    adata = read_x_atlas(files, fetch(GENES, progress=progress), targets=targets)
    convert_conditions(adata, "x-atlas")
    return finish(adata, "HCT116", _source(genes, files), normalize=normalize)


def _source(genes: Asset, files: Sequence[Path]) -> dict[str, str]:
    return source_of(genes) | {"name": "hct116", "checksum": "unknown", "files": ", ".join(path.name for path in files)}


def _from_h5ad(path: Path, targets: Sequence[str] | None, *, normalize: bool, backed: bool) -> anndata.AnnData:
    if targets is not None:
        msg = (
            "targets is for Parquet files. Of the h5ad file, read with backed=True, take the cells by obs['condition']."
        )
        raise InputError(msg)
    source = _source(get_asset(GENES), [path]) | {"url": ""}
    return read_screen(path, "x-atlas", "HCT116", source, normalize=normalize, max_cells=None, rng=0, backed=backed)


def _fetch_batches(genes: Asset, batches: Sequence[int], *, confirm_large: bool, progress: bool) -> list[Path]:
    numbers = list(dict.fromkeys(batches))
    for number in numbers:
        check_count("A batch", number)
    if not numbers or max(numbers) > N_BATCHES:
        msg = f"batches must be numbers from 1 to {N_BATCHES}, got {examples(numbers) or 'none'}."
        raise InputError(msg)
    # All files of the screen lie in one place, of one revision.
    place = str(genes.url).removesuffix("/metadata/gene_metadata.parquet")
    assets = [
        Asset(
            name="hct116",
            file=f"X-Atlas-Orion_HCT116_Batch{number}.parquet",
            kind="dataset",
            licence=genes.licence,
            url=f"{place}/data/HCT116_Batch{number}.parquet",
        )
        for number in numbers
    ]
    n_bytes = BYTES_OF_BATCH * len(assets)
    return [fetch_large(asset, n_bytes, confirm_large=confirm_large, progress=progress) for asset in assets]
