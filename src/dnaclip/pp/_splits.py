"""Parts of a table of pairs for training, validation and test, without leaks between them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from dnaclip._errors import InputError
from dnaclip._validate import as_generator, check_choice, check_count, check_key
from dnaclip.pp._clusters import cluster_twice
from dnaclip.pp._pairs.groups import group_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["split_pairs"]

logger = logging.getLogger(__name__)

_PARTS = ["train", "validation", "test"]
_HELD_OUT = "species"
# What stays whole, in messages, and the column that tells it.
_WORDS = {
    "cluster": "clusters",
    "sequence": "clusters",
    "text": "texts",
    "species": "species",
    "chromosome": "chromosomes",
    "date": "dates",
}
_COLUMN = {"species": ["species"], "chromosome": ["seqid"], "date": ["text_date"]}


def split_pairs(
    pairs: pd.DataFrame,
    *,
    by: Literal["cluster", "sequence", "text", "species", "chromosome", "date"] = "cluster",
    fractions: tuple[float, float, float] = (0.85, 0.05, 0.10),
    held_out_species: Sequence[str] = (),
    largest_free_cluster: int = 200,
    rng: int | np.random.Generator | None = 0,
) -> pd.DataFrame:
    """Split a table of pairs so that no near copy and no text stands in two of training, validation and test.

    Rows are clustered with :func:`cluster_pairs`, and clusters stay whole. They go in random order, each to the part that
    lacks most rows. With `by`, other groups stay whole instead; then near copies can stand on both sides, and
    :func:`split_leaks` counts them. Whole species can be held out beside: these rows are near copies of training rows as often as nature
    made them so, and tell how the model does on a new species.

    Parameters
    ----------
    pairs
        One row per gene with the columns `sequence` and `text`, and those that `by` and `held_out_species` need.
    by
        What stays whole: `"cluster"` (near copies and equal texts), `"sequence"` (near copies alone), `"text"` (equal texts
        alone), `"species"` (column `species`), `"chromosome"` (columns `seqid` and, if there, `species`). With `"date"`
        (column `text_date`, such as 2025-02-05), training has the oldest texts and those without a date, and the test the
        youngest; equal dates stay together.
    fractions
        Shares of training, validation and test among the rows of the other species.
    held_out_species
        Species, spelt as in `pairs`, all of whose rows go to the part `species`.
    largest_free_cluster
        Clusters of more rows go to training, where no single family decides the score. Species and chromosomes are free
        whatever their size.
    rng
        Order of the clusters. The same seed gives the same parts, whatever the order of the rows.

    Returns
    -------
    Table with the index of `pairs` and the columns `cluster` (int, whatever `by` is), `near_copies` (int: clusters of the sequences
    alone) and `split` (categorical: train, validation, test, species).

    Raises
    ------
    MissingKeyError
        A column is absent.
    InputError
        The table is empty, an option or a sequence is not valid, or the clusters are too few for the parts.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from dnaclip.pp import split_pairs
    >>> genes = np.random.default_rng(0).choice(list("ACGT"), (100, 300))
    >>> pairs = pd.DataFrame({"sequence": ["".join(gene) for gene in genes], "text": [f"gene {i}" for i in range(100)]})
    >>> split_pairs(pairs)["split"].value_counts().to_dict()
    {'train': 85, 'test': 10, 'validation': 5, 'species': 0}
    """
    held_out = _checked(pairs, by, fractions, held_out_species, largest_free_cluster)
    generator = as_generator(rng)
    near_copies, clusters = cluster_twice(pairs["sequence"], pairs["text"])
    groups = clusters if by == "cluster" else group_rows(pairs, by)
    sizes = np.bincount(groups[~held_out], minlength=groups.max() + 1)
    if by == "date":
        part_of = _assign_in_order(sizes, np.array(fractions))
    else:
        largest = len(pairs) if by in ("species", "chromosome") else largest_free_cluster
        part_of = _assign(sizes, np.array(fractions), largest, generator)
    names = np.array([*_PARTS, _HELD_OUT])
    split = pd.Categorical(names[np.where(held_out, len(_PARTS), part_of[groups])], categories=names)
    n_rows = split.value_counts()
    if empty := [name for name, share in zip(_PARTS, fractions, strict=True) if share > 0 and not n_rows[name]]:
        msg = (
            f"Nothing is left for {' and '.join(empty)}: the {int(sizes.sum())} rows to split form {int((sizes > 0).sum())} "
            f"{_WORDS[by]}, the largest of {sizes.max()} rows. Give more rows, or set the fraction to 0."
        )
        raise InputError(msg)
    logger.info("%d pairs in %d %s: %s", len(pairs), len(sizes), _WORDS[by], n_rows.to_dict())
    return pd.DataFrame({"cluster": clusters, "near_copies": near_copies, "split": split}, index=pairs.index)


def _checked(
    pairs: pd.DataFrame, by: str, fractions: tuple[float, float, float], held_out_species: Sequence[str], largest: int
) -> np.ndarray:
    """Check all arguments; return which rows are of a held-out species."""
    if isinstance(held_out_species, str):
        msg = f"held_out_species is a single string. Pass a list: [{held_out_species!r}]."
        raise InputError(msg)
    check_choice("by", by, tuple(_WORDS))
    needed = _COLUMN.get(by, [])
    for column in dict.fromkeys(["sequence", "text", *needed, *(["species"] if len(held_out_species) else [])]):
        check_key(column, pairs.columns, where="the columns of pairs", hint="Rename the column that holds it.")
    if pairs.empty:
        msg = "pairs has no rows, so there is nothing to split."
        raise InputError(msg)
    shares = np.asarray(fractions, dtype=float)
    if shares.shape != (3,) or not (shares >= 0).all() or not np.isclose(shares.sum(), 1) or shares[0] == 0:
        msg = f"fractions must be three numbers for train (above 0), validation and test that sum to 1, got {fractions!r}."
        raise InputError(msg)
    check_count("largest_free_cluster", largest)
    if not len(held_out_species):
        return np.zeros(len(pairs), bool)
    present = pairs["species"].unique().tolist()
    for species in held_out_species:
        check_choice("held_out_species", species, present)
    held_out = pairs["species"].isin(list(held_out_species)).to_numpy()
    if held_out.all():
        msg = "held_out_species names every species of pairs, so nothing is left to train on."
        raise InputError(msg)
    return held_out


def _assign(sizes: np.ndarray, fractions: np.ndarray, largest: int, generator: np.random.Generator) -> np.ndarray:
    """Choose a part (0 train, 1 validation, 2 test) for each cluster of that many rows."""
    part_of = np.zeros(len(sizes), np.int64)
    large = sizes > largest
    missing = (fractions * sizes.sum()).tolist()
    missing[0] -= int(sizes[large].sum())
    for cluster in generator.permutation(np.flatnonzero((sizes > 0) & ~large)).tolist():
        # Of equals the later, smaller part, lest a short table leave it empty.
        part = max(range(len(_PARTS)), key=lambda i: (missing[i], i))
        part_of[cluster] = part
        missing[part] -= int(sizes[cluster])
    return part_of


def _assign_in_order(sizes: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    """Choose a part for each group, the first ones for training; a group goes where its middle lies."""
    middle = (np.cumsum(sizes) - sizes / 2) / max(int(sizes.sum()), 1)
    # Dates are few; the last part is not left empty for a large group's sake.
    part_of = np.searchsorted(np.cumsum(fractions)[:-1], middle, side="right")
    return np.minimum(part_of, len(_PARTS) - 1)
