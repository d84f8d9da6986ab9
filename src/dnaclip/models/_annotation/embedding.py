"""DNA embeddings, and how surely the model knows relatives of each gene."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dnaclip.encoders import sequence_features
from dnaclip.models._join import join_parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dnaclip.models._dnaclip import DnaClip

__all__ = ["embed_with_significance"]


def embed_with_significance(
    model: DnaClip, sequences: Sequence[str], *, names: Sequence[str] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Embed genes as :meth:`DnaClip.encode_dna` does, and return the significance of the best relative beside it.

    Returns
    -------
    float32 (n, d), and float32 (n,): nats, 0 where the model knows no relative.
    """
    if not len(sequences):
        return np.zeros((0, model.dimension), np.float32), np.zeros(0, np.float32)
    features = sequence_features(sequences, names=names)
    neighbours = model.dna.memory.index.search(features.seeds, k=model.dna.n_neighbours)
    homology, composition = model.dna.from_neighbours(neighbours), model.dna.from_composition(features.composition)
    significance = neighbours.significance[:, 0]
    return join_parts(homology, composition, significance, model.dna.gate), significance
