"""The one check that every metric needs: a finite matrix with one row per gene."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dnaclip._errors import InputError, examples

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["finite_rows"]


def finite_rows(name: str, values: ArrayLike) -> np.ndarray:
    """Return `values` as a two-dimensional float32 array, or raise when a row is missing or the shape is wrong."""
    array = np.asarray(values, dtype=np.float32)
    if array.ndim != 2 or array.shape[0] == 0:
        msg = f"{name} must have shape (genes, dimensions) with at least one gene, got {array.shape}."
        raise InputError(msg)
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if bad.size:
        msg = (
            f"{name} has {bad.size} of {len(array)} rows with NaN or infinite values: rows {examples(bad.tolist())}. "
            "Leave out the genes without an embedding first."
        )
        raise InputError(msg)
    return array
