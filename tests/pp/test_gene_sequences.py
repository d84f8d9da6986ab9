"""Genes cut out of small genomes, whose sequences are written here by hand."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from dnaclip import pp
from dnaclip.errors import InputError, MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

gene_sequences: Any = pp.gene_sequences
# Thirty bases, written so that each position can be read off: 1-10, 11-20, 21-30.
CHR1 = "AAACCCGGGT" + "TTACGTACGA" + "GGGATTTACC"
CHR2 = "CCCCCTTTTTGGGGG"


def line(*columns: object) -> str:
    """Write a line of GFF: seqid, type, start, end, strand, attributes."""
    seqid, kind, start, end, strand, attributes = columns
    return f"{seqid}\tme\t{kind}\t{start}\t{end}\t.\t{strand}\t0\t{attributes}\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Write a genome and an annotation, and return their paths."""

    def write(*lines: str, fasta: str = f">chr1 first\n{CHR1}\n>chr2\n{CHR2}\n") -> tuple[Path, Path]:
        genome, genes = tmp_path / "genome.fa", tmp_path / "genes.gff"
        genome.write_bytes(fasta.encode())
        genes.write_bytes("".join(lines).encode())
        return genome, genes

    return write


def sequences(table: pd.DataFrame) -> dict[str, str]:
    return dict(zip(table["gene_id"], table["sequence"], strict=True))


def test_coordinates_are_one_based_and_closed_on_both_strands(write: Any) -> None:
    table = gene_sequences(
        *write(
            line("chr1", "gene", 1, 3, "+", "ID=a"),
            line("chr1", "gene", 25, 30, "-", "ID=b"),
            line("chr2", "gene", 5, 6, ".", "ID=c"),
        )
    )
    assert sequences(table) == {"a": "AAA", "b": "GGTAAA", "c": "CT"}
    assert table.columns.tolist() == [
        *("gene_id", "symbol", "biotype", "seqid", "start", "end", "strand", "sequence", "description"),
        *("entrez_id", "transcript_id"),
    ]
    assert table[["start", "end", "strand"]].values.tolist() == [[1, 3, "+"], [25, 30, "-"], [5, 6, "."]]


def test_known_genes_of_the_lambda_and_phix_kind_overlap_and_nest(write: Any) -> None:
    # As in phiX174, where B lies inside A, K over the end of A and the start of C, and A over the origin of the circle.
    table = gene_sequences(
        *write(
            line("chr1", "region", 1, 30, "+", "ID=r;Is_circular=true"),
            line("chr1", "gene", 25, 40, "+", "ID=A"),
            line("chr1", "gene", 28, 33, "+", "ID=B"),
            line("chr1", "gene", 9, 14, "+", "ID=K"),
        )
    )
    assert sequences(table) == {"A": "TTTACCAAACCCGGGT", "B": "ACCAAA", "K": "GTTTAC"}
    assert table["end"].tolist() == [40, 33, 14]


# Public coordinates: gene, pieces, strand, amino acids (or bases of an RNA) that it is known to have.
PHIX174 = [
    ("A", [(3981, 5386), (1, 136)], "+", 513),
    ("A*", [(4497, 5386), (1, 136)], "+", 341),
    ("B", [(5075, 5386), (1, 51)], "+", 120),
    ("K", [(51, 221)], "+", 56),
    ("C", [(133, 393)], "+", 86),
    ("D", [(390, 848)], "+", 152),
    ("E", [(568, 843)], "+", 91),
    ("J", [(848, 964)], "+", 38),
    ("F", [(1001, 2284)], "+", 427),
    ("G", [(2395, 2922)], "+", 175),
    ("H", [(2931, 3917)], "+", 328),
]
HUMAN_MITOCHONDRION = [
    ("MT-CO1", [(5904, 7445)], "+", 513),
    ("MT-ATP8", [(8366, 8572)], "+", 68),
    ("MT-ATP6", [(8527, 9207)], "+", 226),
    ("MT-ND6", [(14149, 14673)], "-", 174),
]


