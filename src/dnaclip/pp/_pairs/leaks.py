"""How much of a test is known from training: near sequences and near texts on both sides of a split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from dnaclip._errors import InputError
from dnaclip._validate import check_key, check_share
from dnaclip.encoders._bases import encode_bases
from dnaclip.pp._plain_text import plain_text
from dnaclip.pp._shared_words import WordKind, distinct_words

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["split_leaks"]

_WORDS = WordKind(letters=4, length=16, share=0.25, least=4, whole_below=2000, every=8)
# Words of more training genes are repeats, and say nothing of kinship.
_FREQUENT = 400
_AT_ONCE = 512


def split_leaks(
    pairs: pd.DataFrame,
    split: pd.DataFrame,
    *,
    sequence_similarity: float = 0.25,
    text_similarity: float = 0.8,
) -> pd.DataFrame:
    """Count the genes of validation and test that have a near neighbour in training.

    Parameters
    ----------
    pairs
        One row per gene with the columns `sequence` and `text`.
    split
        Table with the column `split`, row by row as `pairs`, from :func:`split_pairs` or from elsewhere.
    sequence_similarity
        From which share of common words of 16 bases on a training gene counts as near; the share is that of the gene
        which has fewer words. At 0.25, copies with up to about 8 % of exchanged bases are found.
    text_similarity
        From which cosine similarity of texts on (words weighted by rarity, TF-IDF) a training gene counts as near.

    Returns
    -------
    One row for each part other than training, with the columns

    * `genes`: int;
    * `near_sequence`, `near_text`, `either`: int, genes with such a neighbour in training;
    * `same_sequence`, `same_text`: int, genes with an equal one, but for case and white space of texts;
    * `sequence_similarity`, `text_similarity`: float, the mean over genes of the similarity to the nearest in training.

    Raises
    ------
    MissingKeyError
        A column is absent.
    InputError
        The tables do not fit together, no row is for training or all are, or a sequence is not DNA.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from dnaclip.pp import split_leaks
    >>> genes = ["".join(np.random.default_rng(i).choice(list("ACGT"), 200)) for i in range(3)]
    >>> pairs = pd.DataFrame({"sequence": [*genes, genes[0][:150]], "text": ["a kinase", "b", "c", "d"]})
    >>> split = pd.DataFrame({"split": ["train", "train", "test", "test"]})
    >>> split_leaks(pairs, split)[["genes", "near_sequence", "same_sequence", "near_text"]].to_numpy().tolist()
    [[2, 1, 0, 0]]
    """
    part = _checked(pairs, split, sequence_similarity, text_similarity)
    train = np.flatnonzero(part == "train")
    sequences = pairs["sequence"].str.upper().str.replace("U", "T")
    texts = plain_text(pairs["text"])
    words = _words(sequences.tolist(), train)
    known_sequences, known_texts = set(sequences.iloc[train]), set(texts.iloc[train]) - {""}
    terms = _terms(texts, train)
    rows = {}
    for name in [each for each in dict.fromkeys(part.tolist()) if each != "train"]:
        here = np.flatnonzero(part == name)
        near, similar = _containment(words, here, train), _cosine(terms, here, train)
        of_sequence = np.asarray(sequences.iloc[here].isin(known_sequences))
        of_text = np.asarray(texts.iloc[here].isin(known_texts))
        near, similar = np.maximum(near, of_sequence), np.maximum(similar, of_text)
        by_sequence, by_text = near >= sequence_similarity, similar >= text_similarity
        rows[name] = {
            "genes": len(here),
            "near_sequence": int(by_sequence.sum()),
            "near_text": int(by_text.sum()),
            "either": int((by_sequence | by_text).sum()),
            "same_sequence": int(of_sequence.sum()),
            "same_text": int(of_text.sum()),
            "sequence_similarity": float(near.mean()),
            "text_similarity": float(similar.mean()),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("split")


def _checked(
    pairs: pd.DataFrame, split: pd.DataFrame, sequence_similarity: float, text_similarity: float
) -> np.ndarray:
    for column in ("sequence", "text"):
        check_key(column, pairs.columns, where="the columns of pairs")
    check_key("split", split.columns, where="the columns of split")
    check_share("sequence_similarity", sequence_similarity)
    check_share("text_similarity", text_similarity)
    if len(pairs) != len(split):
        msg = f"There are {len(pairs)} pairs and {len(split)} rows of the split. Make the split from the same table."
        raise InputError(msg)
    part = np.array([str(name) for name in split["split"]], dtype=object)
    n_train = int((part == "train").sum())
    if n_train in (0, len(part)):
        msg = f"{n_train} of {len(part)} rows are for training, so there is nothing to compare. Parts: {sorted(set(part))}."
        raise InputError(msg)
    return part


def _words(sequences: list[str], train: np.ndarray) -> tuple[sparse.csr_array, np.ndarray]:
    """Which words each gene has, 0 or 1 (genes, words of training genes), and how many in all, int (genes,)."""
    genes, words = [], []
    # Sorting is much faster while the words of a few genes fit into the processor's cache.
    few = _AT_ONCE // 8
    for start in range(0, len(sequences), few):
        bases = encode_bases(sequences[start : start + few])
        of = np.repeat(np.arange(len(bases)), np.diff(bases.offsets))
        found = distinct_words(bases.codes, of, bases.lengths, _WORDS)
        genes.append((found & np.uint64(2**32 - 1)).astype(np.int64) + start)
        words.append((found >> np.uint64(32)).astype(np.uint32))
    distinct, columns = np.unique(np.concatenate(words), return_inverse=True)
    rows = np.concatenate(genes)
    shape = (len(sequences), max(len(distinct), 1))
    matrix = sparse.csr_array((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
    often = np.asarray(matrix[train].sum(axis=0)).ravel()
    return matrix[:, (often > 0) & (often <= _FREQUENT)], np.bincount(rows, minlength=len(sequences))


def _containment(words: tuple[sparse.csr_array, np.ndarray], here: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Share of common words with the nearest training gene, of the gene with fewer words; float (len(here),)."""
    matrix, n_words = words
    known = sparse.csc_array(matrix[train].T)
    best = np.zeros(len(here))
    for at, rows in _chunks(here):
        common = sparse.coo_array(matrix[rows] @ known)
        fewer = np.minimum(n_words[rows][common.row], n_words[train][common.col])
        np.maximum.at(best[at], common.row, common.data / np.maximum(fewer, 1))
    return best


