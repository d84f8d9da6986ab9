"""Texts of genes composed from small files in the providers' formats."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from dnaclip import pp
from dnaclip.errors import InputError, MissingKeyError

if TYPE_CHECKING:
    from pathlib import Path

gene_text: Any = pp.gene_text
GENE_INFO = """#tax_id\tGeneID\tSymbol\tLocusTag\tSynonyms\tdbXrefs\tdescription\tFull_name_from_nomenclature_authority\tModification_date
9606\t7157\tTP53\t-\tP53|LFS1\tMIM:191170|HGNC:HGNC:11998|Ensembl:ENSG00000141510\ttumor protein p53\ttumor protein p53\t20250301
9606\t672\tBRCA1\t-\tIRIS|PSCP\tEnsembl:ENSG00000012048\tBRCA1 DNA repair associated\t-\t20250211
10090\t22059\tTrp53\t-\tp53\tEnsembl:ENSMUSG00000059552\ttransformation related protein 53\t-\t20250302
9606\t999\tABC1\tb0001\t-\t-\thypothetical protein\t-\t20240101
"""
SUMMARY = """#tax_id\tGeneID\tSource\tSummary
9606\t7157\tRefSeq\tThis gene encodes a tumor suppressor. TP53 binds DNA. Publication Note: a subset. [provided by RefSeq, Dec 2016].
9606\t672\tAlliance of Genome Resources\tEnables RNA binding. Involved in DNA repair.
9606\t672\tRefSeq\tThis gene repairs DNA. Mutations cause breast cancer. [provided by RefSeq, May 2020]
10090\t22059\tRefSeq\tA mouse gene.
"""
UNIPROT = """ID   P53_HUMAN               Reviewed;           3 AA.
AC   P04637; Q15086;
DT   13-AUG-1987, integrated into UniProtKB/Swiss-Prot.
DT   24-NOV-2009, sequence version 4.
DT   05-FEB-2025, entry version 317.
DE   RecName: Full=Cellular tumor antigen p53 {ECO:0000305};
GN   Name=TP53; Synonyms=P53;
OS   Homo sapiens (Human).
OC   Eukaryota.
OX   NCBI_TaxID=9606;
RN   [1]
RP   NUCLEOTIDE SEQUENCE.
RA   Author A.;
RL   Nature 1:1-2(1985).
CC   -!- FUNCTION: Acts as a tumor suppressor (PubMed:11025664). May cut DNA.
CC       {ECO:0000250|UniProtKB:P02340, ECO:0000269|PubMed:11025664}.
CC   -!- DISEASE: Li-Fraumeni syndrome.
DR   GeneID; 7157; -.
DR   Ensembl; ENST00000269305.9; ENSP00000269305.4; ENSG00000141510.18.
PE   1: Evidence at protein level;
SQ   SEQUENCE   3 AA;  43653 MW;  AD5C149FD8106131 CRC64;
     MEE
