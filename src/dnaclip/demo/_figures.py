"""The figures of the report."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, cast

from dnaclip._keys import DEFAULT_KEY, EmbeddingKeys
from dnaclip.pl import gene_map, program_heatmap

if TYPE_CHECKING:
    from collections.abc import Iterable

    import anndata
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["coherence_figure", "heatmap_figure", "map_figure", "sides_figure", "to_png"]


def map_figure(adata: anndata.AnnData, rng: int | np.random.Generator | None) -> Figure:
    """Map of the genes, coloured by program."""
    return cast("Figure", gene_map(adata, rng=rng).figure)


def heatmap_figure(adata: anndata.AnnData, groupby: str) -> Figure:
    """Programs by groups of cells."""
    return cast("Figure", program_heatmap(adata, groupby).figure)


def sides_figure(adata: anndata.AnnData, sides: Iterable[str], rng: int | np.random.Generator | None) -> Figure:
    """One map for each side of the embedding and one for both, all coloured by the programs of both."""
    import matplotlib.pyplot as plt

    titles = {f"{DEFAULT_KEY}_{side}": f"{'DNA' if side == 'dna' else side} alone" for side in sides} | {
        DEFAULT_KEY: "joint"
    }
    figure, axes = plt.subplots(1, len(titles), figsize=(4 * len(titles), 4), layout="constrained", squeeze=False)
    for ax, (key, title) in zip(axes.flat, titles.items(), strict=True):
        gene_map(adata, use_rep=key, n_labels=0, legend=False, size=8, rng=rng, ax=ax)
        ax.set_title(f"{title}, {adata.var[EmbeddingKeys(key).found].sum()} genes")
    return figure


def coherence_figure(programs: pd.DataFrame) -> Figure:
    """Coherence of each program above that of random sets of as many genes, in embedding and in expression."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9, 1.6 + 0.22 * len(programs)), sharey=True, layout="constrained")
    rows = range(len(programs))
    for ax, what in zip(axes, ("embedding", "expression"), strict=True):
        ax.axvspan(-2, 2, color="#dddddd", label="random sets, mean ± 2 s.d.")
        ax.plot(programs[f"{what}_z"], rows, "o", color="#332288", label="program")
        ax.set(xlabel=f"coherence of {what} (z)", yticks=rows, yticklabels=programs["program"])
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].invert_yaxis()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    return figure


def to_png(figure: Figure) -> bytes:
    """Draw the figure, and close it."""
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    plt.close(figure)
    return buffer.getvalue()
