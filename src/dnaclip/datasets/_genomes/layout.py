"""Where the providers keep their files, and where each publishes the checksums."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dnaclip.datasets._settings import mirror, parse_base

if TYPE_CHECKING:
    import os

    from dnaclip.datasets._genomes.species import SpeciesFiles

__all__ = ["Wanted", "bases", "wanted_files"]

_PUBLIC = {
    "ensembl": "https://ftp.ensembl.org/pub",
    "ensemblgenomes": "https://ftp.ensemblgenomes.ebi.ac.uk/pub",
    "ncbi": "https://ftp.ncbi.nlm.nih.gov",
    "uniprot": "https://ftp.uniprot.org/pub/databases/uniprot",
    "alliance": "https://fms.alliancegenome.org/download",
    "hgnc": "https://storage.googleapis.com/public-download-files/hgnc/tsv/tsv",
}
# Ensembl Genomes counts its releases from another year on.
_RELEASES_APART = 53


@dataclass(frozen=True)
class Wanted:
    """A file to fetch.

    Parameters
    ----------
    role
        What it is for: `genome`, `annotation`, or a kind of source of :func:`dnaclip.pp.gene_text`.
    provider
        Whose it is.
    place
        Folder below the provider's address.
    name
        File name, or the pattern (regular expression) that it is looked up with in the list of checksums.
    listing
        File with the checksums in the same folder: `CHECKSUMS` of Ensembl, `RELEASE.metalink` of UniProt,
        `md5checksums.txt` of NCBI; empty where none
        is published.
    """

    role: str
    provider: str
    place: str
    name: str
    listing: str = ""


def bases(base_url: str | os.PathLike[str] | None) -> dict[str, str | Path]:
    """Address of each provider: below `base_url` or `DNACLIP_MIRROR` in a folder of its name, or its public one."""
    elsewhere = mirror() if base_url is None else parse_base(base_url, setting="base_url")
    if elsewhere is None:
        return dict(_PUBLIC)
    return {name: elsewhere / name if isinstance(elsewhere, Path) else f"{elsewhere}/{name}" for name in _PUBLIC}


def wanted_files(species: SpeciesFiles, *, release: int, texts: bool) -> list[Wanted]:
    """List the files of a species."""
    files = _of_ncbi(species.assembly) if species.assembly else _of_ensembl(species, release)
    if not texts:
        return files
    if species.gene_info:
        place, _, name = f"gene/DATA/GENE_INFO/{species.gene_info}".rpartition("/")
        files.append(Wanted("ncbi_gene_info", "ncbi", place, f"{name}.gene_info.gz"))
        files.append(Wanted("ncbi_summary", "ncbi", "gene/DATA", "gene_summary.gz"))
    if species.uniprot:
        place = "current_release/knowledgebase/taxonomic_divisions"
        name = rf"uniprot_sprot_{re.escape(species.uniprot)}\.dat\.gz"
        files.append(Wanted("uniprot", "uniprot", place, name, "RELEASE.metalink"))
    if species.alliance:
        files.append(Wanted("alliance", "alliance", "", f"GENE-DESCRIPTION-TSV_{species.alliance}.tsv.gz"))
    if species.hgnc:
        files.append(Wanted("hgnc", "hgnc", "", "hgnc_complete_set.txt"))
    return files


def _of_ensembl(species: SpeciesFiles, release: int) -> list[Wanted]:
    if species.division == "vertebrates":
        provider, number, root = "ensembl", release, f"release-{release}"
    else:
        provider, number = "ensemblgenomes", release - _RELEASES_APART
        root = f"{species.division}/release-{number}"
    folder, genome = species.ensembl, re.escape(species.genome)
    return [
        Wanted("genome", provider, f"{root}/fasta/{folder}/dna", rf".*\.{genome}\.fa\.gz", "CHECKSUMS"),
        Wanted("annotation", provider, f"{root}/gff3/{folder}", rf".*\.{number}\.gff3\.gz", "CHECKSUMS"),
    ]


def _of_ncbi(assembly: str) -> list[Wanted]:
    # GCF_000005845.2_ASM584v2 lies in GCF/000/005/845.
    kind, digits = assembly[:3], assembly[4:13]
    place = f"genomes/all/{kind}/{digits[:3]}/{digits[3:6]}/{digits[6:]}/{assembly}"
    name = re.escape(assembly)
    return [
        Wanted("genome", "ncbi", place, rf"{name}_genomic\.fna\.gz", "md5checksums.txt"),
        Wanted("annotation", "ncbi", place, rf"{name}_genomic\.gff\.gz", "md5checksums.txt"),
    ]
