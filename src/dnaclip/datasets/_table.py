"""Embedding table: the vectors of one species' genes, with the identifiers that find them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnaclip._errors import InputError, MissingKeyError, examples
from dnaclip._files import write_atomic
from dnaclip._validate import check_choice
from dnaclip.datasets._lookup import GeneLookup
from dnaclip.datasets._rows import unit_rows
from dnaclip.datasets._table_file import decode, encode

if TYPE_CHECKING:
    import os
    from pathlib import Path

__all__ = ["GENE_COLUMNS", "MODALITIES", "SIDES", "EmbeddingTable"]

GENE_COLUMNS = ("ensembl_id", "entrez_id", "symbol", "aliases", "name", "biotype", "chromosome")
SIDES = ("dna", "text")
MODALITIES = ("joint", *SIDES)


@dataclass(frozen=True, eq=False, repr=False)
class EmbeddingTable:
    """Vectors and identifiers of one species' genes.

    Parameters
    ----------
    genes
        One row per gene, text columns `ensembl_id`, `entrez_id`, `symbol`, `aliases` (aliases and previous symbols,
        joined by `|`), `name`, `biotype` and `chromosome`; `""` where something is unknown.
    sides
        Vectors by modality (`"dna"`, `"text"`), shape (number of genes, d), a row of NaN where a gene has none.
        Kept as float32 with rows of length one, read-only.
    species
        Name of the species, such as `"human"`.
    taxon_id
        NCBI taxonomy number, such as 9606.
    model
        Name of the model that made the vectors.
    model_sha256
        Checksum of that model's weights.

    Raises
    ------
    dnaclip._errors.MissingKeyError
        A column is missing from `genes`.
    dnaclip._errors.InputError
        The shapes do not fit, an Ensembl id stands in two rows, or a vector is zero or partly NaN or infinite.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from dnaclip.datasets import EmbeddingTable
    >>> genes = pd.DataFrame({"ensembl_id": ["ENSG00000141510", "ENSG00000075624"], "symbol": ["TP53", "ACTB"]})
    >>> genes = genes.reindex(
    ...     columns=["ensembl_id", "entrez_id", "symbol", "aliases", "name", "biotype", "chromosome"], fill_value=""
    ... )
    >>> sides = {"dna": np.array([[3.0, 4.0], [np.nan, np.nan]]), "text": np.eye(2)}
    >>> table = EmbeddingTable(genes, sides, species="human", taxon_id=9606, model="toy", model_sha256="0" * 64)
    >>> table
    EmbeddingTable(human, model toy, 2 genes, 2 dimensions: 1 dna, 2 text)
    >>> table.vectors("dna")
    array([[0.6, 0.8],
           [nan, nan]], dtype=float32)
    """

    genes: pd.DataFrame
    sides: Mapping[str, np.ndarray]
    species: str
    taxon_id: int
    model: str
    model_sha256: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "genes", _checked_genes(self.genes))
        object.__setattr__(self, "sides", _checked_sides(self.sides, n_genes=len(self.genes)))
        object.__setattr__(self, "taxon_id", int(self.taxon_id))

    def __len__(self) -> int:
        return len(self.genes)

    def __repr__(self) -> str:
        counts = ", ".join(f"{self.has(side).sum():,} {side}" for side in self.sides)
        return (
            f"{type(self).__name__}({self.species}, model {self.model}, {len(self):,} genes, "
            f"{self.dimension} dimensions: {counts})"
        )

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return next(iter(self.sides.values())).shape[1]

    @cached_property
    def lookup(self) -> GeneLookup:
        """Rows by Ensembl id, Entrez id, symbol and alias."""
        return GeneLookup(self.genes)

    def has(self, side: str) -> np.ndarray:
        """Which genes have a vector on one side (`"dna"` or `"text"`), bool (n,); all False if the table lacks it."""
        if side not in self.sides:
            return np.zeros(len(self), dtype=bool)
        return ~np.isnan(self.sides[side][:, 0])

    def vectors(self, modality: str = "joint") -> np.ndarray:
        """Return the vectors of one modality, read-only.

        Parameters
        ----------
        modality
            `"dna"`, `"text"`, or `"joint"`: the mean of the sides that a gene has, scaled to length one.

        Returns
        -------
        float32 (n, d), rows of length one, NaN where a gene has no vector.

        Raises
        ------
        dnaclip._errors.InputError
            The modality is unknown, or the table does not have that side.
        """
        check_choice("modality", modality, MODALITIES)
        if modality == "joint":
            return self._joint
        if modality not in self.sides:
            msg = f"This table for {self.species} has no {modality!r} vectors, only {examples(self.sides)}."
            raise InputError(msg)
        return self.sides[modality]

    @cached_property
    def _joint(self) -> np.ndarray:
        first, *others = self.sides.values()
        if not others:
            return first
        (second,) = others
        # The mean of two unit vectors points as their sum does; a side that is absent (NaN) leaves the other one.
        both = ~np.isnan(first[:, 0]) & ~np.isnan(second[:, 0])
        joint = np.where(np.isnan(first), second, first)
        joint[both] = unit_rows(first[both] + second[both])
        joint.flags.writeable = False
        return joint

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the table to one safetensors file; the same table always gives the same bytes.

        Vectors are rounded to about four and a half bits a number. With 128 dimensions, the cosine between a vector and
        what :meth:`load` gives back is .9985 on average and above .997. Saving a table that was loaded does not round it further.
        The file appears under its name only when it is complete.

        Parameters
        ----------
        path
            File to write; an existing one is replaced.
        """
        meta = {
            "species": self.species,
            "taxon_id": self.taxon_id,
            "model": self.model,
            "model_sha256": self.model_sha256,
            "dimension": self.dimension,
        }
        return write_atomic(path, encode(self.genes, self.sides, meta))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> EmbeddingTable:
        """Read a table that :meth:`save` wrote, and check that not one bit of it has changed.

        Raises
        ------
        dnaclip._errors.InputError
            The file is missing, damaged, not an embedding table, or written by a newer dnaclip.
        """
        genes, sides, meta = decode(path)
        try:
            return cls(genes, sides, meta["species"], meta["taxon_id"], meta["model"], meta["model_sha256"])
        except (InputError, MissingKeyError, KeyError, TypeError, ValueError) as error:
            msg = f"{path} is not a usable embedding table: {error}"
            raise InputError(msg) from error


