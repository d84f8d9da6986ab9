"""Tools: verbs that write gene embeddings, programs and scores into AnnData, or return a table."""

from __future__ import annotations

from dnaclip.tl._annotation.annotate import annotate
from dnaclip.tl._annotation.search import search
from dnaclip.tl._embed import embed
from dnaclip.tl._expression.predictor import ExpressionPredictor
from dnaclip.tl._expression.pseudobulk import pseudobulk
from dnaclip.tl._expression.split_genes import split_genes
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
from dnaclip.tl._viability.regressor import ViabilityRegressor
from dnaclip.tl._viability.split import split_viability

__all__ = [
    "ExpressionPredictor",
    "PerturbationPredictor",
    "ViabilityRegressor",
    "annotate",
    "describe",
    "embed",
    "enrich",
    "evaluate_perturbations",
    "gene_programs",
    "genetic_interactions",
    "pseudobulk",
    "rank_programs",
    "rank_perturbations",
    "score_programs",
    "search",
    "similar_genes",
    "split_genes",
    "split_perturbations",
    "split_viability",
]