@pytest.mark.parametrize(("length", "genes"), [(5386, PHIX174), (16569, HUMAN_MITOCHONDRION)])
def test_known_genes_have_their_known_lengths_and_places(write: Any, length: int, genes: list[Any]) -> None:
    rng = np.random.default_rng(0)
    circle = "".join(rng.choice(list("ACGT"), length))
    lines = [line("c", "region", 1, length, "+", "ID=r;Is_circular=true")]
    for name, pieces, strand, _ in genes:
        # Over the origin, coordinates go on behind the length.
        end = pieces[-1][1] + (length if len(pieces) > 1 else 0)
        lines.append(line("c", "gene", pieces[0][0], end, strand, f"ID={name}"))
    found = sequences(gene_sequences(*write(*lines, fasta=f">c\n{circle}\n")))
    for name, pieces, strand, n_residues in genes:
        expected = "".join(circle[start - 1 : end] for start, end in pieces)
        if strand == "-":
            expected = expected[::-1].translate(str.maketrans("ACGT", "TGCA"))
        assert found[name] == expected
        assert len(found[name]) == 3 * (n_residues + 1)  # and a stop codon


@pytest.mark.parametrize(("start", "end"), [(28, 32), (28, 2)])
@pytest.mark.parametrize(("strand", "expected"), [("+", "ACCAA"), ("-", "TTGGT")])
def test_a_gene_over_the_origin_is_written_in_two_ways(
    write: Any, start: int, end: int, strand: str, expected: str
) -> None:
    files = write(line("chr1", "gene", start, end, strand, "ID=a"))
    table = gene_sequences(*files, circular=["chr1"])
    assert table.loc[0, ["sequence", "start", "end"]].tolist() == [expected, 28, 32]


def test_flanks_follow_the_strand_stop_at_the_ends_and_go_around_circles(write: Any) -> None:
    files = write(line("chr1", "gene", 3, 4, "+", "ID=a"), line("chr1", "gene", 3, 4, "-", "ID=b"))
    assert sequences(gene_sequences(*files, flank=(1, 3))) == {"a": "AACCCG", "b": "GGTTT"}
    assert gene_sequences(*files, flank=4)["sequence"].tolist() == ["AAACCCGG", "CCGGGTTT"]
    around = gene_sequences(*files, flank=4, circular=["chr1"])
    assert around["sequence"].tolist() == ["CC" + "AAACCCGG", "CCGGGTTT" + "GG"]
    assert around["start"].tolist() == [29, 29]
    assert around["end"].tolist() == [38, 38]
    whole = gene_sequences(*files, flank=100, circular=["chr1"])
    assert whole["sequence"].str.len().tolist() == [30, 30]


def test_promoters_lie_before_the_first_base(write: Any) -> None:
    files = write(line("chr1", "gene", 7, 12, "+", "ID=a"), line("chr1", "gene", 7, 12, "-", "ID=b"))
    table = gene_sequences(*files, feature="promoter", promoter=(4, 2))
    assert sequences(table) == {"a": "ACCCGG", "b": "ACGTAA"}
    assert table[["start", "end"]].values.tolist() == [[3, 8], [11, 16]]
    first = gene_sequences(*write(line("chr1", "gene", 1, 12, "+", "ID=a")), feature="promoter", promoter=(4, 0))
    assert first["sequence"].tolist() == [""]


SPLICED = [
    line(
        "chr1", "gene", 2, 24, "-", "ID=gene:g1;Name=abc;biotype=protein_coding;description=a kinase [Source:X%3BAcc:1]"
    ),
    line("chr1", "mRNA", 2, 24, "-", "ID=transcript:t1;Parent=gene:g1"),
    line("chr1", "exon", 2, 6, "-", "Parent=transcript:t1;rank=2"),
    line("chr1", "exon", 20, 24, "-", "Parent=transcript:t1;rank=1"),
    line("chr1", "CDS", 4, 6, "-", "ID=CDS:p1;Parent=transcript:t1"),
    line("chr1", "CDS", 20, 22, "-", "ID=CDS:p1;Parent=transcript:t1"),
    line("chr1", "mRNA", 2, 6, "-", "ID=transcript:t2;Parent=gene:g1"),
    line("chr1", "exon", 2, 6, "-", "Parent=transcript:t2"),
]


