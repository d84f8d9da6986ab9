"""Which perturbations do alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from dnaclip._conditions import CONTROL, condition_genes
from dnaclip._errors import InputError
from dnaclip._validate import as_generator, check_choice, check_count
from dnaclip.pl._axes import axes_or_new
from dnaclip.pl._colors import PALETTE, draw_categories
from dnaclip.pl._labels import write_labels
from dnaclip.pl._leaf_order import leaf_order
from dnaclip.pl._umap import umap_points
from dnaclip.tl._perturbation.deltas import read_deltas
from dnaclip.tl._perturbation.pairs import target_positions

if TYPE_CHECKING:
    from collections.abc import Mapping

    import anndata
    from matplotlib.axes import Axes

__all__ = ["perturbation_map"]

# Fewer perturbations than this have no neighbourhoods.
MIN_POINTS = 5
# Rows of a heatmap that can all be named.
MAX_NAMES = 90


def perturbation_map(
    adata: anndata.AnnData,
    *,
    kind: Literal["heatmap", "umap"] = "heatmap",
    perturbation_key: str = "condition",
    control: str | None = CONTROL,
    context_key: str | None = None,
    layer: str | None = None,
    delta_layer: str | None = "delta",
    exclude_targets: bool = True,
    groups: pd.Series | Mapping[str, str] | None = None,
    n_labels: int = 40,
    n_neighbors: int = 10,
    rng: int | np.random.Generator | None = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw how alike the changes under perturbations are, as a clustered heatmap or as a map.

    Likeness is Pearson's correlation over genes between changes from control. All changes are taken from the same
    control cells, whose noise makes them look alike: with few control cells trust differences, not levels.

    Parameters
    ----------
    adata
        Cells with control cells, or predictions with changes in `layers[delta_layer]`. Nothing is written.
    kind
        `"heatmap"`, ordered by average linkage, or `"umap"` of the correlations, better for hundreds of perturbations.
    perturbation_key, control, context_key, layer, delta_layer
        As for :func:`dnaclip.tl.evaluate_perturbations`.
    exclude_targets
        Whether the change of a targeted gene itself counts as zero.
    groups
        For `"umap"`: a category for each perturbation by name, in any spelling, to colour by.
    n_labels
        For `"umap"`: how many names are written, those with the largest changes. A heatmap names all up to 90.
    n_neighbors
        For `"umap"`: neighbours per perturbation.
    rng
        Seed of the UMAP.
    ax
        Axes to draw on; `None` makes a new figure.

    Returns
    -------
    The axes.

    Raises
    ------
    MissingKeyError
        A column or layer is absent.
    InputError
        There are fewer than two perturbations, or five for `"umap"`.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> import dnaclip
    >>> delta = np.random.default_rng(0).normal(size=(2, 50))[[0, 1, 0]] + 0.1 * np.eye(3, 50)
    >>> predicted = ad.AnnData(5 + delta, obs={"condition": ["A", "B", "C"]}, layers={"delta": delta})
    >>> ax = dnaclip.pl.perturbation_map(predicted)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['B', 'A', 'C']
    """
    check_choice("kind", kind, ("heatmap", "umap"))
    check_count("n_labels", n_labels, least=0)
    generator = as_generator(rng)
    deltas = read_deltas(
        adata,
        perturbation_key=perturbation_key,
        control=control,
        context_key=context_key,
        layer=layer,
        delta_layer=delta_layer,
    )
    least = 2 if kind == "heatmap" else MIN_POINTS
    if len(deltas.table) < least:
        msg = f"A {kind} of perturbations needs {least} or more, adata has {len(deltas.table)}."
        raise InputError(msg)
    table = deltas.table.copy()
    if exclude_targets:
        for row, targets in zip(table, target_positions(deltas.conditions, deltas.genes), strict=True):
            row[targets] = 0
    names = deltas.labels.agg(", ".join, axis=1) if "context" in deltas.labels else deltas.labels["perturbation"]
    table -= table.mean(axis=1, keepdims=True)
    length = np.linalg.norm(table, axis=1, keepdims=True)
    unit = np.divide(table, length, out=np.zeros_like(table), where=length > 0)
    if kind == "heatmap":
        return _heatmap(ax, unit @ unit.T, names.to_numpy(dtype=object))
    points = umap_points(unit, n_neighbors, 0.3, seed=int(generator.integers(2**31 - 1)))
    category = None
    if groups is not None:
        spelt = {condition_genes(str(name), control or CONTROL): group for name, group in dict(groups).items()}
        category = pd.Series([spelt.get(genes) for genes in deltas.conditions], dtype=object)
    return _map(ax, points, names.to_numpy(dtype=object), category, np.argsort(-length[:, 0], kind="stable")[:n_labels])


def _heatmap(ax: Axes | None, correlation: np.ndarray, names: np.ndarray) -> Axes:
    # Rounded, so that equal changes stand in the order of their names.
    order = leaf_order(np.round(correlation, 9))
    side = float(np.clip(0.17 * len(names), 3, 14))
    ax = axes_or_new(ax, (side + 2.5, side + 1.5))
    image = ax.imshow(correlation[np.ix_(order, order)], cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    shown = order[: len(names) if len(names) <= MAX_NAMES else 0]
    at = range(len(shown))
    ax.set_xticks(at, names[shown], rotation=90, fontsize=7)
    ax.set_yticks(at, names[shown], fontsize=7)
    ax.tick_params(length=0)
    if not len(shown):
        ax.set(xlabel=f"{len(names)} perturbations", ylabel=f"{len(names)} perturbations")
    ax.figure.colorbar(image, ax=ax, label="Pearson correlation of changes", shrink=0.6)
    return ax


def _map(ax: Axes | None, points: np.ndarray, names: np.ndarray, category: pd.Series | None, named: np.ndarray) -> Axes:
    ax = axes_or_new(ax, (8, 6.5))
    if category is None:
        ax.scatter(points[:, 0], points[:, 1], s=14, color=PALETTE[4], linewidths=0)
    else:
        draw_categories(ax, points, category, size=18, n_labels=0, legend="group")
    ax.set(xlabel="UMAP 1", ylabel="UMAP 2", xticks=[], yticks=[])
    ax.margins(0.08)
    ax.spines[["top", "right"]].set_visible(False)
    write_labels(ax, points[named], names[named], points, colors=["black"] * len(named), fontsize=7)
    return ax
