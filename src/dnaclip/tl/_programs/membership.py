"""From communities of genes to programs: which are large enough, who belongs to them, and how firmly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["programs_and_membership"]


def programs_and_membership(
    communities: NDArray[np.integer], graph: sparse.csr_matrix, min_genes: int, min_membership: float
) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the program of each gene, int (n,), -1 for none, and the memberships, float32 (n, n_programs).

    The membership of gene :math:`g` in program :math:`p` is the share of the edges of `g`, by weight, that lead to the
    community of `p`, :math:`m_{gp} = \sum_{h \in p} w_{gh} / \sum_h w_{gh}`. What is missing to 1 leads to genes that
    are in no program.
    """
    programs = _by_size(communities, min_genes)
    membership = _edge_shares(graph, programs)
    own = np.zeros(len(programs))
    assigned = np.flatnonzero(programs >= 0)
    own[assigned] = membership[assigned, programs[assigned]]
    core = _by_size(np.where(own >= min_membership, programs, -1), min_genes)
    # Column of each program that is left, in the new order.
    first = [int(programs[np.flatnonzero(core == p)[0]]) for p in range(core.max(initial=-1) + 1)]
    return core, membership[:, first].astype(np.float32)


def _edge_shares(graph: sparse.csr_matrix, programs: np.ndarray) -> np.ndarray:
    genes = np.flatnonzero(programs >= 0)
    shape = (len(programs), programs.max(initial=-1) + 1)
    member = sparse.csr_array((np.ones(len(genes)), (genes, programs[genes])), shape=shape)
    weight = (sparse.csr_array(graph) @ member).toarray()
    total = np.asarray(graph.sum(axis=1), dtype=np.float64).reshape(-1, 1)
    return weight / np.where(total > 0, total, 1)


def _by_size(communities: np.ndarray, min_genes: int) -> np.ndarray:
    """Number the communities from 0 by falling size, ties by their first gene; -1 where they are too small or none."""
    _, first, member, size = np.unique(communities, return_index=True, return_inverse=True, return_counts=True)
    size[communities[first] < 0] = 0
    order = np.lexsort((first, -size))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    rank[size < max(min_genes, 1)] = -1
    return rank[member]
