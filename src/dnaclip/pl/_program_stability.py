"""How the number of gene programs was chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnaclip._keys import PROGRAM_KEY
from dnaclip._validate import check_key
from dnaclip.pl._axes import axes_or_new
from dnaclip.pl._colors import PALETTE
from dnaclip.tl._adata import check_adata

if TYPE_CHECKING:
    import anndata
    from matplotlib.axes import Axes

__all__ = ["program_stability"]


def program_stability(adata: anndata.AnnData, *, program_key: str = PROGRAM_KEY, ax: Axes | None = None) -> Axes:
    """Draw how stable gene programs are when genes are left out, against how many programs there are.

    Parameters
    ----------
    adata
        Annotated data after :func:`dnaclip.tl.gene_programs` with a resolution or number of programs that was chosen by
        stability, such as `resolution="auto"`. Nothing is written.
    program_key
        Name under which the programs were written.
    ax
        Axes to draw on; `None` makes a new figure.

    Returns
    -------
    The axes: the mean adjusted Rand index between the programs of subsamples and those of all genes, with its standard
    deviation over the subsamples. The level that was chosen is marked. Levels of the resolution stand on a logarithmic
    axis, with the number of programs above each.

    Raises
    ------
    MissingKeyError
        The programs were not chosen by stability.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> import dnaclip
    >>> rng = np.random.default_rng(0)
    >>> adata = ad.AnnData(np.ones((2, 60), dtype="float32"))
    >>> adata.varm["dnaclip"] = np.repeat(np.eye(3), 20, axis=0) + 0.1 * rng.normal(size=(60, 3))
    >>> dnaclip.tl.gene_programs(adata, resolution=[0.5, 1, 2], coherence=False)
    >>> ax = dnaclip.pl.program_stability(adata)
    >>> ax.get_xlabel()
    'resolution'
    """
    check_adata(adata)
    hint = "Run dnaclip.tl.gene_programs(adata, resolution='auto') first."
    check_key(program_key, adata.uns, where="adata.uns", hint=hint)
    record = adata.uns[program_key]
    curve = record.get("stability")
    check_key("stability", [] if curve is None else ["stability"], where=f"adata.uns[{program_key!r}]", hint=hint)
    curve = curve.sort_values("level")
    chosen = curve[curve["chosen"].to_numpy(dtype=bool)]
    is_resolution = record.get("params", {}).get("method", "leiden") == "leiden"

    ax = axes_or_new(ax, (5.5, 4))
    ax.errorbar(curve["level"], curve["ari"], yerr=curve["ari_sd"], color=PALETTE[0], marker="o", capsize=3)
    ax.plot(
        chosen["level"],
        chosen["ari"],
        linestyle="none",
        marker="o",
        markersize=13,
        markerfacecolor="none",
        markeredgecolor=PALETTE[1],
        markeredgewidth=2,
        label="chosen",
    )
    if is_resolution:
        ax.set_xscale("log", base=2)
        ax.set_xticks(curve["level"], [f"{level:g}" for level in curve["level"]], minor=False)
        for level, top, n in zip(curve["level"], curve["ari"] + curve["ari_sd"], curve["n_programs"], strict=True):
            ax.annotate(f"{n}", (level, top), xytext=(0, 6), textcoords="offset points", ha="center", fontsize=8)
    low, high = ax.get_ylim()
    ax.set(
        xlabel="resolution" if is_resolution else "number of programs",
        ylabel="adjusted Rand index with all genes",
        ylim=(low, high + 0.08 * (high - low)),
        title="stability over subsamples" + (" (number of programs above)" if is_resolution else ""),
    )
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False)
    return ax
