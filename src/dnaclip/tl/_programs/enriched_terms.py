"""The table of the gene sets that programs share more genes with than chance gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip.metrics import over_representation
from dnaclip.metrics._parent_terms import explained_by_children

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["enriched_terms"]


def enriched_terms(
    in_program: sparse.csr_array,
    in_set: sparse.csr_array,
    *,
    programs: list[str],
    terms: np.ndarray,
    genes: pd.Index,
    max_fdr: float,
    prune_parents: bool,
) -> pd.DataFrame:
    """Return one row per program and enriched set, by program and p-value; columns as :func:`dnaclip.tl.enrich` says.

    `in_program` and `in_set` say which of `genes` each of `programs` and `terms` has, sparse bool.
    """
    found = over_representation(in_program, in_set)
    found = found[np.exp(found["log_fdr"]) <= max_fdr]
    if prune_parents and len(found):
        by_program = [rows for _, rows in found.groupby("program", sort=True)]
        explained = [
            explained_by_children(
                in_set[rows["set"].to_numpy()],
                in_program[rows["program"].to_numpy()[:1]].toarray()[0],
                rows["log_p"].to_numpy(),
            )
            for rows in by_program
        ]
        found = found[~np.concatenate(explained)]
    found = found.assign(term=terms[found["set"]]).sort_values(["program", "log_p", "term"], kind="stable")
    shared = in_program[found["program"].to_numpy()].multiply(in_set[found["set"].to_numpy()]).tocsr()
    shared.sort_indices()
    names = genes.to_numpy(dtype=object)[shared.indices]
    members = [";".join(sorted(part)) for part in np.split(names, shared.indptr[1:-1])] if len(found) else []
    log_p = found["log_p"].to_numpy()
    return pd.DataFrame(
        {
            "program": np.array(programs, dtype=object)[found["program"]],
            "term": found["term"].to_numpy(dtype=object),
            "n_overlap": found["n_overlap"].to_numpy(),
            "n_term": found["n_set"].to_numpy(),
            "n_program": found["n_program"].to_numpy(),
            "n_background": np.full(len(found), len(genes)),
            "odds_ratio": found["odds_ratio"].to_numpy(),
            "log10_p": log_p / np.log(10),
            "p_value": np.exp(log_p),
            "fdr": np.exp(found["log_fdr"].to_numpy()),
            "genes": np.array(members, dtype=object),
        }
    ).astype(dict.fromkeys(("program", "term", "genes"), str))  # also where no row tells that they hold text
