"""Projectors, losses, model folders and trained models: arrays and tensors, never AnnData."""

from __future__ import annotations

from dnaclip.models._attention import NeighbourAttention
from dnaclip.models._clip import ClipModel
from dnaclip.models._dna_side import DnaSide, Memory
from dnaclip.models._dnaclip import DnaClip
from dnaclip.models._encoder_tower import EncoderTower
from dnaclip.models._expression.config import EXPRESSION_LOSSES, ExpressionNetConfig
from dnaclip.models._expression.intervals import Intervals, fit_intervals
from dnaclip.models._expression.kernel_ridge import GeneRidge
from dnaclip.models._expression.losses import balanced_pearson, expression_loss
from dnaclip.models._expression.net import ExpressionNet
from dnaclip.models._folder import load_folder, save_folder
from dnaclip.models._join import Gate, fit_gate, join_parts
from dnaclip.models._lora import merge_lora
from dnaclip.models._losses import LOSSES, clip_loss, multimodal_loss, siglip_loss, similarity_penalty
from dnaclip.models._perturbation.baselines import (
    Additive,
    LinearPca,
    NearestNeighbours,
    NoChange,
    OtherContext,
    PerturbedMean,
)
from dnaclip.models._perturbation.config import PerturbationVaeConfig
from dnaclip.models._perturbation.hybrid import Hybrid
from dnaclip.models._perturbation.linear import IdentityRidge, Ridge
from dnaclip.models._perturbation.methods import MEAN_METHODS
from dnaclip.models._perturbation.vae import PerturbationVae
from dnaclip.models._pretrained import list_pretrained, load_pretrained
from dnaclip.models._projector import Projector, ProjectorConfig
from dnaclip.models._sequence_text import SequenceTextModel
from dnaclip.models._vector_index import VectorIndex

__all__ = [
    "EXPRESSION_LOSSES",
    "LOSSES",
    "MEAN_METHODS",
    "Additive",
    "ClipModel",
    "DnaClip",
    "DnaSide",
    "EncoderTower",
    "ExpressionNet",
    "ExpressionNetConfig",
    "Gate",
    "GeneRidge",
    "Hybrid",
    "IdentityRidge",
    "Intervals",
    "LinearPca",
    "Memory",
    "NearestNeighbours",
    "NeighbourAttention",
    "NoChange",
    "OtherContext",
    "PerturbationVae",
    "PerturbationVaeConfig",
    "PerturbedMean",
    "Projector",
    "ProjectorConfig",
    "Ridge",
    "SequenceTextModel",
    "VectorIndex",
    "balanced_pearson",
    "clip_loss",
    "expression_loss",
    "fit_gate",
    "fit_intervals",
    "join_parts",
    "list_pretrained",
    "load_folder",
    "load_pretrained",
    "merge_lora",
    "multimodal_loss",
    "save_folder",
    "siglip_loss",
    "similarity_penalty",
]