def test_transcripts_and_coding_sequences_are_spliced_in_reading_order(write: Any) -> None:
    files = write(*SPLICED)
    transcript = gene_sequences(*files, feature="transcript")
    assert transcript.loc[0, ["gene_id", "symbol", "description", "transcript_id", "sequence"]].tolist() == [
        *("g1", "abc", "a kinase", "t1", "TCCCT" + "GGGTT"),
    ]
    assert gene_sequences(*files, feature="cds")["sequence"].tolist() == ["CCT" + "GGG"]
    every = gene_sequences(*files, feature="transcript", transcripts="all")
    assert every["transcript_id"].tolist() == ["t1", "t2"]
    assert every["sequence"].tolist() == ["TCCCTGGGTT", "GGGTT"]


def test_the_transcript_that_the_provider_prefers_wins_over_a_longer_one(write: Any) -> None:
    tagged = [each.replace("ID=transcript:t2;", "ID=transcript:t2;tag=Ensembl_canonical;") for each in SPLICED]
    assert gene_sequences(*write(*tagged), feature="transcript")["transcript_id"].tolist() == ["t2"]


def test_gtf_gives_the_same_and_its_stop_codon_belongs_to_the_coding_sequence(write: Any) -> None:
    gene = 'gene_id "ENSG00000000001.4"; gene_name "abc"; gene_biotype "protein_coding";'
    part = gene + ' transcript_id "ENST00000000001.2"; exon_number "1";'
    files = write(
        "#!genome-build X\n",
        line("chr1", "gene", 2, 24, "-", gene),
        line("chr1", "transcript", 2, 24, "-", part),
        line("chr1", "exon", 20, 24, "-", part),
        line("chr1", "CDS", 20, 22, "-", part),
        line("chr1", "exon", 2, 6, "-", part),
        line("chr1", "stop_codon", 4, 6, "-", part),
    )
    table = gene_sequences(*files, feature="cds")
    assert table.loc[0, ["gene_id", "transcript_id", "symbol", "sequence"]].tolist() == [
        *("ENSG00000000001", "ENST00000000001", "abc", "CCTGGG"),
    ]
    kept = gene_sequences(*files, keep_versions=True)
    assert kept["gene_id"].tolist() == ["ENSG00000000001.4"]


def test_ncbis_gtf_calls_a_messenger_by_another_name(write: Any) -> None:
    part = (
        'gene_id "BRCA2"; transcript_id "NM_000059.4"; db_xref "Ensembl:ENST1.8"; db_xref "GeneID:675"; gene "BRCA2"; '
        'product "BRCA2 DNA repair associated"; tag "MANE Select"; transcript_biotype "mRNA"; exon_number "1"; '
    )
    rows = [line("chr1", kind, 4, 9, "+", part) for kind in ("transcript", "exon")]
    row = gene_sequences(*write(*rows), feature="transcript").iloc[0]
    assert row[["gene_id", "biotype", "description", "entrez_id", "transcript_id"]].tolist() == [
        *("BRCA2", "protein_coding", "BRCA2 DNA repair associated", "675", "NM_000059.4"),
    ]


def test_genes_of_the_x_and_y_chromosome_with_one_id_stay_apart(write: Any) -> None:
    files = write(
        line("chr1", "gene", 1, 3, "+", 'gene_id "ENSG00000182378.14";'),
        line("chr2", "gene", 1, 3, "+", 'gene_id "ENSG00000182378.14_PAR_Y";'),
    )
    assert gene_sequences(*files)["gene_id"].tolist() == ["ENSG00000182378", "ENSG00000182378_PAR_Y"]


def test_a_gtf_of_exons_alone_tells_the_span_of_its_genes(write: Any) -> None:
    part = 'gene_id "g"; transcript_id "t";'
    files = write(
        line("chr1", "exon", 2, 6, "+", part),
        line("chr1", "exon", 20, 24, "+", part),
        line("chr1", "CDS", 4, 5, "+", part),
    )
    assert sequences(gene_sequences(*files)) == {"g": CHR1[1:24]}
    assert sequences(gene_sequences(*files, feature="cds")) == {"g": "CC"}


