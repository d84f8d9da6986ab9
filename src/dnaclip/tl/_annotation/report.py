"""One HTML page about a table of annotations; it needs no other file and asks no other host."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["write_report"]

_SHOWN = 200
_LEVELS = ((0.9, 1.01), (0.8, 0.9), (0.5, 0.8), (0.2, 0.5), (0.0, 0.2))


def write_report(table: pd.DataFrame, *, name: str) -> str:
    """Return the page; `table` is that of :func:`dnaclip.tl.annotate`."""
    genes = table[table["rank"] == 1]
    best = genes.sort_values("confidence", ascending=False, kind="stable")
    annotated = genes["status"].str.startswith("annotated")
    template = Template(files("dnaclip.tl._annotation").joinpath("report.html").read_text(encoding="utf-8"))
    return template.substitute(
        name=escape(name),
        n_genes=f"{len(genes):,}",
        n_annotated=f"{int(annotated.sum()):,}",
        n_sure=f"{int((genes['confidence'] >= 0.8).sum()):,}",
        n_aligned=f"{int((genes['hit'] != '').sum()):,}" if "hit" in genes else "not asked",
        levels=_bars(genes),
        best=_html(_columns(best[best["status"].str.startswith("annotated")].head(_SHOWN))),
        n_shown=min(_SHOWN, int(annotated.sum())),
        apart=_apart(best),
        parameters=_html(_parameters(table.attrs.get("parameters", {}))),
    )


def _bars(genes: pd.DataFrame) -> str:
    rows = []
    for low, high in _LEVELS:
        n = int(((genes["confidence"] >= low) & (genes["confidence"] < high)).sum())
        share = n / max(len(genes), 1)
        rows.append(
            f"<tr><td>{low:g} to {min(high, 1):g}</td><td>{n:,}</td>"
            f'<td><div class="bar" style="width:{20 * share:.2f}rem"></div></td></tr>'
        )
    head = "<tr><th>confidence</th><th>genes</th><th></th></tr>"
    return f"<table>{head}{''.join(rows)}</table>"


def _apart(best: pd.DataFrame) -> str:
    """Genes for which embedding and alignment name different things, the most confident first."""
    if "hit" not in best:
        return "<p>No alignment was asked for.</p>"
    some = best[(best["hit"] != "") & (best["agreement"] < 0.3) & (best["confidence"] >= 0.5)].head(20)
    if not len(some):
        return "<p>None among the genes with a confidence of at least 0.5.</p>"
    return _html(some[["query", "text", "hit_text", "identity", "agreement", "confidence"]])


def _columns(genes: pd.DataFrame) -> pd.DataFrame:
    wanted = ["query", "annotation", "confidence", "gene", "symbol", "similarity", "hit", "identity", "evalue"]
    return genes[[column for column in wanted if column in genes]]


def _parameters(parameters: Mapping[str, object]) -> pd.DataFrame:
    return pd.DataFrame([(key, str(value)) for key, value in parameters.items()], columns=["parameter", "value"])


def _html(table: pd.DataFrame) -> str:
    body = table.to_html(index=False, border=0, justify="left", escape=True, na_rep="", float_format="{:.3g}".format)
    return f'<div class="table">{body}</div>'
