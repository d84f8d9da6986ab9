"""Preparation: match gene identifiers, read gene sequences and texts, build tables of pairs, split them without leaks."""

from __future__ import annotations

from dnaclip.pp._clusters import cluster_pairs
from dnaclip.pp._gene_text.gene_text import gene_text
from dnaclip.pp._genome.gene_sequences import gene_sequences
from dnaclip.pp._match import GeneMatch, match_genes
from dnaclip.pp._pairs.build import build_pairs
from dnaclip.pp._pairs.leaks import split_leaks
from dnaclip.pp._pairs.summary import summarize_pairs
from dnaclip.pp._splits import split_pairs

__all__ = [
    "GeneMatch",
    "build_pairs",
    "cluster_pairs",
    "gene_sequences",
    "gene_text",
    "match_genes",
    "split_leaks",
    "split_pairs",
    "summarize_pairs",
]
