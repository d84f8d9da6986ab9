"""Retrieval accuracy of a trained model on the genes that no weight was fitted to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from dnaclip.metrics import retrieval_both
from dnaclip.models import Memory, join_parts

if TYPE_CHECKING:
    import numpy as np

    from dnaclip.models import DnaClip
    from dnaclip.train._prepare import PreparedPairs

__all__ = ["embed_prepared", "score_parts"]


def embed_prepared(model: DnaClip, prepared: PreparedPairs, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """DNA and text embeddings of some pairs, each float32 (len(rows), d).

    The DNA side looks for relatives among the training genes only, whatever the finished model remembers.
    """
    neighbours = prepared.neighbours.take(rows)
    values = model.project_text(prepared.texts)
    memory = Memory(prepared.index, values, prepared.text_of[prepared.memory_rows])
    homology = model.dna.from_neighbours(neighbours, memory=memory)
    composition = model.dna.from_composition(prepared.features.composition[rows])
    dna = join_parts(homology, composition, neighbours.significance[:, 0], model.dna.gate)
    return dna, model.project_text(prepared.texts[prepared.text_of[rows]])


def score_parts(model: DnaClip, prepared: PreparedPairs) -> pd.DataFrame:
    """Accuracy@1, 5 and 10 in both directions on each held-out part, with all its genes as candidates."""
    scores = {}
    for part in ("validation", "test", "species"):
        rows = prepared.rows(part)
        if len(rows):
            dna, text = embed_prepared(model, prepared, rows)
            scores[part] = retrieval_both(dna, text, groups=prepared.text_of[rows])
    return pd.concat(scores, names=["part", "direction"])
