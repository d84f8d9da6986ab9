"""Main benchmark of the default model: five seeds on held-out genes, beside random weights, its two parts and alignment.

    python benchmarks/retrieval.py SHARED_DATA --vectors text_vectors.npy --work FOLDER

prints the markdown tables of RESULTS.md. Rows, split and held-out species are those of `scripts/train_base.py`, and so is the
file of text vectors (a row per row of pairs.parquet). The folder keeps what takes long: the split, the vectors of each seed and
the hits of `alignment_transfer.py`; a second run goes on from there. Needs `diamond` and `blastn`.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from alignment_transfer import alignment_hits, transferred
from embedding_quality import (
    clustering_scores,
    gene_classes,
    held_out_genes,
    length_only,
    markdown,
    retrieval_scores,
    retrieval_tables,
)

from dnaclip.pp import split_pairs
from dnaclip.train import Recipe, TrainConfig, fit_prepared, prepare_pairs
from dnaclip.train._score import embed_prepared

sys.path.append(str(Path(__file__).parents[1] / "scripts"))
from train_base import HELD_OUT, is_free

if TYPE_CHECKING:
    from dnaclip.models import DnaClip
    from dnaclip.train import PreparedPairs

# A rate too small to change a weight: the random-weight model goes through the same code, the choice of the gate included.
NO_TRAINING = Recipe(training=TrainConfig(max_epochs=1, lr=1e-12, warmup_epochs=0, weight_decay=0))
# Contender: file name of its vectors and array of its DNA side.
OURS = {
    "random weights": ("random", "dna"),
    "homology part, random weights": ("random", "homology"),
    "homology part": ("trained", "homology"),
    "composition part": ("trained", "composition"),
    "dnaclip": ("trained", "dna"),
}
logger = logging.getLogger(__name__)


def kept_pairs(shared: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Read the pairs that the shipped model is trained and judged on, and which rows of the file these are."""
    pairs = pd.read_parquet(shared / "genes/pairs.parquet")
    kept = np.flatnonzero(pairs["informative"] & is_free(pairs))
    return pairs.iloc[kept].reset_index(drop=True), kept


def kept_split(pairs: pd.DataFrame, work: Path) -> pd.DataFrame:
    """Read or make the split of the shipped model."""
    file = work / "split.parquet"
    if not file.exists():
        split_pairs(pairs, held_out_species=HELD_OUT, rng=0).to_parquet(file)
    return pd.read_parquet(file)


def compute_vectors(pairs: pd.DataFrame, split: pd.DataFrame, raw_text: np.ndarray, work: Path, seeds: int) -> None:
    """Train what is not there yet and keep the vectors of all pairs."""
    plan = [(kind, seed) for kind in ("trained", "random") for seed in range(seeds)]
    missing = [(kind, seed) for kind, seed in plan if not (work / f"{kind}-{seed}.npz").exists()]
    if not missing and (work / "raw_dna.npy").exists():
        return
    prepared = prepare_pairs(pairs, split, text_vectors=raw_text, progress=False)
    composition = prepared.features.composition
    train = composition[prepared.rows("train")]
    np.save(work / "raw_dna.npy", (composition - train.mean(0)) / (train.std(0) + 1e-3))
    for kind, seed in missing:
        recipe = Recipe() if kind == "trained" else NO_TRAINING
        model, history = fit_prepared(prepared, recipe=recipe, remember="train", rng=seed, device="cpu", progress=False)
        logger.info("%s %d: best epoch %d, %s", kind, seed, history.best_epoch, model.dna.gate)
        arrays = embed_with_parts(model, prepared)
        partial = work / f"{kind}-{seed}.part.npz"
        np.savez(partial, **arrays)
        partial.replace(work / f"{kind}-{seed}.npz")


def embed_with_parts(model: DnaClip, prepared: PreparedPairs) -> dict[str, np.ndarray]:
    """Embed all pairs: `dna`, `text` and the two parts of the DNA side, before the gate."""
    dna, text = embed_prepared(model, prepared, np.arange(len(prepared.split)))
    homology = model.dna.from_neighbours(prepared.neighbours)
    composition = model.dna.from_composition(prepared.features.composition)
    return {"dna": dna, "text": text, "homology": homology, "composition": composition}


