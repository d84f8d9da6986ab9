"""Plots, named after what they show; each takes `ax` and returns the Axes, or the Figure when it has several panels."""

from __future__ import annotations

from dnaclip.pl._benchmark_ranking import benchmark_ranking
from dnaclip.pl._enrichment_dotplot import enrichment_dotplot
from dnaclip.pl._expression_calibration import expression_calibration
from dnaclip.pl._expression_scatter import expression_scatter
from dnaclip.pl._expression_scores import expression_scores
from dnaclip.pl._gene_map import gene_map
from dnaclip.pl._generated_cells import generated_cells
from dnaclip.pl._pairs_overview import pairs_overview
from dnaclip.pl._perturbation_delta import perturbation_delta
from dnaclip.pl._perturbation_map import perturbation_map
from dnaclip.pl._perturbation_scores import perturbation_scores
from dnaclip.pl._program_effects import program_effects
from dnaclip.pl._program_heatmap import program_heatmap
from dnaclip.pl._program_network import program_network
from dnaclip.pl._program_similarity import program_similarity
from dnaclip.pl._program_stability import program_stability
from dnaclip.pl._reliability_curve import reliability_curve
from dnaclip.pl._retrieval_accuracy import retrieval_accuracy
from dnaclip.pl._tuning_curves import tuning_curves
from dnaclip.pl._viability_predictions import viability_predictions
from dnaclip.pl._viability_scores import viability_scores

__all__ = [
    "benchmark_ranking",
    "enrichment_dotplot",
    "expression_calibration",
    "expression_scatter",
    "expression_scores",
    "gene_map",
    "generated_cells",
    "pairs_overview",
    "perturbation_delta",
    "perturbation_map",
    "perturbation_scores",
    "program_effects",
    "program_heatmap",
    "program_network",
    "program_similarity",
    "program_stability",
    "reliability_curve",
    "retrieval_accuracy",
    "tuning_curves",
    "viability_predictions",
    "viability_scores",
]
