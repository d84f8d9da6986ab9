"""How good an embedding is: NumPy arrays in, numbers out."""

from __future__ import annotations

from dnaclip.metrics._clustering import clustering
from dnaclip.metrics._retrieval import retrieval, retrieval_both, retrieval_hits

__all__ = ["clustering", "retrieval", "retrieval_both", "retrieval_hits"]
