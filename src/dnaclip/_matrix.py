"""Read an expression matrix in blocks, whatever it is stored as, without ever making the whole of it dense."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dnaclip._errors import InputError, examples
from dnaclip._validate import check_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    import anndata

__all__ = ["blocks", "expression", "gene_sums"]

# Values in one block when it is dense: 64 MiB as float32.
BLOCK_VALUES = 2**24


def expression(adata: anndata.AnnData, layer: str | None) -> Any:
    """Return `X`, or the layer of that name, as it is stored (array, sparse, dask or backed)."""
    if layer is not None:
        check_key(layer, adata.layers, where="adata.layers")
        return adata.layers[layer]
    if adata.X is None:
        msg = "adata.X is None, so there is no expression to read. Set adata.X or name a layer."
        raise InputError(msg)
    return adata.X


def blocks(x: Any) -> Iterator[tuple[slice, slice, Any]]:
    """Yield `(rows, columns, block)` that together cover `x`; each block is a NumPy array or a scipy sparse one.

    Blocks are row bands, except that a CSC matrix, which is slow to cut by rows, comes in column bands.
    """
    n_rows, n_columns = x.shape
    everything = slice(None)
    if getattr(x, "format", None) == "csc":
        for band in _bands(n_columns, n_rows):
            yield everything, band, x[:, band]
    elif hasattr(x, "compute"):
        # dask: following its own chunks computes each of them once.
        stops = np.cumsum(x.chunks[0]).tolist()
        for start, stop in zip([0, *stops], stops, strict=False):
            yield slice(start, stop), everything, x[start:stop].compute()
    else:
        for band in _bands(n_rows, n_columns):
            yield band, everything, x[band]


def _bands(length: int, width: int) -> Iterator[slice]:
    step = max(1, BLOCK_VALUES // max(width, 1))
    return (slice(start, min(start + step, length)) for start in range(0, length, step))


def gene_sums(x: Any, genes: Any) -> np.ndarray:
    """Return each gene's sum over all cells, float64 (n_vars,); raise when a value is NaN or infinite."""
    sums = np.zeros(x.shape[1])
    with np.errstate(invalid="ignore"):
        for _, columns, block in blocks(x):
            # Not `block.sum`: a sparse float32 matrix adds up in single precision, whatever dtype it is asked for.
            sums[columns] += np.ones(block.shape[0]) @ block
    bad = np.flatnonzero(~np.isfinite(sums))
    if bad.size:
        msg = (
            f"The expression of {bad.size} of {len(sums)} genes holds NaN or infinite values: "
            f"{examples(genes[i] for i in bad)}. Replace these values or leave out these genes."
        )
        raise InputError(msg)
    return sums
