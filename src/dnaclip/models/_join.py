"""Join the two parts of the DNA side: trust homology as far as it is significant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dnaclip.metrics import retrieval

__all__ = ["Gate", "fit_gate", "join_parts"]


@dataclass(frozen=True)
class Gate:
    """Share of the homology part in the DNA embedding, a logistic curve over the best neighbour's significance.

    Parameters
    ----------
    centre
        Log(1 + significance) at which both parts count the same.
    width
        Over how much of it the share rises; smaller is steeper.

    Examples
    --------
    >>> import numpy as np
    >>> from dnaclip.models import Gate
    >>> Gate(centre=2.0).share(np.array([0.0, np.e**2 - 1, 1000.0])).round(2).tolist()
    [0.0, 0.5, 1.0]
    """

    centre: float = 2.5
    width: float = 0.5

    def share(self, significance: np.ndarray) -> np.ndarray:
        """Share of homology for the best neighbour's significance (nats); 0 where there is no neighbour."""
        curve = 1 / (1 + np.exp(-(np.log1p(significance) - self.centre) / self.width))
        return np.where(significance > 0, curve, 0.0).astype(np.float32)


def join_parts(homology: np.ndarray, composition: np.ndarray, significance: np.ndarray, gate: Gate) -> np.ndarray:
    """DNA embedding ``g h + (1 - g) c``, brought to length 1, with g from the gate.

    Parameters
    ----------
    homology, composition
        Parts of the DNA side, (n, d) with rows of length 1; zeros in `homology` for a gene without neighbours.
    significance
        Of the best neighbour, (n,), in nats.
    gate
        The curve.

    Returns
    -------
    float32 (n, d), rows of length 1.

    Examples
    --------
    >>> import numpy as np
    >>> from dnaclip.models import Gate, join_parts
    >>> homology, composition = np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[0.0, 1.0], [0.0, 1.0]])
    >>> join_parts(homology, composition, np.array([1e6, 0.0]), Gate()).round(3).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    share = gate.share(significance)[:, None]
    joined = share * homology + (1 - share) * composition
    return (joined / np.maximum(np.linalg.norm(joined, axis=1, keepdims=True), 1e-12)).astype(np.float32)


def fit_gate(
    homology: np.ndarray,
    composition: np.ndarray,
    text: np.ndarray,
    significance: np.ndarray,
    groups: np.ndarray,
) -> Gate:
    """Choose the gate with the best mean accuracy@1, 5 and 10 (DNA to text) on validation genes.

    Two numbers chosen on thousands of genes that no weight was fitted to: nothing here can remember a gene.

    Parameters
    ----------
    homology, composition, significance
        As in :func:`join_parts`.
    text
        Text embeddings of the same genes, (n, d).
    groups
        int (n,): genes of one group have the same text.

    Returns
    -------
    The best of twenty gates.

    Examples
    --------
    >>> import numpy as np
    >>> from dnaclip.models import fit_gate
    >>> text = np.eye(4)
    >>> wrong = np.roll(text, 1, axis=0)
    >>> significance = np.array([10.0, 11.0, 20.0, 21.0])  # homology is right only where it is sure
    >>> homology, composition = np.vstack([wrong[:2], text[2:]]), np.vstack([text[:2], wrong[2:]])
    >>> gate = fit_gate(homology, composition, text, significance, np.arange(4))
    >>> (gate.share(significance) > 0.5).tolist()
    [False, False, True, True]
    """
    candidates = [Gate(centre, width) for centre in (1.5, 2.0, 2.5, 3.0, 3.5) for width in (0.15, 0.3, 0.5, 0.8)]

    def accuracy(gate: Gate) -> float:
        found = retrieval(join_parts(homology, composition, significance, gate), text, groups=groups)
        return float(np.mean([found[f"accuracy@{k}"] for k in (1, 5, 10)]))

    return max(candidates, key=accuracy)
