"""How alike genes are within and between programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._errors import InputError
from dnaclip._keys import PROGRAM_KEY
from dnaclip._validate import check_count
from dnaclip.pl._axes import axes_or_new, length_in_points
from dnaclip.pl._leaf_order import leaf_order
from dnaclip.tl._adata import check_adata
from dnaclip.tl._programs.centroids import program_centroids, program_vectors

if TYPE_CHECKING:
    import anndata
    from matplotlib.axes import Axes

__all__ = ["program_similarity"]


def program_similarity(
    adata: anndata.AnnData,
    *,
    use_rep: str | None = None,
    program_key: str = PROGRAM_KEY,
    max_genes: int = 1500,
    ax: Axes | None = None,
) -> Axes:
    """Draw the cosine similarity of every two genes, ordered by program.

    Good programs are bright blocks on the diagonal; bright blocks beside it are programs that are alike. Programs with
    similar centroids stand together (average linkage), and within a program the genes most like its centroid come first.

    Parameters
    ----------
    adata
        Annotated data after :func:`dnaclip.tl.gene_programs`. Nothing is written.
    use_rep
        Key of the embeddings in `adata.varm`; `None` is what the programs were made from. Another one shows whether
        that embedding knows the programs too.
    program_key
        Column of `adata.var` that holds the program of each gene. Genes in no program are not drawn.
    max_genes
        With more genes in programs, as many are drawn, evenly spread over them.
    ax
        Axes to draw on; `None` makes a new figure.

    Returns
    -------
    The axes.

    Raises
    ------
    MissingKeyError
        `program_key` is not in `adata.var`, or `use_rep` not in `adata.varm`.
    InputError
        Fewer than two genes are in a program and have an embedding.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> import dnaclip
    >>> adata = ad.AnnData(np.ones((2, 4), dtype="float32"))
    >>> adata.varm["dnaclip"] = np.array([[1, 0], [0, 1], [1, 0.1], [0.1, 1]])
    >>> adata.var["gene_program"] = ["P1", "P2", "P1", "P2"]
    >>> ax = dnaclip.pl.program_similarity(adata)
    >>> ax.images[0].get_array().shape
    (4, 4)
    """
    check_adata(adata)
    check_count("max_genes", max_genes, least=2)
    vectors, program = program_vectors(adata, use_rep, program_key)
    if len(vectors) < 2:
        msg = f"{len(vectors)} genes are in a program and have an embedding; a heatmap needs at least two."
        raise InputError(msg)
    centroids = program_centroids(vectors, program)
    names = centroids.index[leaf_order(centroids.to_numpy())]
    place = pd.Series(range(len(names)), index=names)[program].to_numpy()
    closeness = np.einsum("ij,ij->i", vectors, centroids.loc[program].to_numpy())
    order = np.lexsort((-closeness, place))
    if len(order) > max_genes:
        order = order[np.linspace(0, len(order) - 1, max_genes).round().astype(np.int64)]
    drawn, place = vectors[order], place[order]

    ax = axes_or_new(ax, (7, 6))
    image = ax.imshow(drawn @ drawn.T, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest", rasterized=True)
    starts = np.searchsorted(place, np.arange(len(names)))
    edges = np.append(starts, len(place)) - 0.5
    middle = (edges[:-1] + edges[1:]) / 2
    # The names of small programs next to each other would overlap; a line of 8 points needs 11.
    line = 11 / length_in_points(ax) * len(place)
    fits, last = [], -np.inf
    for i, at in enumerate(middle):
        if at - last >= line and edges[i + 1] > edges[i]:
            fits.append(i)
            last = at
    ax.set_yticks(middle[fits], names[fits].astype(str))
    ax.set_xticks(middle[fits], names[fits].astype(str), rotation=90)
    for i in range(len(names)):
        low, high = edges[i], edges[i + 1]
        ax.plot([low, high, high, low, low], [low, low, high, high, low], color="black", linewidth=0.6)
    ax.set(xlim=(-0.5, len(place) - 0.5), ylim=(len(place) - 0.5, -0.5))
    ax.tick_params(length=0, labelsize=8)
    ax.figure.colorbar(image, ax=ax, label="cosine similarity", shrink=0.7)
    return ax
