"""Tools: verbs that write gene embeddings, programs and scores into AnnData, or return a table."""

from __future__ import annotations

from dnaclip.tl._embed import embed
from dnaclip.tl._gene_programs import gene_programs
from dnaclip.tl._score_programs import score_programs
from dnaclip.tl._similar_genes import similar_genes

__all__ = ["embed", "gene_programs", "score_programs", "similar_genes"]
