"""Frozen encoders: lists of strings in, float32 arrays (n, d) out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dnaclip.encoders._bases import Bases, encode_bases
from dnaclip.encoders._composition import composition, composition_names
from dnaclip.encoders._conservation import conserved_seeds
from dnaclip.encoders._features import SequenceFeatures, sequence_features
from dnaclip.encoders._homology import EVIDENCE, N_SEEDS, HomologyIndex, Neighbours, find_seeds, seeds_by_frequency
from dnaclip.encoders._reading_frames import Peptides, open_reading_frames
from dnaclip.encoders._text import TextEncoder

if TYPE_CHECKING:
    from dnaclip.encoders._hyenadna import HyenaDna, HyenaDnaConfig, HyenaDnaEncoder, load_hyenadna

__all__ = [
    "EVIDENCE",
    "N_SEEDS",
    "Bases",
    "HomologyIndex",
    "HyenaDna",
    "HyenaDnaConfig",
    "HyenaDnaEncoder",
    "Neighbours",
    "Peptides",
    "SequenceFeatures",
    "TextEncoder",
    "composition",
    "composition_names",
    "conserved_seeds",
    "encode_bases",
    "find_seeds",
    "load_hyenadna",
    "open_reading_frames",
    "seeds_by_frequency",
    "sequence_features",
]

# The default features need no torch: what does is imported when it is first used.
_LAZY = {
    "HyenaDna": "_hyenadna",
    "HyenaDnaConfig": "_hyenadna",
    "HyenaDnaEncoder": "_hyenadna",
    "load_hyenadna": "_hyenadna",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
