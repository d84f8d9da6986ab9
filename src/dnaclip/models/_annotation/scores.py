"""Scores of candidate texts: by embedding alone, or by embedding and alignment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scipy import sparse

    from dnaclip.models._annotation.relatives import Profiles
    from dnaclip.models._annotation.wording import Wording

__all__ = ["CLUES", "GATE", "CandidateTexts", "clue_scores", "combined_scores"]

CLUES = ("embedding", "meaning", "words", "letters")
"""How a candidate may fit: its text and the gene's embedding; and its text and those of the gene's aligned relatives."""
GATE = ("always", "strength", "bases")


@dataclass(frozen=True)
class CandidateTexts:
    """Texts to choose from.

    Attributes
    ----------
    vectors
        float32 (m, d), rows of length one in the shared space; zeros where there is none.
    words, letters
        CSR (vocabulary, m), from :class:`Wording`.
    """

    vectors: np.ndarray
    words: sparse.csr_matrix
    letters: sparse.csr_matrix

    @classmethod
    def of(cls, vectors: np.ndarray, texts: Sequence[str], wording: Wording) -> CandidateTexts:
        """Describe texts with the given vectors."""
        words, letters = wording.rows(texts)
        return cls(np.nan_to_num(vectors), words.T.tocsr(), letters.T.tocsr())


def clue_scores(dna: np.ndarray, profiles: Profiles, candidates: CandidateTexts) -> np.ndarray:
    """Score every candidate by every clue: float32 (n, m, len(CLUES)), each a cosine or a mean of cosines."""
    return np.stack(
        [
            dna @ candidates.vectors.T,
            profiles.meaning @ candidates.vectors.T,
            (profiles.words @ candidates.words).toarray(),
            (profiles.letters @ candidates.letters).toarray(),
        ],
        axis=-1,
    )


def combined_scores(
    dna: np.ndarray, profiles: Profiles, candidates: CandidateTexts, gate: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Log-odds of each candidate up to a constant per gene: the clues, weighed by how strong the alignment is.

    Parameters
    ----------
    dna
        DNA embeddings, (n, d).
    profiles
        What the relatives of these genes say.
    candidates
        The m texts.
    gate
        (n, len(GATE)), from :meth:`Relatives.gate`.
    weights
        (len(GATE), len(CLUES)).

    Returns
    -------
    float32 (n, m). Without a hit the order is that of the embedding.
    """
    share = (gate @ weights).astype(np.float32)
    scores = (dna * share[:, [0]]) @ candidates.vectors.T
    scores += (profiles.meaning * share[:, [1]]) @ candidates.vectors.T
    for k, (profile, texts) in enumerate(
        ((profiles.words, candidates.words), (profiles.letters, candidates.letters)), start=2
    ):
        scores += (profile.multiply(share[:, [k]]).tocsr() @ texts).toarray()
    return scores