def _checked_genes(genes: Any) -> pd.DataFrame:
    if not isinstance(genes, pd.DataFrame) or genes.empty:
        msg = f"genes must be a DataFrame with at least one row, got {type(genes).__name__}."
        raise InputError(msg)
    missing = [column for column in GENE_COLUMNS if column not in genes.columns]
    if missing:
        msg = f"genes lacks the columns {examples(missing)}. Needed: {', '.join(GENE_COLUMNS)}."
        raise MissingKeyError(msg)
    # Plain object columns behave the same in pandas 2 and 3.
    text = pd.DataFrame({column: _checked_text(genes[column]) for column in GENE_COLUMNS}, dtype=object)
    ids = text["ensembl_id"]
    repeated = ids[(ids != "") & ids.duplicated()].unique()
    if len(repeated):
        msg = f"{len(repeated)} Ensembl ids stand in more than one row: {examples(repeated)}. Keep one row per gene."
        raise InputError(msg)
    return text


def _checked_text(values: pd.Series) -> np.ndarray:
    text = values.to_numpy(dtype=object, na_value="")
    if pd.api.types.infer_dtype(text, skipna=False) != "string" or "\n" in "".join(text):
        odd = [value for value in text if not isinstance(value, str) or "\n" in value]
        msg = f"genes[{values.name!r}] must hold text without line breaks; {len(odd)} values do not: {examples(odd)}."
        raise InputError(msg)
    return text


def _checked_sides(sides: Any, *, n_genes: int) -> dict[str, np.ndarray]:
    if not isinstance(sides, Mapping) or not sides or not set(sides) <= set(SIDES):
        given = examples(sides) if isinstance(sides, Mapping) else type(sides).__name__
        msg = f"sides must map one or both of {examples(SIDES)} to arrays, got {given or 'nothing'}."
        raise InputError(msg)
    checked = {side: _checked_vectors(sides[side], side, n_genes=n_genes) for side in SIDES if side in sides}
    if len({vectors.shape[1] for vectors in checked.values()}) > 1:
        shapes = ", ".join(f"{side} {vectors.shape}" for side, vectors in checked.items())
        msg = f"All sides must have the same number of dimensions, got {shapes}."
        raise InputError(msg)
    return checked


def _checked_vectors(vectors: Any, side: str, *, n_genes: int) -> np.ndarray:
    vectors = np.asarray(vectors)
    if vectors.dtype.kind not in "fiu" or vectors.ndim != 2 or len(vectors) != n_genes or vectors.shape[1] == 0:
        msg = f"sides[{side!r}] must be numbers of shape ({n_genes} genes, d), got {vectors.dtype} {vectors.shape}."
        raise InputError(msg)
    with np.errstate(over="ignore"):
        vectors = vectors.astype(np.float32)
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    # Only rows whose length is NaN, infinite or zero need a closer look: absent, broken, or just huge or tiny numbers.
    absent = ~np.isfinite(lengths) | (lengths == 0)
    bad = absent.copy()
    closer = vectors[absent]
    bad[absent] = ~(np.isnan(closer).all(axis=1) | (np.isfinite(closer).all(axis=1) & closer.any(axis=1)))
    if bad.any():
        msg = (
            f"sides[{side!r}] has {bad.sum()} rows that are zero, infinite or partly NaN: "
            f"rows {examples(np.flatnonzero(bad).tolist())}. A gene without a vector needs a row of NaN."
        )
        raise InputError(msg)
    # Rows of length one stay bit for bit as they are, so that a table read from a file is the one that was written.
    other = ~np.isnan(lengths) & (np.abs(lengths - 1) > 1e-5)
    vectors[other] = unit_rows(vectors[other])
    vectors.flags.writeable = False
    return vectors
