"""What of the genes to predict can be read off training genes that are alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip.tl._expression.families import similar_rows
from dnaclip.tl._gene_vectors import gene_vectors

if TYPE_CHECKING:
    import anndata

__all__ = ["leak_report"]

# Genes from which the share of a random split is estimated.
SAMPLE = 2000


def leak_report(
    adata: anndata.AnnData, part: np.ndarray, family: np.ndarray | None, *, use_rep: str | None, similarity: float
) -> pd.DataFrame:
    """Return a row for validation and one for test, see :func:`dnaclip.tl.split_genes`."""
    table = pd.DataFrame({"n_genes": [int((part == i).sum()) for i in (1, 2)]}, index=["validation", "test"])
    if family is not None:
        trained = np.unique(family[part == 0])
        table["n_in_shared_families"] = [int(np.isin(family[part == i], trained).sum()) for i in (1, 2)]
    if use_rep is None or use_rep not in adata.varm:
        return table
    positions, units = gene_vectors(adata, use_rep)
    own = part[positions]
    nearest, _ = _neighbours(units[own > 0], units[own == 0], similarity)
    rows = [own[own > 0] == i for i in (1, 2)]
    alike = nearest >= similarity
    table["n_alike"] = [int(alike[one].sum()) for one in rows]
    table["share_alike"] = [float(alike[one].mean()) if one.any() else np.nan for one in rows]
    # A gene with k likes has one of them in training with probability 1 - (1 - share)^k when the split is random.
    some = np.linspace(0, len(units) - 1, min(len(units), SAMPLE)).astype(int)
    _, n_likes = _neighbours(units[some], units, similarity)
    expected = 1 - (1 - float((own == 0).mean())) ** (n_likes - 1).clip(min=0)
    table["share_expected"] = float(expected.mean())
    table["median_cosine"] = [float(np.median(nearest[one])) if one.any() else np.nan for one in rows]
    return table


def _neighbours(units: np.ndarray, others: np.ndarray, similarity: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest cosine of each row with the others, and how many are at least `similarity`."""
    nearest, count = np.full(len(units), np.nan), np.zeros(len(units), np.int64)
    if not len(others):
        return nearest, count
    for start, likeness in similar_rows(units, others):
        rows = slice(start, start + len(likeness))
        nearest[rows], count[rows] = likeness.max(axis=1), (likeness >= similarity).sum(axis=1)
    return nearest, count
