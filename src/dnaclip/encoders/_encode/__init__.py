"""Encode a whole FASTA file: in parts, by several processes, and again after a kill."""

from __future__ import annotations

from dnaclip.encoders._encode.encode_fasta import encode_fasta

__all__ = ["encode_fasta"]
