"""How good an embedding, a program or a prediction is: NumPy arrays in, numbers out."""

from __future__ import annotations

from dnaclip.metrics._classification import classification
from dnaclip.metrics._clustering import clustering
from dnaclip.metrics._coherence import coherence
from dnaclip.metrics._confidence import reliability
from dnaclip.metrics._e_distance import e_distance
from dnaclip.metrics._enrichment import over_representation
from dnaclip.metrics._expression import expression
from dnaclip.metrics._interaction import interaction
from dnaclip.metrics._perturbation import perturbation
from dnaclip.metrics._perturbation_summary import perturbation_summary
from dnaclip.metrics._retrieval import retrieval, retrieval_both, retrieval_hits
from dnaclip.metrics._retrieval_by import retrieval_by
from dnaclip.metrics._viability import viability

__all__ = [
    "classification",
    "clustering",
    "coherence",
    "e_distance",
    "over_representation",
    "expression",
    "interaction",
    "perturbation",
    "perturbation_summary",
    "reliability",
    "retrieval",
    "retrieval_both",
    "retrieval_by",
    "retrieval_hits",
    "viability",
]
