"""NCBI Gene: `gene_info`, and `gene_summary` with the summaries of RefSeq and of the Alliance of Genome Resources."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dnaclip.pp._gene_text.clean import clean_summary
from dnaclip.pp._gene_text.rows import Source, Statement, cross_reference, table_rows

if TYPE_CHECKING:
    import os

__all__ = ["read_gene_info", "read_gene_summary"]

_MONTHS = {
    name: f"{i:02d}"
    for i, name in enumerate(["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1)
}
# Databases whose identifiers the other sources have too.
_DATABASES = {"Ensembl", "HGNC", "MGI", "RGD", "ZFIN", "SGD", "FLYBASE", "WormBase", "TAIR", "Araport", "PomBase"}


def read_gene_info(path: str | os.PathLike[str], *, taxon_id: int | None) -> Source:
    """Read names, and which identifiers belong together; the latest date of change counts as the release."""
    source = Source("NCBI Gene", str(path))
    needed = ("tax_id", "GeneID", "Symbol", "Synonyms", "dbXrefs", "description")
    for _, row in table_rows(path, needed, what="gene_info of NCBI"):
        if taxon_id is not None and row["tax_id"] != str(taxon_id):
            continue
        date = _iso(row.get("Modification_date", ""))
        source.release = max(source.release, date)
        name = _given(row.get("Full_name_from_nomenclature_authority", "")) or _given(row["description"])
        pairs = (each.partition(":") for each in row["dbXrefs"].split("|"))
        ids = [cross_reference(database, value) for database, _, value in pairs if database in _DATABASES and value]
        locus_tag = _given(row.get("LocusTag", ""))
        source.statements.append(
            Statement(
                "name",
                name,
                row["GeneID"],
                tuple(dict.fromkeys([*ids, *([locus_tag] if locus_tag else [])])),
                _given(row["Symbol"]),
                tuple(_given(row["Synonyms"]).split("|")) if _given(row["Synonyms"]) else (),
                date=date,
            )
        )
    return source


def read_gene_summary(path: str | os.PathLike[str], *, taxon_id: int | None) -> Source:
    """Read summaries. Those of the Alliance are composed from Gene Ontology terms by a program, and are marked so."""
    source = Source("NCBI Gene summary", str(path))
    for _, row in table_rows(path, ("tax_id", "GeneID", "Source", "Summary"), what="gene_summary of NCBI"):
        if taxon_id is not None and row["tax_id"] != str(taxon_id):
            continue
        text, provided = clean_summary(row["Summary"])
        composed = "composed from GO" if "alliance" in row["Source"].lower() else ""
        evidence = "; ".join(part for part in (row["Source"], provided, composed) if part)
        source.statements.append(Statement("summary", text, row["GeneID"], evidence=evidence, date=_month(provided)))
    return source


def _iso(date: str) -> str:
    """Turn 20250301 into 2025-03-01."""
    return f"{date[:4]}-{date[4:6]}-{date[6:]}" if len(date) == 8 and date.isdigit() else ""


def _month(provided: str) -> str:
    """Turn `RefSeq, Jul 2008` into 2008-07."""
    found = re.search(r"([A-Z][a-z]{2}) (\d{4})", provided)
    return f"{found[2]}-{_MONTHS[found[1]]}" if found and found[1] in _MONTHS else ""


def _given(value: str) -> str:
    return "" if value == "-" else value.strip()
