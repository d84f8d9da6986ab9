"""Groups of pairs that a split keeps whole."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dnaclip._errors import InputError, examples
from dnaclip.pp._clusters import cluster_pairs
from dnaclip.pp._plain_text import plain_text

__all__ = ["group_rows"]


def group_rows(pairs: pd.DataFrame, by: str) -> np.ndarray:
    """Number the group of each row, int64 (n,): of near copies, of a text, a species or a chromosome.

    By date, numbers rise with the date, from those without one.

    Raises
    ------
    InputError
        A species or contig is missing, a date cannot be read, or no row has one.
    """
    if by == "sequence":
        return cluster_pairs(pairs["sequence"], [""] * len(pairs))
    if by == "text":
        texts = plain_text(pairs["text"])
        # Each empty text is a group of its own: nothing is the same about them.
        return pd.factorize(texts.where(texts != "", [f"\0{i}" for i in range(len(texts))]))[0].astype(np.int64)
    if by == "date":
        return _dates(pairs["text_date"])
    columns = ["species"] if by == "species" else [name for name in ("species", "seqid") if name in pairs]
    values = pairs[columns].fillna("").astype(str)
    missing = np.flatnonzero((values[columns[-1]] == "").to_numpy())
    if len(missing):
        msg = f"{len(missing)} rows of pairs have no {columns[-1]!r}: rows {examples(missing.tolist())}. Drop them."
        raise InputError(msg)
    return values.groupby(columns, sort=True).ngroup().to_numpy(np.int64)


def _dates(values: pd.Series) -> np.ndarray:
    given = values.fillna("").astype(str).str.strip()
    # A month stands for its first day.
    dates = pd.to_datetime(given.where(given.str.len() != 7, given + "-01"), format="ISO8601", errors="coerce")
    wrong = given[(given != "") & dates.isna()]
    if len(wrong):
        msg = f"{len(wrong)} values of text_date are no dates such as 2025-02-05: {examples(wrong.tolist())}."
        raise InputError(msg)
    if dates.isna().all():
        msg = "No row of pairs has a text_date, so that they cannot be split by it."
        raise InputError(msg)
    order = np.unique(dates.dropna().to_numpy())
    return np.where(dates.isna(), 0, np.searchsorted(order, dates.to_numpy()) + 1).astype(np.int64)