//
"""


@pytest.fixture
def genes() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "gene_id": ["ENSG00000141510", "ENSG00000012048", "b0001", "ENSG9"],
            "symbol": ["TP53", "BRCA1", "", "XYZ"],
            "description": ["tumor protein p53", "", "", ""],
        },
        index=list("abcd"),
    )


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    contents = {"ncbi_gene_info": GENE_INFO, "ncbi_summary": SUMMARY, "uniprot": UNIPROT}
    paths = {}
    for name, text in contents.items():
        paths[name] = tmp_path / f"{name}.gz"
        paths[name].write_bytes(gzip.compress(text.encode()))
    return paths


def test_texts_are_composed_with_their_sources_and_dates(genes: pd.DataFrame, files: dict[str, Any]) -> None:
    pytest.importorskip("Bio")
    texts = gene_text(genes, files, taxon_id=9606, releases={"ncbi_summary": "2025-03"})
    assert texts.index.tolist() == list("abcd")
    assert texts.loc["a"].to_dict() == {
        "gene_id": "ENSG00000141510",
        "symbol": "TP53",
        "entrez_id": "7157",
        "text": "Gene Symbol TP53 This gene encodes a tumor suppressor. TP53 binds DNA. "
        "Protein summary: Acts as a tumor suppressor. May cut DNA. (by similarity)",
        "text_level": "summary",
        "text_source": "NCBI Gene summary 2025-03; UniProt P04637 2025-02-05",
        "evidence": "RefSeq; RefSeq, Dec 2016; reviewed; by similarity; experiment",
        "text_date": "2025-02-05",
        "mapping": "id",
        "informative": True,
    }
    # RefSeq's own words come before what a program composed.
    assert texts.loc["b", "text"] == "Gene Symbol BRCA1 This gene repairs DNA. Mutations cause breast cancer."
    assert texts.loc["c", ["symbol", "entrez_id", "text", "informative"]].tolist() == [
        *("ABC1", "999", "Gene Symbol ABC1 hypothetical protein", False),
    ]
    assert texts.loc["d", ["text", "text_level", "mapping", "informative"]].tolist() == ["", "", "", False]


def test_the_full_style_has_the_name_too(genes: pd.DataFrame, files: dict[str, Any]) -> None:
    del files["uniprot"]
    texts = gene_text(genes, files, taxon_id=9606, style="full")
    assert texts.loc["b", "text"].startswith("Gene Symbol BRCA1 BRCA1 DNA repair associated. This gene repairs DNA.")


def test_names_diseases_and_go_terms_can_be_left_out(genes: pd.DataFrame, files: dict[str, Any]) -> None:
    del files["uniprot"]
    hidden = gene_text(genes, files, taxon_id=9606, mask=["symbol", "disease", "go"])
    assert hidden["text"].tolist() == ["this gene binds DNA.", "This gene repairs DNA.", "hypothetical protein", ""]
    terms = gene_text(genes, files, taxon_id=9606, mask_terms=["Repairs DNA"])
    assert terms.loc["b", "text"] == "Gene Symbol BRCA1 Mutations cause breast cancer."
    only_go = pd.DataFrame({"gene_id": ["ENSG9"], "text": ["Enables RNA binding. Is a protein of the nucleus."]})
    texts = gene_text(genes, {"mine": only_go}, mask=["go"])
    assert texts.loc["d", "text"] == "Gene Symbol XYZ Is a protein of the nucleus."


def test_what_comes_by_symbol_alone_is_said_and_never_against_an_id(genes: pd.DataFrame) -> None:
    mine = pd.DataFrame({"symbol": ["xyz", "TP53"], "entrez_id": ["", "1"], "text": ["A channel.", "Another gene."]})
    texts = gene_text(genes.assign(entrez_id=["7157", "", "", ""]), {"mine": mine})
    assert texts.loc["d", ["text", "mapping"]].tolist() == ["Gene Symbol XYZ A channel.", "symbol"]
    assert "Another" not in texts.loc["a", "text"]


def test_a_table_of_the_website_of_uniprot(genes: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "uniprot.tsv"
    path.write_text(
        "Entry\tReviewed\tProtein names\tGene Names\tFunction [CC]\tGeneID\n"
        "A0A1\tunreviewed\tPutative p53\tTP53\tFUNCTION: A long text that nobody has read at all. {ECO:0000256}.\t7157;\n"
        "P04637\treviewed\tCellular tumor antigen p53 (Antigen NY-CO-13)\tTP53 P53\tFUNCTION: Binds DNA. {ECO:0000269}.\t7157;\n"
    )
    texts = gene_text(genes.assign(entrez_id=["7157", "", "", ""], description=""), {"uniprot": path})
    assert texts.loc["a", ["text", "text_source", "evidence"]].tolist() == [
        "Gene Symbol TP53 Cellular tumor antigen p53 Protein summary: Binds DNA.",
        "UniProt P04637",
        "reviewed; reviewed; experiment",
    ]


def test_hgnc_and_the_alliance(genes: pd.DataFrame, tmp_path: Path) -> None:
    hgnc, alliance = tmp_path / "hgnc.txt", tmp_path / "alliance.tsv"
    hgnc.write_text(
        "hgnc_id\tsymbol\tname\talias_symbol\tprev_symbol\tgene_group\tdate_modified\tentrez_id\tensembl_gene_id\n"
        'HGNC:1\tXYZ\txyz channel\t"X1|X2"\t\tChannels|Pumps\t2024-05-01\t5\tENSG9\n'
    )
    alliance.write_text(
        "# Date file generated (UTC): 2024-06-01 10:00\nMGI:1\tX1\tPredicted to be a channel.\nMGI:2\tQ\tNo description available\n"
    )
    texts = gene_text(genes, {"hgnc": hgnc, "alliance": alliance})
    assert texts.loc["d", ["text", "text_source", "mapping", "entrez_id"]].tolist() == [
        *("Gene Symbol XYZ Predicted to be a channel.", "Alliance 2024-06-01", "alias", "5"),
    ]
    named = gene_text(genes, {"hgnc": hgnc})
    assert named.loc["d", ["text", "text_source"]].tolist() == [
        "Gene Symbol XYZ xyz channel (Channels; Pumps)",
        "HGNC 2024-05-01",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: the file is empty"),
        (
            b"tax_id\tGeneID\n",
            "line 1: this is not gene_info of NCBI: its head line lacks the columns Symbol, Synonyms",
        ),
        (
            "\n".join(GENE_INFO.splitlines()[:2]).rsplit("\t", 3)[0].encode(),
            "line 2: 6 cells instead of 9. Is the line whole?",
        ),
        (GENE_INFO.replace("P53|LFS1", "\xe9").encode("latin-1"), "line 2: the byte 0xe9 is not UTF-8"),
        (gzip.compress(GENE_INFO.encode())[:-9], "the packed file is cut off or damaged"),
    ],
)
def test_a_broken_file_is_named(genes: pd.DataFrame, tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "gene_info"
    path.write_bytes(content)
    with pytest.raises(InputError) as error:
        gene_text(genes, {"ncbi_gene_info": path})
    assert f"{path}, " in str(error.value)
    assert message in str(error.value)


def test_a_broken_flat_file_is_named(genes: pd.DataFrame, tmp_path: Path) -> None:
    pytest.importorskip("Bio")
    path = tmp_path / "broken.dat"
    path.write_text(UNIPROT.replace("DT   13-AUG-1987, integrated into UniProtKB/Swiss-Prot.", "QQ   what is this"))
    with pytest.raises(InputError, match=r"broken.dat, line \d+: Biopython cannot read the entry"):
        gene_text(genes, {"uniprot": path})


@pytest.mark.parametrize(
    ("sources", "options", "message"),
    [
        ({"genbank": "x"}, {}, "The kind of a source that is a file,='genbank' is not known"),
        ({}, {"style": "long"}, "style='long' is not known"),
        ({}, {"mask": "go"}, r"mask is a single string. Pass a list: \['go'\]"),
        ({}, {"mask": ["words"]}, "mask='words' is not known"),
        ([], {}, "sources must be a dictionary"),
        ({"mine": pd.DataFrame({"text": ["x"]})}, {}, "names no gene"),
        ({"mine": pd.DataFrame({"text": ["x"], "symbol": ["y"], "kind": ["z"]})}, {}, "has the kind 'z'"),
    ],
)
def test_options_are_checked(genes: pd.DataFrame, sources: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        gene_text(genes, sources, **options)
    with pytest.raises(MissingKeyError, match="'gene_id' is not in the columns of genes"):
        gene_text(genes.drop(columns="gene_id"), {})
