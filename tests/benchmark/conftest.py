"""Made-up labels in the layout of the real ones, and vectors that know the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from dnaclip.benchmark._vectors import _human
from dnaclip.datasets import EmbeddingTable

if TYPE_CHECKING:
    from pathlib import Path

N_GENES = 300


@pytest.fixture(scope="session")
def entrez() -> list[str]:
    """Real human genes with an Ensembl id and a symbol that are their own."""
    genes = _human().genes
    genes = genes[
        (genes["biotype"] == "protein_coding") & (genes[["ensembl_id", "entrez_id", "symbol"]] != "").all(axis=1)
    ]
    genes = genes[~genes["entrez_id"].duplicated(keep=False) & ~genes["symbol"].duplicated(keep=False)]
    return genes["entrez_id"].head(N_GENES).tolist()


@pytest.fixture(scope="session")
def names(entrez: list[str]) -> pd.DataFrame:
    genes = _human().genes.drop_duplicates("entrez_id").set_index("entrez_id")
    return genes.loc[entrez, ["ensembl_id", "symbol"]]


@pytest.fixture(scope="session")
def vectors(entrez: list[str]) -> pd.DataFrame:
    """Three groups of genes, by number modulo 3."""
    rng = np.random.default_rng(3)
    group = np.arange(N_GENES) % 3
    matrix = np.eye(6)[group] + 0.15 * rng.normal(size=(N_GENES, 6))
    return pd.DataFrame(matrix, index=entrez, columns=[f"d{i}" for i in range(6)])


@pytest.fixture(scope="session")
def labels(tmp_path_factory: pytest.TempPathFactory, entrez: list[str], names: pd.DataFrame) -> Path:
    """Folder with labels: group 0 is what every task asks for."""
    folder = tmp_path_factory.mktemp("labels")
    (folder / "zhong2025").mkdir()
    rng = np.random.default_rng(4)
    group = np.arange(N_GENES) % 3
    splits = np.array(["fold1", "fold2", "fold3", "holdout"])
    frames = []
    for task, terms in (("go", ("GO:1", "GO:2")), ("omim", ("cold",))):
        for term in terms:
            frame = pd.DataFrame({"entrez_id": entrez, "label": (group == 0).astype(int)})
            frame["split"] = rng.choice(splits, N_GENES)
            frames.append(frame.assign(task=task, term=term, term_name=f"name of {term}", term_order=0))
    table = pd.concat(frames, ignore_index=True)
    table.astype({"task": "category", "term": "category"}).to_parquet(folder / "zhong2025/gene_level.parquet")

    # Genes in three parts (outer folds), each again in three (inner folds); a pair is used where its genes agree.
    part, inner = rng.integers(3, size=N_GENES), rng.integers(3, size=N_GENES)
    a, b = rng.integers(N_GENES, size=(2, 1500))
    pairs = pd.DataFrame({"entrez_a": np.array(entrez)[a], "entrez_b": np.array(entrez)[b]})
    pairs["label"] = ((group[a] == 0) & (group[b] == 0)).astype(int)
    for fold in range(3):
        tested = (part[a] == fold).astype(int) + (part[b] == fold)
        role = np.select([tested == 0, tested == 2], [1, 2], 0)
        code = np.zeros(len(a), dtype=int)
        for i in range(3):
            judged = (inner[a] == i).astype(int) + (inner[b] == i)
            code += np.select([judged == 0, judged == 2], [1 << i, 1 << (3 + i)], 0)
        pairs[f"role_f{fold}"], pairs[f"inner_f{fold}"] = role, np.where(role == 1, code, 0)
    pairs.to_parquet(folder / "zhong2025/pairs_sl.parquet")

    pd.DataFrame({"entrez_id": [int(one) for one in entrez[:200]]}).to_csv(
        folder / "zhong2025/intersect_genes_11355.csv", index=False
    )
    wide = {
        "embedding": ["BEST", "WORST", "PARTIAL"],
        "go_full_meanAUROC": [0.999, 0.4, 0.7],
        "go_intersect_meanAUROC": [0.998, 0.3, np.nan],
        "omim_full_meanAUROC": [0.9, 0.4, 0.6],
        "sl_sum_full_AUROC": [0.9, 0.5, np.nan],
        "sl_sum_full_AUPRC": [0.5, 0.1, np.nan],
    }
    pd.DataFrame(wide).to_csv(folder / "zhong2025/published_summary_wide.csv", index=False)
    meta = {
        "Embeding": ["BEST", "WORST", "PARTIAL"],
        "Method": "x",
        "Category": ["biomedical literature", "amino acid sequence", "PPI"],
        "Original Dimensions": ["(33, 3072)", "(20, 20)", "(5, 128)"],
    }
    pd.DataFrame(meta).to_csv(folder / "zhong2025/embed_meta.csv", index=False)

    classes = np.array(["protein_coding", "lncRNA", "miRNA"])[group]
    pd.DataFrame(
        {"ensembl_id": names["ensembl_id"], "symbol": names["symbol"], "gene_type15": classes, "entrez_id": entrez}
    ).to_parquet(folder / "human_gene_class.parquet", index=False)
    pd.DataFrame({"ensembl_id": names["ensembl_id"][:100], "label": (group[:100] == 0).astype(int)}).to_csv(
        folder / "dosage_sensitive_tf.csv", index=False
    )
    ggi = pd.DataFrame({"gene_a": names["symbol"].to_numpy()[a], "gene_b": names["symbol"].to_numpy()[b]})
    ggi["label"] = pairs["label"].to_numpy()
    ggi["split"] = rng.choice(["train", "valid", "test"], len(ggi))
    ggi.to_parquet(folder / "ggi.parquet")
    return folder


@pytest.fixture(scope="session")
def small_table(entrez: list[str], names: pd.DataFrame, vectors: pd.DataFrame) -> EmbeddingTable:
    genes = names.reset_index().assign(aliases="", name="", biotype="", chromosome="")
    text = vectors.to_numpy().copy()
    text[:10] = np.nan
    return EmbeddingTable(genes, {"dna": vectors.to_numpy(), "text": text}, "human", 9606, "toy", "0" * 64)
