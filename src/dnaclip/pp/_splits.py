"""Parts of a table of pairs for training, validation and test, without leaks between them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._errors import InputError
from dnaclip._validate import as_generator, check_choice, check_count, check_key
from dnaclip.pp._clusters import cluster_pairs

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["split_pairs"]

logger = logging.getLogger(__name__)

_PARTS = ["train", "validation", "test"]
_HELD_OUT = "species"


def split_pairs(
    pairs: pd.DataFrame,
    *,
    fractions: tuple[float, float, float] = (0.85, 0.05, 0.10),
    held_out_species: Sequence[str] = (),
    largest_free_cluster: int = 200,
    rng: int | np.random.Generator | None = 0,
) -> pd.DataFrame:
    """Split a table of pairs so that no near copy and no text stands in two of training, validation and test.

    Rows are clustered with :func:`cluster_pairs`, and clusters stay whole. They go in random order, each to the part that
    lacks most rows. Whole species can be held out beside: these rows are near copies of training rows as often as nature
    made them so, and tell how the model does on a new species.

    Parameters
    ----------
    pairs
        One row per gene with the columns `sequence` and `text`, and `species` if `held_out_species` is given.
    fractions
        Shares of training, validation and test among the rows of the other species.
    held_out_species
        Species, spelt as in `pairs`, all of whose rows go to the part `species`.
    largest_free_cluster
        Clusters of more rows go to training, where no single family decides the score.
    rng
        Order of the clusters. The same seed gives the same parts, whatever the order of the rows.

    Returns
    -------
    Table with the index of `pairs` and the columns `cluster` (int) and `split` (categorical: train, validation, test,
    species).

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
    held_out = _checked(pairs, fractions, held_out_species, largest_free_cluster)
    generator = as_generator(rng)
    clusters = cluster_pairs(pairs["sequence"], pairs["text"])
    sizes = np.bincount(clusters[~held_out], minlength=clusters.max() + 1)
    part_of = _assign(sizes, np.array(fractions), largest_free_cluster, generator)
    names = np.array([*_PARTS, _HELD_OUT])
    split = pd.Categorical(names[np.where(held_out, len(_PARTS), part_of[clusters])], categories=names)
    n_rows = split.value_counts()
    if empty := [name for name, share in zip(_PARTS, fractions, strict=True) if share > 0 and not n_rows[name]]:
        msg = (
            f"Nothing is left for {' and '.join(empty)}: the {int(sizes.sum())} rows to split form {int((sizes > 0).sum())} "
            f"clusters, the largest of {sizes.max()} rows. Give more rows, or set the fraction to 0."
        )
        raise InputError(msg)
    logger.info("%d pairs in %d clusters: %s", len(pairs), len(sizes), n_rows.to_dict())
    return pd.DataFrame({"cluster": clusters, "split": split}, index=pairs.index)


def _checked(
    pairs: pd.DataFrame, fractions: tuple[float, float, float], held_out_species: Sequence[str], largest: int
) -> np.ndarray:
    """Check all arguments; return which rows are of a held-out species."""
    if isinstance(held_out_species, str):
        msg = f"held_out_species is a single string. Pass a list: [{held_out_species!r}]."
        raise InputError(msg)
    for column in ["sequence", "text", *(["species"] if len(held_out_species) else [])]:
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
