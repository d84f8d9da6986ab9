"""UniProt: the flat files of Swiss-Prot and TrEMBL, and tables exported from its website."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dnaclip._errors import InputError
from dnaclip._optional import require
from dnaclip.pp._gene_text.clean import clean_function
from dnaclip.pp._gene_text.rows import Source, Statement, cross_reference, table_rows
from dnaclip.pp._genome.lines import TextLines, bad_line, open_bytes

if TYPE_CHECKING:
    import os

__all__ = ["read_uniprot"]

_FULL_NAME = re.compile(r"(?:RecName|SubName): Full=([^;{]+)")
_IN_BRACES = re.compile(r"\s*\{[^}]*\}")
_MONTHS = {
    name: f"{i:02d}"
    for i, name in enumerate(["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"], 1)
}


def read_uniprot(path: str | os.PathLike[str], *, taxon_id: int | None) -> Source:
    """Read names and functions of proteins, each under its gene's names; the format is told by the first line."""
    with open_bytes(path) as file:
        flat = file.read(5) == b"ID   "
    return _read_flat(path, taxon_id) if flat else _read_table(path, taxon_id)


def _read_flat(path: str | os.PathLike[str], taxon_id: int | None) -> Source:
    swissprot = require("Bio.SwissProt", extra="genomes", purpose="Reading the flat files of UniProt")
    source = Source("UniProt", str(path))
    lines = TextLines(path)
    records = swissprot.parse(lines)
    while True:
        try:
            record = next(records, None)
        except InputError:
            raise
        # Biopython has no error of its own for a file that it cannot read.
        except (ValueError, LookupError, AttributeError, AssertionError, TypeError) as error:
            problem = f"Biopython cannot read the entry that ends here or near: {error}"
            raise bad_line(path, lines.number, problem) from error
        if record is None:
            break
        if taxon_id is not None and str(taxon_id) not in record.taxonomy_id:
            continue
        if not record.accessions or record.annotation_update is None:
            raise bad_line(path, lines.number, "the entry that ends here has no accession (AC) or no dates (DT).")
        source.release = max(source.release, _iso(record.annotation_update[0]))
        _take_record(source, record)
    return source


def _take_record(source: Source, record: Any) -> None:
    entrez, ids = "", []
    for database, *values in record.cross_references:
        if database == "GeneID":
            entrez = entrez or values[0]
        elif database == "Ensembl" or database.startswith("Ensembl"):
            ids += [re.sub(r"\.\d+$", "", value.split(" ")[0]) for value in values[2:3]]
        elif database in ("MGI", "RGD", "ZFIN", "SGD", "WormBase", "FlyBase", "TAIR", "Araport", "HGNC", "PomBase"):
            ids.append(_identifier(database, values))
    symbol, aliases = "", list[str]()
    for group in record.gene_name:
        for key in ("Name", "Synonyms", "OrderedLocusNames", "ORFNames"):
            found = group.get(key, [])
            values = [_IN_BRACES.sub("", value).strip() for value in ([found] if isinstance(found, str) else found)]
            if key == "Name":
                symbol = symbol or (values[0] if values else "")
            elif key == "Synonyms":
                aliases += values
            else:
                ids += values
    name = _FULL_NAME.search(record.description)
    functions = [text.removeprefix("FUNCTION: ") for text in record.comments if text.startswith("FUNCTION: ")]
    shared: dict[str, Any] = {
        "entrez_id": entrez,
        "ids": tuple(dict.fromkeys(ids)),
        "symbol": symbol,
        "aliases": tuple(aliases),
        "accession": record.accessions[0],
        "date": _iso(record.annotation_update[0]),
    }
    reviewed = "reviewed" if record.data_class == "Reviewed" else "not reviewed"
    if functions:
        text, evidence = clean_function(" ".join(functions))
        source.statements.append(Statement("function", text, evidence=f"{reviewed}; {evidence}".strip("; "), **shared))
    if name:
        source.statements.append(Statement("name", name[1].strip(), evidence=reviewed, **shared))


def _read_table(path: str | os.PathLike[str], taxon_id: int | None) -> Source:
    source = Source("UniProt", str(path))
    for _, row in table_rows(path, ("Entry", "Protein names", "Function [CC]"), what="a table of UniProt"):
        if taxon_id is not None and row.get("Organism (ID)", str(taxon_id)) != str(taxon_id):
            continue
        names = row.get("Gene Names", "").split()
        primary = row.get("Gene Names (primary)", "") or (names[0] if names else "")
        ids = [re.sub(r"\.\d+$", "", each) for each in re.findall(r"\bENS\w*G\d+(?:\.\d+)?", row.get("Ensembl", ""))]
        shared: dict[str, Any] = {
            "entrez_id": row.get("GeneID", "").split(";")[0],
            "ids": tuple(dict.fromkeys(ids)),
            "symbol": primary,
            "aliases": tuple(name for name in names if name != primary),
            "accession": row["Entry"],
        }
        reviewed = "reviewed" if row.get("Reviewed", "reviewed") == "reviewed" else "not reviewed"
        if row["Function [CC]"].strip():
            text, evidence = clean_function(re.sub(r"\bFUNCTION: ", "", row["Function [CC]"]))
            source.statements.append(
                Statement("function", text, evidence=f"{reviewed}; {evidence}".strip("; "), **shared)
            )
        if row["Protein names"].strip():
            # Other names of the protein stand behind it in brackets.
            source.statements.append(
                Statement("name", row["Protein names"].split(" (")[0].strip(), evidence=reviewed, **shared)
            )
    return source


def _identifier(database: str, values: list[str]) -> str:
    # WormBase gives the transcript, the protein and then the gene.
    return next((value for value in values if value.startswith("WBGene")), cross_reference(database, values[0]))


def _iso(date: str) -> str:
    """Turn 05-FEB-2025 into 2025-02-05."""
    day, month, year = (date.split("-") + ["", "", ""])[:3]
    return f"{year}-{_MONTHS.get(month.upper(), '00')}-{day.zfill(2)}" if year else ""
