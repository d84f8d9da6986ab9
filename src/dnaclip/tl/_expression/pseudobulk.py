"""Sum cells of a kind into profiles, in blocks, wherever the cells are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dnaclip._matrix import expression
from dnaclip._pseudobulk import check_columns, group_profiles
from dnaclip._validate import clean_params
from dnaclip.tl._adata import check_adata

if TYPE_CHECKING:
    from collections.abc import Sequence

    import anndata

__all__ = ["pseudobulk"]


def pseudobulk(
    adata: anndata.AnnData,
    groupby: str | Sequence[str],
    donor_key: str | None = None,
    layer: str | None = None,
    *,
    min_cells: int = 1,
    target_sum: float = 1e6,
) -> anndata.AnnData:
    """Sum the counts of cells by type, and by donor, into log-normalised profiles.

    The cells are read once, in blocks: dense, sparse, dask-backed and backed on disk alike, so that a file of many GB needs
    little memory. Values that are no counts, such as log-normalised ones, are averaged instead, and left as they are.

    Parameters
    ----------
    adata
        Cells by genes; never changed.
    groupby
        Column of `adata.obs`, or several, such as the cell type. Cells with missing values are left out.
    donor_key
        Column of `adata.obs` with the donor, to make a profile for each donor and type.
    layer
        Layer to read; None is `adata.X`.
    min_cells
        Groups of fewer cells are left out.
    target_sum
        Counts that each profile is scaled to, before log(1 + x).

    Returns
    -------
    A new AnnData, one row per group, sorted by name, with

    `X`
        log(1 + counts per `target_sum`), float32, or the mean of what are no counts.
    `layers["sum"]`
        Sums over the cells, float64.
    `obs`
        The columns of `groupby`, `donor_key`, and `n_cells`.
    `var`, `varm`, `uns`
        Those of `adata`; `uns["pseudobulk"]` says how it was made.

    Raises
    ------
    MissingKeyError
        A column or layer is absent.
    InputError
        Values are NaN, infinite or negative beside whole numbers, or no group has enough cells.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> import dnaclip
    >>> adata = ad.AnnData(np.array([[1.0, 3.0], [0.0, 2.0], [4.0, 0.0]]), obs={"cell_type": ["T", "T", "B"]})
    >>> bulk = dnaclip.tl.pseudobulk(adata, "cell_type", target_sum=10)
    >>> bulk.obs
      cell_type  n_cells
    B         B        1
    T         T        2
    >>> bulk.X.round(2)
    array([[2.4 , 0.  ],
           [0.98, 2.23]], dtype=float32)
    """
    import anndata as ad

    check_adata(adata)
    columns = check_columns(adata.obs, groupby, donor_key, min_cells, target_sum)
    x = expression(adata, layer)
    profiles = group_profiles(x, adata.obs[columns], adata.var_names, min_cells=min_cells, target_sum=target_sum)
    params: dict[str, Any] = {"groupby": columns, "layer": layer, "min_cells": min_cells, "counts": profiles.counts}
    params |= {"target_sum": float(target_sum) if profiles.counts else None}
    return ad.AnnData(
        profiles.values,
        obs=profiles.labels,
        var=adata.var.copy(),
        varm={key: adata.varm[key].copy() for key in adata.varm},
        uns={**adata.uns, "pseudobulk": {"params": clean_params(params)}},
        layers={"sum": profiles.sums},
    )
