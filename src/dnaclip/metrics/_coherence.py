"""Whether the genes of a set are more alike than random sets of the same size and abundance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from dnaclip._errors import InputError
from dnaclip._validate import as_generator, check_count
from dnaclip.metrics._arrays import finite_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["coherence"]


def coherence(
    vectors: ArrayLike,
    sets: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    n_random: int = 200,
    rng: int | np.random.Generator | None = 0,
) -> pd.DataFrame:
    r"""Compare the mean similarity within sets of genes with that within random sets.

    The coherence of a set of :math:`n` genes is the mean inner product over all its pairs: the mean cosine when rows
    have length one. No pair is formed:
    :math:`\sum_{i \ne j} v_i \cdot v_j = \lVert \sum_i v_i \rVert^2 - \sum_i \lVert v_i \rVert^2`. Random sets come
    from permuting all genes, those in no set included, within `strata`; so every random set has
    the size of its set, and as many genes of each stratum.

    Parameters
    ----------
    vectors
        Shape (n_genes, d), finite.
    sets
        Shape (n_genes,); the set of each gene, from 0, or -1 for none.
    strata
        Shape (n_genes,); genes are exchanged only with genes of the same value, such as a bin of mean expression.
    n_random
        Random sets per set.
    rng
        Seed or generator of the permutations.

    Returns
    -------
    Table with one row per set: `n_genes`; `mean`, the coherence; `random` and `random_sd`, its mean and standard
    deviation over random sets; `z`, how many of these standard deviations it lies above; `p`, the share of random sets
    that are as coherent, counting the set itself, so at least 1 / (`n_random` + 1). A set of one gene has NaN.

    Raises
    ------
    InputError
        Shapes do not fit, a vector is not finite, or no gene is in a set.

    Examples
    --------
    >>> import numpy as np
    >>> from dnaclip.metrics import coherence
    >>> vectors = np.eye(2)[[0] * 10 + [1] * 10]
    >>> table = coherence(vectors, [0] * 10 + [-1] * 10)
    >>> bool(table["mean"][0] == 1 and table["z"][0] > 5)
    True
    """
    rows = finite_rows("vectors", vectors)
    member = _labels("sets", sets, len(rows))
    stratum = np.zeros(len(rows), np.int64) if strata is None else _labels("strata", strata, len(rows))
    check_count("n_random", n_random)
    if member.max() < 0:
        msg = "No gene is in a set: sets holds negative numbers only. Number sets from 0."
        raise InputError(msg)
    generator = as_generator(rng)

    size = np.bincount(member[member >= 0])
    found = _mean_products(rows, member, size)
    random = np.empty((n_random, len(size)))
    home = np.argsort(stratum, kind="stable")
    for draw in random:
        permuted = np.empty_like(member)
        permuted[home] = member[np.lexsort((generator.random(len(rows)), stratum))]
        draw[:] = _mean_products(rows, permuted, size)
    mean, spread = random.mean(axis=0), random.std(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.where(spread > 1e-8, (found - mean) / spread, np.where(np.isnan(found), np.nan, 0.0))
    p = (1 + (random >= found - 1e-9).sum(axis=0)) / (n_random + 1)
    table = {"n_genes": size, "mean": found, "random": mean, "random_sd": spread, "z": z}
    return pd.DataFrame({**table, "p": np.where(np.isnan(found), np.nan, p)})


def _mean_products(rows: np.ndarray, member: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Return the mean inner product of the pairs of rows within each set, NaN for a set of one."""
    genes = np.flatnonzero(member >= 0)
    gather = sparse.csr_array((np.ones(len(genes), rows.dtype), (member[genes], genes)), shape=(len(size), len(rows)))
    total = np.square((gather @ rows).astype(np.float64)).sum(axis=1)
    own = gather @ np.square(rows.astype(np.float64)).sum(axis=1)
    pairs = (size * (size - 1)).astype(np.float64)
    return np.divide(total - own, pairs, out=np.full(len(size), np.nan), where=pairs > 0)


def _labels(name: str, values: ArrayLike, n: int) -> np.ndarray:
    labels = np.asarray(values)
    if labels.shape != (n,) or not np.issubdtype(labels.dtype, np.integer):
        msg = f"{name} must hold {n} whole numbers, one per row of vectors, got {labels.dtype} {labels.shape}."
        raise InputError(msg)
    return labels.astype(np.int64)
