"""Tools: verbs that write gene embeddings, programs and scores into AnnData, or return a table."""

from __future__ import annotations

from dnaclip.tl._embed import embed
from dnaclip.tl._perturbation.evaluate_perturbations import evaluate_perturbations
from dnaclip.tl._perturbation.genetic_interactions import genetic_interactions
from dnaclip.tl._perturbation.predictor import PerturbationPredictor
from dnaclip.tl._perturbation.rank_perturbations import rank_perturbations
from dnaclip.tl._perturbation.split_perturbations import split_perturbations
from dnaclip.tl._programs.describe import describe
from dnaclip.tl._programs.enrich import enrich
from dnaclip.tl._programs.gene_programs import gene_programs
from dnaclip.tl._programs.rank_programs import rank_programs
from dnaclip.tl._programs.score_programs import score_programs
from dnaclip.tl._similar_genes import similar_genes

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
