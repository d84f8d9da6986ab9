"""The genes most similar to given genes."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._errors import InputError, MissingKeyError, examples
from dnaclip._keys import DEFAULT_KEY
from dnaclip._validate import check_count
from dnaclip.tl._adata import check_adata
from dnaclip.tl._gene_vectors import gene_vectors
from dnaclip.tl._knn import nearest

if TYPE_CHECKING:
    import anndata

__all__ = ["similar_genes"]


def similar_genes(
    adata: anndata.AnnData, genes: str | Sequence[str], *, n_neighbors: int = 10, use_rep: str = DEFAULT_KEY
) -> pd.DataFrame:
    r"""Find the genes whose embeddings are most similar to those of given genes.

    Similarity is the cosine of the angle between two embeddings,

    .. math:: s(a, b) = \frac{a \cdot b}{\lVert a \rVert \, \lVert b \rVert} \in [-1, 1].

    Parameters
    ----------
    adata
        Annotated data with gene embeddings in `adata.varm[use_rep]`. Nothing is written.
    genes
        One or several names of `adata.var_names`. A name given twice is looked up once.
    n_neighbors
        Neighbours per gene; fewer when fewer genes have an embedding.
    use_rep
        Key of the embeddings in `adata.varm`.

    Returns
    -------
    Table with the columns `query`, `gene`, `rank` (from 1) and `similarity` (cosine, six decimals), queries in the
    order given. A gene is not its own neighbour, genes without an embedding are left out, and of equally similar
    genes the earlier one in `adata` comes first.

    Raises
    ------
    MissingKeyError
        `use_rep` is not in `adata.varm`, or a gene is not in `adata.var_names`.
    InputError
        A gene has no embedding, or `genes` holds no names.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> import dnaclip
    >>> adata = ad.AnnData(np.ones((2, 3), dtype="float32"))
    >>> adata.var_names = ["CD3D", "CD3E", "LYZ"]
    >>> adata.varm["dnaclip"] = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]], dtype="float32")
    >>> dnaclip.tl.similar_genes(adata, "CD3D", n_neighbors=2)
      query  gene  rank  similarity
    0  CD3D  CD3E     1         0.8
    1  CD3D   LYZ     2         0.0
    """
    check_adata(adata)
    check_count("n_neighbors", n_neighbors)
    names = _names(genes)
    positions, vectors = gene_vectors(adata, use_rep)
    queries = _rows_of(adata.var_names, names)
    rows = np.searchsorted(positions, queries)
    without = [
        name for name, row, query in zip(names, rows, queries, strict=True) if query not in positions[row : row + 1]
    ]
    if without:
        msg = (
            f"{len(without)} of {len(names)} genes have no embedding in adata.varm[{use_rep!r}]: {examples(without)}. "
            f"{len(positions)} of {adata.n_vars} genes have one."
        )
        raise InputError(msg)
    if len(positions) == 1:
        msg = f"{names[0]!r} is the only gene with an embedding in adata.varm[{use_rep!r}]; there is nothing to compare it with."
        raise InputError(msg)

    n_neighbors = min(n_neighbors, len(positions) - 1)
    # Double precision, because here a tie between equal vectors must not hang on a rounding error.
    vectors = vectors.astype(np.float64)
    indices, similarities = nearest(vectors[rows], vectors, n_neighbors, own=rows)
    return pd.DataFrame(
        {
            "query": np.repeat(np.asarray(names, dtype=object), n_neighbors),
            "gene": adata.var_names[positions[indices.ravel()]].to_numpy(),
            "rank": np.tile(np.arange(1, n_neighbors + 1), len(names)),
            "similarity": similarities.ravel(),
        }
    )


def _names(genes: str | Sequence[str]) -> list[str]:
    names = [genes] if isinstance(genes, str) or not isinstance(genes, Iterable) else list(genes)
    wrong = [name for name in names if not isinstance(name, str)]
    if wrong or not names:
        msg = f"genes must be a gene name or a list of gene names, got {examples(wrong) or 'an empty list'}."
        raise InputError(msg)
    return list(dict.fromkeys(names))


def _rows_of(var_names: pd.Index, names: list[str]) -> np.ndarray:
    """Return the position of each name in `adata.var_names`; of a name that stands there twice, the first."""
    first = np.flatnonzero(~var_names.duplicated())
    found = var_names[first].get_indexer(pd.Index(names))
    unknown = [name for name, row in zip(names, found, strict=True) if row < 0]
    if unknown:
        msg = (
            f"{len(unknown)} of {len(names)} genes are not in adata.var_names: {examples(unknown)}. "
            f"The names there look like {examples(var_names, 3)}."
        )
        raise MissingKeyError(msg)
    repeated = var_names[var_names.duplicated()].intersection(names)
    if len(repeated):
        msg = f"{len(repeated)} of the genes stand more than once in adata.var_names; the first is used: {examples(repeated)}."
        warnings.warn(msg, UserWarning, stacklevel=3)
    return first[found]
