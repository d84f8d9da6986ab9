"""The ninth column of GTF and GFF3, and under which names the providers keep what we need."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "biotype_of",
    "description_of",
    "entrez_id_of",
    "parse_gff3",
    "parse_gtf",
    "public_id",
    "rank_of",
    "symbol_of",
    "whole_number",
]

_GTF = re.compile(r'\s*(\w+)[ \t]+(?:"([^"]*)"|([^";]*))[^;]*(?:;|$)')
_ENTREZ = re.compile(r"\b(?:GeneID|NCBI_Gene|EntrezGene|NCBIGene):(\d+)")
# `gene-` NCBI, `gene:` Ensembl, `Gene:` WormBase.
_PREFIX = re.compile(r"(?:gene|transcript|rna|cds)[-:](?=.)", re.IGNORECASE)
# A dot in another provider's identifier belongs to it.
_VERSIONED = re.compile(r"((?:ENS|MGP_)\w+)\.\d+(_PAR_Y)?")
_SOURCE = re.compile(r"\s*\[Source:[^\]]*\]?\s*$")

_SYMBOLS = ("gene_name", "gene", "gene_symbol", "symbol", "locus", "Name")
_BIOTYPES = (
    "gene_biotype",
    "gene_type",
    "biotype",
    "transcript_biotype",
    "transcript_type",
    "so_term_name",
    "locus_type",
)
_DESCRIPTIONS = (
    "description",
    "Description",
    "Note",
    "note",
    "fullname",
    "full_name",
    "computational_description",
    "product",
)


def parse_gtf(text: str) -> dict[str, str]:
    """Read `key "value"; ...`, quoted or not; the values of a key that comes again are joined by commas.

    Examples
    --------
    >>> parse_gtf('gene_id "G1"; level 2; tag "basic"; tag "CCDS";')
    {'gene_id': 'G1', 'level': '2', 'tag': 'basic,CCDS'}
    """
    found: dict[str, str] = {}
    for key, quoted, bare in _GTF.findall(text):
        value = quoted or bare.strip()
        found[key] = f"{found[key]},{value}" if key in found else value
    return found


def parse_gff3(text: str) -> dict[str, str]:
    """Read `key=value;...`, with the escapes of URLs resolved.

    Examples
    --------
    >>> parse_gff3("ID=gene:G1; Name=a%3Bb;")
    {'ID': 'gene:G1', 'Name': 'a;b'}
    """
    found: dict[str, str] = {}
    for part in text.split(";"):
        key, equals, value = part.partition("=")
        if equals:
            found[key.strip()] = unquote(value.strip()) if "%" in value else value.strip()
    return found


def public_id(identifier: str, *, keep_version: bool = False) -> str:
    """Take the prefix of a provider's files off an identifier, and the version off Ensembl's.

    Examples
    --------
    >>> public_id("gene:ENSG00000182378.14_PAR_Y"), public_id("gene-b0001"), public_id("Y74C9A.3")
    ('ENSG00000182378_PAR_Y', 'b0001', 'Y74C9A.3')
    """
    identifier = _PREFIX.sub("", identifier, count=1) if _PREFIX.match(identifier) else identifier
    versioned = None if keep_version else _VERSIONED.fullmatch(identifier)
    return versioned[1] + (versioned[2] or "") if versioned else identifier


def symbol_of(attributes: Mapping[str, str], identifier: str) -> str:
    """Symbol, empty when the file has none but the identifier."""
    for key in _SYMBOLS:
        value = attributes.get(key, "")
        if value and value != identifier and public_id(value) != public_id(identifier):
            return value.split(",")[0]
    return ""


def biotype_of(attributes: Mapping[str, str], kind: str) -> str:
    """Biotype, from the type of the feature when no attribute gives it; empty for a plain `gene`."""
    for key in _BIOTYPES:
        if value := attributes.get(key, ""):
            return "protein_coding" if value == "mRNA" else value.removesuffix("_gene")
    if kind in ("gene", "transcript", "primary_transcript"):
        return "pseudogene" if attributes.get("pseudo") == "true" or "pseudogene" in attributes else ""
    return "protein_coding" if kind in ("CDS", "mRNA") else kind.removesuffix("_gene")


def description_of(attributes: Mapping[str, str]) -> str:
    """What the file says of the gene's function, without the note of its source that Ensembl appends."""
    for key in _DESCRIPTIONS:
        if value := _SOURCE.sub("", attributes.get(key, "")).strip():
            return value
    return ""


def entrez_id_of(attributes: Mapping[str, str]) -> str:
    """NCBI Gene number among the cross references."""
    found = _ENTREZ.search(f"{attributes.get('Dbxref', '')},{attributes.get('db_xref', '')}")
    return found[1] if found else ""


def rank_of(attributes: Mapping[str, str]) -> int:
    """How much the provider prefers a transcript: 0 most, 2 nothing is said."""
    tags = f"{attributes.get('tag', '')},{attributes.get('Flags', '')}"
    if "MANE_Select" in tags or "MANE Select" in tags or "Ensembl_canonical" in tags or "RefSeq Select" in tags:
        return 0
    return 1 if "appris_principal" in tags or attributes.get("is_canonical") == "1" else 2


def whole_number(value: str) -> int:
    """Number in an attribute, 0 when there is none."""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else 0
