"""The DNA side as named arrays, as they stand in a model folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from dnaclip._packing import pack_sorted_rows, pack_vectors, unpack_sorted_rows, unpack_vectors
from dnaclip.encoders import N_SEEDS, HomologyIndex, seeds_by_frequency
from dnaclip.models._attention import NeighbourAttention
from dnaclip.models._dna_side import DnaSide, Memory
from dnaclip.models._join import Gate
from dnaclip.models._projector import Projector, ProjectorConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

__all__ = ["dna_side_from_state", "dna_side_state", "half", "with_prefix", "without_prefix"]

# Steps per standard deviation of a memory vector's entries: neighbours are averaged, so a cosine of .99 is enough.
_MEMORY_LEVELS = 2.5


def half(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Store weights in float16: half the size, embeddings equal to a cosine above .9999."""
    return {name: value.half() if value.is_floating_point() else value for name, value in state.items()}


def with_prefix(prefix: str, state: Mapping[str, Any]) -> dict[str, Any]:
    """Put `prefix.` before every name."""
    return {f"{prefix}.{name}": value for name, value in state.items()}


def without_prefix(prefix: str, state: Mapping[str, Any]) -> dict[str, Any]:
    """Take the entries that start with `prefix.`, without it."""
    return {name.removeprefix(f"{prefix}."): value for name, value in state.items() if name.startswith(f"{prefix}.")}


def dna_side_state(side: DnaSide) -> dict[str, Tensor | np.ndarray]:
    """Turn a DNA side into named arrays."""
    seeds = _renumbered(side.memory.index.seeds, np.argsort(seeds_by_frequency()))
    return {
        **with_prefix("composition", half(side.composition.state_dict())),
        **with_prefix("attention", side.attention.state_dict()),
        **with_prefix("features", {"mean": side.mean, "scale": side.scale}),
        **with_prefix("memory.seeds", pack_sorted_rows(seeds.indptr, seeds.indices)),
        **with_prefix("memory.values", pack_vectors(side.memory.values, levels=_MEMORY_LEVELS)),
        "memory.value_of": side.memory.value_of.astype(np.int32),
    }


def dna_side_from_state(state: Mapping[str, Tensor], architecture: Mapping[str, Any]) -> DnaSide:
    """Build the DNA side that :func:`dna_side_state` took apart."""
    arrays = {name: value.numpy() for name, value in state.items() if name.startswith(("memory.", "features."))}
    composition = Projector(ProjectorConfig(**architecture["composition"]))
    composition.load_state_dict(without_prefix("composition", state))
    attention = NeighbourAttention()
    attention.load_state_dict(without_prefix("attention", state))
    indptr, indices = unpack_sorted_rows(without_prefix("memory.seeds", arrays), n_columns=N_SEEDS)
    seeds = sp.csr_matrix((np.ones(len(indices), np.float32), indices, indptr), shape=(len(indptr) - 1, N_SEEDS))
    memory = Memory(
        HomologyIndex(_renumbered(seeds, seeds_by_frequency())),
        unpack_vectors(without_prefix("memory.values", arrays)),
        arrays["memory.value_of"].astype(np.int64),
    )
    return DnaSide(
        composition=composition.eval(),
        mean=arrays["features.mean"],
        scale=arrays["features.scale"],
        attention=attention.eval(),
        memory=memory,
        gate=Gate(**architecture["gate"]),
        n_neighbours=architecture["n_neighbours"],
    )


def _renumbered(seeds: sp.csr_matrix, numbers: np.ndarray) -> sp.csr_matrix:
    """Give each column the number `numbers[column]`, and sort."""
    columns = numbers[seeds.indices].astype(np.int32)
    renumbered = sp.csr_matrix((seeds.data.copy(), columns, seeds.indptr.copy()), shape=seeds.shape)
    renumbered.sort_indices()
    return renumbered
