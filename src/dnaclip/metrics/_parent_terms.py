"""Which enriched gene sets say no more than smaller sets inside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dnaclip.metrics._enrichment import log_upper_tail

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["explained_by_children"]

# A set is a child of a larger one that holds at least this part of its genes.
INSIDE = 0.9
# A parent stays when what is left of it, without its children, is still enriched at this level.
ALPHA = 0.05


def explained_by_children(sets: sparse.csr_array, program: np.ndarray, log_p: np.ndarray) -> np.ndarray:
    r"""Return which sets are enriched only because smaller enriched sets inside them are, bool (n_sets,).

    The hierarchy comes from the sets themselves, so no ontology is needed: a set is a child of every larger one that
    holds at least 90 % of its genes. From the smallest set to the largest, the genes of the children that stay are
    taken out of the set, the program and the background, and what is left is tested again (the conditional test of
    :cite:t:`Falcon2007`); with :math:`p > 0.05` the children explain the set. Of sets with the same genes, the one
    with the smallest p-value stays.

    Parameters
    ----------
    sets
        Which of the N genes are in each enriched set of one program, sparse bool (n_sets, N).
    program
        Which genes are in the program, bool (N,).
    log_p
        Logarithms of the p-values, (n_sets,).

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import sparse
    >>> gene = np.arange(100)
    >>> sets = sparse.csr_array([gene < 30, gene < 10])  # a process, and the part of it that the program is about
    >>> explained_by_children(sets, gene < 9, np.array([-10.0, -20.0]))
    array([ True, False])
    """
    # Genes in none of the sets only count.
    used = np.unique(sets.indices)
    others, others_in_program = sets.shape[1] - len(used), int(program.sum() - program[used].sum())
    in_sets, in_program = sets[:, used].toarray(), program[used]
    size = in_sets.sum(axis=1)
    counts = sets.astype(np.int32)
    inside = (counts @ counts.T).toarray() >= INSIDE * size[:, None]  # [child, parent]
    explained = np.zeros(len(size), dtype=bool)
    order = np.lexsort((log_p, size))
    for place, parent in enumerate(order):
        smaller = order[:place]
        children = smaller[inside[smaller, parent] & ~explained[smaller]]
        if not len(children):
            continue
        left = ~in_sets[children].any(axis=0)
        set_left, program_left = in_sets[parent] & left, in_program & left
        overlap = np.sum(set_left & program_left)
        sizes = [set_left.sum()], [program_left.sum() + others_in_program], int(left.sum()) + others
        explained[parent] = overlap == 0 or log_upper_tail([overlap], *sizes)[0] > np.log(ALPHA)
    return explained
