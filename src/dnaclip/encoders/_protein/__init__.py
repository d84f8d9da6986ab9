"""Encoders of proteins, which can also be given genes."""

from __future__ import annotations

from dnaclip.encoders._protein.encoder import ProteinEncoder
from dnaclip.encoders._protein.frames import longest_proteins

__all__ = ["ProteinEncoder", "longest_proteins"]
