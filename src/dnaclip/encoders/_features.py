"""All that dnaclip computes from DNA alone, in blocks that bound the memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from tqdm.auto import tqdm

from dnaclip.encoders._bases import base_blocks
from dnaclip.encoders._composition import composition, composition_names
from dnaclip.encoders._homology import find_seeds
from dnaclip.encoders._reading_frames import coding_ratio, open_reading_frames

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ["SequenceFeatures", "sequence_features"]

_BASES_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class SequenceFeatures:
    """Features of n genes.

    Attributes
    ----------
    composition
        float32 (n, f), see :func:`composition`.
    seeds
        CSR (n, N_SEEDS), see :func:`find_seeds`.
    coding_ratio
        float32 (n,): length of the longest open reading frame over what chance would give; proteins are well above 1.
    """

    composition: np.ndarray
    seeds: sp.csr_matrix
    coding_ratio: np.ndarray


def sequence_features(
    sequences: Collection[str], *, names: Sequence[str] | None = None, first: int = 0, progress: bool = False
) -> SequenceFeatures:
    """Compute the features of genes from their DNA.

    Parameters
    ----------
    sequences
        One string a gene, on the gene's own strand; see :func:`encode_bases` for what is legal. They are read one after
        the other, so that a column of a table may lie in a mapped file.
    names
        Gene names for error messages.
    first
        Position of the first gene, for error messages about a block of a longer list.
    progress
        Whether to show a progress bar.

    Returns
    -------
    The features, genes in the given order.

    Raises
    ------
    InputError
        A sequence cannot be read as DNA, as in :func:`encode_bases`.

    Examples
    --------
    >>> from dnaclip.encoders import sequence_features
    >>> sequence_features(["ATGGCCAAGTTG" * 10]).composition.shape
    (1, 831)
    """
    counts = np.empty((len(sequences), len(composition_names())), np.float32)
    seeds, ratios = [], []
    with tqdm(total=len(sequences), unit="gene", desc="DNA features", disable=not progress) as bar:
        for genes, bases in base_blocks(sequences, at_once=_BASES_AT_ONCE, names=names, first=first):
            peptides = open_reading_frames(bases)
            counts[genes] = composition(bases, peptides)
            seeds.append(find_seeds(peptides, len(bases)))
            ratios.append(coding_ratio(bases, peptides))
            bar.update(len(bases))
    return SequenceFeatures(counts, sp.vstack(seeds, format="csr"), np.concatenate(ratios))
