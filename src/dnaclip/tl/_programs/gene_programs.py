"""Gene programs: groups of genes that are alike."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from dnaclip import __version__
from dnaclip._errors import InputError
from dnaclip._keys import DEFAULT_KEY, PROGRAM_KEY, EmbeddingKeys
from dnaclip._validate import as_generator, check_choice, check_count, check_share, clean_params
from dnaclip.tl._adata import check_adata, quiet_view
from dnaclip.tl._programs.coherence import program_coherence
from dnaclip.tl._programs.genes import chosen_genes, program_genes
from dnaclip.tl._programs.membership import programs_and_membership
from dnaclip.tl._programs.partition import METHODS, Method
from dnaclip.tl._programs.search import find_communities, program_levels

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import anndata
    from numpy.typing import ArrayLike

__all__ = ["gene_programs"]

logger = logging.getLogger(__name__)


def gene_programs(
    adata: anndata.AnnData,
    *,
    use_rep: str = DEFAULT_KEY,
    method: Method = "leiden",
    n_neighbors: int = 15,
    resolution: float | Literal["auto"] | Sequence[float] = 1.0,
    n_programs: int | Literal["auto"] | Sequence[int] | None = None,
    expression_weight: float = 0.0,
    min_genes: int = 5,
    min_membership: float = 0.1,
    coherence: bool = True,
    n_subsamples: int = 10,
    genes: Iterable[str] | None = None,
    mask_var: str | ArrayLike | None = None,
    layer: str | None = None,
    key_added: str = PROGRAM_KEY,
    rng: int | np.random.Generator | None = 0,
    copy: bool = False,
) -> anndata.AnnData | None:
    r"""Group genes into programs by the similarity of their embeddings, of their expression, or of both.

    Each gene is joined to its nearest neighbours, and that graph is cut into programs. The similarity of two genes is

    .. math:: s_{gh} = (1 - w) \cos(v_g, v_h) + w \, r_{gh},

    where :math:`v` are embeddings, :math:`r` is the correlation of expression over cells, and :math:`w` is
    `expression_weight`. By default :math:`w = 0`: expression plays no part in the programs, and the same genes give the
    same programs in every data set.

    Parameters
    ----------
    adata
        Annotated data with gene embeddings in `adata.varm[use_rep]`.
    use_rep
        Key of the embeddings in `adata.varm`. Genes without an embedding are left out. The default is what
        :func:`dnaclip.tl.embed` writes, DNA and text joined. For programs that owe nothing to what has been written
        about the genes, embed with `modality="dna", key_added="dnaclip_dna"` and name that key here; with the bundled
        human table it knows about half as many genes.
    method
        `"leiden"` :cite:p:`Traag2019` maximises modularity, `"hierarchical"` merges neighbours by Ward's criterion,
        `"spectral"` :cite:p:`Ng2001` runs k-means on the leading eigenvectors of the graph.
    n_neighbors
        Neighbours per gene; fewer when there are fewer genes.
    resolution
        For `"leiden"`: above 1 gives more and smaller programs, below 1 fewer and larger ones. `"auto"` tries .25 to 16
        by doubling, and a sequence its values: genes are subsampled, and the value is taken whose programs come back
        most stably (see `uns` below), among those with programs of 1,000 genes or fewer on average.
    n_programs
        For `"hierarchical"` and `"spectral"`: number of programs before small ones are dissolved. `"auto"` (and
        `None`) or a sequence choose by stability, as above.
    expression_weight
        Share :math:`w` of expression in the similarity, from 0 to 1. With 1 no embedding is needed. Correlations are of
        at most 5,000 cells, drawn at random, and of their 50 leading principal components.
    min_genes
        Smaller programs are dissolved: their genes are in no program.
    min_membership
        Genes with a lower membership in their own program fit nowhere and are left in no program.
    coherence
        Compare the programs with random sets of genes. This reads the expression of at most 5,000 cells, if there is
        any.
    n_subsamples
        Subsamples of 80 % of the genes, on which stability is measured.
    genes
        Names of the genes to use, such as a list of marker genes or the genes of
        `scanpy.get.rank_genes_groups_df(adata, group=None, pval_cutoff=0.05)["names"]`.
    mask_var
        Genes to use: a boolean column of `adata.var` such as `"highly_variable"`, a boolean array (n_vars,), or `None`
        for all.
    layer
        Layer with the expression; `None` is `adata.X`.
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
    `adata.var[f"{key_added}_used"]`
        Whether a gene could have been in a program, bool: the background to test programs against.
    `adata.varm[f"{key_added}_membership"]`
        Share of a gene's neighbours, by similarity, that are in each program, float32 (n_vars, n_programs). Rows sum to
        at most 1; genes that are not used are 0.
    `adata.uns[key_added]`
        `programs`, the names of the columns of the membership; `params`, the parameters and the version of dnaclip;
        `coherence`, a table with one row per program: for the `embedding` and for the `expression` (if there is any)
        the mean cosine or correlation over all pairs of its genes, its mean over 200 random sets of as many genes of
        similar mean expression (`_random`), and `_z` and `_p` of the comparison; `stability`, only when chosen by it:
        for each level `n_programs`, `ari`, the mean adjusted Rand index of the programs of a subsample with those of
        all genes, `ari_sd` and `chosen`. Scores of earlier programs are forgotten.

    Raises
    ------
    MissingKeyError
        `use_rep` is not in `adata.varm`, `mask_var` not in `adata.var`, `layer` not in `adata.layers`, or one of
        `genes` not in `adata.var_names`.
    InputError
        A parameter is out of range, fewer than `min_genes` genes can be used, no program is large enough, or the
        expression is needed and absent, constant, or holds NaN or infinite values.

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
    >>> adata.uns["gene_program"]["coherence"]["embedding"].tolist()
    [1.0, 1.0]
    """
    check_adata(adata, copy=copy)
    check_choice("method", method, METHODS)
    check_count("n_neighbors", n_neighbors)
    check_count("min_genes", min_genes)
    check_count("n_subsamples", n_subsamples, least=2)
    check_share("expression_weight", expression_weight)
    check_share("min_membership", min_membership)
    levels = program_levels(method, resolution, n_programs)
    EmbeddingKeys(key_added)
    if key_added == use_rep:
        msg = f"key_added={key_added!r} would overwrite the record of the embedding. Use another name."
        raise InputError(msg)
    generator = as_generator(rng)

    used = program_genes(
        adata,
        chosen_genes(adata, genes, mask_var),
        use_rep=use_rep,
        expression_weight=expression_weight,
        layer=layer,
        min_genes=min_genes,
        rng=generator,
    )
    communities, graph, curve = find_communities(
        used.vectors(expression_weight),
        method,
        levels,
        n_neighbors=n_neighbors,
        min_genes=min_genes,
        n_subsamples=n_subsamples,
        rng=generator,
    )
    programs, membership = programs_and_membership(communities, graph, min_genes, min_membership)
    names = np.array([f"P{i + 1}" for i in range(membership.shape[1])], dtype=object)
    if not len(names):
        msg = (
            f"No program has {min_genes} genes or more. Ask for fewer programs (resolution={resolution!r}, "
            f"n_programs={n_programs!r}), or use a smaller min_genes or min_membership."
        )
        raise InputError(msg)
    table = program_coherence(adata, used, programs, names, layer, generator) if coherence else None

    params = {
        "use_rep": use_rep if expression_weight < 1 else None,
        "method": method,
        "n_neighbors": n_neighbors,
        "resolution": resolution if method == "leiden" else None,
        "n_programs": n_programs,
        "expression_weight": float(expression_weight),
        "min_genes": min_genes,
        "min_membership": float(min_membership),
        "genes": None if genes is None else "list",
        "mask_var": mask_var if mask_var is None or isinstance(mask_var, str) else "array",
        "layer": layer,
        "rng": rng,
        "dnaclip_version": __version__,
    }
    record = {"params": clean_params(params), "programs": names, "coherence": table, "stability": curve}
    adata = adata.copy() if copy else adata
    with quiet_view():
        codes = _everyone(programs, used.positions, adata.n_vars, -1)
        adata.var[key_added] = pd.Categorical.from_codes(codes, pd.Index(names))
        adata.var[f"{key_added}_used"] = np.isin(np.arange(adata.n_vars), used.positions)
        adata.varm[f"{key_added}_membership"] = _everyone(membership, used.positions, adata.n_vars, 0)
    adata.uns[key_added] = {key: value for key, value in record.items() if value is not None}
    logger.info("%d gene programs hold %d of the %d genes used.", len(names), int((programs >= 0).sum()), len(programs))
    return adata if copy else None


def _everyone(values: np.ndarray, positions: np.ndarray, n_vars: int, absent: float) -> np.ndarray:
    """Return `values` of the genes at `positions` for all genes, the others `absent`."""
    result = np.full((n_vars, *values.shape[1:]), absent, dtype=values.dtype)
    result[positions] = values
    return result
