"""What gene vectors are worth in published gene-level tasks: dnaclip's own, simple ones, and the published table.

    python benchmarks/gene_tasks.py SHARED_DATA                        # published protocol, intersect genes, all contenders
    python benchmarks/gene_tasks.py SHARED_DATA --mode fast
    python benchmarks/gene_tasks.py SHARED_DATA --raw-text FOLDER      # adds the text encoder's own vectors
    python benchmarks/gene_tasks.py SHARED_DATA --table FILE ...       # adds the text side of other embedding tables

prints markdown. FOLDER holds vectors of texts that are encoded already (NAME.parquet with the column text, NAME.npy with one
row per text); genes whose text is in none of them are left out of those rows.
"""

from __future__ import annotations

import argparse
import logging
import re
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from dnaclip import benchmark
from dnaclip.datasets import EmbeddingTable, load_table
from dnaclip.encoders import sequence_features

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

logger = logging.getLogger("gene_tasks")

TASKS = ("go", "omim", "sl", "class", "dosage", "ggi")
# Words that name a disease; what a summary says of diseases stands around them.
DISEASE = re.compile(
    r"diseas|disorder|syndrom|cancer|tumou?r|carcinom|leuk|lymphom|mutation|defect|deficien|patholog|patient|susceptib"
    r"|associated with|cause[sd]?\b|dystroph|opathy|itis\b|emia\b|oma\b|schizo|autis|diabet|alzheimer|parkinson",
    re.IGNORECASE,
)


def human_texts(shared: Path) -> pd.DataFrame:
    """Texts of protein-coding genes and of others with a RefSeq summary, by Entrez id."""
    genes = pd.read_parquet(shared / "genes/human_gene_text.parquet")
    genes = genes[genes["entrez_id"].notna() & ~genes["entrez_id"].duplicated()]
    genes = genes[(genes["biotype"] == "protein_coding") | genes["refseq_summary"].notna()]
    columns = ["text", "text_names", "uniprot_keywords", "symbol", "aliases", "prev_symbols", "name", "refseq_summary"]
    return genes.set_index("entrez_id")[columns].fillna("")


def without_answers(genes: pd.DataFrame) -> pd.Series:
    """Summaries and names without the gene's own names and without every sentence that speaks of a disease."""
    cleaned = []
    for gene in genes.itertuples():
        sentences = re.split(r"(?<=[.;])\s+", f"{gene.text} {gene.text_names}")
        text = " ".join(sentence for sentence in sentences if not DISEASE.search(sentence))
        for name in {gene.symbol, *gene.aliases.split("|"), *gene.prev_symbols.split("|")} - {""}:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", " ", text, flags=re.IGNORECASE)
        cleaned.append(text.strip() or "gene")
    return pd.Series(cleaned, index=genes.index)


def words(texts: pd.Series) -> pd.DataFrame:
    """TF-IDF of words and pairs of words, 256 components."""
    counts = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, stop_words="english").fit_transform(texts)
    return pd.DataFrame(TruncatedSVD(256, random_state=0).fit_transform(counts), index=texts.index)


def encoded(texts: pd.Series, folder: Path) -> pd.DataFrame:
    """Vectors of texts from a folder."""
    files = sorted(folder.glob("*.parquet"))
    known = pd.concat([pd.read_parquet(file, columns=["text"])["text"] for file in files], ignore_index=True)
    vectors = np.concatenate([np.load(file.with_suffix(".npy")) for file in files])
    row = pd.Series(known.index, index=known)
    row = row[~row.index.duplicated()].reindex(texts.to_numpy()).to_numpy()
    there = ~np.isnan(row)
    return pd.DataFrame(vectors[row[there].astype(int)].astype(np.float64), index=texts.index[there])


def sequence_composition(shared: Path) -> pd.DataFrame:
    """Composition features of the longest sequence of each human gene of the pairs table."""
    columns = ["species", "gene_id", "entrez_id", "sequence"]
    pairs = pd.read_parquet(
        shared / "genes/pairs.parquet", columns=columns, filters=[("species", "==", "Homo sapiens")]
    )
    pairs = pairs.dropna(subset="entrez_id")
    pairs = pairs.loc[pairs["sequence"].str.len().sort_values().index].drop_duplicates("entrez_id", keep="last")
    features = sequence_features(pairs["sequence"].tolist()).composition
    # The units differ: what is compared is the best that simple features can do, so they are scaled.
    features = (features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1e-6)
    return pd.DataFrame(features, index=pairs["entrez_id"])


