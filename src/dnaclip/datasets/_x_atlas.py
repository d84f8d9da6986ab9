"""Read the files in which the X-Atlas/Orion screens are published: one Parquet file per batch, a list of counts per cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from dnaclip._errors import InputError, MissingKeyError, examples

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    import anndata

__all__ = ["read_x_atlas"]

COUNTS = ("gene_token_id", "gene_expression")
CELLS = ("cell_barcode", "sample", "guide_target", "gene_target")
PASSED = "pass_guide_filter"
GENES = ("gene_token_id", "gene_name", "ensembl_id")
# Cells that are read at once: about 50 MB of counts.
CELLS_AT_ONCE = 4096


def read_x_atlas(
    files: Sequence[Path], genes: Path, *, targets: Collection[str] | None = None, control: str = "Non-Targeting"
) -> anndata.AnnData:
    """Return the cells that passed the guide filter, raw counts in CSR form, genes named by symbol.

    Parameters
    ----------
    files
        Parquet files of batches.
    genes
        Parquet file that says which gene a number stands for.
    targets
        Only cells with these targets are read, and the control; None for all.
    control
        Target of the control cells.

    Raises
    ------
    MissingKeyError
        A file lacks a column.
    InputError
        A file is no Parquet file, or no cell is left.
    """
    import anndata as ad

    table = _columns(genes, GENES).sort_values("gene_token_id").reset_index(drop=True)
    tokens = table["gene_token_id"].to_numpy()
    wanted = None if targets is None else {*targets, control}
    blocks, cells = [], []
    for path in files:
        for block, obs in _cells(path, tokens, wanted):
            blocks.append(block)
            cells.append(obs)
    if not sum(map(len, cells)):
        msg = f"No cell of {examples(str(path) for path in files)} has one of the targets {examples(sorted(wanted or []))}."
        raise InputError(msg)
    obs = pd.concat(cells, ignore_index=True)
    obs = obs.set_index(obs.pop("cell_barcode").astype(str))
    var = pd.DataFrame({"ensembl_id": table["ensembl_id"].to_numpy()}, index=table["gene_name"].astype(str).to_numpy())
    adata = ad.AnnData(sparse.vstack(blocks, format="csr"), obs=obs)
    adata.var = var
    return adata


def _cells(path: Path, tokens: np.ndarray, wanted: set[str] | None) -> Iterator[tuple[sparse.csr_matrix, pd.DataFrame]]:
    """Yield counts and annotation of some thousand cells at a time."""
    file = _open(path, (*COUNTS, *CELLS))
    extra = [PASSED] if PASSED in file.schema_arrow.names else []
    for batch in file.iter_batches(batch_size=CELLS_AT_ONCE, columns=[*COUNTS, *CELLS, *extra]):
        obs = batch.select([*CELLS, *extra]).to_pandas()
        keep = np.ones(len(obs), bool) if not extra else obs.pop(PASSED).to_numpy() == 1
        if wanted is not None:
            keep &= obs["gene_target"].isin(wanted).to_numpy()
        ids, counts = batch.column("gene_token_id"), batch.column("gene_expression")
        values = ids.flatten().to_numpy(zero_copy_only=False)
        position = np.searchsorted(tokens, values).clip(max=len(tokens) - 1)
        unknown = values[tokens[position] != values]
        if unknown.size:
            msg = f"{path}: {len(set(unknown.tolist()))} numbers of genes are not in the list of genes: {examples(sorted(set(unknown.tolist())))}."
            raise InputError(msg)
        ends = np.concatenate([[0], np.cumsum(ids.value_lengths().to_numpy(zero_copy_only=False))])
        data = counts.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
        block = sparse.csr_matrix((data, position.astype(np.int32), ends), shape=(len(obs), len(tokens)))
        yield block[keep], obs[keep]


def _columns(path: Path, names: tuple[str, ...]) -> pd.DataFrame:
    return _open(path, names).read(columns=list(names)).to_pandas()


def _open(path: Path, names: tuple[str, ...]) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid) as error:
        msg = f"{str(path)!r} cannot be read as a Parquet file: {error}"
        raise InputError(msg) from error
    if missing := [name for name in names if name not in file.schema_arrow.names]:
        msg = f"{str(path)!r} has no column {examples(missing)}. Present: {examples(file.schema_arrow.names, 20)}."
        raise MissingKeyError(msg)
    return file
