"""Projectors, losses, model folders and trained models: arrays and tensors, never AnnData."""

from __future__ import annotations

from dnaclip.models._attention import NeighbourAttention
from dnaclip.models._clip import ClipModel
from dnaclip.models._dna_side import DnaSide, Memory
from dnaclip.models._dnaclip import DnaClip
from dnaclip.models._folder import load_folder, save_folder
from dnaclip.models._join import Gate, fit_gate, join_parts
from dnaclip.models._losses import LOSSES, clip_loss, multimodal_loss
from dnaclip.models._pretrained import list_pretrained, load_pretrained
from dnaclip.models._projector import Projector, ProjectorConfig
from dnaclip.models._sequence_text import SequenceTextModel

__all__ = [
    "LOSSES",
    "ClipModel",
    "DnaClip",
    "DnaSide",
    "Gate",
    "Memory",
    "NeighbourAttention",
    "Projector",
    "ProjectorConfig",
    "SequenceTextModel",
    "clip_loss",
    "fit_gate",
    "join_parts",
    "list_pretrained",
    "load_folder",
    "load_pretrained",
    "multimodal_loss",
    "save_folder",
]
