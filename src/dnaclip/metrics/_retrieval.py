"""Accuracy@k: how often the k most similar candidates hold the right one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from dnaclip._errors import InputError
from dnaclip._validate import check_choice
from dnaclip.metrics._arrays import finite_rows
from dnaclip.metrics._ranks import count_ranks, hit_probability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

__all__ = ["retrieval", "retrieval_both", "retrieval_hits"]


def retrieval(
    queries: ArrayLike,
    targets: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    repeated: Literal["targets", "queries"] = "targets",
    ks: Sequence[int] = (1, 5, 10),
    block_size: int | None = None,
) -> dict[str, float]:
    """Accuracy@k of finding row i of the targets with row i of the queries, by cosine similarity.

    The mean of :func:`retrieval_hits` over the questions; parameters, groups and ties are explained there.

    Returns
    -------
    `n_queries`, `n_candidates`, and for each k `accuracy@k` and the level of blind guessing, `chance@k`.

    Examples
    --------
    >>> import numpy as np
    >>> from dnaclip.metrics import retrieval
    >>> dna = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    >>> text = np.array([[1.0, 0.1], [0.9, 0.2], [-1.0, 0.0]])
    >>> result = retrieval(dna, text, ks=(1, 2))
    >>> round(result["accuracy@1"], 2), round(result["chance@1"], 2)
    (1.0, 0.33)
    """
    hits = retrieval_hits(queries, targets, groups=groups, repeated=repeated, ks=ks, block_size=block_size)
    means = {str(column): float(hits[column].mean()) for column in hits}
    return {"n_queries": len(hits), "n_candidates": hits.attrs["n_candidates"], **means}


def retrieval_both(
    dna: ArrayLike,
    text: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    ks: Sequence[int] = (1, 5, 10),
    block_size: int | None = None,
) -> pd.DataFrame:
    """Accuracy@k in both directions.

    Parameters
    ----------
    dna, text
        Shape (n, d); row i of one belongs to row i of the other.
    groups
        Shape (n,); equal ids mark genes with the same text. Without it every text counts as different.
    ks, block_size
        As in :func:`retrieval_hits`.

    Returns
    -------
    A table with the rows `dna->text` and `text->dna` and the columns of :func:`retrieval`.

    Examples
    --------
    >>> import numpy as np
    >>> from dnaclip.metrics import retrieval_both
    >>> dna, text = np.eye(3), np.eye(3)[[0, 1, 1]]
    >>> retrieval_both(dna, text, groups=[0, 1, 1], ks=(1,))["accuracy@1"].round(2).to_dict()
    {'dna->text': 0.83, 'text->dna': 1.0}
    """
    return pd.DataFrame(
        {
            "dna->text": retrieval(dna, text, groups=groups, ks=ks, block_size=block_size),
            "text->dna": retrieval(text, dna, groups=groups, repeated="queries", ks=ks, block_size=block_size),
        }
    ).T.astype({"n_queries": int, "n_candidates": int})


def retrieval_hits(
    queries: ArrayLike,
    targets: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    repeated: Literal["targets", "queries"] = "targets",
    ks: Sequence[int] = (1, 5, 10),
    block_size: int | None = None,
) -> pd.DataFrame:
    """For each question, whether a right answer is among the k most similar candidates.

    Parameters
    ----------
    queries, targets
        Shape (n, d); row i of the queries belongs to row i of the targets. Rows need not be normalised; a zero row
        is equally similar to everything.
    groups
        Shape (n,); equal ids mark rows whose text is the same, which no embedding can tell apart. Without it every row is
        its own group.
    repeated
        The side that holds the texts, so that its rows are equal within a group. `targets` (dna->text): every gene asks,
        each distinct text is one candidate. `queries` (text->dna): each distinct text asks once, every gene is a
        candidate, and any gene with that text is right.
    ks
        How many candidates may be looked at.
    block_size
        Questions scored at once; changes memory, never the result. By default as many as keep the scores at 64 MiB.

    Returns
    -------
    One row per question, indexed by its row in `queries`, with the columns `accuracy@k` and `chance@k`. With
    candidates of equal score in random order, these are the probabilities that the first k hold a right one: 0 or 1 without
    ties, and never more than chance for an embedding that has collapsed to one point. `chance@k` is the same
    for an order that is random altogether. `attrs["n_candidates"]` is the number of candidates.

    Raises
    ------
    InputError
        If the shapes do not fit, a row has NaN, a k or the block size is below 1, or the repeated side differs within a
        group.

    Examples
    --------
    >>> import numpy as np
    >>> from dnaclip.metrics import retrieval_hits
    >>> hits = retrieval_hits(np.eye(3), np.ones((3, 3)), ks=(1,))
    >>> hits["accuracy@1"].round(2).tolist()
    [0.33, 0.33, 0.33]
    """
    left, right = _unit_rows("queries", queries), _unit_rows("targets", targets)
    check_choice("repeated", repeated, ("targets", "queries"))
    if left.shape != right.shape:
        msg = f"queries and targets must have the same shape, got {left.shape} and {right.shape}."
        raise InputError(msg)
    if not ks or any(k < 1 for k in ks):
        msg = f"ks={tuple(ks)!r} must name at least one number of candidates, each 1 or more."
        raise InputError(msg)
    if block_size is not None and block_size < 1:
        msg = f"block_size={block_size} must be 1 or more, or None."
        raise InputError(msg)
    first, group = _first_rows(groups, len(left))
    _check_repeated(repeated, right if repeated == "targets" else left, first, group)

    if repeated == "targets":
        asked, candidates = np.arange(len(left)), first
    else:
        asked, candidates = first, np.argsort(group, kind="stable")
    # Candidates stand in the order of their groups, so the right ones of a question are one run of columns.
    start = np.searchsorted(group[candidates], group[asked], side="left")
    count = np.searchsorted(group[candidates], group[asked], side="right") - start

    better, tied, tied_right = count_ranks(left[asked], right[candidates], start, count, block_size)
    n_candidates = len(candidates)
    table = {f"accuracy@{k}": hit_probability(k - better, tied, tied_right) for k in ks}
    table |= {
        f"chance@{k}": hit_probability(np.full(len(asked), k), np.full(len(asked), n_candidates), count) for k in ks
    }
    hits = pd.DataFrame(table, index=pd.Index(asked, name="row"))
    hits.attrs["n_candidates"] = n_candidates
    return hits


def _unit_rows(name: str, values: ArrayLike) -> np.ndarray:
    array = finite_rows(name, values)
    norm = np.linalg.norm(array, axis=1, keepdims=True)
    return array / np.where(norm > 0, norm, 1)


def _first_rows(groups: ArrayLike | None, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first row of each group, in the order of the groups, and the group number of each row."""
    if groups is None:
        return np.arange(n), np.arange(n)
    ids = np.asarray(groups)
    if ids.shape != (n,) or not np.issubdtype(ids.dtype, np.integer):
        msg = f"groups must be {n} integers, one per row, got shape {ids.shape} of {ids.dtype}."
        raise InputError(msg)
    _, first, group = np.unique(ids, return_index=True, return_inverse=True)
    return first, group


def _check_repeated(repeated: str, texts: np.ndarray, first: np.ndarray, group: np.ndarray) -> None:
    """Raise when rows of one group differ on the side that should hold equal texts: the two sides were swapped."""
    differs = np.flatnonzero(np.abs(texts - texts[first][group]).max(axis=1) > 1e-3)
    if differs.size:
        other = "queries" if repeated == "targets" else "targets"
        msg = (
            f"{repeated} differ within a group in {differs.size} rows (first: row {differs[0]}), but repeated={repeated!r} "
            f"says that a group is one text there. If the {other} hold the texts, use repeated={other!r}."
        )
        raise InputError(msg)