def _terms(texts: pd.Series, train: np.ndarray) -> sparse.csr_array:
    """Texts as vectors of length 1, weighted by how rare each word is in training; zero for an empty one."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    # Words of more than a fifth of the texts tell nothing apart, and make up most of the work.
    most = 0.2 if len(train) >= 100 else 1.0
    vectorizer = TfidfVectorizer(token_pattern=r"(?u)\b\w+\b", sublinear_tf=True, max_df=most, dtype=np.float32)
    if not texts.iloc[train].str.contains(r"\w").any():
        return sparse.csr_array((len(texts), 1), dtype=np.float32)
    vectorizer.fit(texts.iloc[train])
    return sparse.csr_array(vectorizer.transform(texts))


def _cosine(terms: sparse.csr_array, here: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Cosine similarity to the nearest text of training; float (len(here),)."""
    known = sparse.csc_array(terms[train].T)
    best = np.zeros(len(here))
    # Common words make these products far fuller than those of sequences.
    for at, rows in _chunks(here, _AT_ONCE // 4):
        best[at] = np.asarray((terms[rows] @ known).max(axis=1).todense()).ravel()
    return best


def _chunks(rows: np.ndarray, size: int = _AT_ONCE) -> Iterator[tuple[slice, np.ndarray]]:
    for start in range(0, len(rows), size):
        yield slice(start, start + size), rows[start : start + size]
