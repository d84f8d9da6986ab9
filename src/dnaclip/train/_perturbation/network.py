"""Train the network of a perturbation predictor on some of the cells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dnaclip.models._perturbation.config import PerturbationVaeConfig
from dnaclip.models._perturbation.means import condition_vectors
from dnaclip.models._perturbation.vae_method import VaeMethod
from dnaclip.train._perturbation.loop import fit_vae

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

    from dnaclip.models._perturbation.cells import PerturbationCells
    from dnaclip.models._perturbation.training import Controls

__all__ = ["Network"]


@dataclass(frozen=True, eq=False)
class Network:
    """A network that can be trained on any part of the cells.

    Parameters
    ----------
    cells
        Expression and what was done to each cell.
    vectors
        Vector of each gene.
    controls
        Control cells, to predict from.
    options
        Settings of `PerturbationVaeConfig`, `target_head` and `precision`.
    context_vectors
        Vector of each context (n_contexts, e), or None.
    seed, device, resume, progress
        As for :func:`fit_vae`.
    """

    cells: PerturbationCells
    vectors: Mapping[str, np.ndarray]
    controls: Controls
    options: Mapping[str, Any]
    context_vectors: np.ndarray | None
    seed: int
    device: str
    resume: bool
    progress: bool

    def train(
        self, train: np.ndarray, validation: np.ndarray, *, checkpoint: Path | None = None, **changed: Any
    ) -> tuple[VaeMethod, pd.DataFrame]:
        """Train on the cells that train, judged by those for validation, and return the network and its history."""
        settings = {**self.options, **changed}
        target_head, precision = settings.pop("target_head", False), settings.pop("precision", "32-true")
        hidden, table = self._only(train | validation)
        vae, history = fit_vae(
            hidden,
            table,
            config=PerturbationVaeConfig(**settings),
            context_vectors=self.context_vectors,
            gene_vectors=self.vectors if target_head else None,
            train=train,
            validation=np.setdiff1d(self.cells.condition[validation], [0]),
            rng=self.seed,
            device=self.device,
            precision=precision,
            checkpoint=checkpoint,
            resume=self.resume,
            progress=self.progress,
        )
        place = {gene: i for i, gene in enumerate(self.cells.genes)}
        return VaeMethod(vae, self.controls, self.context_vectors, place), history.table

    def _only(self, used: np.ndarray) -> tuple[PerturbationCells, np.ndarray]:
        """Make all other cells one more condition, so that nothing of them is looked at; return the vectors of conditions too."""
        cells = self.cells
        others = len(cells.conditions)
        hidden = replace(
            cells,
            condition=np.where(used, cells.condition, others).astype(np.int32),
            conditions=(*cells.conditions, ("not used",)),
        )
        table = np.zeros((others + 1, len(next(iter(self.vectors.values())))))
        named = [i for i in np.unique(cells.condition[used]).tolist() if i > 0]
        table[named] = condition_vectors([cells.conditions[i] for i in named], self.vectors)
        return hidden, table
