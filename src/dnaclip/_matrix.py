"""Read an expression matrix in blocks, whatever it is stored as, without ever making the whole of it dense."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from dnaclip._errors import InputError, examples
from dnaclip._validate import check_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import anndata

__all__ = [
    "blocks",
    "expression",
    "gene_moments",
    "gene_sums",
    "group_sums",
    "not_log_normalised",
    "row_results",
    "sampled_rows",
]

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
    return _finite(_column_sums(x, _sums), genes)


def gene_moments(x: Any, genes: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return each gene's sum and sum of squares over all cells; raise when a value is NaN or infinite."""
    sums, squares = _column_sums(x, lambda block: np.vstack([_sums(block), _sums(_squared(block))]), n_rows=2)
    return _finite(sums, genes), squares


def group_sums(
    x: Any,
    groups: np.ndarray,
    n_groups: int,
    genes: Any,
    *,
    squares: bool = False,
    weights: np.ndarray | None = None,
) -> tuple[np.ndarray, ...]:
    """Return each gene's sum over the cells of each group, float64 (n_groups, n_vars), and with `squares` that of its square.

    `groups` holds the group of each cell, from 0, or -1 for none; `weights`, (n_obs,), by how much it counts. Raise when a
    value in a group is NaN or infinite.
    """
    cells = np.flatnonzero(groups >= 0)
    weight = np.ones(len(cells)) if weights is None else weights[cells]
    member = sparse.csr_array((weight, (groups[cells], cells)), shape=(n_groups, len(groups)))
    tables = tuple(np.zeros((n_groups, x.shape[1])) for _ in range(1 + squares))
    with np.errstate(invalid="ignore", over="ignore"):
        for rows, columns, block in blocks(x):
            for table, values in zip(tables, (block, _squared(block) if squares else None), strict=False):
                table[:, columns] += _dense(member[:, rows] @ values)
    _finite(tables[0].sum(axis=0), genes)
    return tables


def row_results(x: Any, function: Callable[[Any, slice], np.ndarray], width: int) -> np.ndarray:
    """Return float32 (n_obs, width), where `function(block, columns)` gives the part that these columns add for a band of rows.

    Chunks of dask are computed by whatever scheduler is active, such as a cluster, and only the results come back.
    """
    if hasattr(x, "map_blocks"):
        x, everything = _whole_rows(x), slice(None)
        lazy = x.map_blocks(
            lambda block: np.asarray(function(block, everything), dtype=np.float32),
            chunks=(x.chunks[0], (width,)),
            meta=np.empty((0, width), dtype=np.float32),
        )
        return np.asarray(lazy.compute())
    # Column bands add up, and that in double precision; row bands are final.
    result = np.zeros((x.shape[0], width), dtype=np.float64 if getattr(x, "format", None) == "csc" else np.float32)
    for rows, columns, block in blocks(x):
        result[rows] += function(block, columns)
    return result.astype(np.float32, copy=False)


def sampled_rows(x: Any, rows: np.ndarray, columns: np.ndarray) -> sparse.csr_matrix:
    """Return the rows and columns at these rising positions, float64 and sparse however `x` is stored, read in bands."""
    if getattr(x, "format", None) == "csc":
        chosen = [sparse.csc_matrix(block)[rows] for *_, block in blocks(x)]
        return sparse.csr_matrix(sparse.hstack(chosen, format="csc")[:, columns], dtype=np.float64)
    bands = (x[rows[band]] for band in _bands(len(rows), x.shape[1]))
    parts = (band.compute() if hasattr(band, "compute") else band for band in bands)
    chosen = [sparse.csr_matrix(part[:, columns], dtype=np.float64) for part in parts]
    return sparse.csr_matrix(sparse.vstack(chosen, format="csr"))


def _column_sums(x: Any, function: Callable[[Any], np.ndarray], n_rows: int = 1) -> np.ndarray:
    """Add up `function(block)`, (n_rows, columns of the block) or (columns,), over all cells."""
    with np.errstate(invalid="ignore", over="ignore"):
        if hasattr(x, "map_blocks"):
            x, n_chunks = _whole_rows(x), len(x.chunks[0])
            lazy = x.map_blocks(
                lambda block: function(block).reshape(1, n_rows, -1),
                new_axis=1,
                chunks=((1,) * n_chunks, (n_rows,), (x.shape[1],)),
                meta=np.empty((0, 0, 0)),
            )
            return np.squeeze(np.asarray(lazy.sum(axis=0).compute())) if n_rows == 1 else np.asarray(lazy.sum(axis=0))
        sums = np.zeros((n_rows, x.shape[1]) if n_rows > 1 else x.shape[1])
        for _, columns, block in blocks(x):
            sums[..., columns] += function(block)
        return sums


def _whole_rows(x: Any) -> Any:
    """Return a dask array that is not cut by columns."""
    return x if len(x.chunks[1]) == 1 else x.rechunk({1: -1})


def _sums(block: Any) -> np.ndarray:
    # Not `block.sum`: a sparse float32 matrix adds up in single precision, whatever dtype it is asked for.
    return np.ones(block.shape[0]) @ block


def _dense(product: Any) -> np.ndarray:
    return product.toarray() if sparse.issparse(product) else np.asarray(product)


def _squared(block: Any) -> Any:
    block = block.astype(np.float64)
    return block.multiply(block) if sparse.issparse(block) else np.square(block, out=block)


def _finite(sums: np.ndarray, genes: Any) -> np.ndarray:
    bad = np.flatnonzero(~np.isfinite(sums))
    if bad.size:
        msg = (
            f"The expression of {bad.size} of {len(sums)} genes holds NaN or infinite values: "
            f"{examples(genes[i] for i in bad)}. Replace these values or leave out these genes."
        )
        raise InputError(msg)
    return sums


def not_log_normalised(x: Any) -> str:
    """Say what in the first block of expression does not look like log-normalised values, `""` if nothing does."""
    first: Any = next((block for *_, block in blocks(x)), np.empty(0))
    values: np.ndarray = first.data if sparse.issparse(first) else first
    if values.size and values.min() < 0:
        return "negative values, as scaled data do"
    if values.size and values.max() > 1 and (values == np.rint(values)).all():
        return "whole numbers only, as raw counts do"
    return ""
