"""Our scores as rows of the published table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd

from dnaclip._errors import InputError
from dnaclip._validate import check_key
from dnaclip.benchmark._data import read_labels

if TYPE_CHECKING:
    import os

__all__ = ["compare"]

METRICS = {"auroc": "AUROC", "auprc": "AUPRC"}
# Published embeddings that were made from literature, by the category that the study gives.
TEXT = "literature"


def compare(result: pd.DataFrame, *, data: str | os.PathLike[str] | None = None) -> pd.DataFrame:
    """Set the scores of one or several runs beside the 38 published embeddings.

    Parameters
    ----------
    result
        From :func:`run`; several results joined by `pandas.concat`. All must be of the same choice of genes.
    data
        Folder with the published table (`zhong2025/published_summary_wide.csv`, `zhong2025/embed_meta.csv`); `None` takes
        the registered files.

    Returns
    -------
    One row per embedding, indexed by name: `category`, `dimension`, `ours` (whether it is of `result`), `reads_text`,
    `protocol`, and one column per score: `go`, `omim` (mean AUROC over the terms), `sl_sum` and `sl_sum_auprc` (mean over
    the outer folds), likewise for other pair features; sorted by the first. Scores that were not published for an
    embedding are NaN, and so are those of `class`, `dosage` and `ggi`, for which the 38 have none.

    Raises
    ------
    MissingKeyError
        A column is missing from `result`.
    InputError
        `result` is empty or mixes choices of genes, or published files cannot be read.

    Examples
    --------
    >>> import pandas as pd
    >>> from dnaclip import benchmark
    >>> benchmark.compare(pd.DataFrame({"embedding": []}))
    Traceback (most recent call last):
        ...
    dnaclip._errors.MissingKeyError: 'task' is not in the result. Present: 'embedding'. Give what benchmark.run returned.
    """
    hint = "Give what benchmark.run returned."
    for column in (
        "embedding",
        "task",
        "features",
        "method",
        "metric",
        "value",
        "genes",
        "protocol",
        "reads_text",
        "dimension",
    ):
        check_key(column, result.columns, where="the result", hint=hint)
    kinds = result["genes"].unique()
    if len(kinds) != 1:
        msg = f"All results must be of the same choice of genes, got {', '.join(map(repr, kinds)) or 'no rows'}."
        raise InputError(msg)
    ours = summary(result)
    published = _published("intersect" if kinds[0] == "intersect" else "full", data)
    scores = [
        str(column) for column in ours if column not in ("category", "dimension", "ours", "reads_text", "protocol")
    ]
    # By records: a score that none of the published has is NaN for them.
    records = [*ours.to_dict("records"), *published[published.columns.intersection(ours.columns)].to_dict("records")]
    index = pd.Index([*ours.index, *published.index], name="embedding")
    joined = pd.DataFrame(records, index=index, columns=ours.columns).astype({"dimension": "Int64"})
    return joined.sort_values(scores[0], ascending=False, kind="stable")


def summary(result: pd.DataFrame) -> pd.DataFrame:
    """Mean scores, one row per embedding and protocol."""
    rows = {}
    for (name, protocol), part in result.groupby(["embedding", "protocol"], sort=False):
        row = {
            "category": "this run",
            "dimension": part["dimension"].iloc[0],
            "ours": True,
            "reads_text": part["reads_text"].iloc[0],
            "protocol": protocol,
        }
        for keys, scores in part.groupby(["task", "features", "method", "metric"], sort=False):
            if (column := _column(*map(str, keys))) is not None:
                row[column] = scores["value"].mean()
        rows[name if protocol == "published" else f"{name} ({str(protocol).split(',')[0]})"] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("embedding")


def _column(task: str, features: str, method: str, metric: str) -> str | None:
    """Name of a score in the table; the main metric of a task has none of its own."""
    if metric == "p_at_10":
        return None
    parts = [task]
    if task == "sl":
        parts.append(features)
    if task == "dosage":
        parts.append("forest" if method == "random forest" else "logistic")
    if metric != "auroc":
        parts.append(metric)
    return "_".join(parts)


def _published(genes: str, data: str | os.PathLike[str] | None) -> pd.DataFrame:
    wide = read_labels("published", data).set_index("embedding")
    about = read_labels("embeddings", data).set_index("Embeding")
    pattern = re.compile(rf"(go|omim)_{genes}_mean(AUROC)|(sl)_(\w+)_{genes}_(AUROC|AUPRC)")
    scores = {}
    for column in wide.columns:
        if found := pattern.fullmatch(column):
            task, _, pair, features, metric = found.groups()
            name = task or f"{pair}_{features}"
            scores[name if metric != "AUPRC" else f"{name}_auprc"] = wide[column]
    table = pd.DataFrame(scores)
    category = about["Category"].reindex(table.index)
    # "(18902, 1280)": genes and dimensions.
    dimension = about["Original Dimensions"].reindex(table.index).str.extract(r"(\d+)\)$")[0].astype("Int64")
    table.insert(0, "category", category)
    table.insert(1, "dimension", dimension)
    table.insert(2, "ours", False)
    table.insert(3, "reads_text", category.str.contains(TEXT, na=False))
    table.insert(4, "protocol", "published")
    return table.rename_axis("embedding")
