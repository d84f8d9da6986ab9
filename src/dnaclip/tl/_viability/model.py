"""A fitted viability model: the method, the names it was trained on, and how wide its intervals are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dnaclip.models._viability.conformal import half_widths, situation
from dnaclip.models._viability.method import Pairs
from dnaclip.models._viability.methods import make_method

if TYPE_CHECKING:
    import pandas as pd

    from dnaclip.models._viability.method import ViabilityMethod

__all__ = ["ViabilityModel", "fit_model"]


@dataclass(frozen=True, eq=False)
class ViabilityModel:
    """What :class:`dnaclip.tl.ViabilityRegressor` predicts with.

    Parameters
    ----------
    method
        Fitted method.
    lines, genes
        Training lines (L,) and genes (G,).
    blocks
        Widths of the blocks of gene vectors.
    n_profile
        Width of a line's profile.
    vectors
        Vectors of the training genes, float64 (G, d).
    half_widths
        Half the width of the intervals in each situation, (4,); NaN where there is none.
    """

    method: ViabilityMethod
    lines: pd.Index
    genes: pd.Index
    blocks: tuple[int, ...]
    n_profile: int
    vectors: np.ndarray
    half_widths: np.ndarray

    def pairs(self, profiles: np.ndarray, lines: pd.Index, vectors: np.ndarray, genes: pd.Index) -> Pairs:
        """Return lines and genes with their places in training."""
        return Pairs(profiles, vectors, self.lines.get_indexer(lines), self.genes.get_indexer(genes))

    def widths(self, pairs: Pairs) -> np.ndarray:
        """Return half the width of the interval of each pair, (lines, genes)."""
        return self.half_widths[situation(pairs.lines < 0, pairs.genes < 0)]


def fit_model(
    name: str,
    effects: np.ndarray,
    profiles: np.ndarray,
    lines: pd.Index,
    vectors: np.ndarray,
    genes: pd.Index,
    blocks: tuple[int, ...],
    *,
    seed: int,
    permute_vectors: bool,
    coverage: float | None,
    n_folds: int,
    n_components: int,
    n_landmarks: int,
    n_estimators: int,
    max_pairs: int,
) -> ViabilityModel:
    """Fit a method by name to `effects` (L, G), and learn how far it is off."""
    settings = {
        "n_components": n_components,
        "n_landmarks": n_landmarks,
        "n_estimators": n_estimators,
        "max_pairs": max_pairs,
    }
    method = make_method(name, blocks=blocks, seed=seed, **settings)
    if permute_vectors:
        vectors = vectors[np.random.default_rng(seed).permutation(len(vectors))]
    pairs = Pairs.training(profiles, vectors)
    method.fit(effects, pairs)
    widths = np.full(4, np.nan)
    if coverage is not None:
        widths = half_widths(method, effects, pairs, coverage=coverage, n_folds=n_folds, seed=seed)
    return ViabilityModel(method, lines, genes, blocks, profiles.shape[1], vectors, widths)
