"""Two-dimensional coordinates for the genes, kept beside the embedding so that they are computed once."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from dnaclip._errors import InputError
from dnaclip._validate import as_generator, check_count, clean_params
from dnaclip.pl._umap import umap_points as _umap
from dnaclip.tl._adata import quiet_view
from dnaclip.tl._gene_vectors import gene_vectors

if TYPE_CHECKING:
    import anndata

__all__ = ["gene_umap"]

# Fewer points than this have no neighbourhoods that a map could show.
MIN_GENES = 5


def gene_umap(
    adata: anndata.AnnData, use_rep: str, *, n_neighbors: int, min_dist: float, rng: int | np.random.Generator | None
) -> np.ndarray:
    """Return the UMAP of the genes with an embedding, float32 (n_vars, 2), NaN for the others.

    The coordinates are written to `adata.varm[f"{use_rep}_umap"]` and what they were made from to
    `adata.uns[f"{use_rep}_umap"]`. They are used again as long as the embeddings, the parameters and an integer `rng`
    are the same.
    """
    check_count("n_neighbors", n_neighbors, least=2)
    generator = as_generator(rng)
    positions, vectors = gene_vectors(adata, use_rep)
    if len(positions) < MIN_GENES:
        msg = f"A gene map needs {MIN_GENES} genes with an embedding; adata.varm[{use_rep!r}] has {len(positions)}."
        raise InputError(msg)
    key = f"{use_rep}_umap"
    made_from = clean_params(
        {
            "n_neighbors": n_neighbors,
            "min_dist": min_dist,
            "rng": rng,
            "embedding_sha256": hashlib.sha256(positions.tobytes() + vectors.tobytes()).hexdigest(),
        }
    )
    # A generator goes on: what it gave once says nothing about what it gives next.
    repeatable = isinstance(rng, (int, np.integer))
    if repeatable and key in adata.varm and adata.uns.get(key) == {"params": made_from}:
        return np.asarray(adata.varm[key])

    coordinates = np.full((adata.n_vars, 2), np.nan, dtype=np.float32)
    coordinates[positions] = _umap(vectors, n_neighbors, min_dist, seed=int(generator.integers(2**31 - 1)))
    with quiet_view():
        adata.varm[key] = coordinates
    adata.uns[key] = {"params": made_from}
    return coordinates
