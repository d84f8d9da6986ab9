"""Perturbation screens of the field, one function each: fetched once, checked, in one form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnaclip._docs import share_docs
from dnaclip._validate import check_choice
from dnaclip.datasets._screens import SCREEN_OPTIONS, SCREEN_RESULT, load_screen

if TYPE_CHECKING:
    import anndata
    import numpy as np

__all__ = ["adamson2016", "dixit2016", "norman2019", "papalexi2021"]


@share_docs(options=SCREEN_OPTIONS, result=SCREEN_RESULT)
def norman2019(
    *,
    normalize: bool = False,
    max_cells: int | None = None,
    rng: int | np.random.Generator | None = 0,
    backed: bool = False,
    progress: bool = True,
) -> anndata.AnnData:
    """CRISPR activation of one or two genes in K562 cells :cite:p:`Norman2019`: the file of scPerturb.

    About 111,000 cells, 105 single genes and 131 pairs; counts; 0.7 GB on disk.

    Parameters
    ----------
    {options}

    {result}

    Examples
    --------
    >>> from dnaclip.datasets import list_assets
    >>> list_assets().loc["norman2019", ["file", "licence"]].tolist()
    ['NormanWeissman2019_filtered.h5ad', 'unknown']
    """
    name = "norman2019"
    return load_screen(
        name, "scperturb", "K562", normalize=normalize, max_cells=max_cells, rng=rng, backed=backed, progress=progress
    )


@share_docs(options=SCREEN_OPTIONS, result=SCREEN_RESULT)
def adamson2016(
    experiment: str = "upr",
    *,
    normalize: bool = False,
    max_cells: int | None = None,
    rng: int | np.random.Generator | None = 0,
    backed: bool = False,
    progress: bool = True,
) -> anndata.AnnData:
    """CRISPR interference of genes of the unfolded protein response in K562 cells :cite:p:`Adamson2016`: a file of scPerturb.

    The published names are those of plasmids. Guides against nothing (`62(mod)_pBA581`, `63(mod)_pBA580`,
    `Gal4-4(mod)_pBA582`, `3x_neg_ctrl_pMJ144`) become `ctrl`, and the proteins PERK and IRE1 their genes, EIF2AK3 and ERN1.
    Cells labelled `*` or `nan` are left out.

    Parameters
    ----------
    experiment
        `"upr"`, the screen of some 80 single genes that models are usually tested on (0.5 GB on disk), `"epistasis"`, ten
        combinations of three genes, or `"pilot"`, seven transcription factors.
    {options}

    {result}

    Examples
    --------
    >>> from dnaclip.datasets import list_assets
    >>> list_assets().loc["adamson2016-upr", ["file", "licence"]].tolist()
    ['AdamsonWeissman2016_GSM2406681_10X010.h5ad', 'unknown']
    """
    check_choice("experiment", experiment, ("upr", "epistasis", "pilot"))
    name = f"adamson2016-{experiment}"
    return load_screen(
        name, "adamson", "K562", normalize=normalize, max_cells=max_cells, rng=rng, backed=backed, progress=progress
    )


@share_docs(options=SCREEN_OPTIONS, result=SCREEN_RESULT)
def dixit2016(
    *,
    normalize: bool = False,
    max_cells: int | None = None,
    rng: int | np.random.Generator | None = 0,
    backed: bool = False,
    progress: bool = True,
) -> anndata.AnnData:
    """Knock-out of transcription factors in K562 cells with several guides per cell :cite:p:`Dixit2016`: the file of scPerturb.

    It holds the experiment with many guides per cell alone. Guides between genes are the control and add nothing to others;
    two guides against one gene are one perturbation. Cells in which no guide was seen (`control` in the file) are left
    out, because what was done to them is not known.

    Parameters
    ----------
    {options}

    {result}

    Examples
    --------
    >>> from dnaclip.datasets import list_assets
    >>> list_assets().loc["dixit2016", ["kind", "licence"]].tolist()
    ['dataset', 'unknown']
    """
    name = "dixit2016"
    return load_screen(
        name, "dixit", "K562", normalize=normalize, max_cells=max_cells, rng=rng, backed=backed, progress=progress
    )


@share_docs(options=SCREEN_OPTIONS, result=SCREEN_RESULT)
def papalexi2021(
    *,
    normalize: bool = False,
    max_cells: int | None = None,
    rng: int | np.random.Generator | None = 0,
    backed: bool = False,
    progress: bool = True,
) -> anndata.AnnData:
    """Knock-out of immune checkpoint regulators in THP-1 cells :cite:p:`Papalexi2021`: the RNA file of scPerturb.

    About 20,000 cells and 25 genes; guides against one gene are put together.

    Parameters
    ----------
    {options}

    {result}

    Examples
    --------
    >>> from dnaclip.datasets import list_assets
    >>> list_assets().loc["papalexi2021", ["file", "licence"]].tolist()
    ['PapalexiSatija2021_eccite_RNA.h5ad', 'unknown']
    """
    name = "papalexi2021"
    return load_screen(
        name, "papalexi", "THP-1", normalize=normalize, max_cells=max_cells, rng=rng, backed=backed, progress=progress
    )
