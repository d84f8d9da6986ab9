"""From a genome and its annotation to a table of genes with sequences."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dnaclip._errors import InputError
from dnaclip._validate import check_choice, check_count
from dnaclip.pp._genome.annotation import read_annotation
from dnaclip.pp._genome.genbank import is_genbank, read_genbank
from dnaclip.pp._genome.genome import open_genome
from dnaclip.pp._genome.plan import plan_rows, read_sequences
from dnaclip.pp._genome.request import FEATURES, requested

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Mapping

    import pandas as pd

    from dnaclip.pp._genome.genome import Genome
    from dnaclip.pp._genome.plan import Plan

__all__ = ["COLUMNS", "gene_sequences", "plan_genes"]

logger = logging.getLogger(__name__)

COLUMNS = [
    *("gene_id", "symbol", "biotype", "seqid", "start", "end", "strand", "sequence", "description"),
    *("entrez_id", "transcript_id"),
]


def gene_sequences(
    fasta: str | os.PathLike[str],
    annotation: str | os.PathLike[str] | None = None,
    feature: Literal["gene", "transcript", "cds", "promoter"] = "gene",
    flank: int | tuple[int, int] = 0,
    *,
    promoter: tuple[int, int] = (1000, 0),
    transcripts: Literal["one", "all"] = "one",
    biotypes: Collection[str] | None = None,
    circular: Collection[str] = (),
    seqid_map: Mapping[str, str] | Literal["auto"] | None = None,
    missing: Literal["error", "drop"] = "error",
    keep_versions: bool = False,
    index: bool | None = None,
) -> pd.DataFrame:
    r"""Cut the genes of an annotation out of a genome, each on its own strand.

    The annotation may be GTF or GFF3 as Ensembl, GENCODE, NCBI, SGD, FlyBase, WormBase, TAIR, Prokka or Bakta write them,
    or a GenBank file (needs Biopython: `pip install 'dnaclip[genomes]'`). Files may be packed with gzip or bgzip. The
    genome is read once, contig by contig, and no more of it is in memory than the longest contig; with an index, no more
    than the genes.

    Parameters
    ----------
    fasta
        The genome. A GenBank file, or a GFF3 file with the genome behind `##FASTA`, needs no `annotation`.
    annotation
        The genes: GTF, GFF3 or GenBank.
    feature
        `"gene"`: from end to end, with introns. `"transcript"`: its exons, spliced. `"cds"`: its coding sequence, spliced,
        from start codon to stop codon. `"promoter"`: what lies before the gene.
    flank
        Bases to add on both sides, or two numbers: before the 5' end and behind the 3' end. At the end of a contig there
        are fewer; on a circular one they go on around it.
    promoter
        Bases before the first base of the gene, and bases of the gene itself, with `feature="promoter"`.
    transcripts
        `"one"` transcript of each gene: the one that the provider prefers (MANE Select, Ensembl canonical, RefSeq
        Select), else the longest, of equally long ones that with the first id. `"all"`: a row for each.
    biotypes
        Biotypes to keep, such as `["protein_coding"]`; `None` keeps all.
    circular
        Names of contigs that are circles, beside those that the annotation calls so. On them a gene may lie over the
        origin: its `end` is beyond the length, or its start behind its end.
    seqid_map
        Name in the genome by name in the annotation, where they differ; `"auto"` finds it for `chr1`, `1`, `I` and
        accessions that the FASTA file explains.
    missing
        What to do with genes on contigs that the genome has not: `"error"` or `"drop"`.
    keep_versions
        Keep the version of Ensembl's identifiers (`ENSG00000141510.18`), which is taken off otherwise.
    index
        Whether to read by the index of `samtools faidx`, plain or bgzip, with pysam (`pip install 'dnaclip[genomes]'`);
        `True` makes it if need be, `None` uses one that is there.

    Returns
    -------
    One row per gene (or transcript), in the order of the annotation, with the columns

    * `gene_id`, `symbol`, `biotype`, `seqid`: str, empty where the file does not say;
    * `start`, `end`: int64, the span of `sequence` with its flanks, one-based and closed as in GFF;
    * `strand`: `+`, `-`, or `.` where it is not known, which is read as `+`;
    * `sequence`: str, upper-case letters of IUPAC, 5' to 3' on the gene's strand;
    * `description`: str, what the file says about function;
    * `entrez_id`, `transcript_id`: str.

    Trans-spliced genes, and those of several pieces, are joined in the order of their parts; `seqid`, `start`, `end` and
    `strand` are then those of the first piece's contig and strand.

    Raises
    ------
    InputError
        A file is broken, the two do not fit together, or an option is not valid. The message names file and line, and
        what mends it.
    MissingDependencyError
        GenBank is to be read without Biopython, or an index is asked for without pysam.

    Examples
    --------
    >>> from pathlib import Path
    >>> from dnaclip.pp import gene_sequences
    >>> _ = Path("genome.fa").write_text(">chr1\nAAACCCGGGTTT\n")
    >>> _ = Path("genes.gff3").write_text("chr1\tme\tgene\t2\t5\t.\t-\t.\tID=g1;Name=abc\n")
    >>> gene_sequences("genome.fa", "genes.gff3")[["gene_id", "symbol", "start", "end", "sequence"]]
      gene_id symbol  start  end sequence
    0      g1    abc      2    5     GGTT
    """
    plan, genome = plan_genes(
        fasta,
        annotation,
        feature,
        flank,
        promoter=promoter,
        transcripts=transcripts,
        biotypes=biotypes,
        circular=circular,
        keep_versions=keep_versions,
        index=index,
    )
    check_choice("missing", missing, ("error", "drop"))
    if isinstance(seqid_map, str):
        check_choice("seqid_map", seqid_map, ("auto",))
    n = len(plan.table)
    sequences: list[Any] = [None] * n
    spans = np.zeros((2, n), np.int64)
    for found in read_sequences(plan, genome, seqid_map=seqid_map, missing=missing, genome_name=str(fasta)):
        sequences[found.row] = found.sequence
        spans[:, found.row] = found.start, found.end
    table = plan.table.assign(start=spans[0], end=spans[1], sequence=sequences)[COLUMNS]
    absent = table["sequence"].isna()
    logger.info("%d rows from %s; %d left out.", n - int(absent.sum()), plan.path, int(absent.sum()))
    return table[~absent].reset_index(drop=True)


def plan_genes(
    fasta: str | os.PathLike[str],
    annotation: str | os.PathLike[str] | None,
    feature: str,
    flank: int | tuple[int, int],
    *,
    promoter: tuple[int, int],
    transcripts: str,
    biotypes: Collection[str] | None,
    circular: Collection[str],
    keep_versions: bool,
    index: bool | None,
) -> tuple[Plan, Genome]:
    """Check the options, read the annotation and open the genome; parameters as in :func:`gene_sequences`."""
    check_choice("feature", feature, FEATURES)
    check_choice("transcripts", transcripts, ("one", "all"))
    flanks = _two("flank", (flank, flank) if isinstance(flank, (int, np.integer)) else flank)
    around = _two("promoter", promoter)
    for name, value in (("biotypes", biotypes), ("circular", circular)):
        if isinstance(value, str):
            msg = f"{name} is a single string. Pass a list: [{value!r}]."
            raise InputError(msg)
    genome: Genome
    if annotation is None and is_genbank(fasta) or annotation is not None and is_genbank(annotation):
        read, own = read_genbank(fasta if annotation is None else annotation)
        genome = own if annotation is None else open_genome(fasta, index=index)
    else:
        read = read_annotation(
            fasta if annotation is None else annotation, exons=feature == "transcript", circular=circular
        )
        genome = open_genome(fasta, index=index if annotation is not None else False)
    rows = requested(read, feature, flank=flanks, promoter=around, transcripts=transcripts, biotypes=biotypes)
    read.circular |= set(circular)
    return plan_rows(read, rows, keep_versions=keep_versions), genome


def _two(name: str, value: object) -> tuple[int, int]:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        msg = f"{name} must be two whole numbers, for the 5' and the 3' side, got {value!r}."
        raise InputError(msg)
    for number in value:
        check_count(name, number, least=0)
    return int(value[0]), int(value[1])
