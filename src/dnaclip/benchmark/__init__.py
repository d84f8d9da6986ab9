"""What gene vectors are worth: published gene-level tasks over any embedding, beside 38 published embeddings."""

from __future__ import annotations

from dnaclip.benchmark._compare import compare
from dnaclip.benchmark._run import run

__all__ = [
    "compare",
    "run",
]
