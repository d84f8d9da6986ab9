"""Which genes programs are made from, and the vectors they are compared by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from dnaclip._errors import InputError, MissingKeyError, examples
from dnaclip.tl._gene_vectors import gene_mask, gene_vectors
from dnaclip.tl._programs.coexpression import coexpression_vectors

if TYPE_CHECKING:
    import anndata
    from numpy.typing import ArrayLike

__all__ = ["ProgramGenes", "chosen_genes", "program_genes"]


def chosen_genes(adata: anndata.AnnData, genes: Iterable[str] | None, mask_var: str | ArrayLike | None) -> np.ndarray:
    """Return the genes asked for, bool (n_vars,)."""
    if genes is None:
        return gene_mask(adata, mask_var)
    if mask_var is not None:
        msg = "Give genes or mask_var, not both."
        raise InputError(msg)
    if isinstance(genes, str) or not isinstance(genes, Iterable):
        msg = f"genes must be a list of names of adata.var_names, got {genes!r}."
        raise InputError(msg)
    wanted = list(dict.fromkeys(genes))
    present = adata.var_names
    absent = [name for name in wanted if name not in present]
    if absent:
        msg = (
            f"{len(absent)} of {len(wanted)} genes are not in adata.var_names: {examples(absent)}. "
            f"Names there look like {examples(present, 3)}. Leave these genes out, or mend their names."
        )
        raise MissingKeyError(msg)
    mask = np.asarray(present.isin(wanted))
    if mask.sum() > len(wanted):
        twice = present[mask & present.duplicated(keep="first")].unique()
        msg = (
            f"{len(twice)} of the genes asked for are several genes in adata.var_names: {examples(twice)}. "
            "Use adata.var_names_make_unique(), or choose genes with mask_var."
        )
        raise InputError(msg)
    return mask


@dataclass(frozen=True)
class ProgramGenes:
    """The genes that programs are made from: their positions in `adata`, and what they are compared by."""

    positions: np.ndarray
    """Int (n,), rising."""
    embedding: np.ndarray | None
    """Vectors of length one, float32 (n, d); None when expression alone counts."""
    expression: tuple[np.ndarray, np.ndarray] | None
    """Vectors whose inner products are correlations, and mean expression; None when expression does not count."""

    def vectors(self, expression_weight: float) -> np.ndarray:
        """Return vectors whose inner products are :math:`(1 - w)` times the cosine plus :math:`w` times the correlation."""
        if self.expression is None:
            return cast("np.ndarray", self.embedding)
        if self.embedding is None:
            return self.expression[0]
        parts = np.sqrt(1 - expression_weight) * self.embedding, np.sqrt(expression_weight) * self.expression[0]
        return np.hstack(parts).astype(np.float32)


def program_genes(
    adata: anndata.AnnData,
    mask: np.ndarray,
    *,
    use_rep: str,
    expression_weight: float,
    layer: str | None,
    min_genes: int,
    rng: np.random.Generator,
) -> ProgramGenes:
    """Return the genes in `mask` that can be compared, with their vectors; raise when they are too few for a program."""
    embedding = expression = None
    if expression_weight < 1:
        need = f"have an embedding in adata.varm[{use_rep!r}]"
        positions, vectors = gene_vectors(adata, use_rep)
        positions, embedding = positions[mask[positions]], vectors[mask[positions]]
    else:
        need = "vary in expression"
        positions = np.flatnonzero(mask)
    if expression_weight > 0 and positions.size:
        expression = coexpression_vectors(adata, layer, positions, rng)
        if embedding is None:
            varies = expression[0].any(axis=1)
            positions, expression = positions[varies], (expression[0][varies], expression[1][varies])
    least = max(2, min_genes)
    if len(positions) < least:
        msg = (
            f"Only {len(positions)} of {adata.n_vars} genes {need} and are among those asked for ({mask.sum()}); "
            f"a program needs at least {least}."
        )
        raise InputError(msg)
    return ProgramGenes(positions, embedding, expression)
