"""How coherent programs are in embedding and expression, beside random sets of genes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip.metrics import coherence
from dnaclip.tl._programs.abundance import abundance_bins
from dnaclip.tl._programs.coexpression import coexpression_vectors

if TYPE_CHECKING:
    import anndata

    from dnaclip.tl._programs.genes import ProgramGenes

__all__ = ["program_coherence"]

N_RANDOM = 200


def program_coherence(
    adata: anndata.AnnData,
    used: ProgramGenes,
    programs: np.ndarray,
    names: np.ndarray,
    layer: str | None,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return one row per program: `n_genes`, and the coherence in embedding and expression, as far as these are there.

    Random sets are drawn from the genes used; they match a program in size, and in abundance when there is expression.
    """
    expression = used.expression
    if expression is None and (layer is not None or adata.X is not None) and adata.n_obs:
        expression = coexpression_vectors(adata, layer, used.positions, rng)
    strata = None if expression is None else abundance_bins(expression[1])
    kinds = {"embedding": used.embedding, "expression": None if expression is None else expression[0]}
    columns: dict[str, np.ndarray] = {"n_genes": np.bincount(programs[programs >= 0])}
    for kind, vectors in kinds.items():
        if vectors is not None:
            found = coherence(vectors, programs, strata=strata, n_random=N_RANDOM, rng=rng)
            columns[kind] = found["mean"].to_numpy()
            columns |= {f"{kind}_{part}": found[part].to_numpy() for part in ("random", "z", "p")}
    return pd.DataFrame(columns, index=pd.Index(names, name="program"))
