"""From a table of pairs to what the training loop eats: features, neighbours, text vectors."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._errors import InputError, MissingKeyError, examples
from dnaclip.encoders import HomologyIndex, TextEncoder, conserved_seeds, sequence_features

if TYPE_CHECKING:
    from dnaclip.encoders import Neighbours, SequenceFeatures

__all__ = ["PreparedPairs", "memory_index", "prepare_pairs"]

logger = logging.getLogger(__name__)

# A longest frame this much above chance marks a gene that may encode a protein; the search by protein seeds finds
# only noise in the others.
MIN_CODING_RATIO = 1.2


@dataclass(frozen=True)
class PreparedPairs:
    """Pairs of n genes, ready for training; what takes long is done once for all seeds.

    Attributes
    ----------
    features
        What is computed from the DNA.
    texts
        float32 (t, d): vectors of the distinct texts.
    text_of
        int64 (n,): row of `texts` of each gene.
    cluster
        int64 (n,): genes of one cluster have near-identical sequences or equal texts; from the split.
    near_copies
        int64 (n,): genes of one group have near-identical sequences.
    split
        str (n,): `train`, `validation`, `test` or `species`.
    text_encoder
        Name of the frozen text model.
    memory_rows
        int64 (m,): training genes that the model remembers.
    index
        Search index over them, in that order.
    neighbours
        Relatives of all n genes among them. A training gene does not see its own cluster, so that training is like use:
        a new gene meets relatives, not copies of itself.
    """

    features: SequenceFeatures
    texts: np.ndarray
    text_of: np.ndarray
    cluster: np.ndarray
    near_copies: np.ndarray
    split: np.ndarray
    text_encoder: str
    memory_rows: np.ndarray
    index: HomologyIndex
    neighbours: Neighbours

    def rows(self, part: str) -> np.ndarray:
        """Row numbers of one part of the split."""
        return np.flatnonzero(self.split == part)


def prepare_pairs(
    pairs: pd.DataFrame,
    split: pd.DataFrame,
    *,
    text_encoder: str = "all-MiniLM-L6-v2",
    text_vectors: np.ndarray | None = None,
    n_neighbours: int = 16,
    seeds_per_gene: int | None = 160,
    progress: bool = True,
) -> PreparedPairs:
    """Compute features, text vectors and relatives of a table of pairs.

    Parameters
    ----------
    pairs
        One row per gene, columns `sequence` and `text`, optionally `gene_id` for messages.
    split
        Columns `cluster`, `near_copies` and `split`, from :func:`dnaclip.pp.split_pairs`.
    text_encoder
        Frozen text model.
    text_vectors
        Its vectors of the texts of `pairs`, (n, d), if they are there already.
    n_neighbours
        Relatives looked for.
    seeds_per_gene
        Seeds of each gene that the memory keeps at most; `None` keeps all.
    progress
        Whether to show progress bars.

    Returns
    -------
    Everything that training needs, for any number of seeds.

    Raises
    ------
    MissingKeyError
        A column is absent.
    InputError
        The tables do not fit together, a sequence or text cannot be used, or no training gene may encode a protein.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from dnaclip.pp import split_pairs
    >>> from dnaclip.train import prepare_pairs
    >>> rng = np.random.default_rng(0)
    >>> sequences = ["".join(rng.choice(["GCC", "AAG", "CTG", "GAT"], 100)) for _ in range(40)]
    >>> pairs = pd.DataFrame({"sequence": sequences, "text": [f"gene {i}" for i in range(40)]})
    >>> prepared = prepare_pairs(pairs, split_pairs(pairs), text_vectors=rng.normal(size=(40, 8)), progress=False)
    >>> prepared.neighbours.ids.shape
    (40, 16)
    """
    for table, columns in ((pairs, ("sequence", "text")), (split, ("cluster", "near_copies", "split"))):
        absent = [column for column in columns if column not in table]
        if absent:
            msg = f"The table lacks the columns {examples(absent)}; it has {examples(table.columns, 12)}."
            raise MissingKeyError(msg)
    if len(split) != len(pairs):
        msg = f"There are {len(pairs)} pairs and {len(split)} rows of the split. Make the split from the same table."
        raise InputError(msg)
    if text_vectors is not None and len(text_vectors) != len(pairs):
        msg = (
            f"text_vectors has {len(text_vectors)} rows for {len(pairs)} pairs. Give one row per pair, in their order."
        )
        raise InputError(msg)
    if text_vectors is not None and not np.isfinite(text_vectors).all():
        bad = np.flatnonzero(~np.isfinite(text_vectors).all(1)).tolist()
        msg = f"text_vectors has values that are not finite in {len(bad)} rows: {examples(bad)}. Compute them again."
        raise InputError(msg)
    if blank := np.flatnonzero(pairs["text"].isna()).tolist():
        msg = f"{len(blank)} of {len(pairs)} pairs have no text: rows {examples(blank)}. Drop them."
        raise InputError(msg)
    names = pairs["gene_id"].astype(str).tolist() if "gene_id" in pairs else None
    text_of, distinct = pd.factorize(pairs["text"])
    if text_vectors is None:
        texts = TextEncoder(text_encoder).encode(distinct.tolist(), progress=progress)
    else:
        _, first = np.unique(text_of, return_index=True)
        texts = np.asarray(text_vectors[first], np.float32)
    features = sequence_features(pairs["sequence"], names=names, progress=progress)
    cluster, near_copies = split["cluster"].to_numpy(), split["near_copies"].to_numpy()
    part = split["split"].astype(str).to_numpy()
    train = np.flatnonzero(part == "train")
    memory_rows, index = memory_index(features, train, near_copies, text_of, cluster, seeds_per_gene=seeds_per_gene)
    if not len(memory_rows):
        msg = (
            f"None of the {len(train)} training genes has an open reading frame longer than chance would give, and genes "
            "find their relatives by protein. Add protein-coding genes, on their own strand."
        )
        raise InputError(msg)
    own = np.where(part == "train", cluster, -1)
    neighbours = index.search(features.seeds, k=n_neighbours, exclude=(own, cluster[memory_rows]))
    return PreparedPairs(
        features, texts, text_of, cluster, near_copies, part, text_encoder, memory_rows, index, neighbours
    )


def memory_index(
    features: SequenceFeatures,
    candidates: np.ndarray,
    near_copies: np.ndarray,
    text_of: np.ndarray,
    cluster: np.ndarray,
    *,
    seeds_per_gene: int | None,
) -> tuple[np.ndarray, HomologyIndex]:
    """Choose the genes that a model remembers, and index them.

    One gene of each set of near copies with one text, if it may encode a protein.

    Parameters
    ----------
    features, near_copies, text_of, cluster
        As in :class:`PreparedPairs`.
    candidates
        Rows to choose from.
    seeds_per_gene
        At most so many seeds of each gene, the conserved ones first; `None` keeps all.

    Returns
    -------
    Chosen rows, and the index over them in that order.

    Examples
    --------
    A copy of a gene with the same text is not remembered twice, and a gene without a protein not at all:

    >>> import numpy as np
    >>> from dnaclip.encoders import sequence_features
    >>> from dnaclip.train import memory_index
    >>> gene, noise = ("".join(np.random.default_rng(0).choice(s, 200)) for s in (["GCC", "AAG", "CTG"], ["TAA", "A"]))
    >>> same = np.array([0, 0, 1])
    >>> rows, index = memory_index(
    ...     sequence_features([gene, gene, noise]), np.arange(3), same, same, same, seeds_per_gene=160
    ... )
    >>> rows.tolist(), len(index)
    ([0], 1)
    """
    coding = candidates[features.coding_ratio[candidates] >= MIN_CODING_RATIO]
    copies = pd.DataFrame({"copy": near_copies[coding], "text": text_of[coding]})
    rows = coding[~copies.duplicated().to_numpy()]
    seeds = features.seeds[rows]
    relatives = None
    if seeds_per_gene is not None:
        relatives = HomologyIndex(seeds).search(seeds, exclude=(cluster[rows], cluster[rows]))
    index = HomologyIndex(conserved_seeds(seeds, relatives, max_per_gene=seeds_per_gene))
    logger.info("Memory: %d genes with %d seeds.", len(rows), index.seeds.nnz)
    return rows, index
