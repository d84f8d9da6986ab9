"""Ridge regression of expression on gene vectors, linear and with a kernel, in closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dnaclip._errors import InputError
from dnaclip._validate import as_generator, check_count

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike

__all__ = ["RIDGE_PENALTIES", "GeneRidge"]

RIDGE_PENALTIES = tuple(0.1 * 10 ** (step / 2) for step in range(11))
SHARPNESS = 2.0
# The linear features beside those of the kernel: how much of the prior variance they carry.
LINEAR_SHARE = 0.5


class GeneRidge:
    r"""Ridge regression on the vectors of genes and on their likeness to landmark genes.

    The kernel is :math:`\tfrac14 x^\top x' + \exp(-s\, d^2 / \mathrm{median}\, d^2)`, with d the distance of two vectors;
    its second part is approximated from landmarks, training genes drawn at random (Nyström, :cite:p:`Williams2001`), so
    that time grows with the number of genes and not with its cube. The expression is written as principal components of
    the groups. Each has a penalty of its own, which minimises the exact leave-one-out error
    :math:`r_i / (1 - 1/n - h_i)`, with :math:`r_i` the residual and :math:`h_i` the leverage: what all groups have in
    common is easy to foretell, differences between similar groups are hard.

    Parameters
    ----------
    n_landmarks
        Landmark genes; 0 is plain linear ridge.
    penalties
        Penalties to choose from.
    rng
        Draws the landmarks.

    Attributes
    ----------
    loo_
        Prediction of each training gene, left out of the fit, float32 (n, n_groups).
    penalties_
        The penalty of each component, the largest component first.

    Examples
    --------
    >>> import numpy as np
    >>> from dnaclip.models import GeneRidge
    >>> vectors = np.random.default_rng(0).normal(size=(40, 3))
    >>> expression = vectors @ np.array([[1.0], [0.5], [0.0]])
    >>> ridge = GeneRidge(n_landmarks=0).fit(vectors[:30], expression[:30])
    >>> bool(np.abs(ridge.predict(vectors[30:]) - expression[30:]).max() < 0.05)
    True
    """

    def __init__(
        self,
        *,
        n_landmarks: int = 1000,
        penalties: ArrayLike = RIDGE_PENALTIES,
        rng: int | np.random.Generator | None = 0,
    ) -> None:
        check_count("n_landmarks", n_landmarks, least=0)
        self.n_landmarks = n_landmarks
        self.penalties = np.atleast_1d(np.asarray(penalties, dtype=float))
        if not len(self.penalties) or not (self.penalties > 0).all():
            msg = f"penalties must be above 0, and at least one, got {penalties!r}."
            raise InputError(msg)
        self.rng = rng

    def fit(self, vectors: np.ndarray, expression: np.ndarray) -> Self:
        """Fit to the vectors (n, d) and the expression (n, n_groups) of training genes."""
        vectors, expression = np.asarray(vectors, np.float32), np.asarray(expression, np.float64)
        if len(vectors) != len(expression) or len(vectors) < 3:
            msg = f"Ridge needs at least 3 genes, each with a vector and expression, got {len(vectors)} and {len(expression)}."
            raise InputError(msg)
        self._choose_landmarks(vectors)
        # Inner products in single precision, which is twice as fast; what is inverted is in double.
        features = self._features(vectors)
        self.centre_, middle = expression.mean(axis=0), features.mean(axis=0)
        features -= middle
        components = np.linalg.eigh((expression - self.centre_).T @ (expression - self.centre_))[1][:, ::-1]
        scores = (expression - self.centre_) @ components
        energy, axes = np.linalg.eigh((features.T @ features).astype(np.float64))
        real = energy > 1e-7 * max(energy[-1], 1e-30)
        energy, axes = energy[real], axes[:, real]
        along = features @ axes.astype(np.float32)
        inner = (along.T @ scores.astype(np.float32)).astype(np.float64)
        squares, errors = along**2, []
        for penalty in self.penalties:
            left = self._left_out(along, squares, inner, energy, scores, np.full(scores.shape[1], penalty))
            errors.append((left**2).sum(axis=0))
        self.penalties_ = self.penalties[np.argmin(errors, axis=0)]
        left = self._left_out(along, squares, inner, energy, scores, self.penalties_)
        self.loo_ = (expression - left @ components.T).astype(np.float32)
        weights = axes @ (inner / (energy[:, None] + self.penalties_)) @ components.T
        self._fold(weights, middle)
        return self

    @staticmethod
    def _left_out(
        along: np.ndarray,
        squares: np.ndarray,
        inner: np.ndarray,
        energy: np.ndarray,
        scores: np.ndarray,
        penalties: np.ndarray,
    ) -> np.ndarray:
        """Return the error of each gene in each component when the gene is left out."""
        kept = 1 / (energy[:, None] + penalties)
        residual = scores - along @ (inner * kept).astype(np.float32)
        distinct, place = np.unique(penalties, return_inverse=True)
        leverage = squares @ (1 / (energy[:, None] + distinct)).astype(np.float32)
        return residual / (1 - 1 / len(scores) - leverage[:, place]).clip(min=1e-3)

    def _choose_landmarks(self, vectors: np.ndarray) -> None:
        distinct = np.unique(vectors, axis=0)
        n = min(self.n_landmarks, len(distinct))
        rows = np.sort(as_generator(self.rng).choice(len(distinct), n, replace=False))
        self.landmarks_ = distinct[rows]
        distances = _distances(self.landmarks_, self.landmarks_)[np.triu_indices(n, 1)]
        self.rate_ = SHARPNESS / max(float(np.median(distances)), 1e-6) if len(distances) else 1.0
        energy, axes = (
            np.linalg.eigh(self._likeness(self.landmarks_).astype(np.float64)) if n else (np.ones(0), np.zeros((0, 0)))
        )
        real = energy > 1e-5
        self._whiten = axes[:, real] / np.sqrt(energy[real])

    def _likeness(self, vectors: np.ndarray) -> np.ndarray:
        return np.exp(-self.rate_ * _distances(vectors, self.landmarks_))

    def _features(self, vectors: np.ndarray) -> np.ndarray:
        return np.hstack([LINEAR_SHARE * vectors, self._likeness(vectors) @ self._whiten.astype(np.float32)])

    def _fold(self, weights: np.ndarray, middle: np.ndarray) -> None:
        """Bring the weights back to vectors and landmarks, so that nothing else need be kept."""
        d = self.landmarks_.shape[1]
        self.linear_ = (LINEAR_SHARE * weights[:d]).astype(np.float32)
        self.kernel_ = (self._whiten @ weights[d:]).astype(np.float32)
        self.offset_ = (self.centre_ - middle @ weights).astype(np.float32)

    def predict(self, vectors: np.ndarray) -> np.ndarray:
        """Return expression, float32 (k, n_groups)."""
        vectors = np.asarray(vectors, np.float32)
        return self._likeness(vectors) @ self.kernel_ + vectors @ self.linear_ + self.offset_

    def gradient(self, vector: np.ndarray) -> np.ndarray:
        """Return how the expression in each group changes with each dimension of one vector, (n_groups, d)."""
        pull = 2 * self.rate_ * self._likeness(vector[None]).T * self.kernel_
        return pull.T @ self.landmarks_ - pull.sum(axis=0)[:, None] * vector + self.linear_.T

    def state(self) -> dict[str, np.ndarray]:
        """What is needed to predict, as arrays."""
        rate = np.array([self.rate_], dtype=np.float64)
        return {
            "landmarks": self.landmarks_,
            "rate": rate,
            "linear": self.linear_,
            "kernel": self.kernel_,
            "offset": self.offset_,
            "penalties": self.penalties_,
        }

    @classmethod
    def from_state(cls, state: dict[str, np.ndarray]) -> Self:
        """Build what :meth:`state` took apart; it predicts, and has no `loo_`."""
        ridge = cls(n_landmarks=len(state["landmarks"]))
        ridge.landmarks_, ridge.rate_ = state["landmarks"], float(state["rate"][0])
        ridge.linear_, ridge.kernel_, ridge.offset_ = state["linear"], state["kernel"], state["offset"]
        ridge.penalties_ = state["penalties"]
        return ridge


def _distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Squared distances, float32 (len(left), len(right))."""
    squares = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)
    return (squares - 2 * left @ right.T).clip(min=0)
