"""Names of contigs that differ between genome and annotation: which belong together, and what to tell the user."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["match_seqids"]

_ROMAN = {
    name: str(i)
    for i, name in enumerate(
        ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "XIII", "XIV", "XV", "XVI"], 1
    )
}
_MITOCHONDRION = {"m", "mt", "mito", "mtdna", "mitochondrion", "mitochondrial", "chrm", "chrmt", "mitochondrion_genome"}
# NCBI's description of a chromosome, but not of a scaffold that belongs to one.
_CHROMOSOME = re.compile(r"\bchromosome:?\s+(\w{1,5})\b(?!\s+(?:unlocalized|unplaced|genomic|scaffold|open))")
_ENSEMBL = re.compile(r"\b(?:chromosome|primary_assembly|plasmid|group):[^:\s]+:([^:\s]+):\d+:\d+")
_PREFIX = re.compile(r"^(?:chromosome|chrom|chr|ch|group|linkage_group|lg)[_.\-]?(?=[0-9IVXYZWMUA-Z])", re.IGNORECASE)


def match_seqids(annotated: Iterable[str], headers: Mapping[str, str]) -> dict[str, str]:
    """Say which contig of the genome each name of the annotation means, where only one can be meant.

    Parameters
    ----------
    annotated
        Names in the annotation that the genome has not.
    headers
        Names in the genome, each with the rest of its line, where accessions are explained.

    Returns
    -------
    Name in the genome by name in the annotation; those without counterpart are absent.

    Examples
    --------
    >>> headers = {"NC_1.11": "Homo sapiens chromosome 1, GRCh38", "NC_2.1": "Homo sapiens mitochondrion"}
    >>> match_seqids(["chr1", "chrM", "chr9"], headers)
    {'chr1': 'NC_1.11', 'chrM': 'NC_2.1'}
    """
    annotated = list(annotated)
    # X is a chromosome where none is called III, and the tenth one elsewhere.
    roman = any(_PREFIX.sub("", name) == "III" for name in (*annotated, *headers))
    by_meaning: dict[str, set[str]] = {}
    for name, header in headers.items():
        for meaning in _meanings(name, header, roman=roman):
            by_meaning.setdefault(meaning, set()).add(name)
    found = {}
    for name in annotated:
        for meaning in _meanings(name, "", roman=roman):
            if len(meant := by_meaning.get(meaning, set())) == 1:
                found[name] = next(iter(meant))
                break
    return found


def _meanings(name: str, header: str, *, roman: bool) -> list[str]:
    """What a contig may be called, without what only tells the provider: most literal first."""
    names = [name]
    if "|" in name:  # as in gi|556503834|ref|NC_000913.3|
        names += [part for part in name.split("|") if part]
    names += [re.sub(r"\.\d+$", "", each) for each in names]
    if in_header := (_ENSEMBL.search(header) or _CHROMOSOME.search(header)):
        names.append(in_header[1])
    if re.search(r"\bmitochondri", header):
        names.append("MT")
    meanings = []
    for each in names:
        bare = _PREFIX.sub("", each)
        if each.lower() in _MITOCHONDRION or bare.lower() in _MITOCHONDRION:
            bare = "mt"
        bare = _ROMAN.get(bare.upper(), bare) if roman else bare
        meanings += [each.lower(), bare.lower()]
    return list(dict.fromkeys(meanings))
