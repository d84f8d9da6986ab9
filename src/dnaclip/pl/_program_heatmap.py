"""Gene program activity by group of cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dnaclip._errors import InputError
from dnaclip._keys import PROGRAM_KEY
from dnaclip.pl._axes import axes_or_new
from dnaclip.pl._leaf_order import leaf_order
from dnaclip.tl._adata import check_adata
from dnaclip.tl._group_scores import group_scores, standardised

if TYPE_CHECKING:
    import anndata
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["program_heatmap"]


def program_heatmap(
    adata: anndata.AnnData, groupby: str, *, program_key: str = PROGRAM_KEY, ax: Axes | None = None
) -> Axes:
    r"""Draw how active each gene program is in each group of cells.

    A field shows the mean score of a program over the cells of a group, standardised per program over the groups,
    :math:`z_{pk} = (\bar s_{pk} - \operatorname{mean}_k \bar s_{pk}) / \operatorname{sd}_k \bar s_{pk}`: compare
    along a row. Programs and groups with similar patterns stand together (average linkage on Euclidean distance).

    Parameters
    ----------
    adata
        Annotated data after :func:`dnaclip.tl.score_programs`. Nothing is written.
    groupby
        Column of `adata.obs` with the groups. Cells without a group are left out.
    program_key
        Name under which the scores were written.
    ax
        Axes to draw on; `None` makes a new figure that fits the table.

    Returns
    -------
    The axes, programs as rows and groups as columns. A program with the same score everywhere is zero.

    Raises
    ------
    MissingKeyError
        `groupby` is not in `adata.obs`, or there are no scores under `program_key`.
    InputError
        There are fewer than two groups.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> import dnaclip
    >>> adata = ad.AnnData(np.log1p([[4.0, 4, 0, 0], [0, 0, 4, 4]]))
    >>> adata.var["gene_program"] = ["P1", "P1", "P2", "P2"]
    >>> adata.obs["cell_type"] = ["T", "B"]
    >>> dnaclip.tl.score_programs(adata)
    >>> ax = dnaclip.pl.program_heatmap(adata, "cell_type")
    >>> sorted(label.get_text() for label in ax.get_yticklabels())
    ['P1', 'P2']
    """
    check_adata(adata)
    means = group_scores(adata, groupby, program_key)
    if len(means) < 2:
        msg = f"adata.obs[{groupby!r}] has {len(means)} group; a heatmap compares at least two."
        raise InputError(msg)
    table = _ordered(standardised(means).T)
    # The label of the colour bar needs its height, however few programs there are.
    ax = axes_or_new(ax, (3.2 + 0.42 * table.shape[1], max(3.6, 2.2 + 0.26 * table.shape[0])))
    limit = float(np.abs(table.to_numpy()).max()) or 1.0
    image = ax.imshow(table, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest")
    ax.set_xticks(range(table.shape[1]), table.columns.astype(str), rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(table.shape[0]), table.index.astype(str))
    ax.set(xlabel=groupby.replace("_", " "), ylabel=program_key.replace("_", " "))
    ax.tick_params(length=0)
    ax.figure.colorbar(image, ax=ax, label="mean score\n(z-scored per program)", shrink=0.8)
    return ax


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Put rows and columns that look alike next to each other."""
    values = table.to_numpy()
    return table.iloc[leaf_order(values), leaf_order(values.T)]
