"""Predicted against observed viability of lines and genes that were held out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dnaclip._errors import InputError, examples
from dnaclip._matrix import expression
from dnaclip._validate import check_choice
from dnaclip.metrics import viability
from dnaclip.pl._axes import axes_or_new
from dnaclip.pl._colors import PALETTE

if TYPE_CHECKING:
    import anndata
    from matplotlib.axes import Axes

__all__ = ["viability_predictions"]

# More pairs than this are drawn as a density.
MAX_DOTS = 5_000
HELD_OUT = ("any", "genes", "lines", "both")


def viability_predictions(
    predicted: anndata.AnnData,
    observed: anndata.AnnData,
    *,
    held_out: str | None = "any",
    layer: str | None = None,
    unit: str = "gene effect",
    ax: Axes | None = None,
) -> Axes:
    """Draw predicted against observed viability.

    Parameters
    ----------
    predicted
        What :meth:`dnaclip.tl.ViabilityRegressor.predict` returned.
    observed
        Lines x genes with the same names.
    held_out
        Which pairs to draw: `"genes"` (known lines, new genes), `"lines"`, `"both"`, `"any"` of these, or None for all.
    layer
        Layer of `observed` with the viability; None is X.
    unit
        What viability is measured in, for the labels.
    ax
        Axes to draw on; `None` makes a new figure.

    Returns
    -------
    The axes. Dots are pairs of a line and a gene, above 5,000 a density, darker for more; on the dashed line predictions are right. The title
    gives the correlation over all pairs and the mean within a line.

    Raises
    ------
    InputError
        `observed` lacks lines or genes, or nothing is held out.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> import dnaclip
    >>> observed = ad.AnnData(np.array([[0.0, -1.0, 0.1], [0.1, -0.9, 0.2]]))
    >>> predicted = ad.AnnData(np.array([[0.1, -0.8, 0.0], [0.2, -0.9, 0.1]]), var={"in_training": [False] * 3})
    >>> predicted.obs["in_training"] = True
    >>> dnaclip.pl.viability_predictions(predicted, observed).get_title()
    'r = 0.98, within line 0.98 (6 pairs)'
    """
    if held_out is not None:
        check_choice("held_out", held_out, HELD_OUT)
    for name, wanted, there in (
        ("lines", predicted.obs_names, observed.obs_names),
        ("genes", predicted.var_names, observed.var_names),
    ):
        absent = wanted[~wanted.isin(there)]
        if len(absent):
            msg = f"observed lacks {len(absent)} of the {len(wanted)} predicted {name}: {examples(absent)}."
            raise InputError(msg)
    x = expression(observed[predicted.obs_names, predicted.var_names].to_memory(), layer)
    truth = x.toarray() if hasattr(x, "toarray") else np.array(x, dtype=float)
    guess = np.asarray(predicted.X, dtype=float)
    if held_out is not None:
        line, gene = ~predicted.obs["in_training"].to_numpy(bool)[:, None], ~predicted.var["in_training"].to_numpy(bool)
        kinds = {"genes": ~line & gene, "lines": line & ~gene, "both": line & gene, "any": line | gene}
        truth = np.where(kinds[held_out], truth, np.nan)
    seen = np.isfinite(truth)
    if not seen.any():
        msg = f"No observed pair is held out by {held_out!r}. Fit with split=, or draw all with held_out=None."
        raise InputError(msg)
    scores = viability(guess, truth).query("metric == 'pcc'").set_index("scope")["value"]

    ax = axes_or_new(ax, (4.8, 4.2))
    a, b = truth[seen], guess[seen]
    ends = [min(a.min(), b.min()), max(a.max(), b.max())]
    if seen.sum() > MAX_DOTS:
        cells = ax.hexbin(
            a, b, gridsize=60, extent=(*ends, *ends), bins="log", mincnt=1, cmap="viridis_r", linewidths=0
        )
        ax.figure.colorbar(cells, ax=ax, label="pairs", shrink=0.7)
    else:
        ax.scatter(a, b, s=8, alpha=0.6, linewidths=0, color=PALETTE[0])
    ax.plot(ends, ends, linestyle="--", color="black", linewidth=1)
    within = f", within line {scores['within line']:.2f}" if np.isfinite(scores["within line"]) else ""
    ax.set_title(f"r = {scores['overall']:.2f}{within} ({seen.sum():,} pairs)", fontsize=10)
    ax.set(xlabel=f"observed ({unit})", ylabel=f"predicted ({unit})")
    ax.spines[["top", "right"]].set_visible(False)
    return ax
