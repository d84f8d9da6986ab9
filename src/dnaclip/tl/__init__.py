"""Tools: verbs that write gene embeddings, programs and scores into AnnData, or return a table."""

from __future__ import annotations

from dnaclip.tl._describe import describe
from dnaclip.tl._embed import embed
from dnaclip.tl._enrich import enrich
from dnaclip.tl._evaluate_perturbations import evaluate_perturbations
from dnaclip.tl._gene_programs import gene_programs
from dnaclip.tl._genetic_interactions import genetic_interactions
from dnaclip.tl._perturbation_predictor import PerturbationPredictor
from dnaclip.tl._rank_perturbations import rank_perturbations
from dnaclip.tl._rank_programs import rank_programs
from dnaclip.tl._score_programs import score_programs
from dnaclip.tl._similar_genes import similar_genes
from dnaclip.tl._split_perturbations import split_perturbations

__all__ = [
    "PerturbationPredictor",
    "describe",
    "embed",
    "enrich",
    "evaluate_perturbations",
    "gene_programs",
    "genetic_interactions",
    "rank_programs",
    "rank_perturbations",
    "score_programs",
    "similar_genes",
    "split_perturbations",
]
