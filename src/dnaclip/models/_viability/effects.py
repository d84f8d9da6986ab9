"""Mean effects of lines and genes, the part of viability that needs no features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["MeanEffects", "mean_effects"]

# With missing values, means of rows and columns are taken in turn this often.
ROUNDS = 20


@dataclass(frozen=True, eq=False)
class MeanEffects:
    """Viability as overall mean + line effect + gene effect.

    Parameters
    ----------
    overall
        Mean of all observed values.
    line, gene
        Deviation of each line (L,) and gene (G,) from it, each adjusted for the other.
    line_mean, gene_mean
        Plain means of each line (L,) and gene (G,).
    """

    overall: float
    line: np.ndarray
    gene: np.ndarray
    line_mean: np.ndarray
    gene_mean: np.ndarray

    def predict(self, lines: np.ndarray, genes: np.ndarray) -> np.ndarray:
        """Return float64 (k, j) for positions of lines (k,) and genes (j,); an effect at position -1 is not known and counts 0."""
        return self.overall + _known(self.line, lines)[:, None] + _known(self.gene, genes)[None, :]

    def only_gene(self, lines: np.ndarray, genes: np.ndarray) -> np.ndarray:
        """Return the mean of each gene, whatever the line; the overall mean for genes that are not known."""
        return np.tile(self.overall + _known(self.gene_mean - self.overall, genes), (len(lines), 1))

    def only_line(self, lines: np.ndarray, genes: np.ndarray) -> np.ndarray:
        """Return the mean of each line, whatever the gene; the overall mean for lines that are not known."""
        return np.tile(self.overall + _known(self.line_mean - self.overall, lines)[:, None], (1, len(genes)))

    def residual(self, effects: np.ndarray) -> np.ndarray:
        """Return what the means leave over, 0 where `effects` (L, G) is NaN."""
        return np.nan_to_num(effects - self.overall - self.line[:, None] - self.gene)


def mean_effects(effects: np.ndarray) -> MeanEffects:
    """Fit mean effects to `effects` (L, G) by least squares; NaN is not observed, and no row or column is all NaN."""
    seen = np.isfinite(effects)
    filled = np.where(seen, effects, 0.0)
    per_line, per_gene = seen.sum(axis=1), seen.sum(axis=0)
    line_mean, gene_mean = filled.sum(axis=1) / per_line, filled.sum(axis=0) / per_gene
    overall = filled.sum() / seen.sum()
    line, gene = np.zeros(len(per_line)), gene_mean - overall
    for _ in range(1 if seen.all() else ROUNDS):
        line = line_mean - overall - (seen @ gene) / per_line
        gene = gene_mean - overall - (line @ seen) / per_gene
    return MeanEffects(float(overall), line, gene, line_mean, gene_mean)


def _known(effect: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return the effect at each position, 0 at -1."""
    return np.where(positions >= 0, effect[positions], 0.0)
