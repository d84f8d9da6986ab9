"""How well a perturbation VAE predicts the mean shifts of conditions that it was not trained on."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from dnaclip._matrix import group_sums

if TYPE_CHECKING:
    from dnaclip.models._perturbation.cells import PerturbationCells
    from dnaclip.models._perturbation.vae import PerturbationVae

__all__ = ["Validation"]

# Control cells of a context whose shift is predicted: their mean hardly changes with more.
MOST_CONTROLS = 256


class Validation:
    """Observed shifts of validation conditions, and the control cells to predict them from.

    Parameters
    ----------
    cells
        Expression and what was done to each cell.
    x
        The same expression, from which rows can be drawn.
    train
        True for training cells; the control cells among them are what shifts are counted from.
    conditions
        Validation conditions; may be empty.
    vectors
        Vector of each condition (n_conditions, d).
    context_vectors
        (n_contexts, e), or `None`.

    Attributes
    ----------
    control_means
        Mean expression of the training control cells of each context, float32 (n_contexts, n_genes); zeros where there
        are none.
    """

    def __init__(
        self,
        cells: PerturbationCells,
        x: Any,
        train: np.ndarray,
        conditions: np.ndarray,
        vectors: np.ndarray,
        context_vectors: np.ndarray | None,
    ) -> None:
        n_contexts, n = len(cells.contexts), len(conditions)
        # Groups: the controls of each context, then each validation condition in each context.
        group = np.where(train & (cells.condition == 0), cells.context, -1).astype(np.int64)
        place = np.searchsorted(conditions, cells.condition)
        inside = np.isin(cells.condition, conditions)
        group[inside] = n_contexts + cells.context[inside] * n + place[inside]
        counts = np.bincount(group[group >= 0], minlength=n_contexts * (n + 1))
        sums = group_sums(x, group, n_contexts * (n + 1), cells.genes)[0]
        means = (sums / np.maximum(counts, 1)[:, None]).astype(np.float32)
        self.control_means = means[:n_contexts]
        self._observed = means[n_contexts:].reshape(n_contexts, n, len(cells.genes)) - self.control_means[:, None]
        self._there = (counts[n_contexts:].reshape(n_contexts, n) > 0) & (counts[:n_contexts, None] > 0)
        self._vectors, self._context_vectors = vectors[conditions], context_vectors
        position = {gene: i for i, gene in enumerate(cells.genes)}
        self._scored = np.ones((n, len(cells.genes)), bool)
        for i, condition in enumerate(conditions):
            self._scored[i, [position[gene] for gene in cells.conditions[condition] if gene in position]] = False
        self._controls: dict[int, Any] = {}
        for context in np.flatnonzero(self._there.any(1)):
            rows = np.flatnonzero(group == context)
            some = rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST_CONTROLS)).astype(int)]
            self._controls[int(context)] = x[some]

    def __call__(self, model: PerturbationVae) -> dict[str, float]:
        """Return `validation_pcc` and `validation_loss`; nothing when there is nothing to predict."""
        scores = []
        for context, controls in self._controls.items():
            vector = None if self._context_vectors is None else np.asarray(self._context_vectors)[context]
            predicted = model.predict_delta(self._vectors, controls, vector)
            for i in np.flatnonzero(self._there[context]):
                genes = self._scored[i]
                scores.append(_correlation(predicted[i, genes], self._observed[context, i, genes]))
        if not scores:
            return {}
        pcc = float(np.mean(scores))
        return {"validation_pcc": pcc, "validation_loss": 1 - pcc}

    def fingerprint(self) -> str:
        """Digest of the observed shifts and of the control means."""
        return hashlib.sha256(self.control_means.tobytes() + self._observed.tobytes()).hexdigest()


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson correlation; 0 when one of the two is constant, which predicts nothing."""
    one, other = one - one.mean(dtype=np.float64), other - other.mean(dtype=np.float64)
    size = np.sqrt((one @ one) * (other @ other))
    return float(one @ other / size) if size > 0 else 0.0
