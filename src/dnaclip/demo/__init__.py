"""The whole way once, on real cells: embeddings, gene programs, scores, figures and one report to read."""

from __future__ import annotations

from dnaclip.demo._run import run_demo

__all__ = ["run_demo"]
