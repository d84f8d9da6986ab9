"""Two-dimensional coordinates of vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

__all__ = ["umap_points"]


def umap_points(
    vectors: np.ndarray, n_neighbors: int, min_dist: float, *, seed: int, metric: str = "cosine"
) -> np.ndarray:
    """Return the UMAP of the rows of `vectors` (n, d), float32 (n, 2), from their exact neighbours."""
    import anndata
    import scanpy as sc
    from sklearn.neighbors import KNeighborsTransformer

    rows = anndata.AnnData(obsm={"embedding": vectors})
    # Exact neighbours: quicker here than scanpy's approximate default, and no approximation to explain.
    exact = KNeighborsTransformer(n_neighbors=min(n_neighbors, len(vectors) - 1), metric=metric, algorithm="brute")
    sc.pp.neighbors(rows, n_neighbors=exact.n_neighbors, use_rep="embedding", transformer=exact, random_state=seed)
    sc.tl.umap(rows, min_dist=min_dist, random_state=seed)
    return rows.obsm["X_umap"]
