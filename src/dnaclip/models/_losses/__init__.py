"""Contrastive losses: pull the sides of a gene together, push those of different genes apart."""

from __future__ import annotations

from dnaclip.models._losses.clip import clip_loss
from dnaclip.models._losses.multimodal import LOSSES, multimodal_loss, pair_loss
from dnaclip.models._losses.penalty import similarity_penalty
from dnaclip.models._losses.siglip import siglip_loss

__all__ = ["LOSSES", "clip_loss", "multimodal_loss", "pair_loss", "siglip_loss", "similarity_penalty"]
