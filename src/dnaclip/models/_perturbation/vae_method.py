"""The perturbation VAE as a method: from conditions and contexts to mean shifts and to cells."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from dnaclip.models._perturbation.means import condition_vectors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dnaclip.models._perturbation.means import Condition
    from dnaclip.models._perturbation.training import Controls
    from dnaclip.models._perturbation.vae import PerturbationVae

__all__ = ["VaeMethod", "context_coordinates"]


@dataclass(eq=False)
class VaeMethod:
    """A trained VAE with what it needs to predict.

    Parameters
    ----------
    vae
        The network.
    controls
        Control cells of training, whose basal states the shifts are averaged over.
    context_vectors
        Vector of each context, float32 (n_contexts, e); None for a network that does not know of contexts.
    place
        Position of each measured gene, for the head of targeted genes.
    """

    vae: PerturbationVae
    controls: Controls
    context_vectors: np.ndarray | None
    place: Mapping[str, int] = field(repr=False)

    def predict(
        self, conditions: Sequence[Condition], contexts: np.ndarray, vectors: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Return the mean shift of each condition in the context beside it, float32 (k, n_genes)."""
        out = np.zeros((len(conditions), len(self.place)), dtype=np.float32)
        perturbed = np.array([len(condition) > 0 for condition in conditions])
        for context in np.unique(contexts[perturbed]):
            rows = np.flatnonzero(perturbed & (contexts == context))
            some = [conditions[row] for row in rows.tolist()]
            out[rows] = self.vae.predict_delta(
                condition_vectors(some, vectors),
                self.controls.cells(context),
                self._context(context),
                targets=self._targets(some, vectors),
            )
        return out

    def generate(
        self,
        condition: Condition,
        context: int,
        vectors: Mapping[str, np.ndarray],
        n_cells: int,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Return cells of one condition in one context, float32 (n_cells, n_genes), from the prior of the basal states."""
        dimension = self.vae.basis.shape[1]
        vector = condition_vectors([condition], vectors) if condition else np.zeros((1, dimension))
        return self.vae.generate(
            vector,
            n_cells,
            self.controls.means[context],
            self._context(context),
            targets=self._targets([condition], vectors),
            rng=rng,
        )

    def _context(self, context: int) -> np.ndarray | None:
        return None if self.context_vectors is None else self.context_vectors[context]

    def _targets(
        self, conditions: Sequence[Condition], vectors: Mapping[str, np.ndarray]
    ) -> list[dict[int, np.ndarray]] | None:
        """Of each condition, the measured genes that it targets, with their own vectors."""
        if self.vae.target_head is None:
            return None
        return [{self.place[gene]: vectors[gene] for gene in genes if gene in self.place} for genes in conditions]


def context_coordinates(means: np.ndarray) -> np.ndarray:
    """Return the position of each context among the others by its control cells, float32 (n_contexts, e).

    These are the principal components of the control means, with mean squared length 1. Unlike a name or a one-hot code
    they place a context without training perturbations too. A context without control cells stands at the origin.

    Examples
    --------
    >>> import numpy as np
    >>> context_coordinates(np.array([[2.0, 0.0], [4.0, 0.0], [np.nan, np.nan]]))
    array([[-1.],
           [ 1.],
           [ 0.]], dtype=float32)
    """
    known = ~np.isnan(means).any(axis=1)
    centred = means[known].astype(np.float64)
    centred -= centred.mean(axis=0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    directions = directions[sizes > 1e-6 * max(sizes.max(initial=0), 1e-12)]
    # Signs are free: make the largest entry positive, so that they do not depend on the linear algebra library.
    signs = np.sign(np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1))
    scale = np.sqrt((centred**2).sum() / len(centred)) or 1.0
    out = np.zeros((len(means), max(len(directions), 1)), dtype=np.float32)
    out[known, : len(directions)] = centred @ (signs * directions).T / scale
    return out
