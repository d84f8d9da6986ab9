"""Build a wider human table from text alone, for gene-level prediction; for maintainers.

    python scripts/build_function_table.py SHARED_DATA --text-cache FOLDER --out FILE [--dimension 384]

Four readings of what is written about a gene are set side by side, each centred, its components damped to the square root
of their weight, and scaled to length one: words and pairs of words of summary, names, UniProt keywords and HGNC gene groups
(256 components of TF-IDF); the text encoder's vector of the summary or names (256 components); the keywords as such (256
components); and the gene groups as such (256 components of half the length; nothing for a gene without one). The components
of the whole are what is saved, as the text side of a table without a DNA side.

Keywords name processes, so they tell part of the answers of GO tasks: mark results of this table accordingly. No step sees
a label. The cache folder is that of build_tables.py.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import MultiLabelBinarizer, normalize
from sklearn.utils.extmath import randomized_svd

sys.path.insert(0, str(Path(__file__).parent))
from build_tables import TextVectors
from gene_index import gene_index_human

from dnaclip.datasets import EmbeddingTable

NAME = "dnaclip-function"
MIN_DOCUMENTS = 3


def components(matrix: np.ndarray, dimension: int, *, power: float = 0.5) -> np.ndarray:
    """Rows of length one: the first principal components, the singular values to the given power."""
    left, values, _ = np.linalg.svd(matrix - matrix.mean(axis=0), full_matrices=False)
    return normalize(left[:, :dimension] * values[:dimension] ** power)


def word_components(texts: pd.Series, dimension: int) -> np.ndarray:
    """Read words and pairs of words; the first component, which is what all texts share, is left out."""
    weights = TfidfVectorizer(
        ngram_range=(1, 2), min_df=MIN_DOCUMENTS, max_df=0.3, sublinear_tf=True, stop_words="english", dtype=np.float32
    ).fit_transform(texts)
    left, values, _ = randomized_svd(weights, dimension + 1, n_iter=3, random_state=0)
    return normalize(left[:, 1:] * values[1:] ** 0.5)


def keyword_components(keywords: pd.Series, dimension: int, *, separator: str = ";") -> np.ndarray:
    """Read keywords, each weighing as much as it is rare."""
    lists = [[word.strip() for word in line.split(separator) if word.strip()] for line in keywords]
    present = MultiLabelBinarizer().fit_transform(lists).astype(np.float64)
    rarity = np.log(len(present) / (1 + present.sum(axis=0)))
    return components(normalize(present * rarity), dimension)


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--text-cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--dimension", type=int, default=384)
    options = parser.parse_args()

    known = pd.read_parquet(options.shared / "genes/human_gene_text.parquet")
    known = known[known["entrez_id"].notna() & ~known["entrez_id"].duplicated()]
    known = known[(known["biotype"] == "protein_coding") | known["refseq_summary"].notna()]
    known = known.set_index("entrez_id")[["text", "text_names", "uniprot_keywords", "gene_group"]].fillna("")
    # Keywords count twice: they say in a word what a summary says in a sentence.
    joined = known["text"] + " " + known["text_names"] + (" " + known["uniprot_keywords"]) * 2
    joined += " " + known["gene_group"].str.replace("|", " ")
    encoded = TextVectors(options.text_cache).of(known["text"]).astype(np.float64)
    grouped = (known["gene_group"] != "").to_numpy()[:, None]  # genes without a group would all be alike
    parts = [
        word_components(joined, 256),
        components(encoded, 256),
        keyword_components(known["uniprot_keywords"], 256),
        0.5 * keyword_components(known["gene_group"], 256, separator="|") * grouped,
    ]
    vectors = components(np.concatenate(parts, axis=1), options.dimension)

    genes = gene_index_human(options.shared).drop(columns="text")
    genes = genes[genes["entrez_id"].isin(known.index) & ~genes["entrez_id"].duplicated()].reset_index(drop=True)
    rows = known.index.get_indexer(genes["entrez_id"])
    side = vectors[rows].astype(np.float32)
    table = EmbeddingTable(genes, {"text": side}, "human", 9606, NAME, hashlib.sha256(side.tobytes()).hexdigest())
    table.save(options.out)
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.2f} MB, {table}")


if __name__ == "__main__":
    main()
