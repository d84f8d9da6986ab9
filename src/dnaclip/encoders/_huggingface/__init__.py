"""Frozen models of the Hugging Face hub, read through transformers: of DNA, of proteins, or of anything else."""

from __future__ import annotations

from dnaclip.encoders._huggingface.encoder import HuggingFaceEncoder

__all__ = ["HuggingFaceEncoder"]
