"""The pairs of one species, streamed into a Parquet file, and shards joined to one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from dnaclip._errors import InputError
from dnaclip._files import replacing
from dnaclip.pp._pairs.summary import reduced, summarize

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import pandas as pd

    from dnaclip.pp._genome.extract import Extracted
    from dnaclip.pp._genome.plan import Plan

__all__ = ["SCHEMA", "join_shards", "write_shard"]

_TEXT = (
    *("species", "gene_id", "symbol", "biotype", "seqid", "strand", "sequence", "seq_type", "text", "text_level"),
    *("text_source", "evidence", "text_date", "mapping", "entrez_id", "transcript_id"),
)
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in _TEXT),
        ("taxon_id", pa.int32()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("informative", pa.bool_()),
    ]
)
# A row group is closed when it has so many bases or rows: small enough to hold a few in memory, large enough to pack well.
_BASES, _ROWS = 64 << 20, 20_000


def write_shard(
    path: Path,
    plan: Plan,
    texts: pd.DataFrame,
    extracted: Iterable[Extracted],
    *,
    species: str,
    taxon_id: int,
    feature: str,
) -> pd.DataFrame:
    """Write the rows as their sequences come, in the order of the genome, and return their summary.

    Rows whose sequence is empty, or a gap in the assembly for more than half, are left out.

    Raises
    ------
    InputError
        There is no row.
    """
    table = plan.table.drop(columns=["symbol", "entrez_id", "description"]).join(texts.drop(columns="gene_id"))
    table = table.assign(species=species, taxon_id=taxon_id, seq_type=feature)
    counted = []
    with replacing(path) as part, pq.ParquetWriter(part, SCHEMA, compression="zstd") as writer:
        for batch in _batches(extracted):
            rows = table.iloc[[each.row for each in batch]].reset_index(drop=True)
            rows = rows.assign(
                sequence=[each.sequence for each in batch],
                start=[each.start for each in batch],
                end=[each.end for each in batch],
            )
            writer.write_table(pa.Table.from_pandas(rows[SCHEMA.names], schema=SCHEMA, preserve_index=False))
            counted.append(reduced(rows, rows["sequence"].str.len()))
        if not counted:
            msg = f"No gene of {species} has a sequence, so there is nothing to write."
            raise InputError(msg)
    return summarize(counted)


def join_shards(paths: Sequence[Path], out: Path) -> None:
    """Copy the row groups of all shards into one file, in their order."""
    if len(paths) == 1:
        with replacing(out) as part:
            shutil.copyfile(paths[0], part)
        return
    with replacing(out) as part, pq.ParquetWriter(part, SCHEMA, compression="zstd") as writer:
        for path in paths:
            with pq.ParquetFile(path) as shard:
                for i in range(shard.num_row_groups):
                    writer.write_table(shard.read_row_group(i))


def _is_known(sequence: str) -> bool:
    """Whether at least half of the letters are bases; encoders refuse gaps in the assembly."""
    # Deleting the known ones is five times as fast as counting them.
    return bool(sequence) and 2 * len(sequence.encode().translate(None, b"ACGT")) <= len(sequence)


def _batches(extracted: Iterable[Extracted]) -> Iterator[list[Extracted]]:
    batch: list[Extracted] = []
    bases = 0
    for each in extracted:
        if not _is_known(each.sequence):
            continue
        if batch and (bases + len(each.sequence) > _BASES or len(batch) == _ROWS):
            yield batch
            batch, bases = [], 0
        batch.append(each)
        bases += len(each.sequence)
    if batch:
        yield batch
