"""Which genes or cells train, are for validation or are tested: given as booleans, or as words in a column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnaclip._errors import InputError, examples
from dnaclip._validate import check_key

if TYPE_CHECKING:
    import anndata
    from numpy.typing import ArrayLike

__all__ = ["marked", "train_and_validation"]

# What is split, the table of AnnData that says so, and the verb that writes there.
TABLES = {"gene": ("var", "dnaclip.tl.split_genes(adata)"), "cell": ("obs", "dnaclip.tl.split_perturbations(adata)")}


def train_and_validation(
    adata: anndata.AnnData, train: str | ArrayLike | None, *, of: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return which genes or cells train and which are for validation, both bool (n,).

    `train` is nothing (all train), booleans, or a column with booleans or with `"train"`, `"validation"` and other words.
    """
    table = getattr(adata, TABLES[of][0])
    training = np.ones(len(table), dtype=bool) if train is None else marked(adata, train, "train", of=of)
    if isinstance(train, str) and not pd.api.types.is_bool_dtype(table[train].dtype):
        return training, np.asarray(table[train] == "validation", dtype=bool)
    return training, np.zeros(len(table), dtype=bool)


def marked(adata: anndata.AnnData, chosen: str | ArrayLike, word: str, *, of: str) -> np.ndarray:
    """Return as bool (n,) what an array or column of booleans marks, or where a column holds `word`."""
    where, verb = TABLES[of]
    table: pd.DataFrame = getattr(adata, where)
    values: Any
    if isinstance(chosen, str):
        check_key(chosen, table.columns, where=f"adata.{where}", hint=f"Run {verb} first.")
        name, values = f"adata.{where}[{chosen!r}]", table[chosen]
        if not pd.api.types.is_bool_dtype(values.dtype):
            mask = np.asarray(values == word, dtype=bool)
            if not mask.any():
                msg = f"{name} marks no {of} as {word!r}; it holds {examples(values.dropna().unique().tolist())}."
                raise InputError(msg)
            return mask
    else:
        name, values = f"The array of {word} {of}s", pd.Series(np.asarray(chosen))
    if not pd.api.types.is_bool_dtype(values.dtype) or values.isna().any() or len(values) != len(table):
        msg = f"{name} must hold {len(table)} booleans, one per {of}, got {len(values)} values of type {values.dtype}."
        raise InputError(msg)
    mask = values.to_numpy(dtype=bool)
    if not mask.any():
        msg = f"{name} marks no {of} at all."
        raise InputError(msg)
    return mask
