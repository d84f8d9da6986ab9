"""Do generated cells lie where the observed ones do?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dnaclip._conditions import CONTROL, condition_genes, condition_name
from dnaclip._errors import InputError, examples
from dnaclip._validate import as_generator, check_count
from dnaclip.pl._axes import axes_or_new
from dnaclip.pl._colors import PALETTE, SMALLER
from dnaclip.pl._umap import umap_points
from dnaclip.tl._perturbation.data import read_cells
from dnaclip.tl._perturbation.distances import dense_rows
from dnaclip.tl._perturbation.pairs import shared_genes

if TYPE_CHECKING:
    from collections.abc import Iterable

    import anndata
    from matplotlib.axes import Axes

__all__ = ["generated_cells"]


def generated_cells(
    generated: anndata.AnnData,
    observed: anndata.AnnData,
    conditions: str | Iterable[str] | None = None,
    *,
    perturbation_key: str = "condition",
    control: str = CONTROL,
    layer: str | None = None,
    max_cells: int = 200,
    n_components: int = 30,
    n_neighbors: int = 15,
    rng: int | np.random.Generator | None = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw generated and observed cells on one UMAP, by condition.

    The principal components are those of the observed cells, so that generated cells are placed by what differs among
    real ones, and cannot open an axis of their own. Where generated cells of a condition fill only the middle of the
    observed ones, they have too little variance.

    Parameters
    ----------
    generated
        Cells as :meth:`PerturbationPredictor.generate` returns them. Nothing is written.
    observed
        Observed cells on the same scale; dense, sparse, dask or backed.
    conditions
        Which to draw, at most nine; `None` is the generated ones that were observed, the first six by name.
    perturbation_key
        Column of `obs`, in both, with the perturbed genes of each cell.
    control
        Name of the control condition, drawn in grey.
    layer
        Layer of `observed`; `None` is `X`.
    max_cells
        Cells of each condition that are drawn, of each kind; of more, a random sample.
    n_components, n_neighbors
        Principal components, and neighbours per cell.
    rng
        Seed of the sample and the UMAP.
    ax
        Axes to draw on; `None` makes a new figure.

    Returns
    -------
    The axes. Observed cells are dots, generated ones crosses of the same colour.

    Raises
    ------
    MissingKeyError
        A column or layer is absent.
    InputError
        No condition is both generated and observed, or too many are asked for.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> import dnaclip
    >>> x = np.random.default_rng(0).normal(size=(40, 20))
    >>> observed = ad.AnnData(x[:30], obs={"condition": ["ctrl"] * 15 + ["A"] * 15})
    >>> generated = ad.AnnData(x[30:], obs={"condition": ["A"] * 10})
    >>> ax = dnaclip.pl.generated_cells(generated, observed, n_neighbors=5)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['ctrl', 'A', 'observed', 'generated']
    """
    for name, value in (("max_cells", max_cells), ("n_components", n_components), ("n_neighbors", n_neighbors)):
        check_count(name, value, least=2)
    generator = as_generator(rng)
    keys: dict[str, Any] = {"perturbation_key": perturbation_key, "control": control, "need_control": False}
    made, real = read_cells(generated, **keys), read_cells(observed, layer=layer, **keys)
    wanted = _wanted(made.conditions, real.conditions, set(made.condition), set(real.condition), conditions, control)
    genes = shared_genes(made.genes, real.genes)
    cells, condition, is_made = [], [], []
    for i, one in enumerate([(), *wanted]):
        for kind, (source, columns) in enumerate(((real, genes[1]), (made, genes[0]))):
            if one not in source.conditions or (kind and not one):
                continue
            rows = np.flatnonzero(source.condition == source.conditions.index(one))
            rows = rows if len(rows) <= max_cells else np.sort(generator.choice(rows, max_cells, replace=False))
            cells.append(dense_rows(source.x, rows, columns))
            condition += [i] * len(rows)
            is_made += [bool(kind)] * len(rows)
    place, drawn_made = np.array(condition), np.array(is_made)
    points = umap_points(
        _components(np.vstack(cells), ~drawn_made, n_components),
        n_neighbors,
        0.3,
        seed=int(generator.integers(2**31 - 1)),
        metric="euclidean",
    )
    names = [condition_name(one, control) for one in ((), *wanted)]
    return _draw(axes_or_new(ax, (7.5, 6)), points, place, drawn_made, names)


def _wanted(
    made: tuple[tuple[str, ...], ...],
    real: tuple[tuple[str, ...], ...],
    made_used: set[int],
    real_used: set[int],
    conditions: str | Iterable[str] | None,
    control: str,
) -> list[tuple[str, ...]]:
    """Return the conditions to draw, without the control."""
    known = [{cells[i] for i in used if cells[i]} for cells, used in ((made, made_used), (real, real_used))]
    both = sorted(known[0] & known[1])
    if not both:
        msg = (
            f"No generated perturbation was observed. Generated: {examples(sorted(map('+'.join, known[0])))}. "
            f"Observed: {examples(sorted(map('+'.join, known[1])))}."
        )
        raise InputError(msg)
    if conditions is None:
        return both[:6]
    listed = [conditions] if isinstance(conditions, str) else list(conditions)
    wanted = [genes for genes in dict.fromkeys(condition_genes(name, control) for name in listed) if genes]
    absent = ["+".join(genes) for genes in wanted if genes not in both]
    if absent or not 1 <= len(wanted) <= len(PALETTE):
        msg = (
            f"conditions must name 1 to {len(PALETTE)} perturbations that were generated and observed, got {len(wanted)}, "
            f"of which {len(absent)} were not: {examples(absent) or 'none'}. Known are {examples(map('+'.join, both))}."
        )
        raise InputError(msg)
    return wanted


def _components(cells: np.ndarray, fitted: np.ndarray, n_components: int) -> np.ndarray:
    """Project all cells on the principal components of the `fitted` ones."""
    centred = cells - cells[fitted].mean(axis=0)
    _, _, axes = np.linalg.svd(centred[fitted], full_matrices=False)
    return (centred @ axes[:n_components].T).astype(np.float32)


def _draw(ax: Axes, points: np.ndarray, place: np.ndarray, is_made: np.ndarray, names: list[str]) -> Axes:
    from matplotlib.lines import Line2D

    colors = [SMALLER, *PALETTE]
    looks: list[dict[str, Any]] = [{"marker": "o", "s": 14, "linewidths": 0}, {"marker": "x", "s": 22}]
    handles = []
    for i, name in enumerate(names):
        for kind, look in zip((False, True), looks, strict=True):
            which = (place == i) & (is_made == kind)
            if which.any():
                alpha = 1.0 if kind else 0.55
                ax.scatter(points[which, 0], points[which, 1], color=colors[i], alpha=alpha, rasterized=True, **look)
        if (place == i).any():
            handles.append(Line2D([], [], linestyle="", marker="s", color=colors[i], label=name))
    for label, marker in (("observed", "o"), ("generated", "x")):
        handles.append(Line2D([], [], linestyle="", marker=marker, color="#444444", label=label))
    ax.legend(handles=handles, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=8)
    ax.set(xlabel="UMAP 1", ylabel="UMAP 2", xticks=[], yticks=[])
    ax.spines[["top", "right"]].set_visible(False)
    return ax
