"""The labels of the tasks: a folder that the user names, or the files of the registry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from dnaclip._dataframe import read_dataframe
from dnaclip._errors import InputError, examples
from dnaclip.datasets import fetch

if TYPE_CHECKING:
    import os

__all__ = ["FILES", "read_labels"]

# Place of each file below the folder of the user, and what it must hold.
FILES = {
    "gene-level": ("zhong2025/gene_level.parquet", ["task", "term", "term_name", "split", "entrez_id", "label"]),
    "pairs-sl": (
        "zhong2025/pairs_sl.parquet",
        ["entrez_a", "entrez_b", "label", *(f"{kind}_f{fold}" for fold in range(3) for kind in ("role", "inner"))],
    ),
    "intersect": ("zhong2025/intersect_genes_11355.csv", ["entrez_id"]),
    "published": ("zhong2025/published_summary_wide.csv", ["embedding", "go_full_meanAUROC"]),
    "embeddings": ("zhong2025/embed_meta.csv", ["Embeding", "Category", "Original Dimensions"]),
    "gene-class": ("human_gene_class.parquet", ["ensembl_id", "symbol", "gene_type15", "entrez_id"]),
    "dosage": ("dosage_sensitive_tf.csv", ["ensembl_id", "label"]),
    "interactions": ("ggi.parquet", ["gene_a", "gene_b", "label", "split"]),
}


def read_labels(which: str, data: str | os.PathLike[str] | None) -> pd.DataFrame:
    """Read one file of labels.

    Parameters
    ----------
    which
        One of `FILES`.
    data
        Folder with the files as laid out in `FILES`; `None` takes the registered ones.

    Returns
    -------
    The table as it is, categories as plain text.

    Raises
    ------
    InputError
        The folder lacks the file, or the file is not what it should be.
    DownloadError
        Without a folder: the registered file is not here and cannot be had.
    """
    file, columns = FILES[which]
    if data is None:
        path = fetch(f"benchmark-{which}")
    else:
        path = Path(data) / file
        if not path.is_file():
            msg = (
                f"There is no {str(path)!r}. data must be a folder with the labels of the tasks: "
                f"{', '.join(place for place, _ in FILES.values())}."
            )
            raise InputError(msg)
    table = read_dataframe(path)
    absent = [column for column in columns if column not in table]
    if absent or table.empty:
        msg = f"{str(path)!r} lacks the columns {examples(absent)}." if absent else f"{str(path)!r} has no rows."
        raise InputError(msg)
    for column in table.columns:
        if isinstance(table[column].dtype, pd.CategoricalDtype):
            table[column] = table[column].astype(object)
    return table