def kept_hits(pairs: pd.DataFrame, split: pd.DataFrame, work: Path, sensitivity: str | None) -> pd.DataFrame:
    """Read or make the best alignment of each held-out gene; as `alignment_transfer.py` writes it."""
    file = work / f"hits-{sensitivity or 'default'}.parquet"
    if not file.exists():
        is_train = (split["split"] == "train").to_numpy()
        alignment_hits(pairs["sequence"].tolist(), is_train, sensitivity=sensitivity).to_parquet(file)
    return pd.read_parquet(file)


def all_scores(
    pairs: pd.DataFrame, split: pd.Series, raw_text: np.ndarray, hits: dict[str, pd.DataFrame], work: Path, seeds: int
) -> pd.DataFrame:
    """Score every contender and seed; bins are by the sensitive alignment."""
    genes = held_out_genes(pairs, split, hits["sensitive"])
    rows, is_train = genes.index.to_numpy(), (split == "train").to_numpy()
    by_length = np.zeros_like(raw_text)
    by_length[~is_train] = length_only(pairs["sequence"].str.len().to_numpy(), raw_text, is_train)
    contenders = defaultdict(list)
    contenders["length only"] = [(by_length[rows], raw_text[rows] - raw_text[is_train].mean(axis=0))]
    for name, found in hits.items():
        contenders[f"DIAMOND, {name}"] = [(transferred(raw_text, found.loc[rows]), raw_text[rows])]
    for name, (kind, array) in OURS.items():
        for seed in range(seeds):
            with np.load(work / f"{kind}-{seed}.npz") as arrays:
                contenders[name].append((arrays[array][rows], arrays["text"][rows]))
    return pd.concat(
        retrieval_scores(dna, text, genes).assign(contender=name, seed=seed)
        for name, pair_of_seed in contenders.items()
        for seed, (dna, text) in enumerate(pair_of_seed)
    )


def class_tables(
    pairs: pd.DataFrame, split: pd.Series, raw_text: np.ndarray, classes: pd.DataFrame, work: Path, seeds: int
) -> dict[str, pd.DataFrame]:
    """Cluster human genes by each representation and compare with their functional classes."""
    labels = gene_classes(pairs, classes)
    human = np.flatnonzero(labels.notna())
    vectors = {"text encoder": [raw_text[human]]}
    vectors["composition features"] = [np.load(work / "raw_dna.npy", mmap_mode="r")[human]]
    for kind, name in {"random": "random weights", "trained": "dnaclip"}.items():
        for array in ("dna", "text"):
            files = [work / f"{kind}-{seed}.npz" for seed in range(seeds)]
            vectors[f"{name}, {array}"] = [np.load(file)[array][human] for file in files]
    tables = {}
    for title, chosen in {"all": np.ones(len(human), bool), "test": (split.iloc[human] == "test").to_numpy()}.items():
        known = labels.iloc[human[chosen]]
        scores = clustering_scores(
            {name: [a[chosen] for a in arrays] for name, arrays in vectors.items()}, known.to_numpy()
        )
        heading = f"Functional classes, {title} human genes ({chosen.sum()} genes, {known.nunique()} classes)"
        tables[heading] = scores.rename_axis("vectors").reset_index()
    return tables


def show(tables: dict[str, pd.DataFrame]) -> None:
    """Print tables as markdown."""
    for title, table in tables.items():
        print(f"\n### {title}\n\n{markdown(table)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)

    pairs, kept = kept_pairs(options.shared)
    raw_text = np.load(options.vectors)[kept].astype(np.float32)
    split = kept_split(pairs, options.work)
    compute_vectors(pairs, split, raw_text, options.work, options.seeds)
    hits = {mode or "default": kept_hits(pairs, split, options.work, mode) for mode in (None, "sensitive")}

    scores = all_scores(pairs, split["split"], raw_text, hits, options.work, options.seeds)
    scores.to_csv(options.work / "scores.csv", index=False)
    show(retrieval_tables(scores))
    classes = pd.read_parquet(options.shared / "benchmarks/human_gene_class.parquet")
    show(class_tables(pairs, split["split"], raw_text, classes, options.work, options.seeds))


if __name__ == "__main__":
    main()