def test_trans_spliced_genes_join_their_parts(write: Any) -> None:
    # As rps12 of plant chloroplasts in NCBI's files.
    files = write(
        line("chr1", "gene", 4, 6, "-", "ID=gene-rps12;gene=rps12;exception=trans-splicing;part=1"),
        line("chr2", "gene", 5, 7, "+", "ID=gene-rps12;gene=rps12;exception=trans-splicing;part=2"),
        line(
            "chr2", "CDS", 5, 7, "+", "ID=cds-1;Parent=gene-rps12;exception=trans-splicing;part=2;product=protein S12"
        ),
        line(
            "chr1", "CDS", 4, 6, "-", "ID=cds-1;Parent=gene-rps12;exception=trans-splicing;part=1;product=protein S12"
        ),
    )
    table = gene_sequences(*files)
    assert table.loc[0, ["gene_id", "biotype", "description", "sequence"]].tolist() == [
        *("rps12", "protein_coding", "protein S12", "GGGCTT"),
    ]
    assert gene_sequences(*files, feature="cds")["sequence"].tolist() == ["GGGCTT"]


def test_trans_spliced_genes_join_their_parts_in_gtf_too(write: Any) -> None:
    of_gene = 'gene_id "rps12"; transcript_id ""; exception "trans-splicing"; part'
    files = write(
        line("chr1", "gene", 4, 6, "-", f'{of_gene} "1/2";'), line("chr2", "gene", 5, 7, "+", f'{of_gene} "2/2";')
    )
    assert sequences(gene_sequences(*files)) == {"rps12": "GGGCTT"}


def test_exons_of_two_strands_are_joined_by_their_numbers(write: Any) -> None:
    # As mod(mdg4) of the fruit fly in Ensembl's GTF.
    part = 'gene_id "g"; transcript_id "t"; exon_number'
    files = write(
        line("chr1", "gene", 1, 30, "+", 'gene_id "g";'),
        line("chr1", "transcript", 1, 30, "+", 'gene_id "g"; transcript_id "t";'),
        line("chr1", "exon", 28, 30, "-", f'{part} "2";'),
        line("chr1", "exon", 1, 3, "+", f'{part} "1";'),
    )
    assert gene_sequences(*files, feature="transcript")["sequence"].tolist() == ["AAAGGT"]


PROVIDERS = {
    "ensembl": (
        "gene",
        "ID=gene:ENSG00000141510;Name=TP53;biotype=protein_coding;description=tumor protein p53 [Source:HGNC Symbol%3BAcc:1];"
        "gene_id=ENSG00000141510;version=18",
        ["ENSG00000141510", "TP53", "protein_coding", "tumor protein p53", ""],
    ),
    "gencode": (
        "gene",
        "ID=ENSG00000141510.18;gene_id=ENSG00000141510.18;gene_type=protein_coding;gene_name=TP53;level=2",
        ["ENSG00000141510", "TP53", "protein_coding", "", ""],
    ),
    "ncbi": (
        "gene",
        "ID=gene-b0002;Dbxref=ASAP:ABE-8,GeneID:945803;Name=thrA;gene=thrA;gene_biotype=protein_coding;locus_tag=b0002",
        ["b0002", "thrA", "protein_coding", "", "945803"],
    ),
    "sgd": (
        "tRNA_gene",
        "ID=YNCA0001W;Name=YNCA0001W;gene=TRN1;Note=Proline%20tRNA;dbxref=SGD:S6681",
        ["YNCA0001W", "TRN1", "tRNA", "Proline tRNA", ""],
    ),
    "flybase": (
        "gene",
        "ID=FBgn0031208;Name=CR11023;fullname=a long name;so_term_name=protein_coding_gene",
        ["FBgn0031208", "CR11023", "protein_coding", "a long name", ""],
    ),
    "wormbase": (
        "gene",
        "ID=Gene:WBGene00022277;Name=WBGene00022277;locus=homt-1;sequence_name=Y74C9A.3;biotype=protein_coding",
        ["WBGene00022277", "homt-1", "protein_coding", "", ""],
    ),
    "tair": (
        "gene",
        "ID=AT1G01010;Name=AT1G01010;Note=NAC domain protein;symbol=NAC001;locus_type=protein_coding",
        ["AT1G01010", "NAC001", "protein_coding", "NAC domain protein", ""],
    ),
    "prokka": (
        "CDS",
        "ID=ABC_00001;Name=dnaA;gene=dnaA;inference=x;locus_tag=ABC_00001;product=Chromosomal replication initiator",
        ["ABC_00001", "dnaA", "protein_coding", "Chromosomal replication initiator", ""],
    ),
    "bakta": (
        "tRNA",
        "ID=ABC_00005;Name=tRNA-Met;locus_tag=ABC_00005;product=tRNA-Met;gene=metT",
        ["ABC_00005", "metT", "tRNA", "tRNA-Met", ""],
    ),
}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_each_provider_keeps_names_under_keys_of_its_own(write: Any, provider: str) -> None:
    kind, attributes, expected = PROVIDERS[provider]
    table = gene_sequences(*write(line("chr1", kind, 4, 9, "+", attributes)))
    assert table.loc[0, ["gene_id", "symbol", "biotype", "description", "entrez_id"]].tolist() == expected
    assert table["sequence"].tolist() == ["CCCGGG"]


