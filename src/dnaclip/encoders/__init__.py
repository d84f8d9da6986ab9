"""Frozen encoders: lists of strings in, float32 arrays (n, d) out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dnaclip.encoders._alignment.aligner import Aligner
from dnaclip.encoders._bases import Bases, encode_bases
from dnaclip.encoders._catalogue import list_encoders as list
from dnaclip.encoders._composition import composition, composition_names
from dnaclip.encoders._composition_encoder import CompositionEncoder
from dnaclip.encoders._conservation import conserved_seeds
from dnaclip.encoders._encoder import Encoder
from dnaclip.encoders._features import SequenceFeatures, sequence_features
from dnaclip.encoders._homology import EVIDENCE, N_SEEDS, HomologyIndex, Neighbours, find_seeds, seeds_by_frequency
from dnaclip.encoders._load import load_encoder as load
from dnaclip.encoders._reading_frames import Peptides, open_reading_frames
from dnaclip.encoders._text import TextEncoder
from dnaclip.encoders._vectors import VectorTable, read_vectors

if TYPE_CHECKING:
    from dnaclip.encoders._encode import encode_fasta
    from dnaclip.encoders._enformer import EnformerEncoder
    from dnaclip.encoders._evo2 import Evo2Encoder
    from dnaclip.encoders._huggingface import HuggingFaceEncoder
    from dnaclip.encoders._hyenadna import HyenaDna, HyenaDnaConfig, HyenaDnaEncoder, load_hyenadna, save_hyenadna
    from dnaclip.encoders._openai import OpenAiEncoder
    from dnaclip.encoders._protein import ProteinEncoder, longest_proteins

__all__ = [
    "EVIDENCE",
    "N_SEEDS",
    "Aligner",
    "Bases",
    "CompositionEncoder",
    "Encoder",
    "EnformerEncoder",
    "Evo2Encoder",
    "HomologyIndex",
    "HuggingFaceEncoder",
    "HyenaDna",
    "HyenaDnaConfig",
    "HyenaDnaEncoder",
    "Neighbours",
    "OpenAiEncoder",
    "Peptides",
    "ProteinEncoder",
    "SequenceFeatures",
    "TextEncoder",
    "VectorTable",
    "composition",
    "composition_names",
    "conserved_seeds",
    "encode_bases",
    "encode_fasta",
    "find_seeds",
    "list",
    "load",
    "load_hyenadna",
    "longest_proteins",
    "open_reading_frames",
    "read_vectors",
    "save_hyenadna",
    "seeds_by_frequency",
    "sequence_features",
]

# The default features need no torch: what does is imported when it is first used.
_LAZY = {
    "EnformerEncoder": "_enformer",
    "Evo2Encoder": "_evo2",
    "HuggingFaceEncoder": "_huggingface",
    "HyenaDna": "_hyenadna",
    "HyenaDnaConfig": "_hyenadna",
    "HyenaDnaEncoder": "_hyenadna",
    "OpenAiEncoder": "_openai",
    "ProteinEncoder": "_protein",
    "encode_fasta": "_encode",
    "load_hyenadna": "_hyenadna",
    "longest_proteins": "_protein",
    "save_hyenadna": "_hyenadna",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
