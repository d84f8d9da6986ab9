"""Names of gene programs without a language model."""

from __future__ import annotations

import json
import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest

import dnaclip
from dnaclip.errors import InputError, MissingKeyError
from dnaclip.tl._programs.names import confidence, features
from dnaclip.tl._programs.term_names import readable, word_sets

RIBOSOME = ["RPL3", "RPL4", "RPL5", "RPL6", "RPS2", "RPS3", "RPS4X"]
T_CELL = ["CD3D", "CD3E", "CD3G", "CD2", "CD5", "LCK"]
MIXED = ["ALB", "INS", "MYH6", "KIT", "RHO"]
OTHERS = ["ACTB", "LYZ", "TP53", "GFAP", "CD19", "HBB", "KRT5", "GAPDH", "APOE", "VIM", "F8", "CFTR"]
MEASURED = [*RIBOSOME, *T_CELL, *MIXED, *OTHERS]
SETS = {
    "cytoplasmic translation (GO:0002181)": [*RIBOSOME, "EEF2"],
    "T cell activation": [*T_CELL, "CD28"],
    "ion transport": ["CFTR", "ALB", "F8", "HBB", "APOE"],
}
PROGRAMS = {"P1": RIBOSOME, "P2": T_CELL, "P3": MIXED}


def named(programs, **options):
    table = dnaclip.tl.describe(programs, **options)
    assert isinstance(table, pd.DataFrame)
    return table


@pytest.fixture(scope="module")
def human():
    return dnaclip.datasets.load_table("human")


@pytest.fixture(autouse=True)
def _table_is_read_once(monkeypatch, human):
    load = dnaclip.datasets.load_table
    monkeypatch.setattr(dnaclip.datasets, "load_table", lambda name: human if name == "human" else load(name))


@pytest.fixture
def adata():
    adata = ad.AnnData(np.ones((2, len(MEASURED)), np.float32))
    adata.var_names = MEASURED
    member = {gene: name for name, genes in PROGRAMS.items() for gene in genes}
    adata.var["gene_program"] = pd.Categorical([member.get(gene) for gene in MEASURED])
    adata.uns["gene_program"] = {"params": {"kept": True}}
    return adata


def test_names_by_gene_sets(adata):
    assert dnaclip.tl.describe(adata, gene_sets=SETS) is None
    record = adata.uns["gene_program"]
    table = record["descriptions"].set_index("program")
    assert table["name"].to_dict() == {
        "P1": "cytoplasmic translation",
        "P2": "T cell activation",
        "P3": "no common function",
    }
    assert table["source"].tolist() == ["gene sets", "gene sets", "none"]
    assert table["n_genes"].tolist() == [7, 6, 5]
    assert (table["confidence"].iloc[:2] > 0.9).all()
    assert table.loc["P3", "confidence"] == 0
    assert table.loc["P1", "summary"].startswith("Of 7 genes, 7 in 'cytoplasmic translation' (FDR ")
    assert "Words in the names of 7 genes: 7 with 'ribosomal protein' (FDR " in table.loc["P1", "summary"]
    assert "Nearest to the middle of the program: RP" in table.loc["P1", "summary"]
    assert table.loc["P3", "summary"].startswith(
        "The 5 genes share no gene set and no words of their names more often than chance."
    )
    evidence = record["evidence"].set_index(["program", "id"])
    assert evidence.loc[("P1", "S1"), "genes"] == ";".join(sorted(RIBOSOME))
    assert table.loc["P1", "evidence"].split(";") == evidence.loc["P1"].index.tolist()
    assert record["params"] == {"kept": True}
    assert record["description_params"]["gene_sets"] == 3
    assert "claims" not in record


def test_same_every_time_and_in_any_order(adata):
    first, second = (dnaclip.tl.describe(adata, gene_sets=SETS, copy=True) for _ in range(2))
    other = dnaclip.tl.describe(adata[:, ::-1].copy(), gene_sets=dict(reversed(SETS.items())), copy=True)
    for part in ("descriptions", "evidence"):
        tables = [x.uns["gene_program"][part] for x in (first, second, other) if isinstance(x, ad.AnnData)]
        pd.testing.assert_frame_equal(tables[0], tables[1])
        pd.testing.assert_frame_equal(tables[0], tables[2])
    assert "descriptions" not in adata.uns["gene_program"]


def test_words_stand_in_where_no_gene_sets_are(adata):
    dnaclip.tl.describe(adata)
    table = adata.uns["gene_program"]["descriptions"].set_index("program")
    assert table.loc["P1", ["name", "source"]].tolist() == ["ribosomal protein", "words in gene names"]
    assert table.loc["P3", "name"] == "no common function"


