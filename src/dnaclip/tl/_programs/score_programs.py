"""How active each gene program is in each cell."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dnaclip import __version__
from dnaclip._errors import InputError
from dnaclip._keys import PROGRAM_KEY, EmbeddingKeys
from dnaclip._matrix import expression, gene_moments, gene_sums, not_log_normalised, row_results
from dnaclip._validate import check_choice, check_count, check_share, clean_params
from dnaclip.tl._adata import check_adata, quiet_view
from dnaclip.tl._programs.abundance import abundance_bins
from dnaclip.tl._programs.scoring import RankScore, mean_score, mean_z_score
from dnaclip.tl._programs.weights import program_members, program_weights

if TYPE_CHECKING:
    import anndata
    from scipy import sparse

__all__ = ["score_programs"]

ScoreMethod = Literal["mean", "mean_z", "aucell"]
METHODS: tuple[ScoreMethod, ...] = ("mean", "mean_z", "aucell")


def score_programs(
    adata: anndata.AnnData,
    *,
    program_key: str = PROGRAM_KEY,
    method: ScoreMethod = "mean",
    weights: str | None = None,
    n_bins: int = 25,
    top_fraction: float = 0.05,
    layer: str | None = None,
    key_added: str | None = None,
    copy: bool = False,
) -> anndata.AnnData | None:
    r"""Score the activity of each gene program in each cell.

    With `method="mean"`, the score of program :math:`p` in cell :math:`c` is the mean expression of its genes above
    that of genes of similar abundance in the same cell,

    .. math:: s_{cp} = \frac{1}{|p|} \sum_{g \in p} \Bigl( x_{cg} - \frac{1}{|b(g)|} \sum_{h \in b(g)} x_{ch} \Bigr),

    where :math:`b(g)` is the bin of genes whose mean expression over all cells ranks with that of :math:`g`. This is
    the score of Tirosh et al. :cite:p:`Tirosh2016` with every gene of the bin as control in place of a random sample,
    so it has no seed. Subtracting the controls takes out the depth and quality of a cell. Scores compare cells, not
    programs.

    Parameters
    ----------
    adata
        Annotated data with gene programs. Expression is log-normalised, and dense, sparse, dask or backed; it is read
        in blocks, and never made dense as a whole. Chunks of dask are computed by the scheduler that is active: with
        a `dask.distributed` client, by its workers.
    program_key
        Column of `adata.var` that holds the program of each gene, NaN for none.
    method
        `"mean"`, as above. `"mean_z"`: mean over the genes of a program of :math:`(x_{cg} - \mu_g) / \sigma_g`, with the
        mean and standard deviation of a gene over all cells; a gene weighs the same however abundant it is. `"aucell"`: area
        under the recovery curve among the highest ranking genes of a cell :cite:p:`Aibar2017`, from 0 to 1; it depends
        on nothing but that cell. Equal values share their ranks, so it has no seed.
    weights
        Key of `adata.varm` with the weight of each gene in each program, (n_vars, n_programs), such as
        `"gene_program_membership"`; sums over genes are then weighted. `None` counts the genes of a program alike. Not
        for `"aucell"`.
    n_bins
        For `"mean"`: bins of genes by mean expression; fewer when they would hold fewer than 20 genes.
    top_fraction
        For `"aucell"`: share of the genes whose ranks count.
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
        `program_key` is not in `adata.var`, `weights` not in `adata.varm`, or `layer` not in `adata.layers`.
    InputError
        No gene is in a program, weights are negative or do not fit, a parameter is out of range, or the expression is
        absent or holds NaN or infinite values.

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

    The same table of genes and programs is what decoupler reads, whose other methods so are one line away:

    >>> net = adata.var["gene_program"].dropna().rename_axis("target").rename("source").reset_index()
    >>> net.columns.tolist()  # then decoupler.mt.ulm(adata, net)
    ['target', 'source']
    """
    check_adata(adata, copy=copy)
    check_choice("method", method, METHODS)
    check_count("n_bins", n_bins)
    check_share("top_fraction", top_fraction)
    if method == "aucell" and weights is not None:
        msg = "method='aucell' ranks genes and takes no weights. Use 'mean' or 'mean_z', or weights=None."
        raise InputError(msg)
    programs, members = (
        program_members(adata, program_key) if weights is None else program_weights(adata, program_key, weights)
    )
    key_added = EmbeddingKeys(program_key if key_added is None else key_added).name
    record = adata.uns.get(key_added, {})
    if not isinstance(record, Mapping):
        msg = f"adata.uns[{key_added!r}] exists and is not a record of programs. Use another key_added."
        raise InputError(msg)
    x = expression(adata, layer)
    if method != "aucell":  # ranks are those of raw counts, too
        _warn_unless_log_normalised(x)
    scores = _scores(x, adata, members, method, n_bins, float(top_fraction))

    params = {
        "program_key": program_key,
        "method": method,
        "weights": weights,
        "n_bins": n_bins if method == "mean" else None,
        "top_fraction": float(top_fraction) if method == "aucell" else None,
        "layer": layer,
        "dnaclip_version": __version__,
    }
    adata = adata.copy() if copy else adata
    with quiet_view():
        adata.obsm[key_added] = scores
    adata.uns[key_added] = {**record, "scores": {"programs": programs, "params": clean_params(params)}}
    return adata if copy else None


def _scores(
    x: Any, adata: anndata.AnnData, members: sparse.csc_array, method: ScoreMethod, n_bins: int, top_fraction: float
) -> np.ndarray:
    """Return the scores, float32 (n_obs, n_programs): one pass over the expression for its sums, and one to score."""
    n_obs, n_vars = x.shape
    score: Any
    if method == "mean_z":
        sums, squares = gene_moments(x, adata.var_names)
        score = mean_z_score(members, sums, squares, n_obs)
    else:
        sums = gene_sums(x, adata.var_names)
        n_ranks = max(2, int(np.ceil(top_fraction * n_vars)))
        score = mean_score(members, abundance_bins(sums, n_bins)) if method == "mean" else RankScore(members, n_ranks)
    if method == "aucell" and getattr(x, "format", None) == "csc":
        x = x[:].tocsr()  # ranking needs whole cells
    return row_results(x, score, members.shape[1])


def _warn_unless_log_normalised(x: Any) -> None:
    found = not_log_normalised(x)
    if found:
        msg = f"The expression holds {found}; program scores are meant for log-normalised values."
        warnings.warn(msg, UserWarning, stacklevel=3)
