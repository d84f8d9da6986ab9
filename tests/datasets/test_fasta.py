"""Ensembl's FASTA files: headers, choice of the transcript, damaged files."""

from __future__ import annotations

import gzip

import pytest

from dnaclip._errors import InputError
from dnaclip.datasets._fasta import longest_transcripts, parse_header, read_fasta

HEADER = (
    "ENST00000631435.1 cds chromosome:GRCh38:CHR_HSCHR7_2_CTG6:142847306:142847317:1 gene:ENSG00000282253.1 "
    "gene_biotype:TR_D_gene transcript_biotype:TR_D_gene gene_symbol:TRBD1 "
    "description:T cell receptor gene:ENSG99999999999.9 beta: diversity 1 [Source:HGNC Symbol;Acc:HGNC:12158]"
)


def _write(path, text):
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
    return path


def test_header():
    found = parse_header(HEADER, "GGGACAGGGGGC")
    assert found is not None
    assert found.gene == "ENSG00000282253"
    assert found.transcript == "ENST00000631435.1"
    assert found.sequence == "GGGACAGGGGGC"
    assert found.symbol == "TRBD1"
    # What the description says is not taken for a fact.
    assert found.name == "T cell receptor gene:ENSG99999999999.9 beta: diversity 1"
    assert found.biotype == "TR_D_gene"
    assert found.chromosome == "CHR_HSCHR7_2_CTG6"


@pytest.mark.parametrize(
    ("gene", "expected"),
    [
        ("ENSG00000000003.16", "ENSG00000000003"),
        ("ENSMUSG00000064370.1", "ENSMUSG00000064370"),
        ("ENSCSAVG00000000001", "ENSCSAVG00000000001"),
        ("MGP_CASTEiJ_G0000123.2", "MGP_CASTEiJ_G0000123"),
        ("YAL001C", "YAL001C"),
        ("WBGene00000001", "WBGene00000001"),
        ("FBgn0000008", "FBgn0000008"),
        # Not Ensembl's: the dot belongs to it.
        ("Y74C9A.3", "Y74C9A.3"),
    ],
)
def test_version_is_taken_off(gene, expected):
    found = parse_header(f"T1 cdna primary_assembly:R64-1-1:I:1:9:-1 gene:{gene}")
    assert found is not None
    assert found.gene == expected
    assert found.chromosome == "I"
    assert (found.symbol, found.name, found.biotype) == ("", "", "")


def test_header_without_gene():
    assert parse_header("sp|P12345| a protein") is None


def test_longest_transcript_is_kept_and_ties_are_broken(tmp_path):
    path = _write(
        tmp_path / "x.fa.gz",
        ">T9 cds gene:A\nACGT\nAC\n>T2 cds gene:A\nACG\nTTT\n>T1 cds gene:A\nACG\n"
        ">T5 cds gene:B\r\nacgtn\r\n>T4 cds gene:B\n\n>T3 cds gene:B\nACGTN\n",
    )
    kept = longest_transcripts(path)
    assert {gene: (found.transcript, found.sequence) for gene, found in kept.items()} == {
        "A": ("T2", "ACGTTT"),
        "B": ("T3", "ACGTN"),
    }


def test_reading_is_by_line(tmp_path):
    # Lines of any length, blank lines, no line break at the end.
    path = _write(tmp_path / "x.fa.gz", f"\n>a 1\n{'A' * 100_000}\n\nC\n>b\nG")
    records = list(read_fasta(path))
    assert [(header, len(sequence)) for header, sequence in records] == [("a 1", 100_001), ("b", 1)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(b">T1 cds gene:A\nACGT\n" * 1000, mtime=0)[:-20], "is not a whole FASTA file packed with gzip"),
        (b">T1 cds gene:A\nACGT\n", "is not a whole FASTA file packed with gzip"),
        (gzip.compress(b">T1 cds gene:A\nAC\xff\xfe\n", mtime=0), "is not a whole FASTA file packed with gzip"),
        (gzip.compress(b"<html>", mtime=0), "is not a FASTA file: it starts with '<html>'"),
        (gzip.compress(b"", mtime=0), "holds no sequence"),
        (gzip.compress(b">T1 cds gene:A\n", mtime=0), "holds no sequence"),
        (gzip.compress(b">sp|P1|X\nMKV\n", mtime=0), "has a header without 'gene:', .*'sp|P1|X'"),
    ],
)
def test_bad_files(tmp_path, content, message):
    path = tmp_path / "x.fa.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        longest_transcripts(path)
