"""Plots, named after what they show; each takes `ax` and returns the Axes, or the Figure when it has several panels."""

from __future__ import annotations

from dnaclip.pl._gene_map import gene_map
from dnaclip.pl._program_heatmap import program_heatmap

__all__ = ["gene_map", "program_heatmap"]
