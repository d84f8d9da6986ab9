"""A map of the genes in embedding space."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._keys import DEFAULT_KEY, PROGRAM_KEY
from dnaclip._matrix import expression, gene_sums
from dnaclip._validate import check_count, check_key
from dnaclip.pl._colors import draw_categories, draw_numbers
from dnaclip.pl._gene_umap import gene_umap
from dnaclip.tl._adata import check_adata

if TYPE_CHECKING:
    import anndata
    from matplotlib.axes import Axes

__all__ = ["gene_map"]


def gene_map(
    adata: anndata.AnnData,
    *,
    use_rep: str = DEFAULT_KEY,
    color: str = PROGRAM_KEY,
    n_labels: int = 20,
    legend: bool = True,
    n_neighbors: int = 15,
    min_dist: float = 0.3,
    size: float | None = None,
    layer: str | None = None,
    rng: int | np.random.Generator | None = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw the genes as a UMAP :cite:p:`McInnes2018` of their embeddings.

    Parameters
    ----------
    adata
        Annotated data with gene embeddings in `adata.varm[use_rep]`.
    use_rep
        Key of the embeddings in `adata.varm`. Genes without an embedding are not drawn.
    color
        Column of `adata.var`, categorical or numeric, or `"expression"`, the mean over cells. Genes without a value
        are grey. A column named `expression` goes first.
    n_labels
        Largest categories whose names are written on the map.
    legend
        Whether to list the categories, with their numbers of genes, beside the map.
    n_neighbors, min_dist
        Neighbours per gene and smallest distance between points, as in UMAP.
    size
        Area of a point in square points; `None` suits it to the number of genes.
    layer
        Layer for `color="expression"`; `None` is `adata.X`.
    rng
        Seed or generator for UMAP. Global random state is neither read nor set.
    ax
        Axes to draw on; `None` makes a new figure.

    Returns
    -------
    The axes. The coordinates are kept in `adata.varm[f"{use_rep}_umap"]`, float32 (n_vars, 2), NaN for genes without
    an embedding, and are used again until the embeddings or the parameters change.

    Raises
    ------
    MissingKeyError
        `use_rep`, `color` or `layer` is absent from `adata`.
    InputError
        Fewer than five genes have an embedding, or the expression is absent or holds NaN or infinite values.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> import dnaclip
    >>> adata = ad.AnnData(np.ones((2, 30), dtype="float32"))
    >>> adata.varm["dnaclip"] = np.random.default_rng(0).normal(size=(30, 8))
    >>> adata.var["biotype"] = ["coding", "lncRNA"] * 15
    >>> ax = dnaclip.pl.gene_map(adata, color="biotype")
    >>> ax.get_xlabel()
    'UMAP 1'
    """
    check_adata(adata)
    check_count("n_labels", n_labels, least=0)
    values, label = _color_values(adata, color, layer)
    coordinates = gene_umap(adata, use_rep, n_neighbors=n_neighbors, min_dist=min_dist, rng=rng)
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(8, 6), layout="constrained")
    size = float(np.clip(20_000 / np.isfinite(coordinates[:, 0]).sum(), 2, 30)) if size is None else size
    if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
        draw_numbers(ax, coordinates, values.to_numpy(dtype=float, na_value=np.nan), label=label, size=size)
    else:
        draw_categories(ax, coordinates, values, size=size, n_labels=n_labels, legend=label if legend else None)
    ax.set(xlabel="UMAP 1", ylabel="UMAP 2", xticks=[], yticks=[])
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _color_values(adata: anndata.AnnData, color: str, layer: str | None) -> tuple[pd.Series, str]:
    """Return one value per gene, and what the values are called."""
    if color == "expression" and color not in adata.var:
        means = gene_sums(expression(adata, layer), adata.var_names) / max(adata.n_obs, 1)
        return pd.Series(means), f"mean expression ({'X' if layer is None else layer})"
    hint = "Or use 'expression'." if color != PROGRAM_KEY else "Run dnaclip.tl.gene_programs(adata) first."
    check_key(color, adata.var.columns, where="adata.var", hint=hint)
    return adata.var[color].reset_index(drop=True), color.replace("_", " ")
