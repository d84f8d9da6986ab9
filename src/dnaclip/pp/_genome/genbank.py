"""Read GenBank files with Biopython."""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

from dnaclip._errors import InputError
from dnaclip._optional import require
from dnaclip.pp._genome.annotation import fill_genes
from dnaclip.pp._genome.fasta import LoadedContig, upper_bases
from dnaclip.pp._genome.genome import LoadedGenome
from dnaclip.pp._genome.lines import TextLines, bad_line, open_bytes
from dnaclip.pp._genome.model import Annotation, Gene, Piece, Transcript

if TYPE_CHECKING:
    import os

__all__ = ["is_genbank", "read_genbank"]

_STRANDS = {1: "+", -1: "-", 0: ".", None: "."}
_RNA = {"mRNA", "tRNA", "rRNA", "ncRNA", "tmRNA", "misc_RNA", "precursor_RNA"}


def is_genbank(path: str | os.PathLike[str]) -> bool:
    """Whether the file starts as GenBank files do."""
    with open_bytes(path) as file:
        return file.read(6) == b"LOCUS "


def read_genbank(path: str | os.PathLike[str]) -> tuple[Annotation, LoadedGenome]:
    """Read genes, transcripts, coding sequences and the contigs themselves.

    A coding sequence or RNA belongs to the gene of the same `locus_tag` or `gene`; without such a gene it makes one.

    Raises
    ------
    InputError
        Biopython cannot read it, or it has no gene.
    MissingDependencyError
        Biopython is not installed.
    """
    seqio = require("Bio.SeqIO", extra="genomes", purpose="Reading GenBank files")
    annotation = Annotation(str(path))
    contigs = []
    lines = TextLines(path)
    try:
        with warnings.catch_warnings():
            # About lines that Prokka and others write too wide; a location that cannot be read is refused below.
            warnings.simplefilter("ignore", importlib.import_module("Bio").BiopythonParserWarning)
            for record in seqio.parse(lines, "genbank"):
                contigs.append(_contig(path, record, lines.number))
                if record.annotations.get("topology") == "circular":
                    annotation.circular.add(record.id)
                _take_record(annotation, record, lines.number)
    except (ValueError, LookupError, AttributeError, AssertionError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise bad_line(
            path, lines.number, f"Biopython cannot read the record that ends here or near: {error}"
        ) from error
    if not annotation.genes:
        msg = f"{path} holds no gene: {len(contigs)} records without a gene, CDS or RNA."
        raise InputError(msg)
    fill_genes(annotation)
    return annotation, LoadedGenome(contigs)


def _contig(path: str | os.PathLike[str], record: Any, line: int) -> LoadedContig:
    from Bio.Seq import UndefinedSequenceError

    try:
        bases, wrong = upper_bases(bytes(record.seq))
    except UndefinedSequenceError:
        problem = f"the record {record.id!r} has no sequence. Fetch it in the full format ('gbwithparts')."
        raise bad_line(path, line, problem) from None
    if wrong >= 0:
        raise bad_line(path, line, f"the record {record.id!r} has a letter for no base at {wrong + 1}.")
    return LoadedContig(record.id, record.description, bases)


def _take_record(annotation: Annotation, record: Any, line: int) -> None:
    """Take in the features of a record, genes first: others are found by what they have in common with one."""
    genes: dict[tuple[str, str], str] = {}
    features = [
        (feature, {key: values[0] for key, values in feature.qualifiers.items()}) for feature in record.features
    ]
    for feature, attributes in features:
        if feature.location is None:
            problem = f"a {feature.type} of {record.id!r} has a location that cannot be read: {attributes}."
            raise bad_line(annotation.path, line, problem)
        if feature.type == "gene":
            key = _add_gene(annotation, record.id, feature, attributes, line)
            for name in ("locus_tag", "gene"):
                genes.setdefault((name, attributes.get(name, "")), key)
    for feature, attributes in features:
        if feature.type != "CDS" and feature.type not in _RNA:
            continue
        keys = ((name, attributes[name]) for name in ("locus_tag", "gene") if attributes.get(name))
        gene = next((genes[key] for key in keys if key in genes), None)
        if gene is None:
            gene = _add_gene(annotation, record.id, feature, attributes, line)
            for name in ("locus_tag", "gene"):
                if attributes.get(name):
                    genes.setdefault((name, attributes[name]), gene)
        _add_transcript(annotation, gene, record.id, feature, attributes, line)


def _add_gene(annotation: Annotation, seqid: str, feature: Any, attributes: dict[str, str], line: int) -> str:
    key = attributes.get("locus_tag") or attributes.get("gene") or attributes.get("protein_id") or ""
    pieces = _pieces(seqid, feature, line)
    if not key:
        key = f"{seqid}:{pieces[0].start}-{pieces[-1].end}"
    if key in annotation.genes:
        first = annotation.genes[key].pieces[0]
        problem = f"the gene {key!r} at {pieces[0].start} stands at {first.start} of {first.seqid!r} already."
        raise bad_line(annotation.path, line, problem)
    kind = "" if feature.type == "gene" else "protein_coding" if feature.type == "CDS" else feature.type
    pseudo = "pseudo" in attributes or "pseudogene" in attributes
    annotation.genes[key] = Gene(
        key,
        _with_parts(pieces),
        attributes.get("gene", "") if attributes.get("gene") != key else "",
        "pseudogene" if pseudo else kind,
        attributes.get("product", "") or (attributes.get("note", "") if feature.type == "gene" else ""),
        next((x.split(":")[1] for x in feature.qualifiers.get("db_xref", []) if x.startswith("GeneID:")), ""),
    )
    return key


def _add_transcript(
    annotation: Annotation, gene: str, seqid: str, feature: Any, attributes: dict[str, str], line: int
) -> None:
    # A messenger and its coding sequence are two features that nothing joins but the gene, so both count as transcripts.
    name = attributes.get("transcript_id") or attributes.get("protein_id") or f"{gene}:{feature.type}"
    while name in annotation.transcripts:
        name += "'"
    pieces = _with_parts(_pieces(seqid, feature, line))
    transcript = annotation.transcripts[name] = Transcript(name, gene, product=attributes.get("product", ""))
    if feature.type == "CDS":
        transcript.biotype, transcript.coding = "protein_coding", pieces
    else:
        transcript.biotype, transcript.exons = "protein_coding" if feature.type == "mRNA" else feature.type, pieces
        transcript.rank = 1


def _pieces(seqid: str, feature: Any, line: int) -> list[Piece]:
    return [
        Piece(part.ref or seqid, int(part.start) + 1, int(part.end), _STRANDS[part.strand], line)
        for part in feature.location.parts
    ]


def _with_parts(pieces: list[Piece]) -> list[Piece]:
    """Number the pieces: Biopython gives them from 5' to 3', over the origin too."""
    return [piece._replace(part=i) for i, piece in enumerate(pieces, 1)]
