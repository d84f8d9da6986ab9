"""Which of many changes resemble a wanted one, and how much more than by chance."""

from __future__ import annotations

import numpy as np

__all__ = ["similar_profiles"]

# Permuted scores held at once: 32 MiB.
SCORES_AT_ONCE = 2**22
# Scores closer than this differ by rounding only.
TIE = 1e-12


def similar_profiles(
    profile: np.ndarray, changes: np.ndarray, *, centred: bool, n_permutations: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Return the similarity of each row of `changes` (n, G) to `profile` (G,), its z and its p, float64 (n,) each.

    The similarity is the cosine, or with `centred` Pearson's correlation. When the genes of the profile are permuted
    at random, the sum :math:`s = \sum_g w_g \delta_g` has the mean :math:`G \bar w \bar \delta` and the variance
    :math:`\frac{1}{G - 1} \sum_g (w_g - \bar w)^2 \sum_g (\delta_g - \bar \delta)^2`, from which z follows exactly; p is
    the share of permutations, the profile itself among them, that score as high or higher. A change that is zero,
    or for Pearson constant, resembles nothing: similarity 0, z 0, p 1.
    """
    n_genes = len(profile)
    w, table = (np.asarray(values, dtype=np.float64) for values in (profile, changes))
    w_deviation = w - w.mean()
    deviation = table - table.mean(axis=1, keepdims=True)
    if centred:
        w, table = w_deviation, deviation
    norm = np.linalg.norm(w) * np.linalg.norm(table, axis=1)
    zero = norm <= TIE * np.linalg.norm(w) * max(np.abs(changes).max(initial=0), 1e-300)
    norm = np.where(zero, 1, norm)
    score = np.where(zero, 0, table @ w / norm)
    mean = n_genes * w.mean() * table.mean(axis=1) / norm
    sd = np.linalg.norm(w_deviation) * np.linalg.norm(deviation, axis=1) / np.sqrt(max(n_genes - 1, 1)) / norm
    z = np.divide(score - mean, sd, out=np.zeros_like(score), where=(sd > TIE) & ~zero)
    as_high = np.ones(len(table))
    step = max(1, SCORES_AT_ONCE // max(len(table), n_genes))
    for start in range(0, n_permutations, step):
        size = min(step, n_permutations - start)
        permuted = rng.permuted(np.tile(w, (size, 1)), axis=1)
        as_high += (table @ permuted.T / norm[:, None] >= score[:, None] - TIE).sum(axis=1)
    p = np.where(zero, 1, as_high / (n_permutations + 1))
    return score, z, p