def test_reads_what_enrich_has_written(adata):
    dnaclip.tl.enrich(adata, SETS)
    dnaclip.tl.describe(adata)
    record = adata.uns["gene_program"]
    assert record["descriptions"]["name"].tolist() == [
        "cytoplasmic translation",
        "T cell activation",
        "no common function",
    ]
    assert record["description_params"]["gene_sets"] == "enrichment"
    assert "enrichment" in record


def test_storable(adata, tmp_path):
    dnaclip.tl.describe(adata, gene_sets=SETS)
    adata.write_h5ad(tmp_path / "a.h5ad")
    # About the defaults of the next anndata.
    with warnings.catch_warnings(action="ignore"), ad.settings.override(zarr_write_format=3):
        adata.write_zarr(tmp_path / "a.zarr")
    for back in (ad.read_h5ad(tmp_path / "a.h5ad"), ad.read_zarr(tmp_path / "a.zarr")):
        for part in ("descriptions", "evidence"):
            stored, written = back.uns["gene_program"][part], adata.uns["gene_program"][part]
            pd.testing.assert_frame_equal(
                stored.astype(object).reset_index(drop=True), written.astype(object), check_dtype=False
            )


def test_nothing_known_is_storable_too(adata, tmp_path):
    dnaclip.tl.describe(adata, organism=None)
    record = adata.uns["gene_program"]
    assert set(record["descriptions"]["name"]) == {"no common function"}
    assert record["evidence"].empty
    adata.write_h5ad(tmp_path / "a.h5ad")
    assert ad.read_h5ad(tmp_path / "a.h5ad").uns["gene_program"]["evidence"].shape == (0, 9)


def test_a_dictionary_gives_a_table():
    table = named(PROGRAMS, gene_sets=SETS, background=MEASURED)
    assert table["name"].tolist() == ["cytoplasmic translation", "T cell activation", "no common function"]
    assert json.dumps(table.attrs["evidence"])
    assert "claims" not in table.attrs
    assert pd.concat([table, table]).shape == (6, 8)


def test_ensembl_ids_and_aliases_are_known():
    ids = {"RPL3": "ENSG00000100316", "RPL4": "ENSG00000174444.15", "CD3D": "915"}
    programs = {"P1": [ids.get(gene, gene) for gene in RIBOSOME], "P2": [ids.get(gene, gene) for gene in T_CELL]}
    table = named(programs, gene_sets=SETS, background=[ids.get(gene, gene) for gene in MEASURED])
    assert table["name"].tolist() == ["cytoplasmic translation", "T cell activation"]
    assert table.attrs["evidence"][0]["genes"] == ";".join(sorted(RIBOSOME))


def test_a_column_of_symbols(adata):
    adata.var["symbol"] = adata.var_names
    adata.var_names = [f"gene{i}" for i in range(adata.n_vars)]
    dnaclip.tl.describe(adata, gene_sets=SETS, gene_symbols="symbol")
    assert adata.uns["gene_program"]["descriptions"]["name"].iloc[0] == "cytoplasmic translation"


def test_claims_of_an_earlier_model_are_forgotten(adata):
    answer = json.dumps({"name": "no common function", "summary": "Nothing.", "claims": []})
    dnaclip.tl.describe(adata, gene_sets=SETS, llm=lambda _: answer)
    assert "claims" in adata.uns["gene_program"]
    dnaclip.tl.describe(adata, gene_sets=SETS)
    assert "claims" not in adata.uns["gene_program"]


def test_one_gene_and_a_gene_that_was_not_measured():
    with pytest.warns(UserWarning, match="1 genes of the programs are not in the background"):
        table = named({"one": ["RPL3"], "two": ["RPL4", "NOVEL"]}, gene_sets=SETS, background=MEASURED)
    assert table["name"].tolist() == ["no common function"] * 2


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_min_confidence(level):
    table = named(PROGRAMS, gene_sets=SETS, background=MEASURED, min_confidence=level)
    names = ["cytoplasmic translation", "T cell activation", "no common function"]
    assert table["name"].tolist() == (names if level == 0 else ["no common function"] * 3)
    if level == 1:
        assert table["summary"].iloc[0].startswith("Too little is shared to name a function: at most 7 of 7 genes")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"llm": "gpt-4o"}, InputError, "llm must be"),
        ({"min_confidence": 1.5}, InputError, "min_confidence"),
        ({"min_confidence": True}, InputError, "min_confidence"),
        ({"context": None}, InputError, "context"),
        ({"texts": ["a"]}, InputError, "texts must be"),
        ({"texts": pd.DataFrame({"gene": ["A"]})}, MissingKeyError, "'gene' and 'text'; it has 'gene'"),
        ({"program_key": "absent"}, MissingKeyError, "'absent' is not in"),
        ({"gene_symbols": "absent"}, MissingKeyError, "'absent' is not in"),
        ({"gene_sets": "absent.gmt"}, InputError, "There is no GMT file"),
        ({"gene_sets": {"Trna": ["Rpl3", "Rpl4", "Rpl5", "Rps2", "Cd3d"]}}, InputError, "upper and lower case"),
        ({"organism": "klingon"}, (InputError, MissingKeyError), "klingon"),
    ],
)
def test_bad_arguments(adata, unchanged, options, error, message):
    with unchanged(adata), pytest.raises(error, match=message):
        dnaclip.tl.describe(adata, **{"gene_sets": SETS, **options})


