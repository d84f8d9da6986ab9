"""How much a network adds to a prediction without one, by what both said of perturbations that they had not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip.models._perturbation.evidence import beyond_noise
from dnaclip.models._perturbation.folds import SITUATIONS, situations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dnaclip.models._perturbation.means import Condition, Shifts

__all__ = ["Blend", "fit_blend", "network_weight"]

# With fewer held-out rows, a situation gets the weight of all situations together.
FEWEST_ROWS = 10


@dataclass(frozen=True, eq=False)
class Blend:
    """Weight of the network in each of `SITUATIONS`; the rest is the prediction without it.

    Parameters
    ----------
    weights
        Between 0 and 1, float64.
    n_rows
        Number of held-out rows in each situation, int64.
    pcc, mse
        Mean correlation and mean squared error of the network's shifts there; NaN without rows.
    """

    weights: np.ndarray
    n_rows: np.ndarray
    pcc: np.ndarray
    mse: np.ndarray

    def mix(
        self,
        plain: np.ndarray,
        network: np.ndarray,
        conditions: Sequence[Condition],
        contexts: np.ndarray,
        training: Shifts,
    ) -> np.ndarray:
        """Return the weighted mean of two predictions, float32 (k, n_genes)."""
        weight = self.weight(conditions, contexts, training).astype(np.float32)[:, None]
        return (1 - weight) * plain + weight * network

    def weight(self, conditions: Sequence[Condition], contexts: np.ndarray, training: Shifts) -> np.ndarray:
        """Return the weight of the network in the prediction of each condition, (k,)."""
        return self.weights[situations(conditions, contexts, training)]

    def with_network(self, parts: pd.DataFrame, name: str) -> pd.DataFrame:
        """Add the network to the parts of the prediction without it, which share what it leaves."""
        weight = pd.Series(self.weights, index=list(SITUATIONS))
        parts = parts.assign(weight=parts["weight"] * (1 - parts["situation"].map(weight)))
        own = {"n_left_out": self.n_rows, "pcc": self.pcc, "mse": self.mse, "weight": self.weights}
        network = pd.DataFrame({"situation": SITUATIONS, "part": name, **own})
        tables = [table[table["situation"] == situation] for situation in SITUATIONS for table in (parts, network)]
        return pd.concat(tables, ignore_index=True)


def fit_blend(observed: np.ndarray, plain: np.ndarray, network: np.ndarray, situation: np.ndarray) -> Blend:
    """Weigh the network by predictions of held-out shifts (m, n_genes), each in a situation (m,)."""
    n_rows = np.bincount(situation, minlength=len(SITUATIONS))
    weights = np.full(len(SITUATIONS), network_weight(observed, plain, network))
    pcc, mse = np.full((2, len(SITUATIONS)), np.nan)
    for one in np.flatnonzero(n_rows):
        rows = situation == one
        if n_rows[one] >= FEWEST_ROWS:
            weights[one] = network_weight(observed[rows], plain[rows], network[rows])
        pcc[one] = _correlations(observed[rows], network[rows]).mean()
        mse[one] = ((observed[rows] - network[rows]) ** 2).mean()
    return Blend(weights, n_rows, pcc, mse)


def network_weight(observed: np.ndarray, plain: np.ndarray, network: np.ndarray) -> float:
    """Return the weight in [0, 1] with the least squared error, or 0 if what it gains is within noise (:func:`beyond_noise`).

    Examples
    --------
    >>> import numpy as np
    >>> observed = np.arange(12.0).reshape(4, 3)
    >>> (
    ...     network_weight(observed, plain=observed - 1, network=observed + 1),
    ...     network_weight(observed, observed, observed + 1),
    ... )
    (0.5, 0.0)
    """
    difference, error = np.float64(network) - plain, np.float64(observed) - plain
    size = (difference**2).sum()
    if size == 0:
        return 0.0
    weight = float(np.clip((difference * error).sum() / size, 0, 1))
    gains = (error**2).sum(axis=1) - ((error - weight * difference) ** 2).sum(axis=1)
    return weight if beyond_noise(gains) else 0.0


def _correlations(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the correlation of each row of two tables, 0 where one is constant."""
    one, other = (table - table.mean(axis=1, keepdims=True, dtype=np.float64) for table in (one, other))
    size = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    return np.divide((one * other).sum(axis=1), size, out=np.zeros(len(size)), where=size > 0)