def test_a_gene_and_its_coding_sequence_are_one_gene_and_it_has_the_product(write: Any) -> None:
    # As `prokka --addgenes` and NCBI write it.
    files = write(
        line("chr1", "gene", 4, 9, "+", "ID=ABC_1_gene;locus_tag=ABC_1"),
        line("chr1", "CDS", 4, 9, "+", "ID=ABC_1;Parent=ABC_1_gene;locus_tag=ABC_1;product=kinase"),
    )
    table = gene_sequences(*files)
    assert table.loc[0, ["biotype", "description"]].tolist() == ["protein_coding", "kinase"]
    assert len(table) == 1


def test_a_gene_of_an_operon_is_a_gene_and_a_transcript_of_none_is_left_out(write: Any) -> None:
    files = write(
        line("chr1", "operon", 1, 30, "+", "ID=o"),
        line("chr1", "gene", 4, 9, "+", "ID=a;Parent=o"),
        line("chr1", "tRNA", 10, 12, "+", "ID=t;Parent=nothing"),
    )
    assert sequences(gene_sequences(*files)) == {"a": "CCCGGG"}
    assert sequences(gene_sequences(*files, feature="transcript")) == {"a": "CCCGGG"}


def test_ids_that_differ_by_version_alone_are_told_from_equal_ones(write: Any) -> None:
    ids = ['gene_id "ENSG00000000001.1";', 'gene_id "ENSG00000000001.2";']
    files = write(*(line("chr1", "gene", 1, 3, "+", each) for each in ids))
    with pytest.raises(
        InputError, match=r"genes.gff, line 2: the id 'ENSG00000000001' stands in line 1 already. Pass keep"
    ):
        gene_sequences(*files)
    assert len(gene_sequences(*files, keep_versions=True)) == 2
    files = write(*(line("chr1", "gene", 1, 3, "+", f"ID={each};gene_id=g") for each in "ab"))
    with pytest.raises(InputError, match=r"line 2: the id 'g' stands in line 1 already. Give one"):
        gene_sequences(*files)


def test_a_microrna_inside_a_transcript_belongs_to_the_gene(write: Any) -> None:
    files = write(
        line("chr1", "gene", 2, 24, "+", "ID=gene-MIR1;gene=MIR1"),
        line("chr1", "primary_transcript", 2, 24, "+", "ID=rna-1;Parent=gene-MIR1"),
        line("chr1", "miRNA", 5, 8, "+", "ID=rna-2;Parent=rna-1"),
    )
    table = gene_sequences(*files, feature="transcript", transcripts="all")
    assert table["transcript_id"].tolist() == ["1", "2"]
    assert set(table["gene_id"]) == {"MIR1"}