def test_a_dictionary_needs_a_background():
    with pytest.raises(InputError, match="background"):
        dnaclip.tl.describe(PROGRAMS)


def test_prerank_results_are_refused(adata, unchanged):
    table = pd.DataFrame({"program": ["P1"], "term": ["x"], "fdr": [0.01], "genes": ["RPL3"]})
    adata.uns["gene_program"]["enrichment"] = {"table": table}
    with unchanged(adata), pytest.raises(InputError, match="method='prerank'"):
        dnaclip.tl.describe(adata)


def test_what_is_no_record_is_not_overwritten(adata, unchanged):
    adata.uns["gene_program"] = "mine"
    with unchanged(adata), pytest.raises(InputError, match="is not a record of programs"):
        dnaclip.tl.describe(adata)


def terms(fdr, *groups, n_program=10, n_background=1000):
    return pd.DataFrame(
        {
            "term": [f"t{i}" for i in range(len(groups))],
            "n_term": [20] * len(groups),
            "n_program": n_program,
            "n_background": n_background,
            "fdr": fdr,
            "genes": [";".join(group) for group in groups],
        }
    )


def test_features_are_strength_and_coverage():
    strength, coverage = features(terms(1e-3, "abc", "cde"))
    assert strength == pytest.approx(np.log1p(3))
    chance = 1 - 0.98**2
    assert coverage == pytest.approx((0.5 - chance) / (1 - chance))
    assert features(terms(0.0, "abc"))[0] == pytest.approx(np.log1p(300))
    assert features(terms(1e-3, "a", n_background=20))[1] == 0


def test_confidence_grows_with_both():
    values = [
        confidence("gene set", terms(*a)) for a in [(1e-2, "ab"), (1e-9, "ab"), (1e-9, "abcd"), (1e-9, "abcd", "efgh")]
    ]
    assert values == sorted(set(values))
    assert confidence("gene set", terms(1e-2)) == 0
    assert 0 < values[0] < values[-1] < 1


@pytest.mark.parametrize(
    ("term", "name"),
    [
        ("DNA repair (GO:0006281)", "DNA repair"),
        ("HALLMARK_DNA_REPAIR", "dna repair"),
        ("REACTOME_G2_M_CHECKPOINTS", "g2 m checkpoints"),
        ("Apoptosis R-HSA-109581", "Apoptosis"),
        ("p53 signaling pathway WP707", "p53 signaling pathway"),
        ("(GO:0006281)", "(GO:0006281)"),
        ("TP53", "TP53"),
    ],
)
def test_readable(term, name):
    assert readable(term) == name


def test_words_of_names():
    names = {"A": "zinc finger protein 1", "B": "zinc finger and BTB domain containing 2", "C": "ring finger protein 3"}
    assert word_sets(names) == {
        "zinc finger": ["A", "B"],
        "finger": ["A", "B", "C"],
        "finger protein": ["A", "C"],
        "btb domain": ["B"],
        "ring finger": ["C"],
    }


def test_real_hallmarks_and_random_sets(shared_data):
    """Of real sets nearly all get a name, of random ones nearly none."""
    folder = shared_data / "genesets"
    naming = dnaclip.datasets.gene_sets(folder / "enrichr_GO_Biological_Process_2021.gmt")
    hallmarks = dnaclip.datasets.gene_sets(folder / "msigdb_h.all.v7.0.symbols.gmt")
    measured = sorted({gene for genes in (*naming.values(), *hallmarks.values()) for gene in genes})
    rng = np.random.default_rng(1)
    real = dict(list(hallmarks.items())[:12])
    random = {
        f"random {name}": rng.choice(measured, len(genes), replace=False).tolist() for name, genes in real.items()
    }
    table = named({**real, **random}, gene_sets=naming, background=measured, organism=None)
    found = table.set_index("program")
    assert (found.loc[list(real), "name"] != "no common function").sum() >= 10
    assert (found.loc[list(random), "name"] == "no common function").sum() >= 11
    assert found.loc["HALLMARK_NOTCH_SIGNALING", "name"] == "Notch signaling pathway"
