"""Numbers on a table of pairs, species by species."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnaclip._errors import InputError
from dnaclip._validate import check_key

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

__all__ = ["BIOTYPE", "reduced", "summarize", "summarize_pairs"]

# Columns of the summary that count genes of a biotype start with this.
BIOTYPE = "biotype_"
_COLUMNS = ["species", "biotype", "text", "informative"]


@dataclass
class _Species:
    lengths: list[np.ndarray] = field(default_factory=list)
    biotypes: Counter[str] = field(default_factory=Counter)
    with_text: int = 0
    informative: int = 0


def summarize_pairs(pairs: pd.DataFrame | str | os.PathLike[str]) -> pd.DataFrame:
    """Count the genes of each species, with and without text, and describe their lengths and biotypes.

    Parameters
    ----------
    pairs
        Table of pairs with the columns `sequence` and `text`, and if possible `species`, `biotype` and `informative`; or
        the path of a Parquet file, of which one row group at a time is in memory.

    Returns
    -------
    One row per species, the one with most genes first, with the columns `genes`, `with_text`, `without_text`,
    `informative` (int; genes whose text says anything of function), `length_5`, `length_50`, `length_95` (float,
    percentiles of the length in bases), `bases` (int, in all), and `biotype_NAME` (int) for the six commonest biotypes,
    with `biotype_other` for the rest.

    Raises
    ------
    InputError
        There is no such file, it is no Parquet table, or it is empty.
    MissingKeyError
        A column is absent.

    Examples
    --------
    >>> import pandas as pd
    >>> from dnaclip.pp import summarize_pairs
    >>> pairs = pd.DataFrame(
    ...     {"species": ["A a", "A a", "B b"], "sequence": ["ACGT", "AC", "A"], "text": ["x", "", "y"]}
    ... )
    >>> summarize_pairs(pairs)[["genes", "with_text", "length_50"]]
             genes  with_text  length_50
    species
    A a          2          1        3.0
    B b          1          1        1.0
    """
    return summarize(_parts(pairs))


def summarize(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Summarize pairs that come in parts, each as :func:`reduced` makes them."""
    found: dict[str, _Species] = {}
    for rows in parts:
        for species, group in rows.groupby("species", sort=False):
            into = found.setdefault(str(species), _Species())
            into.lengths.append(group["length"].to_numpy())
            into.biotypes.update(group["biotype"].tolist())
            into.with_text += int(group["has_text"].sum())
            into.informative += int(group["informative"].sum())
    if not found:
        msg = "pairs has no rows, so there is nothing to summarize."
        raise InputError(msg)
    commonest = sum((each.biotypes for each in found.values()), Counter()).most_common(6)
    records: dict[str, dict[str, float]] = {}
    for species, each in found.items():
        lengths = np.concatenate(each.lengths)
        shares: dict[str, int] = {f"{BIOTYPE}{name or 'unknown'}": each.biotypes[name] for name, _ in commonest}
        records[species] = {
            "genes": len(lengths),
            "with_text": each.with_text,
            "without_text": len(lengths) - each.with_text,
            "informative": each.informative,
            **{f"length_{q}": float(np.percentile(lengths, q)) for q in (5, 50, 95)},
            "bases": int(lengths.sum()),
            **shares,
            f"{BIOTYPE}other": len(lengths) - sum(shares.values()),
        }
    table = pd.DataFrame.from_dict(records, orient="index").rename_axis("species")
    return table.sort_values("genes", ascending=False, kind="stable")


def _parts(pairs: Any) -> Iterator[pd.DataFrame]:
    """Yield what is counted, part by part."""
    if isinstance(pairs, pd.DataFrame):
        for column in ("sequence", "text"):
            check_key(column, pairs.columns, where="the columns of pairs")
        if len(pairs):
            yield reduced(pairs, pairs["sequence"].str.len())
        return
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    path = Path(pairs)
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        msg = f"{str(path)!r} cannot be read as a Parquet table ({error})."
        raise InputError(msg) from error
    with file:
        names = file.schema_arrow.names
        for column in ("sequence", "text"):
            check_key(column, names, where=f"the columns of {path.name}")
        columns = ["sequence", *(name for name in _COLUMNS if name in names)]
        for i in range(file.num_row_groups):
            group = file.read_row_group(i, columns=columns)
            lengths = pc.utf8_length(group["sequence"]).to_pandas()
            yield reduced(group.drop_columns("sequence").to_pandas(), lengths)


def reduced(rows: pd.DataFrame, lengths: pd.Series) -> pd.DataFrame:
    """What is counted of each row: species, biotype, length, has_text and informative."""
    has_text = rows["text"].fillna("").str.strip() != ""
    informative = rows["informative"].astype(bool) if "informative" in rows else has_text
    return pd.DataFrame(
        {
            "species": rows.get("species", "all"),
            "biotype": rows["biotype"].fillna("") if "biotype" in rows else "",
            "length": lengths,
            "has_text": has_text,
            "informative": informative & has_text,
        }
    )
