"""Windows of tokens drawn from genes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from dnaclip._errors import InputError
from dnaclip.encoders._hyenadna.tokens import PAD, UNKNOWN, tokenize

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Windows"]


class Windows:
    """Genes as one array of tokens, from which windows are cut.

    Parameters
    ----------
    sequences
        DNA, one string a gene.
    length
        Bases of a window.

    Raises
    ------
    InputError
        There is no sequence, or none of at least two bases.
    """

    def __init__(self, sequences: Sequence[str], length: int) -> None:
        kept = [sequence for sequence in sequences if len(sequence) > 1]
        if not kept:
            msg = f"None of the {len(sequences)} sequences has two bases or more: there is nothing to predict."
            raise InputError(msg)
        self.length = length
        self.tokens = np.concatenate([tokenize(sequence) for sequence in kept])
        self.sizes = np.array([len(sequence) for sequence in kept])
        self.starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        # A gene is drawn as often as it has windows, so that each base is seen about as often as any other.
        self._ends = np.cumsum(-(-self.sizes // length))

    def fingerprint(self) -> str:
        """Checksum of the bases."""
        return hashlib.sha256(self.tokens.tobytes() + self.sizes.tobytes()).hexdigest()

    def draw(self, n: int, rng: np.random.Generator) -> Tensor:
        """Cut `n` windows (n, length) at random, short genes padded on the right."""
        genes = np.searchsorted(self._ends, rng.integers(self._ends[-1], size=n), side="right")
        spare = np.maximum(self.sizes[genes] - self.length, 0)
        return self._cut(genes, rng.integers(spare + 1))

    def _cut(self, genes: np.ndarray, offsets: np.ndarray) -> Tensor:
        windows = np.full((len(genes), self.length), PAD, np.int32)
        for row, gene, offset in zip(windows, genes, offsets, strict=True):
            size = min(self.sizes[gene] - offset, self.length)
            start = self.starts[gene] + offset
            row[:size] = self.tokens[start : start + size]
        return torch.from_numpy(windows)


def predicted(windows: Tensor) -> Tensor:
    """Which tokens behind the first of each window are bases to predict: neither padding nor unknown letters."""
    following = windows[:, 1:]
    return (following != PAD) & (following != UNKNOWN)
