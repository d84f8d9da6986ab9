"""Ready vectors of genes: read from the files in which they are published, kept and looked up by name."""

from __future__ import annotations

from dnaclip.encoders._vectors.read import read_vectors
from dnaclip.encoders._vectors.table import VectorTable

__all__ = ["VectorTable", "read_vectors"]
