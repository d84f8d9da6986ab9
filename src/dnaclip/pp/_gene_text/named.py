"""HGNC's names of human genes, the Alliance's descriptions for model organisms, and tables of the user's own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dnaclip.pp._gene_text.clean import clean_summary
from dnaclip.pp._gene_text.rows import Source, Statement, cross_reference, table_rows
from dnaclip.pp._genome.lines import bad_line, numbered_lines

if TYPE_CHECKING:
    import os

    import pandas as pd

__all__ = ["read_alliance", "read_frame", "read_hgnc"]

_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})")


def read_hgnc(path: str | os.PathLike[str], *, taxon_id: int | None = None) -> Source:
    """Read HGNC's complete set: approved names and groups of genes."""
    source = Source("HGNC", str(path))
    for _, row in table_rows(path, ("hgnc_id", "symbol", "name"), what="HGNC's complete set"):
        source.release = max(source.release, row.get("date_modified", ""))
        aliases = [value for key in ("alias_symbol", "prev_symbol") for value in row.get(key, "").strip('"').split("|")]
        group = row.get("gene_group", "").strip('"')
        text = row["name"] + (f" ({group.replace('|', '; ')})" if group else "")
        ids = tuple(value for value in (row.get("ensembl_gene_id", ""), row["hgnc_id"]) if value)
        source.statements.append(
            Statement(
                "name",
                text,
                row.get("entrez_id", ""),
                ids,
                row["symbol"],
                tuple(a for a in aliases if a),
                evidence="approved",
            )
        )
    return source


def read_alliance(path: str | os.PathLike[str], *, taxon_id: int | None = None) -> Source:
    """Read `GENE-DESCRIPTION-TSV_*` of the Alliance (MGI, RGD, ZFIN, FlyBase, WormBase, SGD): id, symbol, description."""
    source = Source("Alliance", str(path))
    for number, line in numbered_lines(path):
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if text.startswith("#"):
            if "date" in text.lower() and (date := _DATE.search(text)):
                source.release = date[1]
            continue
        cells = text.split("\t")
        if not text.strip():
            continue
        if len(cells) < 3:
            problem = f"{len(cells)} cells separated by tabs, instead of gene, symbol and description."
            raise bad_line(path, number, problem)
        if cells[2] and not cells[2].startswith("No description available"):
            database, _, value = cells[0].partition(":")
            ids = (cells[0], cross_reference(database, value))
            source.statements.append(
                Statement("description", cells[2], ids=ids, symbol=cells[1], evidence="composed from GO")
            )
    return source


def read_frame(frame: pd.DataFrame, name: str) -> Source:
    """Read a table with the columns `gene_id` or `symbol`, and `text`, and perhaps `kind`, `entrez_id`, `evidence`."""
    source = Source(name, name)
    columns = {key: frame[key].fillna("").astype(str).tolist() for key in frame.columns}
    blank = [""] * len(frame)
    for kind, text, entrez_id, gene_id, symbol, evidence in zip(
        columns.get("kind", ["description"] * len(frame)),
        columns["text"],
        columns.get("entrez_id", blank),
        columns.get("gene_id", blank),
        columns.get("symbol", blank),
        columns.get("evidence", blank),
        strict=True,
    ):
        text, _ = clean_summary(text)
        source.statements.append(
            Statement(kind, text, entrez_id, (gene_id,) if gene_id else (), symbol, evidence=evidence)
        )
    return source
