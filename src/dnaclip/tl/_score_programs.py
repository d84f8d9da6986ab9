"""How active each gene program is in each cell."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from scipy.stats import rankdata

from dnaclip import __version__
from dnaclip._errors import InputError
from dnaclip._keys import PROGRAM_KEY, EmbeddingKeys
from dnaclip._matrix import blocks, expression, gene_sums
from dnaclip._validate import check_count, check_key, clean_params
from dnaclip.tl._adata import check_adata, quiet_view

if TYPE_CHECKING:
    import anndata

__all__ = ["score_programs"]

# A control bin with fewer genes than this says little about "genes of similar abundance".
MIN_GENES_PER_BIN = 20


def score_programs(
    adata: anndata.AnnData,
    *,
    program_key: str = PROGRAM_KEY,
    n_bins: int = 25,
    layer: str | None = None,
    key_added: str | None = None,
    copy: bool = False,
) -> anndata.AnnData | None:
    r"""Score the activity of each gene program in each cell.

    The score of program :math:`p` in cell :math:`c` is the mean expression of its genes above that of genes of
    similar abundance in the same cell,

    .. math:: s_{cp} = \frac{1}{|p|} \sum_{g \in p} \Bigl( x_{cg} - \frac{1}{|b(g)|} \sum_{h \in b(g)} x_{ch} \Bigr),

    where :math:`b(g)` is the bin of genes whose mean expression over all cells ranks with that of :math:`g`. This is
    the score of Tirosh et al. :cite:p:`Tirosh2016` with every gene of the bin as control in place of a random sample,
    so it has no seed. Subtracting the controls takes out the depth and quality of a cell. Scores compare cells, not
    programs.

    Parameters
    ----------
    adata
        Annotated data with gene programs. Expression is log-normalised, and dense, sparse, dask or backed; it is read
        in blocks, and never made dense as a whole.
    program_key
        Column of `adata.var` that holds the program of each gene, NaN for none.
    n_bins
        Bins of genes by mean expression; fewer when they would hold fewer than 20 genes.
    layer
        Layer to read; `None` is `adata.X`.
    key_added
        Name under which the scores are written; `None` is `program_key`.
    copy
        Return a changed copy instead of changing `adata`.

    Returns
    -------
    `None`, or the copy with `copy=True`. Written are

    `adata.obsm[key_added]`
        Scores, float32 (n_obs, n_programs).
    `adata.uns[key_added]["scores"]`
        `programs`, the names of the columns, and `params`.

    Raises
    ------
    MissingKeyError
        `program_key` is not in `adata.var`, or `layer` not in `adata.layers`.
    InputError
        No gene is in a program, or the expression is absent or holds NaN or infinite values.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> import dnaclip
    >>> adata = ad.AnnData(np.log1p([[4.0, 4, 0, 0], [0, 0, 4, 4]]))
    >>> adata.var["gene_program"] = ["P1", "P1", "P2", "P2"]
    >>> dnaclip.tl.score_programs(adata)
    >>> adata.obsm["gene_program"].round(1)
    array([[ 0.8, -0.8],
           [-0.8,  0.8]], dtype=float32)
    """
    check_adata(adata, copy=copy)
    check_key(program_key, adata.var.columns, where="adata.var", hint="Run dnaclip.tl.gene_programs(adata) first.")
    check_count("n_bins", n_bins)
    key_added = EmbeddingKeys(program_key if key_added is None else key_added).name
    member = adata.var[program_key].astype("category").cat.remove_unused_categories()
    if member.isna().all():
        msg = f"No gene is in a program: adata.var[{program_key!r}] holds nothing but NaN."
        raise InputError(msg)
    record = adata.uns.get(key_added, {})
    if not isinstance(record, Mapping):
        msg = f"adata.uns[{key_added!r}] exists and is not a record of programs. Use another key_added."
        raise InputError(msg)
    x = expression(adata, layer)
    _warn_unless_log_normalised(x)
    bins = _abundance_bins(gene_sums(x, adata.var_names), n_bins)
    scores = _scores(x, member.cat.codes.to_numpy(), bins)

    programs = member.cat.categories.astype(str).to_numpy(dtype=object)
    params = {"program_key": program_key, "n_bins": n_bins, "layer": layer, "dnaclip_version": __version__}
    adata = adata.copy() if copy else adata
    with quiet_view():
        adata.obsm[key_added] = scores
    adata.uns[key_added] = {**record, "scores": {"programs": programs, "params": clean_params(params)}}
    return adata if copy else None


def _abundance_bins(sums: np.ndarray, n_bins: int) -> np.ndarray:
    """Return the bin of each gene, 0 for the least abundant; equally abundant genes share a bin."""
    n_bins = max(1, min(n_bins, len(sums) // MIN_GENES_PER_BIN))
    # Single precision, so that the order of summation, which differs between formats, cannot part equal genes.
    rank = rankdata(sums.astype(np.float32), method="min") - 1
    return (rank * n_bins / len(sums)).astype(np.int64)


def _scores(x: Any, member: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """Return the scores, float32 (n_obs, n_programs), from two sparse products per block of expression.

    `member` holds the program of each gene or -1, `bins` the bin of each gene.
    """
    means, controls = _averaging(member), _averaging(bins)
    # Of each program's genes, the share that lies in each bin: (n_bins, n_programs).
    share = ((controls > 0).T @ means).toarray()
    scores = np.zeros((x.shape[0], means.shape[1]))
    for rows, columns, block in blocks(x):
        scores[rows] += _dense(block @ means[columns]) - _dense(block @ controls[columns]) @ share
    return scores.astype(np.float32)


def _averaging(group: np.ndarray) -> sparse.csr_array:
    """Return the matrix (n_vars, n_groups) that turns expression into means per group; a gene in group -1 counts nowhere."""
    genes = np.flatnonzero(group >= 0)
    size = np.bincount(group[genes])
    return sparse.csr_array((1 / size[group[genes]], (genes, group[genes])), shape=(len(group), len(size)))


def _dense(product: Any) -> np.ndarray:
    return product.toarray() if sparse.issparse(product) else np.asarray(product)


def _warn_unless_log_normalised(x: Any) -> None:
    """Warn when the first block of expression holds raw counts or scaled values."""
    first: Any = next((block for *_, block in blocks(x)), np.empty(0))
    values: np.ndarray = first.data if sparse.issparse(first) else first
    if values.size and values.min() < 0:
        found = "negative values, as scaled data do"
    elif values.size and values.max() > 1 and (values == np.rint(values)).all():
        found = "whole numbers only, as raw counts do"
    else:
        return
    msg = f"The expression holds {found}; program scores are meant for log-normalised values."
    warnings.warn(msg, UserWarning, stacklevel=3)
