"""Genes on linear contigs, cut out by biotite from the same files: every feature, both strands, spliced."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from dnaclip import pp

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("biotite")
from biotite.sequence import AnnotatedSequence, Annotation, Feature, Location, NucleotideSequence
from biotite.sequence.io import fasta, genbank, gff

gene_sequences: Any = pp.gene_sequences
FORWARD, REVERSE = Location.Strand.FORWARD, Location.Strand.REVERSE
PROMOTER = (25, 10)
FEATURES = ("gene", "transcript", "cds", "promoter")


@pytest.fixture(scope="module")
def genome() -> dict[str, AnnotatedSequence]:
    """Three contigs with 20 genes each: features `gene`, `exon` and `CDS`, with an `ID`, the latter two of many pieces."""
    rng = np.random.default_rng(0)
    made = {}
    for contig in "abc":
        annotation = Annotation()
        length = int(rng.integers(900, 1100))
        for i in range(20):
            strand = (FORWARD, REVERSE)[int(rng.integers(2))]
            n_exons = int(rng.integers(1, 5))
            cuts = np.sort(rng.choice(np.arange(1, length), 2 * n_exons, replace=False)).tolist()
            exons = [(cuts[2 * k], cuts[2 * k + 1]) for k in range(n_exons)]
            # The coding part starts and ends within the outer exons.
            coding = [*exons]
            coding[0] = ((coding[0][0] + coding[0][1]) // 2, coding[0][1])
            coding[-1] = (coding[-1][0], (coding[-1][0] + coding[-1][1]) // 2)
            for key, pieces in (("gene", [(cuts[0], cuts[-1])]), ("mRNA", exons), ("CDS", coding)):
                locations = [Location(start, end, strand) for start, end in pieces]
                annotation.add_feature(Feature(key, locations, {"locus_tag": f"{contig}{i}"}))
        bases = NucleotideSequence("".join(rng.choice(list("ACGTN"), length)))
        made[contig] = AnnotatedSequence(annotation, bases)
    return made


def of_gene(found: Feature) -> str:
    return str(found.qual["locus_tag"])


def expected(genome: dict[str, AnnotatedSequence]) -> dict[str, dict[str, str]]:
    """What biotite cuts out of the contigs: feature, then gene, then bases."""
    cut: dict[str, dict[str, str]] = defaultdict(dict)
    for contig in genome.values():
        n = len(contig.sequence)
        for feature in contig.annotation:
            name = {"gene": "gene", "mRNA": "transcript", "CDS": "cds"}[feature.key]
            cut[name][of_gene(feature)] = str(contig[feature])
            if name == "gene":
                (place,) = feature.locs
                before, own = PROMOTER if place.strand == FORWARD else PROMOTER[::-1]
                at = place.first if place.strand == FORWARD else place.last + 1
                bases = contig[max(at - before, 1) : min(at + own, n + 1)].sequence
                forward = place.strand == FORWARD
                cut["promoter"][of_gene(feature)] = str(bases if forward else bases.reverse().complement())
    return cut


def found(*files: Path, feature: str) -> dict[str, str]:
    table = gene_sequences(*files, feature=feature, promoter=PROMOTER)
    return dict(zip(table["gene_id"], table["sequence"], strict=True))


@pytest.mark.parametrize("feature", FEATURES)
def test_gff3_and_fasta(genome: dict[str, AnnotatedSequence], feature: str, tmp_path: Path) -> None:
    sequences, annotation = fasta.FastaFile(chars_per_line=60), gff.GFFFile()
    for name, contig in genome.items():
        fasta.set_sequence(sequences, contig.sequence, header=name)
        # Genes first, then their transcripts.
        for each in sorted(contig.annotation, key=lambda each: (each.key != "gene", each.key != "mRNA")):
            gene, places = of_gene(each), sorted(each.locs, key=lambda place: place.first)
            strand = places[0].strand
            if each.key == "mRNA":
                ends = places[0].first, places[-1].last
                annotation.append(name, "x", "mRNA", *ends, None, strand, None, {"ID": f"t{gene}", "Parent": gene})
            for place in places:
                of = {
                    "gene": {"ID": gene},
                    "mRNA": {"Parent": f"t{gene}"},
                    "CDS": {"ID": f"c{gene}", "Parent": f"t{gene}"},
                }
                kind, phase = ("exon" if each.key == "mRNA" else each.key), 0 if each.key == "CDS" else None
                annotation.append(name, "x", kind, place.first, place.last, None, strand, phase, of[each.key])
    files = tmp_path / "genome.fa", tmp_path / "genes.gff3"
    sequences.write(files[0])
    annotation.write(files[1])
    assert found(*files, feature=feature) == expected(genome)[feature]


@pytest.mark.parametrize("feature", FEATURES)
def test_genbank(genome: dict[str, AnnotatedSequence], feature: str, tmp_path: Path) -> None:
    seqio = pytest.importorskip("Bio.SeqIO")
    from Bio.Seq import Seq
    from Bio.SeqFeature import CompoundLocation, SeqFeature, SimpleLocation
    from Bio.SeqRecord import SeqRecord

    # Biotite writes the pieces of a gene in no order, so Biopython writes the file.
    records = []
    for name, contig in genome.items():
        records.append(SeqRecord(Seq(str(contig.sequence)), id=name, annotations={"molecule_type": "DNA"}))
        for each in contig.annotation:
            places = sorted(each.locs, key=lambda place: place.first, reverse=next(iter(each.locs)).strand == REVERSE)
            parts = [SimpleLocation(x.first - 1, x.last, 1 if x.strand == FORWARD else -1) for x in places]
            location = parts[0] if len(parts) == 1 else CompoundLocation(parts)
            records[-1].features.append(SeqFeature(location, type=each.key, qualifiers={"locus_tag": [of_gene(each)]}))
    path = tmp_path / "genome.gb"
    seqio.write(records, path, "genbank")
    read = genbank.MultiFile.read(path)
    again = {name: genbank.get_annotated_sequence(each) for name, each in zip(genome, read, strict=True)}
    assert found(path, feature=feature) == expected(again)[feature]
