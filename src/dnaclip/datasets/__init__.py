"""Data sets, embedding tables and models by name: bundled with the package, or fetched and verified."""

from __future__ import annotations

from dnaclip.datasets._complete import complete_table
from dnaclip.datasets._fetch import fetch, fetch_group
from dnaclip.datasets._load import load_table
from dnaclip.datasets._registry import DEFAULT_MODEL, list_assets
from dnaclip.datasets._table import EmbeddingTable

__all__ = ["DEFAULT_MODEL", "EmbeddingTable", "complete_table", "fetch", "fetch_group", "list_assets", "load_table"]
