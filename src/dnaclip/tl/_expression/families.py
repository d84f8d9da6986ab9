"""Families of genes that must not stand on both sides of a split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from dnaclip._errors import InputError, examples
from dnaclip.tl._gene_vectors import gene_vectors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import anndata

__all__ = ["families_by_column", "families_by_sequence", "families_by_vectors", "similar_rows"]

ROWS_AT_ONCE = 1024


def families_by_column(column: pd.Series) -> np.ndarray:
    """Return the family of each gene, from 0; genes without one are families of their own."""
    codes = pd.factorize(column.where(column.astype(object) != ""))[0]
    return _own(codes)


def families_by_sequence(genes: Sequence[str], sequences: Mapping[str, str]) -> np.ndarray:
    """Return clusters of near copies; genes without a sequence are families of their own."""
    from dnaclip.pp import cluster_pairs

    rows = [i for i, gene in enumerate(genes) if gene in sequences]
    if not rows:
        msg = f"sequences names none of the {len(genes)} genes, such as {examples(genes)}."
        raise InputError(msg)
    codes = np.full(len(genes), -1)
    codes[rows] = cluster_pairs([sequences[genes[i]] for i in rows], [""] * len(rows))
    return _own(codes)


def families_by_vectors(adata: anndata.AnnData, use_rep: str, similarity: float) -> np.ndarray:
    """Return genes linked by vectors of a cosine of at least `similarity`, also through others."""
    positions, units = gene_vectors(adata, use_rep)
    links = [
        (start + rows, columns)
        for start, likeness in similar_rows(units, units)
        for rows, columns in [np.nonzero(likeness >= similarity)]
    ]
    first, second = np.concatenate(links, axis=1) if links else np.zeros((2, 0), np.int64)
    graph = sparse.coo_array((np.ones(len(first), bool), (first, second)), shape=(len(units), len(units)))
    codes = np.full(adata.n_vars, -1)
    codes[positions] = sparse.csgraph.connected_components(graph, directed=False)[1]
    return _own(codes)


def similar_rows(left: np.ndarray, right: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the number of the first row of each block, and the block's products with all rows of `right`."""
    for start in range(0, len(left), ROWS_AT_ONCE):
        yield start, left[start : start + ROWS_AT_ONCE] @ right.T


def _own(codes: np.ndarray) -> np.ndarray:
    """Number families from 0, those of code -1 each by itself."""
    codes = codes.astype(np.int64)
    alone = codes < 0
    codes[alone] = codes.max(initial=-1) + 1 + np.arange(alone.sum())
    return codes
