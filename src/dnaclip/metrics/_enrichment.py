"""Whether gene programs share more genes with known gene sets than chance would give them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import gammaln

from dnaclip._errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["log_false_discovery_rate", "log_upper_tail", "over_representation"]


def over_representation(
    programs: sparse.spmatrix | sparse.sparray, sets: sparse.spmatrix | sparse.sparray
) -> pd.DataFrame:
    r"""Test every program against every gene set by the hypergeometric distribution.

    Of :math:`N` genes, :math:`K` are in the set and :math:`n` in the program; :math:`k` are in both. The p-value is the
    chance to find at least that many when :math:`n` genes are drawn without replacement,
    :math:`P(X \ge k), X \sim \operatorname{Hypergeometric}(N, K, n)`, Fisher's one-sided test. It is computed once for
    each distinct :math:`(k, K, n)`, and as a logarithm, so that it cannot underflow.

    The false discovery rate :cite:p:`Benjamini1995` is over all programs and all sets: pairs without a gene in common
    count as tests, with p = 1, and are not listed.

    Parameters
    ----------
    programs
        Which genes are in each program, sparse (n_programs, N) of booleans.
    sets
        Which genes are in each set, sparse (n_sets, N), of the same genes.

    Returns
    -------
    One row per program and set with a gene in common, ordered by program, then set: `program` and `set` (positions),
    `n_overlap`, `n_set`, `n_program`, `odds_ratio` (0.5 added to each field of the two-by-two table, so that it is
    always finite), `log_p` and `log_fdr` (natural logarithms).

    Raises
    ------
    InputError
        The two matrices have different numbers of genes.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import sparse
    >>> from dnaclip.metrics import over_representation
    >>> program = sparse.csr_array(np.array([[1, 1, 0, 0, 0, 0]], dtype=bool))
    >>> sets = sparse.csr_array(np.array([[1, 1, 1, 0, 0, 0], [0, 0, 0, 0, 1, 1]], dtype=bool))
    >>> table = over_representation(program, sets)
    >>> np.exp(table["log_p"]).round(6).tolist()  # 3 pairs within the set, of 15 pairs of 6 genes
    [0.2]
    """
    if programs.shape[1] != sets.shape[1]:
        msg = f"programs and sets must be over the same genes, got {programs.shape[1]} and {sets.shape[1]}."
        raise InputError(msg)
    n_genes = programs.shape[1]
    in_program, in_set = (sparse.csr_array(matrix, dtype=np.int32) for matrix in (programs, sets))
    for matrix in (in_program, in_set):
        matrix.data[:] = 1
    shared = sparse.csr_array(in_program @ in_set.T)
    shared.sort_indices()
    pairs = shared.tocoo()
    table = pd.DataFrame(
        {
            "program": pairs.row.astype(np.int64),
            "set": pairs.col.astype(np.int64),
            "n_overlap": pairs.data.astype(np.int64),
            "n_set": np.diff(in_set.indptr)[pairs.col].astype(np.int64),
            "n_program": np.diff(in_program.indptr)[pairs.row].astype(np.int64),
        }
    )
    both, only_set, only_program = table["n_overlap"], table["n_set"], table["n_program"]
    only_set, only_program = only_set - both, only_program - both
    neither = n_genes - both - only_set - only_program
    table["odds_ratio"] = (both + 0.5) * (neither + 0.5) / ((only_set + 0.5) * (only_program + 0.5))
    # One number for each triple: sorting these is much quicker than sorting rows of three.
    triple = (table["n_overlap"] * (n_genes + 1) + table["n_set"]) * (n_genes + 1) + table["n_program"]
    _, first, which = np.unique(triple, return_index=True, return_inverse=True)
    sizes = table[["n_overlap", "n_set", "n_program"]].to_numpy()[first]
    log_p = log_upper_tail(sizes[:, 0], sizes[:, 1], sizes[:, 2], n_genes)
    table["log_p"] = log_p[which]
    table["log_fdr"] = log_false_discovery_rate(table["log_p"], n_tests=shared.shape[0] * shared.shape[1])
    return table


def log_upper_tail(overlap: ArrayLike, n_set: ArrayLike, n_program: ArrayLike, n_genes: int) -> np.ndarray:
    r"""Return :math:`\log P(X \ge k)` for each overlap :math:`k \ge 1`, with :math:`X` hypergeometric; arrays (m,).

    The terms next to each other have a simple ratio, so a tail is one probability times a sum of products. Of the two
    tails the one that does not hold the mean is summed: its terms fall.
    """
    k, n_set, n_program = (np.asarray(value, dtype=np.float64) for value in (overlap, n_set, n_program))
    log_p = np.zeros(len(k))
    # The chance is 1 where fewer in common are not possible, and the lower tail is then empty.
    least = np.maximum(0, n_set + n_program - n_genes)
    upper = k > n_set * n_program / n_genes
    lower = ~upper & (k > least)
    log_p[upper] = _log_tail(k[upper], n_set[upper], n_program[upper], n_genes, step=1)
    below = np.exp(_log_tail(k[lower] - 1, n_set[lower], n_program[lower], n_genes, step=-1))
    log_p[lower] = np.log1p(-np.minimum(below, 1))
    return np.minimum(log_p, 0)


def _log_tail(k: np.ndarray, n_set: np.ndarray, n_program: np.ndarray, n_genes: int, *, step: int) -> np.ndarray:
    """Sum the probabilities of `k`, `k + step`, ... to the end of the distribution, as a logarithm."""

    def log_choose(n: np.ndarray | int, of: np.ndarray) -> np.ndarray:
        return gammaln(np.add(n, 1.0)) - gammaln(of + 1.0) - gammaln(n - of + 1.0)

    first = log_choose(n_set, k) + log_choose(n_genes - n_set, n_program - k) - log_choose(n_genes, n_program)
    term, total = np.ones(len(k)), np.ones(len(k))
    at = k.copy()
    while len(term) and (term > total * 1e-17).any():
        up = (n_set - at) * (n_program - at)
        down = at * (n_genes - n_set - n_program + at)
        if step > 0:
            term = term * up / ((at + 1) * (n_genes - n_set - n_program + at + 1))
        else:
            term = term * down / ((n_set - at + 1) * (n_program - at + 1))
        at = at + step
        total += term
    return first + np.log(total)


def log_false_discovery_rate(log_p: ArrayLike, *, n_tests: int) -> np.ndarray:
    """Return the false discovery rate by Benjamini and Hochberg as a logarithm; tests that are not given had p = 1."""
    log_p = np.asarray(log_p, dtype=np.float64)
    order = np.argsort(log_p, kind="stable")
    raw = log_p[order] + np.log(n_tests) - np.log(np.arange(1, len(log_p) + 1))
    log_fdr = np.empty(len(log_p))
    log_fdr[order] = np.minimum(np.minimum.accumulate(raw[::-1])[::-1], 0)
    return log_fdr
