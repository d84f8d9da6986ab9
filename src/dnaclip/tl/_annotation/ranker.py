"""Rank known genes for a block of unknown ones: by embedding, and by alignment where there is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dnaclip.models._annotation.calibration import FEATURES
from dnaclip.models._annotation.relatives import Relatives, profiles_of
from dnaclip.models._annotation.scores import CandidateTexts, combined_scores
from dnaclip.models._annotation.wording import Wording

if TYPE_CHECKING:
    import pandas as pd

    from dnaclip.encoders import Aligner
    from dnaclip.models._annotation.calibration import Calibration
    from dnaclip.tl._annotation.candidates import KnownGeneTable

__all__ = ["CONSENSUS", "Ranked", "Ranker", "kind_of"]

# Genes beside the first one that say whether the nearest agree.
CONSENSUS = 5
_SCORES_AT_ONCE = 2**24


@dataclass(frozen=True)
class Ranked:
    """Known genes in order of fit, for n genes.

    Attributes
    ----------
    rows
        int64 (n, k): candidates, best first.
    scores, similarity
        float32 (n, k): what they are ranked by, and the cosine of the embeddings.
    nearest
        int64 (n,): the candidate nearest by embedding alone.
    features
        float64 (n, f): what confidence is read from.
    hits
        Best hit of each gene: `hit`, `identity`, ... with NaN and -1 where there is none; `None` without alignment.
    agreement
        float32 (n, k): cosine of the candidate's text with that of the best hit, NaN where there is none.
    """

    rows: np.ndarray
    scores: np.ndarray
    similarity: np.ndarray
    nearest: np.ndarray
    features: np.ndarray
    hits: pd.DataFrame | None
    agreement: np.ndarray


class Ranker:
    """Ranks candidates; keeps what is the same for all blocks of genes.

    Parameters
    ----------
    candidates
        Genes to choose from.
    reference
        Genes that `aligner` aligns with; needed with it.
    aligner
        Open aligner, or `None`.
    calibration
        Weights of the clues.
    """

    def __init__(
        self,
        candidates: KnownGeneTable,
        calibration: Calibration,
        *,
        reference: KnownGeneTable | None = None,
        aligner: Aligner | None = None,
    ) -> None:
        self.candidates = candidates
        self.reference = reference
        self._aligner = aligner
        self._weights = calibration.weights
        if reference is not None:
            self._wording = Wording(reference.texts)
            self._texts = CandidateTexts.of(candidates.vectors, candidates.texts, self._wording)

    def rank(self, dna: np.ndarray, significance: np.ndarray, sequences: list[str] | None, k: int) -> Ranked:
        """Rank all candidates for each gene and keep the best `k`."""
        hits = None
        if self._aligner is not None and self.reference is not None and sequences is not None:
            hits = self._aligner.search(sequences)
        wanted = min(max(k, CONSENSUS), len(self.candidates))
        step = max(1, _SCORES_AT_ONCE // len(self.candidates))
        parts = [
            self._block(dna[i : i + step], hits if hits is None else _window(hits, i, i + step), wanted)
            for i in range(0, len(dna), step)
        ]
        rows, scores, similarity, nearest = (np.concatenate([part[j] for part in parts]) for j in range(4))
        features, best, agreement = self._features(rows, similarity, significance, hits)
        return Ranked(
            rows[:, :k], scores[:, :k], similarity[:, :k], nearest, features, best, agreement[:, :k].astype(np.float32)
        )

    def _block(
        self, dna: np.ndarray, hits: pd.DataFrame | None, k: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        similarity = dna @ self.candidates.vectors.T
        scores = similarity
        if hits is not None and self.reference is not None:
            relatives = Relatives.from_hits(hits, len(dna), len(self.reference))
            profiles = profiles_of(relatives, self.reference.vectors, self.reference.texts, self._wording)
            scores = combined_scores(dna, profiles, self._texts, relatives.gate(), self._weights)
        rows = _best(scores, k)
        each = np.arange(len(dna))[:, None]
        return rows, scores[each, rows], similarity[each, rows], similarity.argmax(axis=1)

    def _features(
        self, rows: np.ndarray, similarity: np.ndarray, significance: np.ndarray, hits: pd.DataFrame | None
    ) -> tuple[np.ndarray, pd.DataFrame | None, np.ndarray]:
        vectors = self.candidates.vectors[rows[:, :CONSENSUS]]
        if vectors.shape[1] > 1:
            consensus = np.einsum("nd,nkd->nk", vectors[:, 0], vectors[:, 1:]).mean(axis=1)
        else:
            consensus = np.zeros(len(rows))
        columns = [similarity[:, 0], np.log1p(significance) / 2, consensus]
        agreement = np.full(rows.shape, np.nan)
        if hits is None or self.reference is None:
            return np.column_stack(columns).astype(float), None, agreement
        best = hits.drop_duplicates("query").set_index("query").reindex(range(len(rows)))
        best["hit"] = best["hit"].fillna(-1).astype(int)
        found = best["hit"].to_numpy() >= 0
        of_hit = self.reference.vectors[best["hit"].to_numpy()[found]]
        agreement[found] = np.einsum("nd,nkd->nk", of_hit, self.candidates.vectors[rows[found]])
        columns += [
            np.log1p(best["bitscore"].fillna(0).to_numpy()) / 2,
            best["target_coverage"].fillna(0).to_numpy().clip(0, 1),
            np.nan_to_num(agreement[:, 0]),
        ]
        return np.column_stack(columns).astype(float), best, agreement


def kind_of(features: np.ndarray) -> str:
    """Say which curve of the calibration reads these features."""
    return next(kind for kind, names in FEATURES.items() if len(names) == features.shape[1])


def _window(hits: pd.DataFrame, start: int, stop: int) -> pd.DataFrame:
    part = hits[(hits["query"] >= start) & (hits["query"] < stop)]
    return part.assign(query=part["query"] - start)


def _best(scores: np.ndarray, k: int) -> np.ndarray:
    """Columns of the `k` highest values of each row, best first; of equal ones the earlier column first."""
    if k < scores.shape[1]:
        some = np.sort(np.argpartition(-scores, k - 1, axis=1)[:, :k], axis=1)
    else:
        some = np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
    order = np.argsort(-np.take_along_axis(scores, some, axis=1), axis=1, kind="stable")
    return np.take_along_axis(some, order, axis=1)
