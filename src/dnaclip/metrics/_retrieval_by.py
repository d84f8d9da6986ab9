"""Accuracy@k for parts of the genes: per species, per biotype."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from dnaclip._errors import InputError
from dnaclip.metrics._retrieval import retrieval_hits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

__all__ = ["retrieval_by"]


def retrieval_by(
    dna: ArrayLike,
    text: ArrayLike,
    by: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    among: Literal["all", "part"] = "all",
    ks: Sequence[int] = (1, 5, 10),
    block_size: int | None = None,
) -> pd.DataFrame:
    """Accuracy@k in both directions for each part of the genes, such as each species or each biotype.

    Parameters
    ----------
    dna, text
        Shape (n, d); row i of one belongs to row i of the other.
    by
        Shape (n,); the part of each gene.
    groups
        Shape (n,); equal ids mark genes with the same text, as in :func:`retrieval_hits`.
    among
        `"all"`: every gene is a candidate, whatever its part. `"part"`: only those of the same part.
    ks, block_size
        As in :func:`retrieval_hits`.

    Returns
    -------
    One row per part and direction (`dna->text`, `text->dna`): `part`, `direction`, `n_queries`, `n_candidates`, and for each
    k `accuracy@k` and `chance@k`. The part `all` comes first with `among="all"`. A text that asks for genes of several parts
    counts for the part of the first.

    Raises
    ------
    InputError
        The shapes do not fit, or `among` is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from dnaclip.metrics import retrieval_by
    >>> dna = np.eye(4)
    >>> text = np.eye(4)[[0, 1, 3, 2]]
    >>> retrieval_by(dna, text, ["mouse", "mouse", "fly", "fly"], ks=(1,)).query("direction == 'dna->text'")[
    ...     "accuracy@1"
    ... ].tolist()
    [0.5, 0.0, 1.0]
    """
    left, right = np.asarray(dna), np.asarray(text)
    part = np.array([str(name) for name in np.asarray(by, dtype=object)], dtype=object)
    if among not in ("all", "part"):
        msg = f"among={among!r} is not known. Use 'all' or 'part'."
        raise InputError(msg)
    if part.shape != (len(left),):
        msg = f"by must name the part of each of the {len(left)} genes, got {len(part)} values."
        raise InputError(msg)
    same = None if groups is None else np.asarray(groups)
    names = sorted(set(part))
    rows = []
    for direction, queries, targets, repeated in (
        ("dna->text", left, right, "targets"),
        ("text->dna", right, left, "queries"),
    ):
        options: dict[str, Any] = {"repeated": repeated, "ks": ks, "block_size": block_size}
        if among == "all":
            hits = retrieval_hits(queries, targets, groups=same, **options)
            asked = part[hits.index]
            parts = {"all": hits, **{name: hits[asked == name] for name in names}}
            count = dict.fromkeys(parts, hits.attrs["n_candidates"])
        else:
            parts, count = {}, {}
            for name in names:
                own = part == name
                some = None if same is None else same[own]
                hits = retrieval_hits(queries[own], targets[own], groups=some, **options)
                parts[name], count[name] = hits, hits.attrs["n_candidates"]
        for name, hits in parts.items():
            if len(hits):
                place = {"part": name, "direction": direction, "n_queries": len(hits), "n_candidates": count[name]}
                rows.append(place | {str(column): float(hits[column].mean()) for column in hits})
    table = pd.DataFrame(rows)
    order = {name: i for i, name in enumerate(["all", *names])}
    return table.sort_values("part", key=lambda column: column.map(order), kind="stable").reset_index(drop=True)
