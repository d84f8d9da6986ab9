"""The DNA side of a trained model: sequences in, embeddings out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from tqdm.auto import tqdm

from dnaclip.encoders import HomologyIndex, sequence_features
from dnaclip.models._join import Gate, join_parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dnaclip.encoders import Neighbours, SequenceFeatures
    from dnaclip.models._attention import NeighbourAttention
    from dnaclip.models._projector import Projector

__all__ = ["DnaSide", "Memory"]


@dataclass(frozen=True)
class Memory:
    """Genes that the model knows: how to find them, and what their texts say.

    Attributes
    ----------
    index
        m genes by their seeds.
    values
        Text embeddings of the distinct texts, float32 (t, d), rows of length 1.
    value_of
        int64 (m,): row of `values` of each gene of the index.
    """

    index: HomologyIndex
    values: np.ndarray
    value_of: np.ndarray


@dataclass
class DnaSide:
    """Everything that turns DNA into embeddings.

    Attributes
    ----------
    composition
        Projector of standardised composition features.
    mean, scale
        float32 (f,): what standardises them.
    attention
        Weighs the neighbours.
    memory
        Where neighbours are looked for.
    gate
        How far homology is trusted.
    n_neighbours
        Neighbours looked at.
    """

    composition: Projector
    mean: np.ndarray
    scale: np.ndarray
    attention: NeighbourAttention
    memory: Memory
    gate: Gate
    n_neighbours: int

    def encode(
        self,
        sequences: Sequence[str],
        *,
        names: Sequence[str] | None = None,
        batch_size: int = 1024,
        progress: bool = False,
    ) -> np.ndarray:
        """Embed DNA sequences: float32 (n, d), rows of length 1."""
        parts = [np.zeros((0, self.memory.values.shape[1]), np.float32)]
        with tqdm(total=len(sequences), unit="gene", desc="Encoding DNA", disable=not progress) as bar:
            for start in range(0, len(sequences), batch_size):
                block = slice(start, start + batch_size)
                features = sequence_features(
                    sequences[block], names=None if names is None else names[block], first=start
                )
                parts.append(self._embed(features))
                bar.update(len(features.composition))
        return np.concatenate(parts)

    def _embed(self, features: SequenceFeatures) -> np.ndarray:
        neighbours = self.memory.index.search(features.seeds, k=self.n_neighbours)
        return join_parts(
            self.from_neighbours(neighbours),
            self.from_composition(features.composition),
            neighbours.significance[:, 0],
            self.gate,
        )

    @torch.no_grad()
    def from_composition(self, features: np.ndarray) -> np.ndarray:
        """Embed composition features: float32 (n, d)."""
        self.composition.eval()
        return self.composition(torch.tensor((features - self.mean) / self.scale)).numpy()

    @torch.no_grad()
    def from_neighbours(self, neighbours: Neighbours, *, memory: Memory | None = None) -> np.ndarray:
        """Embed genes by what is known of their relatives, in another memory if one is given.

        Returns float32 (n, d), zeros for a gene without relatives.
        """
        memory = memory or self.memory
        present = neighbours.ids >= 0
        values = memory.values[memory.value_of[np.maximum(neighbours.ids, 0)]]
        self.attention.eval()
        return self.attention(torch.tensor(values), torch.tensor(neighbours.evidence()), torch.tensor(present)).numpy()
