"""`tl.enrich`: equal to gseapy, whichever the form of programs and sets; bad input; what is written and read again."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anndata as ad
import gseapy
import numpy as np
import pandas as pd
import pytest

from dnaclip import tl
from dnaclip.datasets import EmbeddingTable, gene_sets
from dnaclip.errors import InputError, MissingKeyError
from dnaclip.tl._programs.enrich import enrichment_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COLUMNS = [
    *("program", "term", "n_overlap", "n_term", "n_program", "n_background"),
    *("odds_ratio", "log10_p", "p_value", "fdr", "genes"),
]
MEASURED = [f"GENE{i}" for i in range(300)]
SETS = {"first": MEASURED[:20], "second": MEASURED[20:45], "first half": MEASURED[:10], "elsewhere": MEASURED[200:240]}


@pytest.fixture
def adata() -> ad.AnnData:
    """Two programs: P1 is the first set but one gene, P2 half of the second and ten others."""
    adata = ad.AnnData(np.ones((3, 300), dtype=np.float32), var=pd.DataFrame(index=MEASURED))
    program = np.full(300, None, dtype=object)
    program[:19], program[20:32], program[100:110] = "P1", "P2", "P2"
    adata.var["gene_program"] = pd.Categorical(program)
    adata.uns["gene_program"] = {"params": {"resolution": 1.0}}
    return adata


def random_programs(sets: dict[str, list[str]], genes: list[str], n: int) -> dict[str, list[str]]:
    rng = np.random.default_rng(0)
    terms = list(sets)
    return {
        f"P{i}": [*sets[terms[rng.integers(len(terms))]][:30], *rng.choice(genes, 60, replace=False)] for i in range(n)
    }


@pytest.mark.parametrize("file", ["msigdb_h.all.v7.0.symbols.gmt", "msigdb_c2.cp.reactome.v7.0.symbols.gmt"])
def test_p_values_are_those_of_gseapy(shared_data: Path, file: str) -> None:
    sets = gene_sets(shared_data / "genesets" / file)
    genes = sorted({gene for members in sets.values() for gene in members})[::2] + [f"OTHER{i}" for i in range(3000)]
    programs = random_programs(sets, genes, 3)
    with pytest.warns(UserWarning, match="not in the background"):
        ours = tl.enrich(programs, sets, background=genes, min_size=1, max_size=10**6, max_fdr=1, prune_parents=False)
    for program, members in programs.items():
        theirs = gseapy.enrich(gene_list=members, gene_sets=sets, background=set(genes), outdir=None, no_plot=True)
        theirs = theirs.results.set_index("Term").sort_index()
        mine = ours[ours["program"] == program].set_index("term").sort_index()
        assert mine.index.tolist() == theirs.index.tolist()
        np.testing.assert_allclose(mine["p_value"], theirs["P-value"].astype(float), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(mine["odds_ratio"], theirs["Odds Ratio"].astype(float), rtol=1e-9)
        overlap = mine["n_overlap"].astype(str) + "/" + mine["n_term"].astype(str)
        assert overlap.tolist() == theirs["Overlap"].tolist()
        assert [sorted(text.split(";")) for text in mine["genes"]] == [sorted(t.split(";")) for t in theirs["Genes"]]


def test_the_table(adata: ad.AnnData) -> None:
    table: Any = tl.enrich(adata, SETS, prune_parents=False)
    assert table.columns.tolist() == COLUMNS
    assert table[["program", "term"]].to_numpy().tolist() == [["P1", "first"], ["P1", "first half"], ["P2", "second"]]
    assert table.loc[2, ["n_overlap", "n_term", "n_program", "n_background"]].tolist() == [12, 25, 22, 300]
    assert table.loc[2, "genes"].split(";") == sorted(MEASURED[20:32])
    np.testing.assert_allclose(table["p_value"], 10 ** table["log10_p"])
    assert (table["fdr"] >= table["p_value"]).all()


def test_parents_are_pruned_by_default(adata: ad.AnnData) -> None:
    sets = SETS | {"everything about it": MEASURED[:60]}
    kept, pruned = (set(tl.enrich(adata, sets, prune_parents=prune)["term"]) for prune in (False, True))
    assert kept - pruned == {"everything about it"}


def test_sets_outside_the_range_of_sizes_are_not_tested(adata: ad.AnnData) -> None:
    assert tl.enrich(adata, SETS, min_size=21)["term"].tolist() == ["second"]
    assert tl.enrich(adata, SETS, max_size=19)["term"].tolist() == ["first half"]
    with pytest.raises(InputError, match="None of the 4 gene sets has between 41 and 500 genes .* largest has 40"):
        tl.enrich(adata, SETS, min_size=41)


def test_every_form_of_programs_gives_the_same_table(adata: ad.AnnData, tmp_path: Path) -> None:
    expected = tl.enrich(adata, SETS)
    lists = {name: MEASURED[:19] if name == "P1" else MEASURED[20:32] + MEASURED[100:110] for name in ("P1", "P2")}
    lists["P1"] = lists["P1"] * 2  # repeats count once
    pd.testing.assert_frame_equal(tl.enrich(lists, SETS, background=adata.var_names), expected)
    one = tl.enrich(pd.Index(lists["P1"]), SETS, background=np.array(MEASURED * 2))
    assert one["program"].unique().tolist() == ["genes"]
    assert one["p_value"].tolist() == expected[expected["program"] == "P1"]["p_value"].tolist()
    (tmp_path / "sets.gmt").write_text("".join("\t".join([name, "", *genes]) + "\n" for name, genes in SETS.items()))
    pd.testing.assert_frame_equal(tl.enrich(adata, tmp_path / "sets.gmt"), expected)
    long = pd.DataFrame([(name, gene) for name, genes in SETS.items() for gene in genes], columns=["source", "target"])
    pd.testing.assert_frame_equal(tl.enrich(adata, long), expected)


def test_names_may_stand_in_a_column(adata: ad.AnnData) -> None:
    expected = tl.enrich(adata, SETS)
    adata.var["symbol"] = adata.var_names
    adata.var_names = [f"ENSG{i:011d}" for i in range(300)]
    adata.var.iloc[299, adata.var.columns.get_loc("symbol")] = None  # leaves 299 genes
    with pytest.raises(InputError, match="look like Ensembl ids.*gene_symbols=.*organism=, such as 'human'"):
        tl.enrich(adata, SETS)
    table = tl.enrich(adata, SETS, gene_symbols="symbol")
    assert table["genes"].tolist() == expected["genes"].tolist()
    assert set(table["n_background"]) == {299}
    with pytest.raises(MissingKeyError, match="'name' is not in adata.var"):
        tl.enrich(adata, SETS, gene_symbols="name")


def test_organism_joins_ids_and_aliases(gene_table: EmbeddingTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dnaclip.datasets.load_table", lambda organism: gene_table)
    measured = ["ENSG00000141510.3", "60", "MARCH1", "Oct4", "SEPTIN2", "SEPTIN1", "Unknown"]
    sets = {"S": ["p53", "ACTB", "MARCHF1"], "T": ["POU5F1", "SEPT2"]}
    table = tl.enrich(measured[:3], sets, background=measured, min_size=2, max_fdr=1, organism="human")
    assert table[["term", "n_overlap", "n_term", "n_background", "genes"]].to_numpy().tolist() == [
        ["S", 3, 3, 7, "ACTB;MARCHF1;TP53"]
    ]
    # The name of a mouse gene is not taken for a human one.
    with pytest.raises(InputError, match="two species"):
        tl.enrich(["Actb"], sets, background=["Actb", "Tp53", "Pou5f1"], min_size=1, organism="human")


@pytest.mark.parametrize("background", ["column", "list"])
def test_a_smaller_background(adata: ad.AnnData, background: str, caplog: pytest.LogCaptureFixture) -> None:
    adata.var["used"] = np.arange(300) < 110
    table = tl.enrich(adata, SETS, background="used" if background == "column" else MEASURED[:110])
    assert set(table["n_background"]) == {110}
    assert table["p_value"].min() > tl.enrich(adata, SETS)["p_value"].min()


def test_genes_outside_the_background_are_left_out_with_a_warning(adata: ad.AnnData) -> None:
    with pytest.warns(
        UserWarning, match="10 genes of the programs are not in the background and are left out: 'GENE100'"
    ):
        table = tl.enrich(adata, SETS, background=MEASURED[:100])
    assert table.groupby("program")["n_program"].first().to_dict() == {"P1": 19, "P2": 12}


def test_a_background_smaller_than_a_set() -> None:
    table = tl.enrich(MEASURED[:3], SETS, background=MEASURED[:8], min_size=1, max_fdr=1, prune_parents=False)
    assert table[["term", "n_term", "n_background", "p_value"]].to_numpy().tolist() == [
        ["first", 8, 8, 1.0],
        ["first half", 8, 8, 1.0],
    ]


def test_programs_of_no_one_and_all_genes() -> None:
    programs = {"none": [], "one": ["GENE0"], "all": MEASURED}
    table = tl.enrich(programs, SETS, background=MEASURED, max_fdr=1, prune_parents=False)
    assert table["program"].unique().tolist() == ["one", "all"]
    one = table[table["program"] == "one"].set_index("term")["p_value"]
    assert one.to_dict() == pytest.approx({"first": 20 / 300, "first half": 10 / 300})
    assert (table[table["program"] == "all"]["p_value"] == 1).all()


def test_no_hit_gives_an_empty_table_with_the_columns(adata: ad.AnnData, tmp_path: Path) -> None:
    sets = {"elsewhere": MEASURED[200:240]}
    full, empty = tl.enrich(adata, SETS), tl.enrich(adata, sets)
    assert isinstance(empty, pd.DataFrame)
    assert len(empty) == 0
    assert empty.dtypes.to_dict() == full.dtypes.to_dict()
    adata.write_h5ad(tmp_path / "a.h5ad")
    again = ad.read_h5ad(tmp_path / "a.h5ad")
    assert enrichment_table(again).columns.tolist() == COLUMNS
    assert len(enrichment_table(again)) == 0


def test_mouse_symbols_against_human_sets_are_refused(
    adata: ad.AnnData, unchanged: Callable[[ad.AnnData], Any]
) -> None:
    adata.var_names = [name.capitalize() for name in MEASURED]
    with unchanged(adata), pytest.raises(InputError, match="two species") as caught:
        tl.enrich(adata, SETS)
    assert "0 of 300 genes are in the gene sets, but 85 when upper and lower case are ignored" in str(caught.value)
    assert "'Gene0', the gene sets 'GENE0'" in str(caught.value)
    assert "gene_symbols=" in str(caught.value)


def test_names_of_another_kind_are_refused(adata: ad.AnnData) -> None:
    with pytest.raises(InputError, match=r"None of the 300 genes \('GENE0', .*\) is in the gene sets \('A', 'B'\)"):
        tl.enrich(adata, {"S": ["A", "B"]})


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"program_key": "mine"}, MissingKeyError, r"'mine' is not in .*gene_programs\(adata\) first"),
        ({"method": "gsea"}, InputError, "method='gsea' is not known. Use one of: 'ora', 'prerank'"),
        ({"gene_sets": {}}, InputError, "There is no gene set"),
        ({"gene_sets": {"S": []}}, InputError, "There is no gene set"),
        ({"background": "used"}, MissingKeyError, "'used' is not in adata.var"),
        ({"background": "gene_program"}, InputError, "must hold booleans"),
        ({"background": []}, InputError, "background holds no gene"),
        ({"min_size": 0}, InputError, "min_size must be a whole number of at least 1"),
        ({"max_size": 3}, InputError, "max_size must be a whole number of at least 5"),
        ({"max_fdr": 0}, InputError, "max_fdr must be a number above 0 and at most 1, got 0"),
        ({"max_fdr": True}, InputError, "max_fdr must be"),
        ({"key_added": "a/b"}, InputError, "contains '/'"),
        ({"key_added": "params"}, InputError, r"adata.uns\['gene_program'\]\['params'\] exists and is no enrichment"),
        ({"method": "prerank"}, MissingKeyError, "'dnaclip' is not in adata.varm"),
    ],
)
def test_an_error_changes_nothing(
    adata: ad.AnnData,
    unchanged: Callable[[ad.AnnData], Any],
    changed: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with unchanged(adata), pytest.raises(error, match=message):
        tl.enrich(adata, **({"gene_sets": SETS} | changed))


def test_bad_lists() -> None:
    with pytest.raises(InputError, match="Lists of genes need a background.*adata.var_names"):
        tl.enrich({"P": ["GENE0"]}, SETS)
    with pytest.raises(InputError, match="program 'P' must be a list of gene names, got 'GENE0'"):
        tl.enrich({"P": "GENE0"}, SETS, background=MEASURED)
    with pytest.raises(InputError, match="No gene is in a program: every list is empty"):
        tl.enrich({"P": [], "Q": [None]}, SETS, background=MEASURED)
    with pytest.raises(InputError, match="background must be a list of gene names, got 'used'"):
        tl.enrich({"P": ["GENE0"]}, SETS, background="used")


def test_a_column_without_programs(adata: ad.AnnData) -> None:
    adata.var["gene_program"] = pd.Categorical([None] * 300, categories=["P1"])
    with pytest.raises(InputError, match=r"adata.var\['gene_program'\] holds nothing but NaN"):
        tl.enrich(adata, SETS)


@pytest.mark.parametrize("form", ["h5ad", "zarr"])
@pytest.mark.filterwarnings("ignore:Writing zarr v2 data:UserWarning")
def test_the_result_is_written_beside_what_is_there_and_read_again(
    adata: ad.AnnData, tmp_path: Path, form: str
) -> None:
    table = tl.enrich(adata, SETS, background=MEASURED)
    tl.enrich(adata, {"only": SETS["first"]}, key_added="other")
    assert set(adata.uns["gene_program"]) == {"params", "enrichment", "other"}
    assert adata.uns["gene_program"]["params"] == {"resolution": 1.0}
    path = tmp_path / f"a.{form}"
    getattr(adata, f"write_{form}")(path)
    again = getattr(ad, f"read_{form}")(path)
    pd.testing.assert_frame_equal(enrichment_table(again), table)
    assert enrichment_table(again, enrichment_key="other")["term"].tolist() == ["only"]
    params = again.uns["gene_program"]["enrichment"]["params"]
    assert (params["method"], params["background"], params["max_size"]) == ("ora", "list", 500)
    table.loc[0, "term"] = "changed"
    assert "changed" not in enrichment_table(adata)["term"].to_numpy()


def test_it_can_be_run_again_and_on_a_view(adata: ad.AnnData) -> None:
    view = adata[:, :250]
    tl.enrich(view, SETS)
    assert "enrichment" not in adata.uns["gene_program"]
    assert set(enrichment_table(view)["n_background"]) == {250}
    tl.enrich(view, {"only": SETS["first"]})
    assert enrichment_table(view)["term"].tolist() == ["only"]


def test_new_programs_forget_the_old_enrichment(embedded: ad.AnnData) -> None:
    tl.gene_programs(embedded, n_neighbors=5)
    sets = {"group": embedded.var_names[:10].tolist()}
    tl.enrich(embedded, sets)
    tl.gene_programs(embedded, n_neighbors=5, resolution=2)
    with pytest.raises(MissingKeyError, match=r"'enrichment' is not in adata.uns\['gene_program'\].*enrich\(adata"):
        enrichment_table(embedded)


def test_results_travel_with_mudata(mudata: Any, embedded: ad.AnnData, tmp_path: Path) -> None:
    protein = ad.AnnData(np.ones((embedded.n_obs, 2)), obs=embedded.obs[[]], var=pd.DataFrame(index=["CD3", "CD19"]))
    mdata = mudata.MuData({"rna": embedded, "prot": protein})
    rna = mdata["rna"]
    tl.gene_programs(rna, n_neighbors=5)
    tl.score_programs(rna)
    rna.obs["donor"] = np.tile(list("abcdef"), 10)
    rna.obs["state"] = np.where(rna.obs["donor"] < "d", "healthy", "ill")
    table = tl.enrich(rna, {"group": rna.var_names[:10].tolist()})
    with pytest.warns(UserWarning, match="fewer than 4 donors"):
        ranking = tl.rank_programs(rna, "state", reference="healthy", donor_key="donor")
    mdata.write(tmp_path / "m.h5mu")
    again = mudata.read_h5mu(tmp_path / "m.h5mu")["rna"]
    assert len(table) == 1
    pd.testing.assert_frame_equal(enrichment_table(again), table)
    pd.testing.assert_frame_equal(again.uns["gene_program"]["ranking"]["table"].reset_index(drop=True), ranking)
    with pytest.raises(InputError, match=r"mdata\['rna'\]"):
        tl.enrich(mdata, SETS)


def test_the_log_says_how_many_genes_are_known(adata: ad.AnnData, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "dnaclip"):
        tl.enrich(adata, SETS)
    assert "85 of the 300 genes are in at least one of the 4 gene sets" in caplog.text


# --- prerank


@pytest.fixture
def scores() -> pd.Series:
    values = np.random.default_rng(0).normal(size=300)
    values[:20] += 2
    return pd.Series(values, index=MEASURED)


def test_prerank_is_gseapys(scores: pd.Series) -> None:
    table = tl.enrich({"P": scores}, SETS, method="prerank", max_fdr=1, n_permutations=100, rng=5)
    assert table.columns.tolist() == [
        *("program", "term", "n_overlap", "n_term", "n_background", "es", "nes", "p_value", "fdr", "genes")
    ]
    seed = int(np.random.default_rng(5).integers(2**31 - 1, size=1)[0])
    theirs = gseapy.prerank(
        rnk=scores.sort_values(ascending=False),
        gene_sets=SETS,
        min_size=5,
        max_size=500,
        permutation_num=100,
        seed=seed,
        threads=1,
        outdir=None,
        no_plot=True,
    ).res2d.set_index("Term")
    mine: Any = table.set_index("term")
    np.testing.assert_allclose(mine["es"], theirs.loc[mine.index, "ES"].astype(float))
    np.testing.assert_allclose(mine["fdr"], theirs.loc[mine.index, "FDR q-val"].astype(float))
    assert mine.loc["first", "n_term"] == 20
    assert mine.loc["first", "n_overlap"] == len(mine.loc["first", "genes"].split(";"))
    assert table.loc[0, "term"] in ("first", "first half")


def test_prerank_by_closeness_is_written(embedded: ad.AnnData, tmp_path: Path) -> None:
    tl.gene_programs(embedded, n_neighbors=5)
    sets = {f"group {k}": embedded.var_names[10 * k : 10 * k + 10].tolist() for k in range(3)}
    table = tl.enrich(embedded, sets, method="prerank", n_permutations=50)
    more = table[table["nes"] > 0].groupby("program")["term"].first()
    assert more.to_dict() == {"P1": "group 0", "P2": "group 1", "P3": "group 2"}
    embedded.write_h5ad(tmp_path / "a.h5ad")
    pd.testing.assert_frame_equal(enrichment_table(ad.read_h5ad(tmp_path / "a.h5ad")), table)
    assert embedded.uns["gene_program"]["enrichment"]["params"]["n_permutations"] == 50


def test_prerank_without_a_score_for_every_gene(scores: pd.Series) -> None:
    twice = pd.concat([scores, scores[:1] - 2, pd.Series([np.nan], index=["OTHER"])])
    table = tl.enrich(twice, SETS, method="prerank", max_fdr=1, n_permutations=20)
    assert set(table["n_background"]) == {300}
    assert set(table["program"]) == {"genes"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"P": ["GENE0"]}, "needs a pandas.Series of scores indexed by gene for each program; not so: 'P'"),
        (pd.Series([1.0], index=["GENE0"]), "needs finite scores of at least two genes; it has 1"),
        (pd.Series([1.0, np.inf], index=MEASURED[:2]), "needs finite scores"),
        (pd.Series([1.0, 2.0], index=MEASURED[:2]), "between 5 and 500 genes in the ranking of 'genes'"),
        (pd.Series([1.0, 2.0], index=["Gene0", "Gene1"]), "two species"),
    ],
)
def test_bad_rankings(data: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        tl.enrich(data, SETS, method="prerank")
