"""How alike two texts are worded: shared words, and shared parts of words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scipy import sparse

__all__ = ["Wording"]


class Wording:
    """Turns texts into rows of length one whose products say how alike they are worded.

    Gene names and product names are formulas: "30S ribosomal protein S1" and "S2" differ in one sign that a language model
    hardly sees. Rare words and rare runs of three or four letters count most (TF-IDF).

    Parameters
    ----------
    texts
        Texts that say which words are rare.

    Examples
    --------
    >>> from dnaclip.models._annotation.wording import Wording
    >>> wording = Wording(["protein kinase A", "protein kinase B", "ribosomal protein S1"])
    >>> words, letters = wording.rows(["protein kinase A", "ribosomal protein S2"])
    >>> float((words[0] @ words[0].T).toarray()[0, 0].round(3))
    1.0
    """

    def __init__(self, texts: Sequence[str]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        # A text of signs alone would leave no word at all.
        distinct = [*dict.fromkeys(texts), "gene"]
        # What most texts share says little, and costs most of the time.
        options = {"sublinear_tf": True, "dtype": np.float32, "max_df": max(50, len(distinct) // 10)}
        self._words = TfidfVectorizer(token_pattern=r"(?u)\b\w+\b", **options)
        self._letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4), **options)
        self._words.fit(distinct)
        self._letters.fit(distinct)

    def rows(self, texts: Sequence[str]) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
        """Rows of the texts by words and by parts of words, each float32 CSR (n, vocabulary)."""
        return self._words.transform(texts), self._letters.transform(texts)
