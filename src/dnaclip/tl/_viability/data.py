"""What a viability regressor reads from AnnData: effects, profiles of lines and vectors of genes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from dnaclip._errors import InputError, examples
from dnaclip._matrix import blocks, expression
from dnaclip._validate import check_key
from dnaclip.tl._adata import check_adata

if TYPE_CHECKING:
    from collections.abc import Sequence

    import anndata

__all__ = ["GeneVectors", "check_effects", "check_vectors", "read_effects", "read_profiles", "read_vectors"]


@dataclass(frozen=True, eq=False)
class GeneVectors:
    """Vectors of what is perturbed.

    Parameters
    ----------
    names
        Genes or drugs (G,).
    values
        Float64 (G, d), the blocks side by side; NaN in a block that a gene lacks.
    blocks
        Widths of the blocks.
    """

    names: pd.Index
    values: np.ndarray
    blocks: tuple[int, ...]

    @property
    def known(self) -> np.ndarray:
        """Whether a gene has a vector in some block, bool (G,)."""
        return np.isfinite(self.values).any(axis=1)


def read_effects(adata: anndata.AnnData, layer: str | None) -> np.ndarray:
    """Return the viability of lines x genes, float64, NaN where it was not observed."""
    check_adata(adata)
    if 0 in adata.shape:
        msg = f"adata has {adata.n_obs} lines and {adata.n_vars} genes: there is nothing to learn from."
        raise InputError(msg)
    for name, index in (("line", adata.obs_names), ("gene", adata.var_names)):
        if index.has_duplicates:
            repeated = index[index.duplicated()].unique()
            msg = f"{len(repeated)} names of a {name} stand more than once: {examples(repeated)}. Names tell what was trained on."
            raise InputError(msg)
    x = expression(adata, layer)
    out = np.empty(x.shape)
    for rows, columns, block in blocks(x):
        out[rows, columns] = block.toarray() if sparse.issparse(block) else np.asarray(block, dtype=np.float64)
    if np.isinf(out).any():
        bad = adata.var_names[np.isinf(out).any(axis=0)]
        msg = f"Viability is infinite for {len(bad)} genes: {examples(bad)}. Set what was not observed to NaN."
        raise InputError(msg)
    return out


def check_effects(effects: np.ndarray, lines: pd.Index, genes: pd.Index, missing_effects: str) -> None:
    """Raise when viability is missing and may not be, or is missing for a whole line or gene."""
    seen = np.isfinite(effects)
    if seen.all():
        return
    for name, names, none in (("line", lines, ~seen.any(axis=1)), ("gene", genes, ~seen.any(axis=0))):
        if none.any():
            msg = f"{none.sum()} of {len(names)} {name}s have no viability at all: {examples(names[none])}. Leave them out."
            raise InputError(msg)
    if missing_effects == "error":
        bad = genes[~seen.all(axis=0)]
        msg = (
            f"Viability is NaN for {int((~seen).sum())} of {seen.size} pairs, of {len(bad)} genes: {examples(bad)}. "
            "Use missing_effects='ignore' to learn from the others."
        )
        raise InputError(msg)


def read_profiles(adata: anndata.AnnData, profile: str, profiles: Any, missing: str) -> np.ndarray:
    """Return the expression of each line of `adata`, float64 (L, p), from `profiles` if given, else from obsm.

    A row with NaN is no profile and becomes NaN as a whole, if `missing` allows that.
    """
    names = adata.obs_names
    if profiles is None:
        hint = "Name the obsm entry with the lines' expression, or give profiles=."
        check_key(profile, adata.obsm, where="adata.obsm", hint=hint)
        where, values = f"adata.obsm[{profile!r}]", adata.obsm[profile]
    else:
        where, values = "profiles", profiles.to_df() if hasattr(profiles, "to_df") else profiles
        if not isinstance(values, pd.DataFrame):
            msg = f"profiles must be an AnnData or a DataFrame with the lines as rows, got {type(profiles).__name__}."
            raise InputError(msg)
        lacking = names[~names.isin(values.index)]
        if len(lacking) or values.index.has_duplicates:
            why = (
                f"lacks {len(lacking)} of {len(names)} lines: {examples(lacking)}" if len(lacking) else "repeats lines"
            )
            msg = f"profiles {why}. Give one row for each line, or leave the lines without a profile out of adata."
            raise InputError(msg)
        values = values.loc[names]
    array = _numbers(where, values)
    infinite = np.isinf(array).any(axis=1)
    if infinite.any():
        msg = f"{where} has infinite values for {infinite.sum()} lines: {examples(names[infinite])}."
        raise InputError(msg)
    bad = np.isnan(array).any(axis=1)
    if bad.all():
        msg = f"{where} holds NaN for every line, so no line has a profile."
        raise InputError(msg)
    if bad.any() and missing == "error":
        msg = (
            f"{where} holds NaN for {bad.sum()} of {len(bad)} lines: {examples(names[bad])}. Leave these lines out, fill in, or "
            "use missing='mean' to do with what is known without their profile."
        )
        raise InputError(msg)
    return np.where(bad[:, None], np.nan, array)


def read_vectors(
    adata: anndata.AnnData, use_rep: str | Sequence[str], target_key: str | None, vectors: pd.DataFrame | None
) -> GeneVectors:
    """Return the vector of each column of `adata`: from `vectors`, or from the varm entries of `use_rep`.

    With `target_key` the column is a drug, and its vector the mean over its target genes, looked up in `vectors` or else in
    the human embedding table.
    """
    if target_key is not None:
        return _of_targets(adata, target_key, vectors)
    if vectors is not None:
        return _given(adata.var_names, vectors)
    keys = [use_rep] if isinstance(use_rep, str) else list(use_rep)
    if not keys:
        msg = "use_rep names no vectors. Name one or several entries of adata.varm."
        raise InputError(msg)
    parts = []
    for key in keys:
        check_key(key, adata.varm, where="adata.varm", hint="Run dnaclip.tl.embed(adata) first.")
        parts.append(_vectors(f"adata.varm[{key!r}]", adata.varm[key], adata.var_names))
    return GeneVectors(adata.var_names, np.hstack(parts), tuple(part.shape[1] for part in parts))


def _given(names: pd.Index, vectors: pd.DataFrame) -> GeneVectors:
    if not isinstance(vectors, pd.DataFrame) or vectors.empty or vectors.index.has_duplicates:
        msg = "vectors must be a DataFrame with one row of numbers for each gene, and the genes as index."
        raise InputError(msg)
    values = _vectors("vectors", vectors, vectors.index)
    place = vectors.index.get_indexer(names)
    return GeneVectors(names, np.where(place[:, None] >= 0, values[place], np.nan), (values.shape[1],))


def _of_targets(adata: anndata.AnnData, key: str, vectors: pd.DataFrame | None) -> GeneVectors:
    check_key(key, adata.var.columns, where="adata.var")
    targets = [
        [] if pd.isna(text) else [gene.strip() for gene in str(text).replace("|", "+").split("+") if gene.strip()]
        for text in adata.var[key]
    ]
    genes = pd.Index(sorted({gene for one in targets for gene in one}), dtype=object)
    if vectors is None:
        from dnaclip.datasets._load import load_table
        from dnaclip.pp._match import find_genes

        table = load_table("human")
        match = find_genes(genes, table)
        found = np.where(match.found, match.rows, 0)
        values = np.where(match.found[:, None], table.vectors("joint")[found], np.nan)
        known = GeneVectors(genes, values.astype(np.float64), (values.shape[1],))
    else:
        known = _given(genes, vectors)
    usable = {gene: vector for gene, vector, ok in zip(genes, known.values, known.known, strict=True) if ok}
    none = np.full(known.values.shape[1], np.nan)
    means = [[usable[gene] for gene in one if gene in usable] for one in targets]
    return GeneVectors(
        adata.var_names, np.array([np.mean(one, axis=0) if one else none for one in means]), known.blocks
    )


def check_vectors(found: GeneVectors, method: str, missing: str) -> None:
    """Raise an InputError when a gene has no vector, `method` needs one, and `missing` says that this is an error."""
    from dnaclip.models._viability.methods import BASELINES

    if missing == "error" and method not in BASELINES and not found.known.all():
        without = found.names[~found.known]
        msg = (
            f"{len(without)} of {len(found.names)} genes have no vector: {examples(without)}. Leave them out, give vectors=, "
            "or use missing='mean' to do with what is known without."
        )
        raise InputError(msg)


def _vectors(where: str, stored: Any, names: pd.Index) -> np.ndarray:
    """Return vectors as float64; a row with NaN, or of zeros only, is no vector and becomes NaN."""
    values = _numbers(where, stored)
    infinite = np.isinf(values).any(axis=1)
    if infinite.any():
        msg = f"{where} has infinite values for {infinite.sum()} genes: {examples(names[infinite])}."
        raise InputError(msg)
    known = np.isfinite(values).all(axis=1) & (np.nan_to_num(values) != 0).any(axis=1)
    return np.where(known[:, None], values, np.nan)


def _numbers(where: str, stored: Any) -> np.ndarray:
    try:
        values = stored.toarray() if sparse.issparse(stored) else np.asarray(stored)
        array = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        msg = f"{where} must hold numbers: {error}"
        raise InputError(msg) from error
    if array.ndim != 2 or array.shape[1] == 0:
        msg = f"{where} must be a matrix with at least one column, got shape {array.shape}."
        raise InputError(msg)
    return array
