"""How far predictions are off, from lines, genes and pairs that are left out in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dnaclip.models._viability.method import Pairs

if TYPE_CHECKING:
    from dnaclip.models._viability.method import ViabilityMethod

__all__ = ["SITUATIONS", "half_widths", "situation"]

SITUATIONS = ("pair", "gene", "line", "both")
# Share of the pairs of known lines and genes that a fold leaves out.
PAIR_SHARE = 0.1
# Errors that a situation needs for a width of its own.
MIN_ERRORS = 20


def situation(new_lines: np.ndarray, new_genes: np.ndarray) -> np.ndarray:
    """Return which of `SITUATIONS` each pair is in, (lines, genes): what of it training has not seen."""
    return new_genes.astype(int)[None, :] + 2 * new_lines.astype(int)[:, None]


def half_widths(
    method: ViabilityMethod, effects: np.ndarray, pairs: Pairs, *, coverage: float, n_folds: int, seed: int
) -> np.ndarray:
    """Return half the width of the interval in each situation, (4,), NaN where it could not be had.

    Each fold leaves out a part of the lines, of the genes, and of the pairs of the rest, and fits `method` again. The width
    is the quantile of the absolute errors, with the correction of split conformal prediction for a finite sample.
    """
    rng = np.random.default_rng(seed)
    line_fold, gene_fold = (rng.permutation(n) % n_folds for n in effects.shape)
    errors: list[list[np.ndarray]] = [[] for _ in SITUATIONS]
    for fold in range(n_folds):
        lines, genes = np.flatnonzero(line_fold != fold), np.flatnonzero(gene_fold != fold)
        if effects.shape[1] == 1:
            genes = np.array([0])
        kept = effects[np.ix_(lines, genes)]
        hidden = rng.random(kept.shape) < PAIR_SHARE
        masked = np.where(hidden, np.nan, kept)
        seen = np.isfinite(masked)
        # A line or gene of which everything is hidden is left as it was.
        bare = ~seen.any(axis=1, keepdims=True) | ~seen.any(axis=0, keepdims=True)
        masked, hidden = np.where(bare, kept, masked), hidden & ~bare
        if min(masked.shape) < 1 or len(lines) < 2 or not np.isfinite(masked).any(axis=1).all():
            continue
        if not np.isfinite(masked).any(axis=0).all():
            continue
        inner = method.again().fit(masked, Pairs.training(pairs.profiles[lines], pairs.vectors[genes]))
        place_line, place_gene = (np.full(n, -1) for n in effects.shape)
        place_line[lines], place_gene[genes] = np.arange(len(lines)), np.arange(len(genes))
        error = np.abs(inner.predict(Pairs(pairs.profiles, pairs.vectors, place_line, place_gene)) - effects)
        where = situation(place_line < 0, place_gene < 0)
        trained = np.zeros(effects.shape, dtype=bool)
        trained[np.ix_(lines, genes)] = ~hidden
        for code in range(len(SITUATIONS)):
            found = error[(where == code) & ~trained]
            errors[code].append(found[np.isfinite(found)])
    return np.array([_quantile(np.concatenate([np.zeros(0), *one]), coverage) for one in errors])


def _quantile(errors: np.ndarray, coverage: float) -> float:
    n = len(errors)
    rank = int(np.ceil((n + 1) * coverage))
    return float(np.sort(errors)[rank - 1]) if n >= MIN_ERRORS and rank <= n else float("nan")
