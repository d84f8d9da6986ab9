"""Random genomes with random genes: what is cut out is what was put in, and what Biopython cuts out."""

from __future__ import annotations

import contextlib
import gzip
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dnaclip import pp
from dnaclip.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

gene_sequences: Any = pp.gene_sequences
COMPLEMENT = str.maketrans("ACGTN", "TGCAN")
QUICK = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@st.composite
def genomes(draw: st.DrawFn) -> tuple[dict[str, str], list[tuple[str, list[tuple[int, int]], str]]]:
    """Contigs, and genes: contig, exons (from 0, half open, rising; possibly over the origin), strand."""
    contigs = {
        f"c{i}": draw(st.text("ACGTN", min_size=12, max_size=60))
        for i in range(draw(st.integers(min_value=1, max_value=3)))
    }
    genes = []
    for _ in range(draw(st.integers(min_value=1, max_value=6))):
        name = draw(st.sampled_from(sorted(contigs)))
        length = len(contigs[name])
        n = 2 * draw(st.integers(min_value=1, max_value=3))
        cuts = sorted(draw(st.sets(st.integers(0, length - 1), min_size=n, max_size=n)))
        shift = draw(st.integers(0, length - 1)) if draw(st.booleans()) else 0
        exons = [(start + shift, end + shift) for start, end in zip(cuts[::2], cuts[1::2], strict=True)]
        genes.append((name, exons, draw(st.sampled_from("+-"))))
    return contigs, genes


def truth(contigs: dict[str, str], gene: tuple[str, list[tuple[int, int]], str], *, spliced: bool) -> str:
    name, exons, strand = gene
    around = contigs[name] * 3
    parts = exons if spliced else [(exons[0][0], exons[-1][1])]
    bases = "".join(around[start:end] for start, end in parts)
    return bases[::-1].translate(COMPLEMENT) if strand == "-" else bases


def write(
    folder: Path, contigs: dict[str, str], genes: list[Any], *, gtf: bool, width: int, packed: bool
) -> list[Path]:
    fasta = "".join(
        f">{name} a contig\n" + "\n".join(bases[i : i + width] for i in range(0, len(bases), width)) + "\n"
        for name, bases in contigs.items()
    )
    lines = []
    for i, (name, exons, strand) in enumerate(genes):
        start, end = exons[0][0] + 1, exons[-1][1]
        if start > len(contigs[name]):  # coordinates start on the first round
            exons = [(a - len(contigs[name]), b - len(contigs[name])) for a, b in exons]
            start, end = exons[0][0] + 1, exons[-1][1]
        of_gene = f'gene_id "g{i}";' if gtf else f"ID=gene:g{i}"
        of_transcript = f'{of_gene} transcript_id "t{i}";' if gtf else f"ID=t{i};Parent=gene:g{i}"
        of_exon = of_transcript if gtf else f"Parent=t{i}"
        lines += [
            f"{name}\tx\tgene\t{start}\t{end}\t.\t{strand}\t.\t{of_gene}\n",
            f"{name}\tx\t{'transcript' if gtf else 'mRNA'}\t{start}\t{end}\t.\t{strand}\t.\t{of_transcript}\n",
            *(
                f"{name}\tx\t{kind}\t{a + 1}\t{b}\t.\t{strand}\t.\t{of_exon}\n"
                for a, b in exons
                for kind in ("exon", "CDS")
            ),
        ]
    files = [folder / "genome.fa", folder / "genes.gff"]
    for file, text in zip(files, (fasta, "".join(lines)), strict=True):
        file.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    return files


@QUICK
@given(genome=genomes(), gtf=st.booleans(), width=st.integers(1, 70), packed=st.booleans())
def test_what_was_put_in_comes_out(genome: Any, gtf: bool, width: int, packed: bool, tmp_path: Path) -> None:  # noqa: FBT001
    contigs, genes = genome
    files = write(tmp_path, contigs, genes, gtf=gtf, width=width, packed=packed)
    for feature in ("gene", "transcript", "cds"):
        table = gene_sequences(*files, feature=feature, circular=list(contigs))
        expected = [truth(contigs, gene, spliced=feature != "gene") for gene in genes]
        assert table["sequence"].tolist() == expected


@QUICK
@given(genome=genomes(), flank=st.tuples(st.integers(0, 9), st.integers(0, 9)))
def test_start_and_end_are_the_span_of_the_sequence(genome: Any, flank: tuple[int, int], tmp_path: Path) -> None:
    contigs, genes = genome
    files = write(tmp_path, contigs, genes, gtf=False, width=50, packed=False)
    for options in ({"flank": flank}, {"feature": "promoter", "promoter": flank}):
        for row in gene_sequences(*files, circular=list(contigs), **options).itertuples():
            spans = truth(contigs, (row.seqid, [(row.start - 1, row.end)], row.strand), spliced=False)
            assert row.sequence == spans


