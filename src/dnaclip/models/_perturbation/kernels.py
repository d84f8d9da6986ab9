"""How alike two perturbations are: a kernel between genes, summed over the genes of one and of the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from dnaclip._errors import InputError
from dnaclip._validate import check_choice
from dnaclip.models._perturbation.means import gene_matrix, membership, unit_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike

    from dnaclip.models._perturbation.means import Condition

__all__ = ["KERNELS", "GeneKernel", "IdentityKernel", "LinearKernel", "RbfKernel", "make_kernel"]


class GeneKernel(ABC):
    """A kernel between genes, and from it the kernel between conditions.

    A condition stands for the sum of what its genes stand for, so that effects of genes add up.
    """

    def fit(self, conditions: Sequence[Condition], vectors: Mapping[str, ArrayLike]) -> np.ndarray:
        """Take what the kernel needs from the training conditions and return it between them, (m, m)."""
        self._genes = sorted({gene for condition in conditions for gene in condition})
        self._vectors = vectors
        self._prepare()
        self._membership = membership(conditions, self._genes)
        return self._membership @ self.between(self._genes, self._genes) @ self._membership.T

    def to_training(self, conditions: Sequence[Condition]) -> tuple[np.ndarray, np.ndarray]:
        """Return the kernel of each condition with those of training, (k, m), and with itself, (k,)."""
        genes = sorted({gene for condition in conditions for gene in condition})
        member = membership(conditions, genes)
        to_training = member @ self.between(genes, self._genes) @ self._membership.T
        return to_training, ((member @ self.between(genes, genes)) * member).sum(axis=1)

    def _prepare(self) -> None:  # noqa: B027 - only some kernels need anything
        """Take what the kernel needs from the training genes."""

    @abstractmethod
    def between(self, left: Sequence[str], right: Sequence[str]) -> np.ndarray:
        """Return the kernel between genes, (len(left), len(right))."""


class IdentityKernel(GeneKernel):
    """A gene is like itself and like no other: only which genes are perturbed counts (one-hot)."""

    def between(self, left: Sequence[str], right: Sequence[str]) -> np.ndarray:
        return np.equal.outer(np.array(left, dtype=object), np.array(right, dtype=object)).astype(float)


class LinearKernel(GeneKernel):
    """The inner product of gene vectors."""

    def between(self, left: Sequence[str], right: Sequence[str]) -> np.ndarray:
        return gene_matrix(left, self._vectors) @ gene_matrix(right, self._vectors).T


class RbfKernel(GeneKernel):
    """exp(-sharpness d² / median d²) with d the distance of gene vectors of length 1, the median over pairs of training genes.

    A gene with the vector 0 is like no gene, not even itself.

    Parameters
    ----------
    sharpness
        How quickly likeness fades. Large values approach :class:`IdentityKernel`.
    """

    def __init__(self, sharpness: float = 3.0) -> None:
        if not sharpness > 0:
            msg = f"sharpness must be above 0, got {sharpness!r}."
            raise InputError(msg)
        self.sharpness = sharpness

    def _prepare(self) -> None:
        units = unit_rows(gene_matrix(self._genes, self._vectors))
        units = units[units.any(axis=1)]
        distances = (2 - 2 * units @ units.T)[np.triu_indices(len(units), 1)]
        self._median = max(float(np.median(distances)), 1e-6) if len(distances) else 1.0

    def between(self, left: Sequence[str], right: Sequence[str]) -> np.ndarray:
        rows, columns = unit_rows(gene_matrix(left, self._vectors)), unit_rows(gene_matrix(right, self._vectors))
        distances = (2 - 2 * rows @ columns.T).clip(min=0)
        known = np.outer(rows.any(axis=1), columns.any(axis=1))
        return np.where(known, np.exp(-self.sharpness * distances / self._median), 0.0)


KERNELS: dict[str, type[GeneKernel]] = {"rbf": RbfKernel, "linear": LinearKernel, "identity": IdentityKernel}


def make_kernel(kernel: str, sharpness: float) -> GeneKernel:
    """Return a new kernel by name."""
    check_choice("kernel", kernel, KERNELS)
    return RbfKernel(sharpness) if kernel == "rbf" else KERNELS[kernel]()
