"""Mean program scores of groups of cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._errors import InputError
from dnaclip._validate import check_key

if TYPE_CHECKING:
    import anndata

__all__ = ["group_scores", "program_scores", "standardised"]


def group_scores(adata: anndata.AnnData, groupby: str, program_key: str) -> pd.DataFrame:
    """Return the mean score of each program (columns) over the cells of each group (rows); cells without a group are left out."""
    check_key(groupby, adata.obs.columns, where="adata.obs")
    scores = program_scores(adata, program_key)
    group = adata.obs[groupby].astype("category").cat.remove_unused_categories().to_numpy()
    return scores.groupby(group, observed=True).mean()


def program_scores(adata: anndata.AnnData, program_key: str) -> pd.DataFrame:
    """Return the score of each cell (rows, numbered) for each program (columns), float64."""
    hint = "Run dnaclip.tl.score_programs(adata) first."
    check_key(program_key, adata.obsm, where="adata.obsm", hint=hint)
    record = adata.uns.get(program_key, {})
    check_key("scores", record, where=f"adata.uns[{program_key!r}]", hint=hint)
    scores, programs = np.asarray(adata.obsm[program_key]), list(record["scores"]["programs"])
    if scores.shape != (adata.n_obs, len(programs)):
        msg = (
            f"adata.obsm[{program_key!r}] has shape {scores.shape}, but adata.uns[{program_key!r}] names {len(programs)} "
            "programs. Run dnaclip.tl.score_programs(adata) again."
        )
        raise InputError(msg)
    return pd.DataFrame(scores.astype(np.float64), columns=programs)


def standardised(means: pd.DataFrame) -> pd.DataFrame:
    """Return the means of each program (columns) in standard deviations from their mean over the groups.

    A program with the same score everywhere is zero.
    """
    spread = means.std(ddof=0)
    # Rounding leaves such a program with a spread of 1e-17, not of 0.
    return (means - means.mean()) / spread.where(spread > 1e-8, np.inf)
