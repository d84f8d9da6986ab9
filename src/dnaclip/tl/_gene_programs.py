"""Gene programs: groups of genes whose embeddings are close."""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from dnaclip import __version__
from dnaclip._errors import InputError
from dnaclip._keys import DEFAULT_KEY, PROGRAM_KEY, EmbeddingKeys
from dnaclip._validate import as_generator, check_count, clean_params
from dnaclip.tl._adata import check_adata, quiet_view
from dnaclip.tl._gene_vectors import gene_mask, gene_vectors
from dnaclip.tl._knn import knn_graph, nearest

if TYPE_CHECKING:
    import anndata
    from numpy.typing import ArrayLike

__all__ = ["gene_programs"]

logger = logging.getLogger(__name__)


def gene_programs(
    adata: anndata.AnnData,
    *,
    use_rep: str = DEFAULT_KEY,
    n_neighbors: int = 15,
    resolution: float = 1.0,
    min_genes: int = 5,
    mask_var: str | ArrayLike | None = None,
    key_added: str = PROGRAM_KEY,
    rng: int | np.random.Generator | None = 0,
    copy: bool = False,
) -> anndata.AnnData | None:
    """Group genes into programs by the similarity of their embeddings.

    Each gene is joined to its nearest neighbours by cosine, and the Leiden algorithm :cite:p:`Traag2019` cuts that
    graph into programs. Expression plays no part: the same genes give the same programs in every data set.

    Parameters
    ----------
    adata
        Annotated data with gene embeddings in `adata.varm[use_rep]`.
    use_rep
        Key of the embeddings in `adata.varm`. Genes without an embedding are left out.
    n_neighbors
        Neighbours per gene; fewer when there are fewer genes.
    resolution
        Above 1 gives more and smaller programs, below 1 fewer and larger ones.
    min_genes
        Smaller programs are dissolved: their genes are in no program.
    mask_var
        Genes to use: a boolean column of `adata.var`, a boolean array (n_vars,), or `None` for all.
    key_added
        Name under which the programs are written.
    rng
        Seed or generator. The same integer gives the same programs; global random state is neither read nor set.
    copy
        Return a changed copy instead of changing `adata`.

    Returns
    -------
    `None`, or the copy with `copy=True`. Written are

    `adata.var[key_added]`
        Program of each gene, categorical: `P1` is the largest, then `P2` and so on; NaN for genes in no program.
    `adata.uns[key_added]["params"]`
        The parameters and the version of dnaclip. Scores of earlier programs are forgotten.

    Raises
    ------
    MissingKeyError
        `use_rep` is not in `adata.varm`, or `mask_var` not in `adata.var`.
    InputError
        A parameter is out of range, fewer than `min_genes` genes can be used, or no program is large enough.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> import dnaclip
    >>> adata = ad.AnnData(np.ones((2, 7), dtype="float32"))
    >>> adata.varm["dnaclip"] = np.eye(2, dtype="float32")[[0, 0, 0, 0, 1, 1, 1]]
    >>> dnaclip.tl.gene_programs(adata, n_neighbors=3, min_genes=3)
    >>> adata.var["gene_program"].tolist()
    ['P1', 'P1', 'P1', 'P1', 'P2', 'P2', 'P2']
    """
    check_adata(adata, copy=copy)
    check_count("n_neighbors", n_neighbors)
    check_count("min_genes", min_genes)
    if (
        isinstance(resolution, bool)
        or not isinstance(resolution, (int, float, np.number))
        or not 0 < resolution < np.inf
    ):
        msg = f"resolution must be a number above 0, got {resolution!r}."
        raise InputError(msg)
    EmbeddingKeys(key_added)
    if key_added == use_rep:
        msg = f"key_added={key_added!r} would overwrite the record of the embedding. Use another name."
        raise InputError(msg)
    generator = as_generator(rng)
    mask = gene_mask(adata, mask_var)
    positions, vectors = gene_vectors(adata, use_rep)
    positions, vectors = positions[mask[positions]], vectors[mask[positions]]
    if len(positions) < max(2, min_genes):
        msg = (
            f"Only {len(positions)} of {adata.n_vars} genes have an embedding in adata.varm[{use_rep!r}] and are in mask_var; "
            f"a program needs at least {max(2, min_genes)}."
        )
        raise InputError(msg)

    everyone = np.arange(len(vectors))
    graph = knn_graph(*nearest(vectors, vectors, min(n_neighbors, len(vectors) - 1), own=everyone))
    programs = np.full(adata.n_vars, -1, dtype=np.int64)
    programs[positions] = _by_size(_leiden(graph, float(resolution), generator), min_genes)
    n_programs = int(programs.max()) + 1
    if n_programs == 0:
        msg = f"No program has {min_genes} genes or more. Use a lower resolution than {resolution} or a smaller min_genes."
        raise InputError(msg)

    params = {
        "use_rep": use_rep,
        "n_neighbors": n_neighbors,
        "resolution": float(resolution),
        "min_genes": min_genes,
        "mask_var": mask_var if mask_var is None or isinstance(mask_var, str) else "array",
        "rng": rng,
        "dnaclip_version": __version__,
    }
    adata = adata.copy() if copy else adata
    with quiet_view():
        adata.var[key_added] = pd.Categorical.from_codes(programs, pd.Index([f"P{i + 1}" for i in range(n_programs)]))
    adata.uns[key_added] = {"params": clean_params(params)}
    logger.info(
        "%d gene programs hold %d of the %d genes used.", n_programs, int((programs >= 0).sum()), len(positions)
    )
    return adata if copy else None


def _leiden(graph: sparse.csr_matrix, resolution: float, rng: np.random.Generator) -> np.ndarray:
    """Return the community of each node under modularity, after two iterations (more change next to nothing)."""
    import igraph

    edges = sparse.triu(graph, k=1).tocoo()
    network = igraph.Graph(n=graph.shape[0], edges=np.column_stack([edges.row, edges.col]))
    # igraph draws from Python's global generator unless it is given another one for the time being.
    igraph.set_random_number_generator(random.Random(int(rng.integers(2**31 - 1))))
    try:
        communities = network.community_leiden(
            objective_function="modularity", weights=edges.data, resolution=resolution, n_iterations=2
        )
    finally:
        igraph.set_random_number_generator(random)
    return np.asarray(communities.membership)


def _by_size(communities: np.ndarray, min_genes: int) -> np.ndarray:
    """Number the communities from 0 by falling size, ties by their first gene; -1 where they are too small."""
    _, first, member, size = np.unique(communities, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -size))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    rank[size < min_genes] = -1
    return rank[member]
