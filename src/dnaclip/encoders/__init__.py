"""Frozen encoders: lists of strings in, float32 arrays (n, d) out."""

from __future__ import annotations

from dnaclip.encoders._bases import Bases, encode_bases
from dnaclip.encoders._composition import composition, composition_names
from dnaclip.encoders._conservation import conserved_seeds
from dnaclip.encoders._features import SequenceFeatures, sequence_features
from dnaclip.encoders._homology import EVIDENCE, N_SEEDS, HomologyIndex, Neighbours, find_seeds, seeds_by_frequency
from dnaclip.encoders._reading_frames import Peptides, open_reading_frames
from dnaclip.encoders._text import TextEncoder

__all__ = [
    "EVIDENCE",
    "N_SEEDS",
    "Bases",
    "HomologyIndex",
    "Neighbours",
    "Peptides",
    "SequenceFeatures",
    "TextEncoder",
    "composition",
    "composition_names",
    "conserved_seeds",
    "encode_bases",
    "find_seeds",
    "open_reading_frames",
    "seeds_by_frequency",
    "sequence_features",
]
