"""Perturbation screens of many genes or cells, one function each, as the others are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnaclip._docs import share_docs
from dnaclip.datasets._screens import SCREEN_OPTIONS, SCREEN_RESULT, load_screen

if TYPE_CHECKING:
    import anndata
    import numpy as np

__all__ = ["replogle2022_k562", "replogle2022_rpe1", "virtual_cell_challenge"]


@share_docs(options=SCREEN_OPTIONS, result=SCREEN_RESULT)
def replogle2022_k562(
    *,
    normalize: bool = False,
    max_cells: int | None = None,
    rng: int | np.random.Generator | None = 0,
    backed: bool = False,
    progress: bool = True,
) -> anndata.AnnData:
    """CRISPR interference of 2,000 essential genes in K562 cells :cite:p:`Replogle2022`: the file of scPerturb.

    About 310,000 cells. The expression is stored dense, so in memory it takes more than 10 GB: `max_cells=50` or
    `backed=True` make do with far less.

    Parameters
    ----------
    {options}

    {result}

    Examples
    --------
    >>> from dnaclip.datasets import list_assets
    >>> list_assets().loc["replogle2022-k562", ["kind", "licence"]].tolist()
    ['dataset', 'unknown']
    """
    name = "replogle2022-k562"
    return load_screen(
        name, "replogle", "K562", normalize=normalize, max_cells=max_cells, rng=rng, backed=backed, progress=progress
    )


@share_docs(options=SCREEN_OPTIONS, result=SCREEN_RESULT)
def replogle2022_rpe1(
    *,
    normalize: bool = False,
    max_cells: int | None = None,
    rng: int | np.random.Generator | None = 0,
    backed: bool = False,
    progress: bool = True,
) -> anndata.AnnData:
    """CRISPR interference of 2,000 essential genes in RPE1 cells :cite:p:`Replogle2022`: the file of scPerturb.

    About 250,000 cells. The expression is stored dense, so in memory it takes many GB: `max_cells=50` or `backed=True`
    make do with far less.

    Parameters
    ----------
    {options}

    {result}

    Examples
    --------
    >>> from dnaclip.datasets import list_assets
    >>> list_assets().loc["replogle2022-rpe1", ["kind", "licence"]].tolist()
    ['dataset', 'unknown']
    """
    name = "replogle2022-rpe1"
    return load_screen(
        name, "replogle", "RPE1", normalize=normalize, max_cells=max_cells, rng=rng, backed=backed, progress=progress
    )


@share_docs(options=SCREEN_OPTIONS, result=SCREEN_RESULT)
def virtual_cell_challenge(
    *,
    confirm_large: bool = False,
    normalize: bool = False,
    max_cells: int | None = None,
    rng: int | np.random.Generator | None = 0,
    backed: bool = False,
    progress: bool = True,
) -> anndata.AnnData:
    """CRISPR interference of 150 genes in H1 stem cells: the training cells of the Virtual Cell Challenge 2025.

    The file has 15.5 GB, so it is fetched only with `confirm_large=True`.

    Parameters
    ----------
    confirm_large
        Fetch the file although it is large.
    {options}

    {result}

    Examples
    --------
    >>> from dnaclip.datasets import virtual_cell_challenge
    >>> virtual_cell_challenge()
    Traceback (most recent call last):
        ...
    dnaclip._errors.InputError: 'virtual-cell-challenge-h1' is 15.5 GB and would be written to ...
    """
    name = "virtual-cell-challenge-h1"
    return load_screen(
        name,
        "virtual-cell-challenge",
        "H1",
        normalize=normalize,
        max_cells=max_cells,
        rng=rng,
        backed=backed,
        progress=progress,
        confirm_large=confirm_large,
    )