@QUICK
@given(genome=genomes())
def test_biopython_cuts_out_the_same_of_a_genbank_file(genome: Any, tmp_path: Path) -> None:
    seqio = pytest.importorskip("Bio.SeqIO")
    from Bio.Seq import Seq
    from Bio.SeqFeature import CompoundLocation, SeqFeature, SimpleLocation
    from Bio.SeqRecord import SeqRecord

    contigs, genes = genome
    records = {
        name: SeqRecord(Seq(bases), id=name, annotations={"molecule_type": "DNA", "topology": "circular"})
        for name, bases in contigs.items()
    }
    for i, (name, exons, strand) in enumerate(genes):
        length, parts = len(contigs[name]), []
        for start, end in exons:
            for a, b in ((start, min(end, length)), (max(start, length), end)):
                if a < b:
                    parts.append(SimpleLocation(a % length, (b - 1) % length + 1, 1 if strand == "+" else -1))
        location = parts[0] if len(parts) == 1 else CompoundLocation(parts if strand == "+" else parts[::-1])
        for kind in ("gene", "CDS"):
            qualifiers = {"locus_tag": [f"g{i}"], "product": [f"protein {i}"]}
            records[name].features.append(SeqFeature(location, type=kind, qualifiers=qualifiers))
    path = tmp_path / "genome.gbk"
    seqio.write(list(records.values()), path, "genbank")
    expected = {
        feature.qualifiers["locus_tag"][0]: str(feature.extract(record.seq))
        for record in seqio.parse(io.StringIO(path.read_text()), "genbank")
        for feature in record.features
    }
    for feature in ("gene", "cds"):
        table = gene_sequences(path, feature=feature)
        assert dict(zip(table["gene_id"], table["sequence"], strict=True)) == expected


@QUICK
@given(genome=genomes(), data=st.data())
def test_a_damaged_file_is_read_or_refused_but_never_anything_else(
    genome: Any, data: st.DataObject, tmp_path: Path
) -> None:
    contigs, genes = genome
    files = write(tmp_path, contigs, genes, gtf=data.draw(st.booleans()), width=30, packed=data.draw(st.booleans()))
    which = data.draw(st.sampled_from(files))
    content = bytearray(which.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    which.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    table = None
    with contextlib.suppress(InputError):
        table = gene_sequences(*files, circular=list(contigs), feature="transcript")
    if table is not None:
        assert set("".join(table["sequence"])) <= set("ACGTNRYSWKMBDHV")


def test_genbank_genes_have_names_products_and_numbers(tmp_path: Path) -> None:
    pytest.importorskip("Bio.SeqIO")
    from Bio.Seq import Seq
    from Bio.SeqFeature import SeqFeature, SimpleLocation
    from Bio.SeqRecord import SeqRecord

    bases = "".join(np.random.default_rng(0).choice(list("ACGT"), 90))
    record = SeqRecord(Seq(bases), id="NC_1.1", annotations={"molecule_type": "DNA"})
    for kind, qualifiers in (
        ("gene", {"locus_tag": ["b1"], "gene": ["thrA"], "db_xref": ["GeneID:945803"]}),
        ("CDS", {"locus_tag": ["b1"], "gene": ["thrA"], "product": ["aspartate kinase"], "protein_id": ["NP_1.1"]}),
    ):
        record.features.append(SeqFeature(SimpleLocation(9, 39, -1), type=kind, qualifiers=qualifiers))
    path = tmp_path / "genome.gb.gz"
    plain = record.format("genbank")
    path.write_bytes(gzip.compress(plain.encode()))
    table = gene_sequences(path, feature="cds")
    assert table.iloc[0][["gene_id", "symbol", "biotype", "description", "entrez_id", "transcript_id"]].tolist() == [
        *("b1", "thrA", "protein_coding", "aspartate kinase", "945803", "NP_1.1"),
    ]
    assert table["sequence"].tolist() == [bases[9:39][::-1].translate(COMPLEMENT)]
    (tmp_path / "bad.gb").write_text(plain.replace("complement(10..39)", "complement(10..x)"))
    with pytest.raises(InputError, match=r"bad.gb, line \d+: a gene of 'NC_1.1' has a location"):
        gene_sequences(tmp_path / "bad.gb")
    empty = plain.split("ORIGIN")[0] + "ORIGIN\n//\n"
    (tmp_path / "empty.gb").write_text(empty)
    with pytest.raises(InputError, match=r"empty.gb, line \d+: the record 'NC_1.1' has no sequence"):
        gene_sequences(tmp_path / "empty.gb")


def test_biopython_joins_a_trans_spliced_gene_of_both_strands_as_we_do(tmp_path: Path) -> None:
    seqio = pytest.importorskip("Bio.SeqIO")
    from Bio.Seq import Seq
    from Bio.SeqFeature import CompoundLocation, SeqFeature, SimpleLocation
    from Bio.SeqRecord import SeqRecord

    bases = "".join(np.random.default_rng(1).choice(list("ACGT"), 120))
    record = SeqRecord(Seq(bases), id="plastid", annotations={"molecule_type": "DNA", "topology": "circular"})
    # As rps12 of plastids: the first exon on one strand, the others far away on the other, the last over the origin.
    parts = [(69, 81, -1), (20, 30, 1), (110, 120, 1), (0, 6, 1)]
    location = CompoundLocation([SimpleLocation(*part) for part in parts])
    qualifiers = {"gene": ["rps12"], "trans_splicing": [""]}
    record.features = [SeqFeature(location, type=kind, qualifiers=qualifiers) for kind in ("gene", "CDS")]
    path = tmp_path / "plastid.gb"
    seqio.write(record, path, "genbank")
    expected = bases[69:81][::-1].translate(COMPLEMENT) + bases[20:30] + bases[110:] + bases[:6]
    assert str(location.extract(record.seq)) == expected
    for feature in ("gene", "cds"):
        assert gene_sequences(path, feature=feature)["sequence"].tolist() == [expected]
