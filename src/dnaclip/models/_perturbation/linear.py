"""Ridge regression of mean shifts on perturbed genes, in closed form, its penalties chosen by exact leave-one-out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dnaclip._errors import InputError
from dnaclip.models._perturbation.kernels import make_kernel
from dnaclip.models._perturbation.means import MeanMethod

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from dnaclip.models._perturbation.kernels import GeneKernel
    from dnaclip.models._perturbation.means import Condition, Shifts

__all__ = ["PENALTIES", "IdentityRidge", "Ridge"]

# For a kernel centred and scaled to a mean of 1 with itself. Smaller penalties would fit a few dozen conditions to their noise.
PENALTIES = tuple(0.03 * 10 ** (step / 2) for step in range(11))

# How quickly likeness may fade. Sharp ones treat each gene on its own, so that vectors that say nothing do no harm.
SHARPNESS = (1.5, 3.0, 6.0, 12.0)

# Width, in the logarithm of the rank, over which neighbouring components share what leave-one-out says about the penalty.
SMOOTHING = 0.3


class Ridge(MeanMethod):
    r"""Kernel ridge regression of mean shifts on the perturbed genes, with a free mean for each context.

    The shifts are written as principal components, and each has a penalty of its own: the few that gene vectors foretell are
    kept, the many that are noise fade into the mean. Penalties minimise the exact error of leaving each row out,
    :math:`r_i / (1 - 1/n_c - h_i)` with :math:`r_i` the residual, :math:`h_i` the leverage and :math:`n_c` the number of rows
    of the same context; components of similar size share evidence.

    The kernel of two conditions is the sum of a kernel of genes over the pairs of their genes, so that effects add up.

    Parameters
    ----------
    kernel
        Likeness of two genes: `"rbf"` of the angle between their vectors, `"linear"`, their inner product, or `"identity"`.
    sharpness
        How quickly the likeness of `"rbf"` fades with the distance d of two unit vectors:
        :math:`\exp(-s\, d^2 / \mathrm{median}\, d^2)`. Of several, the one with the smallest leave-one-out error is taken.
    penalties
        Penalties to choose from.

    Attributes
    ----------
    sharpness_
        The sharpness chosen; NaN for other kernels.
    penalties_
        The penalty of each component, the largest component first.
    loo_error_
        Mean squared error of the shifts of training rows, each left out in turn, with these penalties.

    Examples
    --------
    >>> from dnaclip.models import Ridge
    >>> vectors = {"A": [1.0, 0.0], "B": [0.0, 1.0], "C": [-1.0, 0.0], "D": [0.9, 0.1]}
    >>> shifts = [[1.0, 0.0], [0.0, 0.0], [-1.0, 0.0]]
    >>> method = Ridge(penalties=[0.1]).fit(shifts, [("A",), ("B",), ("C",)], vectors)
    >>> method.predict([("D",)]).round(2)
    array([[0.94, 0.  ]], dtype=float32)
    """

    def __init__(
        self, *, kernel: str = "rbf", sharpness: ArrayLike = SHARPNESS, penalties: ArrayLike = PENALTIES
    ) -> None:
        self.kernel = kernel
        self.sharpness = np.atleast_1d(np.asarray(sharpness, dtype=float)) if kernel == "rbf" else np.array([np.nan])
        self._kernels = [make_kernel(kernel, value) for value in self.sharpness]
        self.penalties = np.atleast_1d(np.asarray(penalties, dtype=float))
        if not len(self.penalties) or not (self.penalties > 0).all():
            msg = f"penalties must be above 0, and at least one, got {penalties!r}."
            raise InputError(msg)

    def _fit(self, shifts: Shifts) -> None:
        self._average = _context_average(shifts.contexts, shifts.contexts)
        self._scores, self._components = _principal(shifts.deltas - self._average @ shifts.deltas)
        errors = [self._choose(kernel) for kernel in self._kernels]
        best = int(np.argmin(errors))
        # The last one tried is still in place.
        if best < len(errors) - 1:
            self._choose(self._kernels[best])
        self.sharpness_ = float(self.sharpness[best])
        self._solve()

    def _choose(self, kernel: GeneKernel) -> float:
        """Take a kernel and the best penalty of each component with it; return their leave-one-out error."""
        self._kernel = kernel
        self._gram = kernel.fit(self.shifts_.conditions, self.vectors_)
        centred = self._gram - self._average @ self._gram
        centred = centred - centred @ self._average
        self._scale = float(np.trace(centred)) / len(centred) or 1.0
        energy, self._axes = np.linalg.eigh(centred / self._scale)
        self._energy = energy.clip(min=0)
        along = self._axes.T @ self._scores
        errors = np.stack([(self._left_out(along, penalty)[0] ** 2).sum(axis=0) for penalty in self.penalties])
        rank = np.log1p(np.arange(errors.shape[1]))
        near = np.exp(-0.5 * ((rank[:, None] - rank) / SMOOTHING) ** 2)
        self._chosen = (errors @ near).argmin(axis=0)
        self.penalties_ = self.penalties[self._chosen]
        self.loo_error_ = float(errors[self._chosen, np.arange(len(rank))].sum() / self.shifts_.deltas.size)
        return self.loo_error_

    def _solve(self) -> None:
        """Solve with the chosen kernel and penalties, and find the noise of each gene."""
        along = self._axes.T @ self._scores
        self._dual = self._axes @ (along / (self._energy[:, None] + self.penalties_))
        errors, doubts = np.zeros(along.shape), np.zeros((len(along), len(self.penalties)))
        for position in np.unique(self._chosen):
            which = self._chosen == position
            errors[:, which], doubts[:, position] = self._left_out(along[:, which], self.penalties[position])
        parts = np.bincount(self._chosen, weights=(errors**2).sum(axis=0), minlength=len(self.penalties))
        self._shares = parts / (parts.sum() or 1.0)
        noise = (errors @ self._components) ** 2 / np.maximum(doubts @ self._shares, 1)[:, None]
        # A row that is alone in its context says nothing about errors.
        company = np.diag(self._average) < 1
        self._noise = noise[company].mean(axis=0) if company.any() else np.full(noise.shape[1], np.nan)

    def _predict(self, conditions: Sequence[Condition], contexts: np.ndarray) -> np.ndarray:
        average = _context_average(contexts, self.shifts_.contexts)
        likeness, _ = self._likeness(conditions, average)
        return average @ self.shifts_.deltas + likeness @ self._dual @ self._components

    def predict_std(self, conditions: Sequence[Condition], *, contexts: ArrayLike | None = None) -> np.ndarray:
        """Return the standard deviation of the error of each predicted shift, float32 (k, n_genes); NaN after a single row.

        It grows with the distance to the training conditions as in the Gaussian process that kernel ridge stands for. Its level
        is set for each gene by the leave-one-out errors of training.
        """
        average = _context_average(self._contexts(contexts, len(conditions)), self.shifts_.contexts)
        likeness, itself = self._likeness(conditions, average)
        inside = (likeness @ self._axes) ** 2
        doubt = 1 + (average**2).sum(axis=1)
        for penalty, share in zip(self.penalties, self._shares, strict=True):
            doubt += share * (itself - inside @ (1 / (self._energy + penalty))).clip(min=0) / penalty
        return np.sqrt(doubt[:, None] * self._noise).astype(np.float32)

    def _likeness(self, conditions: Sequence[Condition], average: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the kernel with training and with itself, means of contexts taken away."""
        to_training, itself = self._kernel.to_training(conditions)
        typical = average @ self._gram
        itself = itself - 2 * (average * to_training).sum(axis=1) + (average * typical).sum(axis=1)
        centred = to_training - typical
        return (centred - centred @ self._average) / self._scale, itself / self._scale

    def _left_out(self, along: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the error of each row when it is left out, and the variance of this error in units of the noise."""
        faded = penalty / (self._energy + penalty)
        leverage = self._axes**2 @ (1 - faded)
        # The mean is fitted as well: without its 1/n the error would vanish together with the penalty.
        left = (1 - np.diag(self._average) - leverage).clip(min=1e-9)
        return self._axes @ (faded[:, None] * along) / left[:, None], 1 / left


class IdentityRidge(Ridge):
    """Ridge on which genes are perturbed and nothing else known about them (one-hot): the effects of genes add up, shrunk.

    Parameters
    ----------
    penalties
        Penalties to choose from.

    Examples
    --------
    >>> from dnaclip.models import IdentityRidge
    >>> method = IdentityRidge(penalties=[0.1]).fit([[1.0], [0.0], [-1.0]], [("A",), ("B",), ("C",)])
    >>> method.predict([("A",), ("A", "C")]).round(2)
    array([[0.94],
           [0.  ]], dtype=float32)
    """

    needs_vectors = False

    def __init__(self, *, penalties: ArrayLike = PENALTIES) -> None:
        super().__init__(kernel="identity", penalties=penalties)


def _principal(deltas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return scores (m, r) and components (r, n_genes) whose product is `deltas`, the largest component first."""
    # There are fewer rows than genes: the rows' inner products are quicker than a decomposition of the whole.
    squares, left = np.linalg.eigh(deltas @ deltas.T)
    squares, left = squares[::-1], left[:, ::-1]
    real = squares > 1e-12 * squares[0]
    left = left[:, real]
    return left * np.sqrt(squares[real]), (left.T @ deltas) / np.sqrt(squares[real])[:, None]


def _context_average(contexts: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Return the weights that average training rows of the same context, or all where there are none, (k, m)."""
    same = np.equal.outer(contexts, training).astype(float)
    same[~same.any(axis=1)] = 1
    return same / same.sum(axis=1, keepdims=True)
