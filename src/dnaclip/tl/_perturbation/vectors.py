"""The vectors of perturbed genes: given ones, those in varm, and for genes that were not measured the embedding table."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from dnaclip._errors import DnaclipError, InputError, examples
from dnaclip.datasets._load import load_table
from dnaclip.pp._match import find_genes
from dnaclip.tl._gene_vectors import gene_vectors

if TYPE_CHECKING:
    import anndata

    from dnaclip.datasets._table import EmbeddingTable
    from dnaclip.models._perturbation.means import Condition

__all__ = [
    "CONTROLS",
    "MISSING",
    "ResolvedVectors",
    "VectorSource",
    "control_vectors",
    "read_vectors",
    "resolve_vectors",
]

logger = logging.getLogger(__name__)

MISSING = ("error", "drop", "zero")
CONTROLS = ("permuted", "random", "one_hot")
TABLE_KEYS = ("model", "model_sha256", "organism", "modality")


@dataclass(frozen=True, eq=False)
class VectorSource:
    """Vectors of genes by name.

    Parameters
    ----------
    names
        Genes with a vector of their own (n,).
    values
        Their vectors, float32 (n, d).
    table
        `model`, `model_sha256`, `organism` and `modality` of the embedding table that knows the other genes; empty when
        there is none.
    """

    names: tuple[str, ...]
    values: np.ndarray
    table: Mapping[str, str] = field(default_factory=dict)

    def find(self, genes: Iterable[str]) -> tuple[dict[str, np.ndarray], str]:
        """Return the vectors of those `genes` that have one, and why the others have none."""
        place = {name: i for i, name in enumerate(self.names)}
        genes = list(dict.fromkeys(genes))
        vectors = {gene: self.values[place[gene]] for gene in genes if gene in place}
        others = [gene for gene in genes if gene not in place]
        if not others:
            return vectors, ""
        if not self.table:
            return vectors, "They are not among the genes with a vector, and no embedding table is recorded for others."
        return self._look_up(vectors, others)

    def _look_up(self, vectors: dict[str, np.ndarray], others: list[str]) -> tuple[dict[str, np.ndarray], str]:
        table, why = self._table
        if table is None:
            return vectors, why
        modality = self.table["modality"]
        match, values = find_genes(others, table), table.vectors(modality)
        rows = np.where(match.found, match.rows, 0)
        known = match.found & ~np.isnan(values[rows, 0])
        vectors |= {gene: values[row] for gene, row, ok in zip(others, rows, known, strict=True) if ok}
        return vectors, f"The {table.species} table of {table.model!r} has no {modality} vector for them either."

    @cached_property
    def _table(self) -> tuple[EmbeddingTable | None, str]:
        """The embedding table, or why it cannot be used."""
        model = self.table["model"]
        try:
            table = load_table(self.table["organism"], model)
        except DnaclipError as error:
            return None, f"The embedding table of {model!r} could not be read: {error}"
        if table.model_sha256 != self.table["model_sha256"] or table.dimension != self.values.shape[1]:
            return None, f"The embeddings were made by another version of {model!r} than the table that is there now."
        return table, ""


@dataclass(frozen=True, eq=False)
class ResolvedVectors:
    """Vectors of the genes of some conditions.

    Parameters
    ----------
    vectors
        Vector of each gene, zeros for one without when that was asked for.
    without
        Genes that have no vector.
    dropped
        Conditions that are left out for want of a vector.
    """

    vectors: dict[str, np.ndarray]
    without: frozenset[str]
    dropped: frozenset[Condition]


def read_vectors(adata: anndata.AnnData, use_rep: str, vectors: pd.DataFrame | None) -> VectorSource:
    """Return the vectors in `vectors`, one row per gene, and in `adata.varm[use_rep]`; the former come first.

    Raises
    ------
    MissingKeyError
        There is no `use_rep` in varm, and no `vectors`.
    InputError
        Vectors are not numbers, are infinite, stand twice for a gene, or are not of the same length.
    """
    given = None if vectors is None else _given(vectors)
    if given is not None and use_rep not in adata.varm:
        return given
    positions, _ = gene_vectors(adata, use_rep)
    stored = adata.varm[use_rep]
    values = stored.toarray() if sparse.issparse(stored) else np.asarray(stored)
    names, values = tuple(adata.var_names[positions]), values[positions].astype(np.float32)
    record = adata.uns.get(use_rep, {})
    params = record.get("params", {}) if isinstance(record, Mapping) else {}
    table = {key: str(params[key]) for key in TABLE_KEYS} if set(TABLE_KEYS) <= set(params) else {}
    if given is None:
        return VectorSource(names, values, table)
    if given.values.shape[1] != values.shape[1]:
        msg = (
            f"vectors has {given.values.shape[1]} columns, but adata.varm[{use_rep!r}] has {values.shape[1]}. Give vectors "
            "of the same kind, or a use_rep that is not in varm to use vectors alone."
        )
        raise InputError(msg)
    # Later names win when the rows are looked up by name.
    return VectorSource(names + given.names, np.vstack([values, given.values]), table)


def _given(vectors: Any) -> VectorSource:
    if not isinstance(vectors, pd.DataFrame) or vectors.empty:
        msg = f"vectors must be a DataFrame with one row per gene and the genes as index, got {type(vectors).__name__}."
        raise InputError(msg)
    if vectors.index.has_duplicates:
        repeated = vectors.index[vectors.index.duplicated()].unique()
        msg = f"{len(repeated)} genes stand more than once in vectors: {examples(repeated)}. Keep one row per gene."
        raise InputError(msg)
    try:
        values = vectors.to_numpy(dtype=np.float32)
    except (TypeError, ValueError) as error:
        msg = f"vectors must hold numbers: {error}"
        raise InputError(msg) from error
    infinite = np.isinf(values).any(axis=1)
    if infinite.any():
        msg = f"vectors has infinite values for {infinite.sum()} genes: {examples(vectors.index[infinite])}."
        raise InputError(msg)
    # A row of NaN or of zeros is no vector, as in varm.
    known = np.abs(values).sum(axis=1) > 0
    return VectorSource(tuple(str(name) for name in vectors.index[known]), values[known])


def resolve_vectors(source: VectorSource, conditions: Iterable[Condition], missing: str) -> ResolvedVectors:
    """Find the vectors of all genes of `conditions`, and do with those that have none as `missing` says.

    Raises
    ------
    InputError
        Genes have no vector and `missing="error"`, or no condition is left.
    """
    conditions = list(conditions)
    genes = sorted({gene for condition in conditions for gene in condition})
    vectors, why = source.find(genes)
    without = frozenset(gene for gene in genes if gene not in vectors)
    if not without:
        return ResolvedVectors(vectors, without, frozenset())
    said = f"{len(without)} of {len(genes)} perturbed genes have no vector: {examples(sorted(without))}. {why}"
    if missing == "error":
        msg = f"{said} Use missing='drop' to leave out their perturbations, missing='zero', or give vectors."
        raise InputError(msg)
    if missing == "zero":
        logger.warning("%s They get the vector zero.", said)
        zero = np.zeros(source.values.shape[1], dtype=np.float32)
        return ResolvedVectors(vectors | dict.fromkeys(without, zero), without, frozenset())
    dropped = frozenset(condition for condition in conditions if without.intersection(condition))
    logger.warning("%s %d perturbations are left out.", said, len(dropped))
    if not any(condition not in dropped for condition in conditions if condition):
        msg = f"{said} Without them no perturbation is left."
        raise InputError(msg)
    return ResolvedVectors(vectors, without, dropped)


def control_vectors(
    kind: str, vectors: Mapping[str, np.ndarray], genes: Iterable[str], rng: np.random.Generator
) -> VectorSource:
    """Return vectors that say nothing about genes, to see what the real ones are worth.

    Parameters
    ----------
    kind
        `"permuted"`: the real vectors, each with another gene. `"random"`: normal numbers, as long as the real ones.
        `"one_hot"`: a dimension for each gene.
    vectors
        The real vectors.
    genes
        All perturbed genes, in an order that does not hang on chance.
    """
    names = tuple(gene for gene in genes if gene in vectors)
    real = np.stack([vectors[gene] for gene in names])
    if kind == "permuted":
        return VectorSource(names, real[rng.permutation(len(real))])
    if kind == "random":
        noise = rng.normal(size=real.shape)
        noise *= np.linalg.norm(real, axis=1, keepdims=True) / np.linalg.norm(noise, axis=1, keepdims=True)
        return VectorSource(names, noise.astype(np.float32))
    return VectorSource(names, np.eye(len(names), dtype=np.float32))