def test_packed_files_line_ends_of_windows_and_soft_masks_change_nothing(write: Any, tmp_path: Path) -> None:
    genome, genes = write(*SPLICED)
    expected = gene_sequences(genome, genes)
    packed = tmp_path / "genome.fa.gz", tmp_path / "genes.gff3.gz"
    masked = genome.read_text().replace("CCC", "ccc").replace("\n", "\r\n")
    # A file packed in two blocks, as bgzip does.
    half = len(masked) // 2
    packed[0].write_bytes(gzip.compress(masked[:half].encode()) + gzip.compress(masked[half:].encode()))
    packed[1].write_bytes(gzip.compress(genes.read_text().replace("\n", "\r\n").encode()))
    pd.testing.assert_frame_equal(gene_sequences(*packed), expected)


def test_a_gff3_file_may_hold_the_genome_itself(write: Any) -> None:
    _, genes = write("##gff-version 3\n", line("chr1", "gene", 1, 4, "+", "ID=a"), f"##FASTA\n>chr1\n{CHR1}\n")
    assert sequences(gene_sequences(genes)) == {"a": "AAAC"}


def test_an_index_gives_the_same(write: Any) -> None:
    pytest.importorskip("pysam")
    genome, genes = write(*SPLICED, line("chr2", "gene", 3, 6, "-", "ID=z"))
    streamed = gene_sequences(genome, genes, flank=3, index=False)
    assert not genome.with_name("genome.fa.fai").exists()
    pd.testing.assert_frame_equal(gene_sequences(genome, genes, flank=3, index=True), streamed)
    assert genome.with_name("genome.fa.fai").exists()
    pd.testing.assert_frame_equal(gene_sequences(genome, genes, flank=3), streamed)


def test_an_index_of_bgzip_gives_the_same_and_gzip_cannot_have_one(write: Any, tmp_path: Path) -> None:
    pysam = pytest.importorskip("pysam")
    genome, genes = write(*SPLICED)
    packed = tmp_path / "genome.fa.gz"
    pysam.tabix_compress(str(genome), str(packed))
    pd.testing.assert_frame_equal(gene_sequences(packed, genes, index=True), gene_sequences(genome, genes))
    plain = tmp_path / "plain.fa.gz"
    plain.write_bytes(gzip.compress(genome.read_bytes()))
    with pytest.raises(InputError, match="must be packed with bgzip"):
        gene_sequences(plain, genes, index=True)


def test_an_index_older_than_the_genome_is_not_believed(write: Any) -> None:
    pytest.importorskip("pysam")
    import os

    genome, genes = write(line("chr1", "gene", 1, 3, "+", "ID=a"))
    gene_sequences(genome, genes, index=True)
    genome.write_text(f">chr1 a longer name\n{CHR1[::-1]}\n")
    os.utime(genome.with_name("genome.fa.fai"), (0, 0))
    assert sequences(gene_sequences(genome, genes)) == {"a": "CCA"}


