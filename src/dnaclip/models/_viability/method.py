"""The interface of a viability method, and the methods that read no features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dnaclip.models._viability.effects import MeanEffects, mean_effects

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["GeneMean", "LineMean", "Pairs", "TwoWay", "ViabilityMethod"]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Lines and genes; every line goes with every gene, and the table of their features is never made.

    Parameters
    ----------
    profiles
        Expression of each line, float64 (L, p).
    vectors
        Vector of each gene, float64 (G, d); NaN in a block that a gene lacks.
    lines, genes
        Positions among the training lines (L,) and genes (G,), -1 for those that are not among them.
    """

    profiles: np.ndarray
    vectors: np.ndarray
    lines: np.ndarray
    genes: np.ndarray

    @classmethod
    def training(cls, profiles: np.ndarray, vectors: np.ndarray) -> Pairs:
        """Lines and genes that a method is fitted to."""
        return cls(profiles, vectors, np.arange(len(profiles)), np.arange(len(vectors)))

    def take(self, lines: np.ndarray, genes: np.ndarray) -> Pairs:
        """Return some lines and genes."""
        return Pairs(self.profiles[lines], self.vectors[genes], self.lines[lines], self.genes[genes])


class ViabilityMethod(ABC):
    """Predict viability of lines (rows) after perturbation of genes (columns)."""

    def fit(self, effects: np.ndarray, pairs: Pairs) -> ViabilityMethod:
        """Learn from `effects` (L, G), NaN where not observed; no line and no gene is all NaN."""
        self.means_ = mean_effects(effects)
        self._fit(effects, pairs)
        return self

    def _fit(self, effects: np.ndarray, pairs: Pairs) -> None:  # noqa: B027 - baselines have the means and nothing else
        """Learn what the mean effects leave over."""

    @abstractmethod
    def predict(self, pairs: Pairs) -> np.ndarray:
        """Return float64 (lines, genes)."""

    def again(self) -> ViabilityMethod:
        """Return a method to fit to a part of the data, with the settings that this one chose on the whole."""
        return type(self)()

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what JSON can hold and what goes into arrays, enough for :meth:`restore`."""
        names = ("line", "gene", "line_mean", "gene_mean")
        return {"overall": self.means_.overall}, {f"means.{name}": getattr(self.means_, name) for name in names}

    def restore(self, config: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Take over a state."""
        names = ("line", "gene", "line_mean", "gene_mean")
        self.means_ = MeanEffects(config["overall"], *(arrays[f"means.{name}"] for name in names))


class TwoWay(ViabilityMethod):
    """Overall mean, line effect and gene effect."""

    def predict(self, pairs: Pairs) -> np.ndarray:
        return self.means_.predict(pairs.lines, pairs.genes)


class GeneMean(ViabilityMethod):
    """The mean of the gene over lines."""

    def predict(self, pairs: Pairs) -> np.ndarray:
        return self.means_.only_gene(pairs.lines, pairs.genes)


class LineMean(ViabilityMethod):
    """The mean of the line over genes."""

    def predict(self, pairs: Pairs) -> np.ndarray:
        return self.means_.only_line(pairs.lines, pairs.genes)
