"""What the aligned relatives of genes say together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    import pandas as pd

    from dnaclip.models._annotation.wording import Wording

__all__ = ["Profiles", "Relatives", "profiles_of"]

# A hit counts by the square of its bit score over that of the best one; 1 and 4 ranked validation genes less well.
_POWER = 2


@dataclass(frozen=True)
class Relatives:
    """Alignment hits of n genes among m known ones.

    Attributes
    ----------
    weights
        CSR (n, m), rows that sum to one, or to zero without a hit.
    bits
        float32 (n,): bit score of the best hit, 0 without one.
    bases
        bool (n,): whether the best hit is one of bases, not of residues.
    """

    weights: sparse.csr_matrix
    bits: np.ndarray
    bases: np.ndarray

    @classmethod
    def from_hits(cls, hits: pd.DataFrame, n: int, m: int) -> Relatives:
        """Read the table of :meth:`dnaclip.encoders.Aligner.search` for `n` genes and `m` known ones."""
        query, hit = (hits[name].to_numpy().astype(np.int64) for name in ("query", "hit"))
        score = hits["bitscore"].to_numpy().astype(np.float64)
        bits = np.zeros(n, np.float32)
        np.maximum.at(bits, query, score.astype(np.float32))
        weight = (score / bits[query]) ** _POWER
        total = np.bincount(query, weight, minlength=n)
        weights = sparse.csr_matrix((weight / total[query], (query, hit)), shape=(n, m), dtype=np.float32)
        bases = np.zeros(n, bool)
        bases[query[hits["level"].to_numpy() == "bases"]] = True
        return cls(weights, bits, bases)

    def gate(self) -> np.ndarray:
        """What the weight of each clue may depend on: 1, how strong the best hit is, and whether it is one of bases; (n, 3)."""
        found = self.bits > 0
        strength = np.where(found, np.log1p(self.bits) - 4, 0)
        return np.column_stack([np.ones(len(found)), strength, self.bases]).astype(np.float32)


@dataclass(frozen=True)
class Profiles:
    """Mean text of each gene's relatives, in three descriptions.

    Attributes
    ----------
    meaning
        float32 (n, d), rows of length one in the shared space, zeros without relatives.
    words, letters
        CSR (n, vocabulary).
    """

    meaning: np.ndarray
    words: sparse.csr_matrix
    letters: sparse.csr_matrix


def profiles_of(relatives: Relatives, vectors: np.ndarray, texts: list[str], wording: Wording) -> Profiles:
    """Average the texts of relatives.

    Parameters
    ----------
    relatives
        Hits among m known genes.
    vectors
        Text vectors of the known genes, (m, d), NaN where there is none.
    texts
        Texts of the known genes.
    wording
        How texts are compared by their words.
    """
    meaning = np.asarray(relatives.weights @ np.nan_to_num(vectors), np.float32)
    length = np.linalg.norm(meaning, axis=1, keepdims=True)
    used = np.unique(relatives.weights.indices)  # only these texts need be read
    words, letters = wording.rows([texts[i] for i in used]) if len(used) else wording.rows([""])
    narrow = relatives.weights[:, used] if len(used) else sparse.csr_matrix((len(meaning), 1), dtype=np.float32)
    return Profiles(meaning / np.maximum(length, 1e-9), (narrow @ words).tocsr(), (narrow @ letters).tocsr())