def test_without_pysam_an_index_is_refused_with_the_line_that_installs_it(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pysam", None)
    files = write(line("chr1", "gene", 1, 3, "+", "ID=a"))
    assert sequences(gene_sequences(*files)) == {"a": "AAA"}
    with pytest.raises(MissingDependencyError, match=r"pip install 'dnaclip\[genomes\]'"):
        gene_sequences(*files, index=True)


NAMES = [
    (">1", "chr1"),
    (">chr1", "1"),
    (">NC_000001.11 Homo sapiens chromosome 1, GRCh38.p14 Primary Assembly", "chr1"),
    (">1 dna:chromosome chromosome:GRCh38:1:1:248956422:1 REF", "Chr1"),
    (">MT", "chrM"),
    (">NC_012920.1 Homo sapiens mitochondrion, complete genome", "chrM"),
    (">NC_000913.3", "NC_000913"),
]


@pytest.mark.parametrize(("header", "seqid"), NAMES)
def test_names_of_one_contig_are_matched_on_demand_and_told_otherwise(write: Any, header: str, seqid: str) -> None:
    files = write(line(seqid, "gene", 1, 3, "+", "ID=a"), fasta=f"{header}\nACGT\n>other\nTTTT\n")
    name = header[1:].split()[0]
    with pytest.raises(InputError) as error:
        gene_sequences(*files)
    message = str(error.value)
    assert f"genes.gff, line 1: the sequence id {seqid!r} is absent from" in message
    assert f"{seqid!r} -> {name!r}. Pass seqid_map='auto'" in message
    table = gene_sequences(*files, seqid_map="auto")
    assert table.loc[0, ["seqid", "sequence"]].tolist() == [seqid, "ACG"]
    assert gene_sequences(*files, seqid_map={seqid: name})["sequence"].tolist() == ["ACG"]


def test_roman_numbers_are_numbers_only_where_there_are_more_of_them(write: Any) -> None:
    yeast = write(
        line("chrX", "gene", 1, 3, "+", "ID=a"), line("chrIII", "gene", 1, 3, "+", "ID=b"), fasta=">10\nACG\n>3\nTTT\n"
    )
    assert sequences(gene_sequences(*yeast, seqid_map="auto")) == {"a": "ACG", "b": "TTT"}
    human = write(line("chrX", "gene", 1, 3, "+", "ID=a"), fasta=">10\nACG\n>3\nTTT\n")
    with pytest.raises(InputError, match="Pass seqid_map={name in annotation: name in genome}"):
        gene_sequences(*human, seqid_map="auto")


def test_genes_on_absent_contigs_are_left_out_on_demand(write: Any) -> None:
    files = write(line("chr9", "gene", 1, 3, "+", "ID=a"), line("chr2", "gene", 1, 3, "+", "ID=b"))
    assert sequences(gene_sequences(*files, missing="drop")) == {"b": "CCC"}


@pytest.mark.parametrize(
    ("seqid_map", "message"),
    [({"x": "chr9"}, "names contigs that .* has not: 'chr9'"), ({"x": "chr1", "y": "chr1"}, "several names .* 'chr1'")],
)
def test_a_map_of_names_must_fit_the_genome(write: Any, seqid_map: dict[str, str], message: str) -> None:
    files = write(line("x", "gene", 1, 3, "+", "ID=a"), line("y", "gene", 1, 3, "+", "ID=b"))
    with pytest.raises(InputError, match=message):
        gene_sequences(*files, seqid_map=seqid_map)


GOOD = line("chr1", "gene", 1, 3, "+", "ID=a")
BROKEN = {
    "tabs missing": (GOOD.replace("\t", " "), "1 columns separated by tabs, instead of 9. Are there spaces"),
    "columns missing": ("chr1\tme\tgene\t1\t3\n", "5 columns separated by tabs, instead of 9"),
    "negative": (line("chr1", "gene", -1, 3, "+", "ID=b"), "start is -1 and end 3, but coordinates count from 1"),
    "zero": (line("chr1", "gene", 0, 3, "+", "ID=b"), "start is 0"),
    "no number": (line("chr1", "gene", "", 3, "+", "ID=b"), "start and end must be whole numbers, but are '' and '3'"),
    "start > end": (line("chr1", "gene", 9, 3, "+", "ID=b"), "start 9 is behind end 3"),
    "beyond the end": (line("chr1", "gene", 9, 31, "+", "ID=b"), "ends at 31, but 'chr1' has 30 bases"),
    "strand": (line("chr1", "gene", 1, 3, "x", "ID=b"), "the strand is 'x'"),
    "absent": (line("chr7", "gene", 1, 3, "+", "ID=b"), "the sequence id 'chr7' is absent from"),
    "duplicate": (line("chr1", "gene", 5, 6, "+", "ID=a"), "the gene ID 'a' stands in line 1 already"),
    "no id": (
        line("chr1", "gene", 5, 6, "+", "Note=b"),
        "the attribute ID is missing or empty. Attributes there: Note",
    ),
    "own parent": (line("chr1", "mRNA", 5, 6, "+", "ID=t;Parent=t"), "'t' is its own parent"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_line_is_named(write: Any, case: str) -> None:
    text, message = BROKEN[case]
    with pytest.raises(InputError) as error:
        gene_sequences(*write(GOOD, text))
    assert "genes.gff, line 2: " in str(error.value)
    assert message in str(error.value)


def test_bytes_that_are_not_utf8_are_named(write: Any) -> None:
    genome, genes = write(GOOD)
    genes.write_bytes(GOOD.encode() + line("chr1", "gene", 5, 6, "+", "ID=b;Note=é").encode("latin-1"))
    with pytest.raises(InputError, match=r"genes.gff, line 2: the byte 0xe9 is not UTF-8"):
        gene_sequences(genome, genes)
    genes.write_bytes(GOOD.encode("utf-16"))
    with pytest.raises(InputError, match=r"genes.gff, line 1: this is not plain text but UTF-16"):
        gene_sequences(genome, genes)


@pytest.mark.parametrize("which", [0, 1])
def test_a_cut_off_packed_file_is_named(write: Any, tmp_path: Path, which: int) -> None:
    import random

    noise = "".join(random.Random(0).choices("ACGT", k=5000))
    lines = [line("chr1", "gene", i, i + random.Random(i).randrange(9), "+", f"ID=g{i}") for i in range(1, 400)]
    files = list(write(*lines, fasta=f">chr1\n{noise}\n"))
    packed = files[which].with_suffix(".gz")
    packed.write_bytes(gzip.compress(files[which].read_bytes())[:-20])
    files[which] = packed
    with pytest.raises(InputError, match=r"\.gz, after line \d+: the packed file is cut off or damaged"):
        gene_sequences(*files)


@pytest.mark.parametrize(
    ("fasta", "message"),
    [
        ("", "genome.fa, line 1: the file is empty"),
        ("ACGT\n", "genome.fa, line 1: this is no FASTA file, whose first letter is '>'. It starts with 'ACGT'"),
        (">chr1\nACGT\n>\nACGT\n", "genome.fa, line 3: there is no name behind '>'"),
        (">chr1\nACGT\n>chr2\nA\n>chr1 x\nACGT\n", "genome.fa, line 5: the name 'chr1' stands in line 1 already"),
        (">chr1\nACGT\nAC1T\n", "genome.fa, line 3: '1' is no letter for a base of DNA"),
        (">chr1\nACGT\nMKLF\n", "genome.fa, line 3: 'L' is no letter for a base of DNA. Is this a file of proteins?"),
        ("\n\n", "holds no sequence: no line starts with '>'"),
    ],
)
def test_a_broken_genome_is_named(write: Any, fasta: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        gene_sequences(*write(GOOD, fasta=fasta))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "genes.gff, line 1: the file is empty"),
        ("##gff-version 3\n", "holds no feature"),
        (line("chr1", "five_prime_UTR", 1, 3, "+", "ID=a"), "holds no gene"),
    ],
)
def test_an_annotation_without_genes_is_refused(write: Any, text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        gene_sequences(*write(text))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"feature": "exon"}, "feature='exon' is not known"),
        ({"flank": -1}, "flank must be a whole number of at least 0"),
        ({"promoter": (1,)}, "promoter must be two whole numbers"),
        ({"biotypes": "miRNA"}, r"biotypes is a single string. Pass a list: \['miRNA'\]"),
        ({"biotypes": ["miRNA"]}, "none with the feature and the biotype asked for. Its biotypes: ''"),
        ({"circular": "chr1"}, "circular is a single string"),
        ({"missing": "ignore"}, "missing='ignore' is not known"),
        ({"seqid_map": "yes"}, "seqid_map='yes' is not known"),
        ({"transcripts": "two"}, "transcripts='two' is not known"),
    ],
)
def test_options_are_checked(write: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        gene_sequences(*write(GOOD), **options)


def test_a_file_that_is_not_there_is_named(write: Any, tmp_path: Path) -> None:
    genome, genes = write(GOOD)
    with pytest.raises(InputError, match=r"none.fa' cannot be read: No such file"):
        gene_sequences(tmp_path / "none.fa", genes)
    with pytest.raises(InputError, match=r"none.gff' cannot be read: No such file"):
        gene_sequences(genome, tmp_path / "none.gff")


def test_ten_thousand_contigs_are_no_trouble(write: Any) -> None:
    n = 10_000
    table = gene_sequences(
        *write(
            *(line(f"c{i}", "gene", 2, 3, "+", f"ID=g{i}") for i in range(n)),
            fasta="".join(f">c{i}\nACGT\n" for i in range(n)),
        )
    )
    assert len(table) == n
    assert set(table["sequence"]) == {"CG"}
