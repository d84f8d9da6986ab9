"""Observed against predicted expression of genes in one group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dnaclip._errors import InputError, examples
from dnaclip._validate import check_key
from dnaclip.metrics import expression
from dnaclip.pl._axes import axes_or_new
from dnaclip.pl._colors import PALETTE

if TYPE_CHECKING:
    import anndata
    from matplotlib.axes import Axes

__all__ = ["expression_scatter"]

# More genes than this are drawn as a density.
MOST_DOTS = 500


def expression_scatter(
    predicted: anndata.AnnData,
    observed: anndata.AnnData,
    group: str,
    *,
    n_labels: int = 0,
    intervals: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Draw the predicted against the observed expression of genes in one group.

    Parameters
    ----------
    predicted
        From :meth:`dnaclip.tl.ExpressionPredictor.predict`.
    observed
        Groups by genes on the same scale: the data that were learned from, or :func:`dnaclip.tl.pseudobulk` of the cells.
        Only genes in both are drawn.
    group
        Name of the group, a row of both.
    n_labels
        How many of the genes that are farthest off to name.
    intervals
        Whether to draw the interval of each gene as a line; for a few genes.
    ax
        Axes to draw on; `None` makes a new figure.

    Returns
    -------
    The axes. The line is where prediction and observation agree; Pearson's r and the mean squared error stand in the title.
    More than 500 genes are drawn as a density of hexagons, darker for more genes.

    Raises
    ------
    MissingKeyError
        There is no such group.
    InputError
        Fewer than two genes are in both.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> import dnaclip
    >>> observed = ad.AnnData(np.array([[0.0, 1.0, 2.0]]))
    >>> ax = dnaclip.pl.expression_scatter(observed, observed, "0")
    >>> ax.get_title()
    '0: r = 1.00, MSE = 0.00, 3 genes'
    """
    for name, data in (("predicted", predicted), ("observed", observed)):
        check_key(group, data.obs_names, where=f"{name}.obs_names")
    genes = predicted.var_names[predicted.var_names.isin(observed.var_names)]
    if len(genes) < 2:
        msg = f"predicted and observed share {len(genes)} genes. Their names are {examples(predicted.var_names)} and {examples(observed.var_names)}."
        raise InputError(msg)
    y, x = _values(predicted, group, genes), _values(observed, group, genes)
    ax = axes_or_new(ax, figsize=(4.4, 4.2))
    lowest, highest = min(x.min(), y.min()), max(x.max(), y.max())
    margin = 0.04 * (highest - lowest) or 0.5
    limits = (lowest - margin, highest + margin)
    if len(genes) > MOST_DOTS:
        density = ax.hexbin(
            x, y, gridsize=45, extent=limits * 2, bins="log", cmap="viridis_r", mincnt=1, linewidths=0, rasterized=True
        )
        ax.figure.colorbar(density, ax=ax, label="genes", shrink=0.7)
    else:
        if intervals:
            low, high = (_values(predicted, group, genes, layer) for layer in ("lower", "upper"))
            ax.vlines(x, low, high, color=PALETTE[4], linewidth=0.8, zorder=1)
        ax.scatter(x, y, s=12, color=PALETTE[0], linewidths=0, zorder=2)
    ax.plot(limits, limits, color="0.3", linewidth=1, linestyle="--")
    for i in np.argsort(-np.abs(x - y), kind="stable")[:n_labels]:
        ax.annotate(genes[i], (x[i], y[i]), xytext=(3, 3), textcoords="offset points", fontsize=7)
    scores = expression(y[None], x[None]).set_index(["metric", "group"])["value"]
    r, error = scores["cell_pcc", "all"], scores["mse", "all"]
    correlation = "r undefined" if np.isnan(r) else f"r = {r:.2f}"
    ax.set(xlim=limits, xlabel="observed expression", ylabel="predicted expression")
    if not intervals:
        ax.set_ylim(limits)
    ax.set_title(f"{group}: {correlation}, MSE = {error:.2f}, {len(genes)} genes", fontsize=10)
    return ax


def _values(adata: anndata.AnnData, group: str, genes: Any, layer: str | None = None) -> np.ndarray:
    rows = adata[group, genes]
    values = rows.X if layer is None else rows.layers[layer]
    return np.asarray(values.toarray() if hasattr(values, "toarray") else values, dtype=np.float64).ravel()
