"""Data sets, embedding tables and models by name: bundled with the package, or fetched and verified."""

from __future__ import annotations

from dnaclip.datasets._complete import complete_table
from dnaclip.datasets._convert_conditions import convert_conditions
from dnaclip.datasets._depmap import depmap
from dnaclip.datasets._expression_atlases import aida, onek1k
from dnaclip.datasets._fetch import fetch, fetch_group
from dnaclip.datasets._gene_sets import gene_sets
from dnaclip.datasets._hct116 import hct116
from dnaclip.datasets._load import load_table
from dnaclip.datasets._perturb_seq import adamson2016, dixit2016, norman2019, papalexi2021
from dnaclip.datasets._perturb_seq_large import replogle2022_k562, replogle2022_rpe1, virtual_cell_challenge
from dnaclip.datasets._registry import DEFAULT_MODEL, list_assets
from dnaclip.datasets._table import EmbeddingTable

__all__ = [
    "DEFAULT_MODEL",
    "EmbeddingTable",
    "adamson2016",
    "aida",
    "complete_table",
    "convert_conditions",
    "dixit2016",
    "depmap",
    "fetch",
    "fetch_group",
    "gene_sets",
    "hct116",
    "list_assets",
    "load_table",
    "norman2019",
    "onek1k",
    "papalexi2021",
    "replogle2022_k562",
    "replogle2022_rpe1",
    "virtual_cell_challenge",
]
