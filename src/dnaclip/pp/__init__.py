"""Preparation: match gene identifiers, read gene sequences and texts, build tables of pairs, split them without leaks."""

from __future__ import annotations

from dnaclip.pp._clusters import cluster_pairs
from dnaclip.pp._match import GeneMatch, match_genes
from dnaclip.pp._splits import split_pairs

__all__ = ["GeneMatch", "cluster_pairs", "match_genes", "split_pairs"]
