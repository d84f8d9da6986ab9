"""Which gene programs are alike."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np

from dnaclip._errors import InputError
from dnaclip._keys import PROGRAM_KEY
from dnaclip._validate import as_generator, check_count
from dnaclip.pl._axes import axes_or_new, length_in_points
from dnaclip.tl._adata import check_adata
from dnaclip.tl._programs.centroids import program_centroids, program_vectors

if TYPE_CHECKING:
    import anndata
    from matplotlib.axes import Axes

__all__ = ["program_network"]


def program_network(
    adata: anndata.AnnData,
    *,
    use_rep: str | None = None,
    program_key: str = PROGRAM_KEY,
    n_neighbors: int = 2,
    rng: int | np.random.Generator | None = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw gene programs as a network, joined to those with the most similar centroids.

    Parameters
    ----------
    adata
        Annotated data after :func:`dnaclip.tl.gene_programs`. Nothing is written.
    use_rep
        Key of the embeddings in `adata.varm`; `None` is what the programs were made from.
    program_key
        Column of `adata.var` that holds the program of each gene.
    n_neighbors
        Most similar programs that each program is joined to. Programs of no positive similarity are not joined.
    rng
        Seed or generator of the layout. Global random state is neither read nor set.
    ax
        Axes to draw on; `None` makes a new figure.

    Returns
    -------
    The axes. The area of a node is its number of genes; width and colour of an edge are the cosine similarity of two
    centroids, the mean unit vectors of the programs.

    Raises
    ------
    MissingKeyError
        `program_key` is not in `adata.var`, or `use_rep` not in `adata.varm`.
    InputError
        There are fewer than two programs.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> import dnaclip
    >>> adata = ad.AnnData(np.ones((2, 3), dtype="float32"))
    >>> adata.varm["dnaclip"] = np.array([[1.0, 0.2], [1.0, 0.1], [0.1, 1.0]])
    >>> adata.var["gene_program"] = ["P1", "P2", "P3"]
    >>> ax = dnaclip.pl.program_network(adata, n_neighbors=1)
    >>> [text.get_text() for text in ax.texts]
    ['P1', 'P2', 'P3']
    """
    import igraph
    from matplotlib.collections import LineCollection

    check_adata(adata)
    check_count("n_neighbors", n_neighbors)
    generator = as_generator(rng)
    vectors, program = program_vectors(adata, use_rep, program_key)
    centroids = program_centroids(vectors, program)
    if len(centroids) < 2:
        msg = f"adata.var[{program_key!r}] has one program; a network needs at least two."
        raise InputError(msg)
    edges, similarity = _nearest_pairs(centroids.to_numpy(), n_neighbors)

    # Parts that no edge joins are placed by the most similar pairs between them, and so do not drift apart.
    network = igraph.Graph(n=len(centroids), edges=sorted({*edges, *_spanning_tree(centroids.to_numpy())}))
    igraph.set_random_number_generator(random.Random(int(generator.integers(2**31 - 1))))
    try:
        points = np.array(network.layout_kamada_kawai().coords)
    finally:
        igraph.set_random_number_generator(random)

    side = 4 + 0.5 * np.sqrt(len(centroids))
    ax = axes_or_new(ax, (side + 1, side))
    size = program.value_counts().loc[centroids.index].to_numpy()
    area = 150 + 650 * size / size.max()  # in square points
    points = _apart(points, np.sqrt(area) / 2 * np.ptp(points, axis=0).max() / length_in_points(ax))
    lines = LineCollection(
        [points[list(edge)] for edge in edges],
        array=similarity,
        cmap="viridis_r",
        linewidths=0.5 + 4 * similarity,
        zorder=1,
    )
    ax.add_collection(lines)
    ax.scatter(
        points[:, 0],
        points[:, 1],
        s=area,
        color="white",
        edgecolors="black",
        linewidths=1,
        zorder=2,
    )
    for (x, y), name in zip(points, centroids.index.astype(str), strict=True):
        ax.text(x, y, name, ha="center", va="center", fontsize=8, zorder=3)
    ax.margins(0.1)
    ax.set_axis_off()
    if len(edges):
        ax.figure.colorbar(lines, ax=ax, label="cosine similarity of centroids", shrink=0.6)
    return ax


def _nearest_pairs(centroids: np.ndarray, n_neighbors: int) -> tuple[list[tuple[int, int]], np.ndarray]:
    """Return pairs of rows of which one is among the `n_neighbors` most similar to the other, and their cosines."""
    cosine = centroids @ centroids.T
    np.fill_diagonal(cosine, -np.inf)
    nearest = np.argsort(-cosine, axis=1, kind="stable")[:, : min(n_neighbors, len(cosine) - 1)]
    pairs = {(min(i, j), max(i, j)) for i, row in enumerate(nearest.tolist()) for j in row if cosine[i, j] > 0}
    edges = sorted(pairs)
    return edges, np.array([cosine[edge] for edge in edges])


def _apart(points: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Move circles, (n, 2), away from each other until none covers a part of another."""
    for _ in range(200):
        away = points[:, None] - points
        distance = np.maximum(np.linalg.norm(away, axis=2), 1e-12)
        overlap = np.maximum(radii[:, None] + radii - distance, 0)
        np.fill_diagonal(overlap, 0)
        if not overlap.any():
            break
        points = points + np.einsum("ij,ijk->ik", overlap / 2 / distance, away)
    return points


def _spanning_tree(centroids: np.ndarray) -> list[tuple[int, int]]:
    """Return the pairs of rows that join all of them with the largest cosines."""
    from scipy.sparse.csgraph import minimum_spanning_tree

    # A distance of 0 would mean that two rows are not joined.
    distance = np.maximum(1 - centroids @ centroids.T, 1e-6)
    tree = minimum_spanning_tree(distance).tocoo()
    return [(min(i, j), max(i, j)) for i, j in zip(tree.row.tolist(), tree.col.tolist(), strict=True)]
