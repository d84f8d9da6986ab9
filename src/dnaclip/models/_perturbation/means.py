"""What every method has in common that predicts the mean shift of a perturbation from those of others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dnaclip._errors import InputError, MissingKeyError, examples

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from numpy.typing import ArrayLike

__all__ = [
    "UNKNOWN",
    "Condition",
    "MeanMethod",
    "Shifts",
    "condition_vectors",
    "gene_matrix",
    "membership",
    "unit_rows",
]

Condition = tuple[str, ...]

# A context that training does not know, or that does not matter.
UNKNOWN = -1


@dataclass(frozen=True, eq=False)
class Shifts:
    """Mean shifts to learn from, one row per condition and context.

    Parameters
    ----------
    deltas
        Mean expression minus that of the control cells of the same context, float64 (m, n_genes).
    conditions
        Genes that each row perturbs.
    counts
        Number of cells behind each row, float64 (m,).
    contexts
        Context of each row, int64 (m,).
    """

    deltas: np.ndarray
    conditions: tuple[Condition, ...]
    counts: np.ndarray
    contexts: np.ndarray

    def __len__(self) -> int:
        return len(self.conditions)

    def take(self, rows: np.ndarray) -> Shifts:
        """Return some of the rows, by position."""
        conditions = tuple(self.conditions[row] for row in rows)
        return Shifts(self.deltas[rows], conditions, self.counts[rows], self.contexts[rows])

    @property
    def genes(self) -> set[str]:
        """Genes that any row perturbs."""
        return {gene for condition in self.conditions for gene in condition}


class MeanMethod(ABC):
    """A prediction of mean shifts from the shifts of other perturbations and, for most methods, gene vectors.

    A method is deterministic and quick to fit, so that keeping its training shifts is enough to keep the method.

    Attributes
    ----------
    needs_vectors
        Whether the method reads gene vectors.
    """

    needs_vectors = True

    def fit(
        self,
        deltas: ArrayLike,
        conditions: Sequence[Condition],
        vectors: Mapping[str, ArrayLike] | None = None,
        counts: ArrayLike | None = None,
        *,
        contexts: ArrayLike | None = None,
    ) -> Self:
        """Learn from mean shifts.

        Parameters
        ----------
        deltas
            Mean shift of each condition from the control, (m, n_genes).
        conditions
            Genes that each row perturbs; never the control.
        vectors
            Vector of each gene, of those to be predicted later as well. The vector of a condition is the sum over its genes.
        counts
            Number of cells behind each row, (m,); rows count the same without it.
        contexts
            Context (cell line or type) of each row as a whole number of 0 or more, (m,); all the same without it.

        Returns
        -------
        The method itself.

        Raises
        ------
        InputError
            Arrays do not fit each other, hold NaN, or there is no row.
        MissingKeyError
            A gene has no vector.
        """
        self.shifts_ = _checked(deltas, conditions, counts, contexts)
        self.vectors_ = {} if vectors is None or not self.needs_vectors else vectors
        self._fit(self.shifts_)
        return self

    def predict(self, conditions: Sequence[Condition], *, contexts: ArrayLike | None = None) -> np.ndarray:
        """Return the predicted mean shift of each condition, float32 (k, n_genes).

        Parameters
        ----------
        conditions
            Genes of each perturbation, seen in training or not; `()`, the control, has the shift 0.
        contexts
            Context of each row, numbered as in `fit`; -1 is a context that training does not know. Without it, the context of
            all rows is the first of training.
        """
        if not hasattr(self, "shifts_"):
            msg = f"This {type(self).__name__} has not been fitted. Call fit first."
            raise InputError(msg)
        where = self._contexts(contexts, len(conditions))
        out = np.zeros((len(conditions), self.shifts_.deltas.shape[1]), dtype=np.float32)
        perturbed = np.flatnonzero([len(condition) > 0 for condition in conditions])
        if len(perturbed):
            out[perturbed] = self._predict([conditions[row] for row in perturbed.tolist()], where[perturbed])
        return out

    def _contexts(self, contexts: ArrayLike | None, n: int) -> np.ndarray:
        if contexts is None:
            return np.full(n, self.shifts_.contexts.min())
        where = np.asarray(contexts, dtype=np.int64)
        if where.shape != (n,):
            msg = f"contexts must have one entry per condition, shape ({n},), got {where.shape}."
            raise InputError(msg)
        return where

    @abstractmethod
    def _fit(self, shifts: Shifts) -> None:
        """Learn from checked shifts."""

    @abstractmethod
    def _predict(self, conditions: Sequence[Condition], contexts: np.ndarray) -> np.ndarray:
        """Predict conditions that all perturb at least one gene."""


def gene_matrix(genes: Sequence[str], vectors: Mapping[str, ArrayLike]) -> np.ndarray:
    """Return the vectors of genes, float64 (n_genes, d).

    Raises
    ------
    MissingKeyError
        A gene has no vector.
    """
    missing = sorted({gene for gene in genes if gene not in vectors})
    if missing:
        msg = (
            f"{len(missing)} perturbed genes have no vector: {examples(missing)}. "
            "Give them one, or leave out the conditions that perturb them."
        )
        raise MissingKeyError(msg)
    return np.stack([np.asarray(vectors[gene], dtype=float) for gene in genes])


def condition_vectors(conditions: Sequence[Condition], vectors: Mapping[str, ArrayLike]) -> np.ndarray:
    """Return the sum of the gene vectors of each condition, float64 (n_conditions, d).

    Raises
    ------
    MissingKeyError
        A gene has no vector.
    """
    genes = sorted({gene for condition in conditions for gene in condition})
    return membership(conditions, genes) @ gene_matrix(genes, vectors)


def membership(conditions: Sequence[Condition], genes: Sequence[str]) -> np.ndarray:
    """Return which genes each condition perturbs, 0 or 1, (n_conditions, n_genes)."""
    place = {gene: i for i, gene in enumerate(genes)}
    out = np.zeros((len(conditions), len(genes)))
    for row, condition in enumerate(conditions):
        out[row, [place[gene] for gene in condition]] = 1
    return out


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Return rows of length 1; a row of zeros stays as it is."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


def _checked(
    deltas: ArrayLike, conditions: Sequence[Condition], counts: ArrayLike | None, contexts: ArrayLike | None
) -> Shifts:
    values = np.asarray(deltas, dtype=float)
    n = len(conditions)
    if values.ndim != 2 or len(values) != n or n == 0:
        msg = f"deltas must have one row per condition and at least one, got shape {values.shape} for {n} conditions."
        raise InputError(msg)
    if not np.isfinite(values).all():
        bad = [conditions[row] for row in np.flatnonzero(~np.isfinite(values).all(axis=1)).tolist()]
        msg = f"deltas of {len(bad)} conditions hold NaN or infinity: {examples(bad)}. Leave these conditions out."
        raise InputError(msg)
    if not all(conditions):
        msg = "The control, (), is among the conditions to learn from. Its shift is 0 by definition: leave it out."
        raise InputError(msg)
    cells = np.ones(n) if counts is None else np.asarray(counts, dtype=float)
    where = np.zeros(n, dtype=np.int64) if contexts is None else np.asarray(contexts, dtype=np.int64)
    for name, array, least in (("counts", cells, 1), ("contexts", where, 0)):
        if array.shape != (n,) or not (array >= least).all():
            msg = f"{name} must have shape ({n},) and no value below {least}, got shape {array.shape}."
            raise InputError(msg)
    return Shifts(values, tuple(map(tuple, conditions)), cells, where)
