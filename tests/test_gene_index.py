"""The lists of genes that tables are built from: one row per gene, whatever the sources repeat or lack."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

if TYPE_CHECKING:
    from types import ModuleType

SCRIPT = Path(__file__).parents[1] / "scripts" / "gene_index.py"
TEXT = [
    "symbol",
    "ensembl_id",
    "entrez_id",
    "hgnc_id",
    "biotype",
    "ncbi_type",
    "text",
    "name",
    "aliases",
    "prev_symbols",
    "location",
]
PAIRS = ["species", "gene_id", "symbol", "biotype", "seqid", "text", "informative", "entrez_id"]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gene_index", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder laid out like the real data."""
    human = pd.DataFrame(
        [
            # HGNC gives the Ensembl id to ST7, although both rows claim it.
            ["ST7-OT3", "ENSG00000004866", "93655", "HGNC:16045", "lncRNA", "", "overlapping", "", "", "", "7q31.3"],
            ["ST7", "ENSG00000004866", "7982", "HGNC:11351", "protein_coding", "", "suppression", "", "", "", "7q31.2"],
            # SEPT2 was SEPTIN2's symbol, and stands among SEPTIN6's aliases.
            [
                "SEPTIN2",
                "ENSG00000168385",
                "4735",
                "",
                "",
                "protein-coding",
                "two",
                "",
                "NEDD5|hNedd5",
                "SEPT2",
                "2q37.3",
            ],
            [
                "SEPTIN6",
                "ENSG00000125354",
                "23157",
                "",
                "protein_coding",
                "",
                "six",
                "",
                "SEPT2|KIAA0128",
                "SEPT6",
                "Xq24",
            ],
            # One gene in two rows: Ensembl's and NCBI's.
            ["PAIR1", "ENSG00000000001", "", "", "lncRNA", "", "short", "", "", "", ""],
            ["PAIR1", "", "101", "", "", "ncRNA", "a longer text", "pair", "P1", "", "mitochondria"],
            # A family name, three rows: not one gene.
            ["U2", "ENSG00000000002", "", "", "snRNA", "", "u2", "", "", "", ""],
            ["U2", "ENSG00000000003", "", "", "snRNA", "", "u2", "", "", "", ""],
            ["U2", "", "102", "", "", "unknown", "u2", "", "", "", ""],
        ],
        columns=TEXT,
    )
    other = human.rename(columns={"species": "x"}).assign(species="Mus musculus", taxid=10090).iloc[1:3]
    pairs = pd.DataFrame(
        [
            ["Homo sapiens", "GeneID:7982", "old-name", "", "", "known by Entrez id", True, "7982"],
            ["Homo sapiens", "ENSG00000168385.5", "", "", "", "known by Ensembl id", True, ""],
            ["Homo sapiens", "NM_000001", "SEPTIN6", "", "", "known by symbol", True, ""],
            ["Homo sapiens", "GeneID:900", "LOC900", "pseudogene", "hg19:chr5", "new", True, "900"],
            ["Homo sapiens", "ENSG00000000009", "", "lncRNA", "MT", "says nothing", False, ""],
            ["Homo sapiens", "NM_000002", "", "protein_coding", "", "nameless", True, ""],
            ["Homo sapiens", "NM_000003", "TWICE", "protein_coding", "", "first", True, ""],
            ["Homo sapiens", "NM_000004", "TWICE", "protein_coding", "", "second", True, ""],
            ["Arabidopsis thaliana", "AT1G01010", "AT1G01010", "", "Chr1", "plant", True, ""],
        ],
        columns=PAIRS,
    )
    folder = tmp_path / "genes"
    folder.mkdir()
    human.replace("", None).to_parquet(folder / "human_gene_text.parquet")
    other.replace("", None).to_parquet(folder / "other_species_gene_text.parquet")
    pairs.to_parquet(folder / "pairs.parquet")
    official = pd.DataFrame({"hgnc_id": ["HGNC:11351", "HGNC:16045"], "ensembl_gene_id": ["ENSG00000004866", None]})
    official.to_parquet(folder / "hgnc_2024.parquet")
    return tmp_path


def test_human_genes(script: ModuleType, source: Path) -> None:
    genes = script.gene_index_human(source)
    assert genes.columns.tolist() == [
        "ensembl_id",
        "entrez_id",
        "symbol",
        "aliases",
        "name",
        "biotype",
        "chromosome",
        "text",
    ]
    assert genes.to_numpy().tolist() == [
        ["", "93655", "ST7-OT3", "", "", "lncRNA", "7", "overlapping"],
        ["ENSG00000004866", "7982", "ST7", "", "", "protein_coding", "7", "suppression"],
        ["ENSG00000168385", "4735", "SEPTIN2", "SEPT2|NEDD5|hNedd5", "", "protein_coding", "2", "two"],
        ["ENSG00000125354", "23157", "SEPTIN6", "SEPT6|KIAA0128", "", "protein_coding", "X", "six"],
        ["ENSG00000000001", "101", "PAIR1", "P1", "pair", "lncRNA", "MT", "a longer text"],
        ["ENSG00000000002", "", "U2", "", "", "snRNA", "", "u2"],
        ["ENSG00000000003", "", "U2", "", "", "snRNA", "", "u2"],
        ["", "102", "U2", "", "", "", "", "u2"],
        ["", "900", "LOC900", "", "", "pseudogene", "5", "new"],
        ["ENSG00000000009", "", "", "", "", "lncRNA", "MT", ""],
        ["", "", "NM_000002", "", "", "protein_coding", "", "nameless"],
        ["", "", "TWICE", "", "", "protein_coding", "", "first"],
    ]


def test_every_pair_finds_its_gene(script: ModuleType, source: Path) -> None:
    pairs = pd.read_parquet(source / "genes" / "pairs.parquet").query("species == 'Homo sapiens'")
    assert script.pair_genes(script.gene_index_human(source), pairs).tolist() == [1, 2, 3, 8, 9, 10, 11, 11]


def test_other_species(script: ModuleType, source: Path) -> None:
    assert script.gene_index_other(source, "Mus musculus")["symbol"].tolist() == ["ST7", "SEPTIN2"]
    plant = script.gene_index_other(source, "Arabidopsis thaliana")
    assert plant[["ensembl_id", "chromosome", "text"]].to_numpy().tolist() == [["AT1G01010", "1", "plant"]]


def test_real_genes_are_keyed_once(script: ModuleType, shared_data: Path) -> None:
    genes = script.gene_index_human(shared_data)
    assert len(genes) > 78_000
    assert not genes["ensembl_id"][genes["ensembl_id"] != ""].duplicated().any()
    columns = ["species", "gene_id", "symbol", "entrez_id"]
    pairs = pd.read_parquet(
        shared_data / "genes" / "pairs.parquet", columns=columns, filters=[("species", "==", "Homo sapiens")]
    )
    rows = script.pair_genes(genes, pairs)
    assert (rows >= 0).all()
    assert len(np.unique(rows)) > 23_000
    known = genes.set_index("symbol")
    assert known.loc["TP53", "ensembl_id"] == "ENSG00000141510"
    assert known.loc["TP53", "chromosome"] == "17"
    assert "SEPT2" in known.loc["SEPTIN2", "aliases"].split("|")
    assert "SEPT2" not in known.loc["SEPTIN6", "aliases"].split("|")