def contenders(arguments: argparse.Namespace) -> Iterator[tuple[str, Callable[[], object], dict[str, object]]]:
    """Name, what makes the embedding, and options of each row of the tables, in order."""
    table, genes = load_table("human"), human_texts(arguments.shared)
    text = {"reads_text": True}
    for side in ("joint", "text", "dna"):
        yield f"dnaclip-base {side}", lambda: table, {"modality": side}
    for file in arguments.table:
        other = EmbeddingTable.load(file)
        yield f"{other.model} text", lambda other=other: other, {"modality": "text"}
    yield "composition of the DNA", lambda: sequence_composition(arguments.shared), {"reads_text": False}
    yield "TF-IDF/SVD-256", lambda: words(genes["text"]), text
    named = genes["text"] + " " + genes["text_names"]
    yield "TF-IDF/SVD-256 + names", lambda: words(named), text
    joined = named + " " + genes["uniprot_keywords"]
    yield "TF-IDF/SVD-256 + names + UniProt keywords (leak into GO)", lambda: words(joined), text
    yield "TF-IDF/SVD-256, symbols and disease sentences removed", lambda: words(without_answers(genes)), text
    if arguments.raw_text:
        yield "MiniLM", lambda: encoded(genes["text"], arguments.raw_text), text
        summaries = genes.loc[genes["refseq_summary"] != "", "refseq_summary"]
        yield "MiniLM, genes with a RefSeq summary", lambda: encoded(summaries, arguments.raw_text), text
    random = np.random.default_rng(0).normal(size=(len(genes), 128))
    yield "random", lambda: pd.DataFrame(random, index=genes.index), {"reads_text": False}


def markdown(table: pd.DataFrame) -> str:
    """Write a table as markdown, numbers with three digits."""
    text = table.map(lambda cell: "" if pd.isna(cell) else f"{cell:.3f}" if isinstance(cell, float) else str(cell))
    lines = [list(text.columns), ["---"] * text.shape[1], *text.to_numpy().tolist()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--mode", default="published")
    parser.add_argument("--genes", default="intersect")
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--raw-text", type=Path)
    parser.add_argument("--table", type=Path, nargs="*", default=[])
    parser.add_argument("--only", default="", help="only contenders whose name has this in it")
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--figures", type=Path, help="folder for ranking plots")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    warnings.filterwarnings("ignore", category=UserWarning)

    labels, results, seconds = arguments.shared / "benchmarks", [], {}
    for name, make, options in contenders(arguments):
        if arguments.only not in name:
            continue
        embedding, start = make(), time.process_time()
        result = benchmark.run(
            embedding,
            arguments.tasks.split(","),
            mode=arguments.mode,
            genes=arguments.genes,
            name=name,
            data=labels,
            n_jobs=arguments.n_jobs,
            progress=False,
            **options,
        )
        seconds[name] = time.process_time() - start
        results.append(result)
        logger.info("%s: %d s", name, seconds[name])
    table = benchmark.compare(pd.concat(results), data=labels)
    ours = table[table["ours"]].drop(columns=["category", "ours", "protocol"]).reset_index()
    ours["CPU s"] = [
        round(second) for second in map(seconds.get, ours["embedding"].str.replace(" (fast (linear))", ""))
    ]
    scores = [column for column in ("go", "omim", "sl_sum", "sl_sum_auprc") if column in table]
    print(f"### This run ({arguments.mode}, {arguments.genes} genes)\n\n{markdown(ours)}\n")
    shown = table.reset_index()[["embedding", "category", "dimension", "reads_text", *scores]]
    print(f"### Beside the published\n\n{markdown(shown)}")
    if arguments.figures:
        from dnaclip.pl import benchmark_ranking

        for score in scores:
            benchmark_ranking(table, score).figure.savefig(arguments.figures / f"{score}.png", dpi=110)


if __name__ == "__main__":
    main()
