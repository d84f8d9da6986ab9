"""Simple predictions of perturbation effects, which any model has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dnaclip._validate import check_count
from dnaclip.models._perturbation.means import MeanMethod, condition_vectors, unit_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dnaclip.models._perturbation.means import Condition, Shifts

__all__ = ["Additive", "LinearPca", "NearestNeighbours", "NoChange", "OtherContext", "PerturbedMean"]


class NoChange(MeanMethod):
    """Nothing changes: every shift is 0.

    Examples
    --------
    >>> from dnaclip.models import NoChange
    >>> NoChange().fit([[1.0, 2.0]], [("A",)]).predict([("B",)])
    array([[0., 0.]], dtype=float32)
    """

    needs_vectors = False

    def _fit(self, shifts: Shifts) -> None:
        pass

    def _predict(self, conditions: Sequence[Condition], contexts: np.ndarray) -> np.ndarray:
        return np.zeros((len(conditions), self.shifts_.deltas.shape[1]))


class PerturbedMean(MeanMethod):
    """The mean shift of the training conditions of the same context, or of all for a context without training conditions.

    Examples
    --------
    >>> from dnaclip.models import PerturbedMean
    >>> PerturbedMean().fit([[1.0, 2.0], [3.0, 2.0]], [("A",), ("B",)]).predict([("C",)])
    array([[2., 2.]], dtype=float32)
    """

    needs_vectors = False

    def _fit(self, shifts: Shifts) -> None:
        self._everywhere = shifts.deltas.mean(axis=0)
        self._means = {
            context: shifts.deltas[shifts.contexts == context].mean(axis=0)
            for context in np.unique(shifts.contexts).tolist()
        }

    def _predict(self, conditions: Sequence[Condition], contexts: np.ndarray) -> np.ndarray:
        return np.stack([self._means.get(context, self._everywhere) for context in contexts.tolist()])


class Additive(MeanMethod):
    """The sum of the shifts of the genes as seen alone; a gene not seen alone counts as the mean of those that were.

    Shifts of the context asked for come first, then the mean over the other contexts. Without any single in training, each
    gene counts as the mean shift per perturbed gene.

    Examples
    --------
    >>> from dnaclip.models import Additive
    >>> Additive().fit([[1.0, 2.0], [3.0, 2.0]], [("A",), ("B",)]).predict([("A", "B"), ("A", "C")])
    array([[4., 4.],
           [3., 4.]], dtype=float32)
    """

    needs_vectors = False

    def _fit(self, shifts: Shifts) -> None:
        sizes = np.array([len(condition) for condition in shifts.conditions])
        single = np.flatnonzero(sizes == 1)
        self._unseen = PerturbedMean()
        if len(single):
            seen = shifts.take(single)
            self._unseen.fit(seen.deltas, seen.conditions, contexts=seen.contexts)
            self._seen = _ByCondition(seen)
        else:
            self._unseen.fit(shifts.deltas / sizes[:, None], shifts.conditions, contexts=shifts.contexts)
            self._seen = _ByCondition(shifts.take(single))

    def _predict(self, conditions: Sequence[Condition], contexts: np.ndarray) -> np.ndarray:
        unseen = self._unseen.predict(conditions, contexts=contexts).astype(float)
        out = np.zeros_like(unseen)
        for row, (condition, context) in enumerate(zip(conditions, contexts.tolist(), strict=True)):
            for gene in condition:
                shift = self._seen.get((gene,), context)
                out[row] += unseen[row] if shift is None else shift
        return out


class OtherContext(MeanMethod):
    """The mean shift of the same perturbation in the other contexts; the training mean where it was not done there.

    Examples
    --------
    >>> from dnaclip.models import OtherContext
    >>> method = OtherContext().fit([[1.0, 2.0], [3.0, 2.0]], [("A",), ("B",)], contexts=[0, 0])
    >>> method.predict([("A",), ("C",)], contexts=[1, 1])
    array([[1., 2.],
           [2., 2.]], dtype=float32)
    """

    needs_vectors = False

    def _fit(self, shifts: Shifts) -> None:
        self._seen = _ByCondition(shifts)
        self._unseen = PerturbedMean().fit(shifts.deltas, shifts.conditions, contexts=shifts.contexts)

    def _predict(self, conditions: Sequence[Condition], contexts: np.ndarray) -> np.ndarray:
        out = self._unseen.predict(conditions, contexts=contexts).astype(float)
        for row, (condition, context) in enumerate(zip(conditions, contexts.tolist(), strict=True)):
            elsewhere = self._seen.elsewhere(condition, context)
            if elsewhere is not None:
                out[row] = elsewhere
        return out


class NearestNeighbours(MeanMethod):
    """The mean shift of the training conditions whose vectors point most nearly the same way (cosine).

    Conditions of the context asked for are used where there are any, else those of all contexts.

    Parameters
    ----------
    n_neighbors
        How many; all of them where training has fewer.

    Examples
    --------
    >>> from dnaclip.models import NearestNeighbours
    >>> vectors = {"A": [1, 0], "B": [0, 1], "C": [1, 0.1]}
    >>> method = NearestNeighbours(n_neighbors=1).fit([[1.0, 2.0], [3.0, 2.0]], [("A",), ("B",)], vectors)
    >>> method.predict([("C",)])
    array([[1., 2.]], dtype=float32)
    """

    def __init__(self, *, n_neighbors: int = 10) -> None:
        check_count("n_neighbors", n_neighbors)
        self.n_neighbors = n_neighbors

    def _fit(self, shifts: Shifts) -> None:
        self._units = unit_rows(condition_vectors(shifts.conditions, self.vectors_))

    def _predict(self, conditions: Sequence[Condition], contexts: np.ndarray) -> np.ndarray:
        similarity = unit_rows(condition_vectors(conditions, self.vectors_)) @ self._units.T
        out = np.zeros((len(conditions), self.shifts_.deltas.shape[1]))
        for context in np.unique(contexts):
            asked = np.flatnonzero(contexts == context)
            rows = np.flatnonzero(self.shifts_.contexts == context)
            rows = rows if len(rows) else np.arange(len(self.shifts_))
            nearest = np.argsort(-similarity[np.ix_(asked, rows)], axis=1, kind="stable")[:, : self.n_neighbors]
            out[asked] = self.shifts_.deltas[rows[nearest]].mean(axis=1)
        return out


class LinearPca(MeanMethod):
    """The bilinear model Y = G W P' + b: gene loadings G, condition vectors P, W by ridge on both sides.

    G are the loadings of the first principal components of the training shifts and b is their mean. The vectors of the
    conditions are the given ones, or, with `genes`, the loadings of the perturbed genes themselves, as in :cite:t:`AhlmannEltze2025`.

    Parameters
    ----------
    genes
        Names of the measured genes, in the order of the columns of the shifts. A perturbed gene that is not among them has the
        vector 0.
    n_components
        Number of principal components; at most the number of training rows.
    ridge
        Penalty on both sides.

    Examples
    --------
    >>> from dnaclip.models import LinearPca
    >>> method = LinearPca(n_components=1).fit([[1.0, 2.0], [3.0, 2.0]], [("A",), ("B",)], {"A": [1.0], "B": [-1.0]})
    >>> method.predict([("A",)]).round(2)
    array([[1.13, 2.  ]], dtype=float32)
    """

    def __init__(self, *, genes: Sequence[str] | None = None, n_components: int = 10, ridge: float = 0.1) -> None:
        check_count("n_components", n_components)
        self.genes = genes
        self.n_components = n_components
        self.ridge = ridge

    def _fit(self, shifts: Shifts) -> None:
        self._mean = shifts.deltas.mean(axis=0)
        centred = shifts.deltas - self._mean
        loadings = np.linalg.svd(centred, full_matrices=False)[2][: self.n_components].T
        if self.genes is not None:
            self.vectors_ = dict(zip(self.genes, loadings, strict=True))
        vectors = self._vectors(shifts.conditions)
        left = np.linalg.solve(loadings.T @ loadings + self.ridge * np.eye(loadings.shape[1]), loadings.T @ centred.T)
        right = np.linalg.solve(vectors.T @ vectors + self.ridge * np.eye(vectors.shape[1]), vectors.T)
        self._coefficients = loadings @ (left @ right.T)

    def _vectors(self, conditions: Sequence[Condition]) -> np.ndarray:
        if self.genes is None:
            return condition_vectors(conditions, self.vectors_)
        nowhere = np.zeros_like(next(iter(self.vectors_.values())))
        loadings = {gene: self.vectors_.get(gene, nowhere) for condition in conditions for gene in condition}
        return condition_vectors(conditions, loadings)

    def _predict(self, conditions: Sequence[Condition], contexts: np.ndarray) -> np.ndarray:
        return self._mean + self._vectors(conditions) @ self._coefficients.T


class _ByCondition:
    """Shifts by condition and context."""

    def __init__(self, shifts: Shifts) -> None:
        self._rows: dict[Condition, dict[int, np.ndarray]] = {}
        for condition, context, delta in zip(shifts.conditions, shifts.contexts.tolist(), shifts.deltas, strict=True):
            self._rows.setdefault(condition, {})[context] = delta

    def get(self, condition: Condition, context: int) -> np.ndarray | None:
        """Shift in this context, else the mean over the others, else None."""
        here = self._rows.get(condition, {}).get(context)
        return self.elsewhere(condition, context) if here is None else here

    def elsewhere(self, condition: Condition, context: int) -> np.ndarray | None:
        """Mean shift over the other contexts, None where the condition was not done in them."""
        others = [delta for other, delta in self._rows.get(condition, {}).items() if other != context]
        return np.mean(others, axis=0) if others else None
