"""How good the model of a trial is, on validation genes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._errors import InputError
from dnaclip.metrics import clustering, retrieval_both
from dnaclip.train._score import embed_prepared

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from dnaclip.models import DnaClip
    from dnaclip.train._prepare import PreparedPairs

__all__ = ["CLUSTERING", "RETRIEVAL", "labelled", "trial_scores"]

RETRIEVAL = ("accuracy@1", "accuracy@5", "accuracy@10")
CLUSTERING = ("nmi_dna", "ari_dna", "nmi_text", "ari_text")


def labelled(labels: ArrayLike, prepared: PreparedPairs) -> tuple[np.ndarray, np.ndarray]:
    """Validation genes with a class, and their classes."""
    classes = pd.Series(np.asarray(labels, dtype=object))
    if len(classes) != len(prepared.split):
        msg = (
            f"labels has {len(classes)} values for {len(prepared.split)} pairs. Give one per pair, None where unknown."
        )
        raise InputError(msg)
    rows = prepared.rows("validation")
    rows = rows[(classes[rows].notna() & (classes[rows] != "")).to_numpy()]
    if classes[rows].nunique() < 2:
        msg = f"The {len(rows)} validation genes with a label have {classes[rows].nunique()} classes; at least two are needed."
        raise InputError(msg)
    return rows, classes[rows].astype(str).to_numpy()


def trial_scores(
    model: DnaClip, prepared: PreparedPairs, classes: tuple[np.ndarray, np.ndarray] | None
) -> dict[str, float]:
    """Accuracy@k, the mean of both directions, and NMI and ARI of k-means clusters of each side with the classes."""
    rows = prepared.rows("validation")
    dna, text = embed_prepared(model, prepared, rows)
    found = retrieval_both(dna, text, groups=prepared.text_of[rows])
    scores = {name: float(found[name].mean()) for name in RETRIEVAL}
    if classes is not None:
        known, labels = classes
        at = np.searchsorted(rows, known)
        for side, vectors in (("dna", dna), ("text", text)):
            unit = vectors[at] / np.maximum(np.linalg.norm(vectors[at], axis=1, keepdims=True), 1e-12)
            agreement = clustering(unit, labels)
            scores |= {f"nmi_{side}": agreement["nmi"], f"ari_{side}": agreement["ari"]}
    return scores
