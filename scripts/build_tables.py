"""Build the embedding tables that dnaclip ships, for maintainers, after scripts/train_base.py.

    python scripts/build_tables.py SHARED_DATA --model FOLDER --text-cache FOLDER --out FOLDER "Homo sapiens" ...

The text side holds every gene with text. The DNA side holds every gene with a sequence, embedded from its relatives and
its composition: a gene's own text, near copies of it and genes with the same text are kept out of the search, and its
composition is read by a network that saw neither (cross-fitting), so that the DNA side does not simply repeat the text
side. The cache folder holds vectors of texts that are encoded already
(NAME.parquet with the column text, NAME.npy with one row per text); what is missing is encoded and added.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))
from gene_index import gene_index_human, gene_index_other, pair_genes
from train_base import HELD_OUT, is_free

from dnaclip.datasets import EmbeddingTable
from dnaclip.datasets._species import find_species
from dnaclip.encoders import TextEncoder, sequence_features
from dnaclip.models import DnaClip, Memory, join_parts
from dnaclip.pp import cluster_pairs, split_pairs
from dnaclip.train import cross_fit_composition, memory_index

logger = logging.getLogger("build_tables")


class TextVectors:
    """Vectors of texts, from the cache or encoded now."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        files = sorted(folder.glob("*.parquet"))
        texts = [pd.read_parquet(file, columns=["text"])["text"] for file in files]
        rows = pd.Series(np.arange(sum(map(len, texts))), index=pd.concat(texts) if texts else [])
        self.rows = rows[~rows.index.duplicated()]
        self.vectors = np.concatenate(
            [np.zeros((0, 384), np.float16), *(np.load(f.with_suffix(".npy")) for f in files)]
        )

    def of(self, texts: pd.Series) -> np.ndarray:
        """Vectors of the texts, float16 (n, 384)."""
        new = texts[~texts.isin(self.rows.index)].drop_duplicates()
        if len(new):
            logger.info("Encoding %d new texts.", len(new))
            vectors = TextEncoder().encode(new.tolist(), progress=True).astype(np.float16)
            name = self.folder / f"added-{len(self.rows)}"
            new.to_frame("text").to_parquet(name.with_suffix(".parquet"))
            np.save(name.with_suffix(".npy"), vectors)
            self.rows = pd.concat([self.rows, pd.Series(len(self.vectors) + np.arange(len(new)), index=new)])
            self.vectors = np.concatenate([self.vectors, vectors])
        return self.vectors[self.rows[texts.to_numpy()].to_numpy()]


def dna_vectors(model: DnaClip, pairs: pd.DataFrame, vectors: TextVectors) -> np.ndarray:
    """DNA embeddings of the training table, each gene without sight of its own cluster."""
    sequences = pairs["sequence"].tolist()
    cluster = split_pairs(pairs, held_out_species=HELD_OUT)["cluster"].to_numpy()
    features = sequence_features(sequences)
    text_of, distinct = pd.factorize(pairs["text"])
    near_copies = cluster_pairs(sequences, [""] * len(pairs))
    rows, index = memory_index(
        features,
        np.arange(len(pairs)),
        near_copies,
        text_of,
        cluster,
        seeds_per_gene=model.config["recipe"]["seeds_per_gene"],
    )
    neighbours = index.search(features.seeds, k=model.dna.n_neighbours, exclude=(cluster, cluster[rows]))
    texts = vectors.of(pd.Series(distinct))
    memory = Memory(index, model.project_text(texts), text_of[rows])
    composition = cross_fit_composition(model, features.composition, texts, text_of=text_of, cluster=cluster)
    return join_parts(
        model.dna.from_neighbours(neighbours, memory=memory),
        composition,
        neighbours.significance[:, 0],
        model.dna.gate,
    )


def build_table(
    species: str, shared: Path, model: DnaClip, vectors: TextVectors, pairs: pd.DataFrame, dna: np.ndarray
) -> EmbeddingTable:
    """Make the table of one species."""
    genes = gene_index_human(shared) if species == "Homo sapiens" else gene_index_other(shared, species)
    texts = genes.pop("text")
    text_side = np.full((len(genes), model.dimension), np.nan, np.float32)
    with_text = texts.str.strip() != ""
    text_side[with_text] = model.project_text(vectors.of(texts[with_text]))
    dna_side = np.full_like(text_side, np.nan)
    own = np.flatnonzero(pairs["species"] == species)
    place = pair_genes(genes, pairs.iloc[own])
    # Several sequences of one gene: the longest speaks for it.
    order = np.argsort(pairs["sequence"].str.len().to_numpy()[own], kind="stable")
    order = order[place[order] >= 0]
    dna_side[place[order]] = dna[own[order]]
    found = find_species(species)
    return EmbeddingTable(
        genes=genes,
        sides={"dna": dna_side, "text": text_side},
        species=found.name,
        taxon_id=found.taxon_id,
        model=model.config["name"],
        model_sha256=model.config["weights_sha256"],
    )


def main() -> None:
    """Write one table per species."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("species", nargs="+")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--text-cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)

    model = DnaClip.load(options.model)
    vectors = TextVectors(options.text_cache)
    pairs = pd.read_parquet(options.shared / "genes/pairs.parquet")
    free = pairs[is_free(pairs)]
    told, untold = free[free["informative"]].reset_index(drop=True), free[~free["informative"]]
    # Genes whose text says nothing were not trained on and are not remembered: encoding them is all there is to do.
    dna = np.concatenate([dna_vectors(model, told, vectors), model.encode_dna(untold["sequence"].tolist())])
    pairs = pd.concat([told, untold], ignore_index=True)
    for species in options.species:
        table = build_table(species, options.shared, model, vectors, pairs, dna)
        path = options.out / f"{model.config['name']}-{table.species.replace(' ', '_')}.safetensors"
        table.save(path)
        logger.info("%s: %.2f MB, %s", path.name, path.stat().st_size / 1e6, table)


if __name__ == "__main__":
    main()
