"""Frozen encoders of DNA beside each other: what a projector trained on each finds of the texts of unseen human genes.

    python benchmarks/dna_encoders.py SHARED_DATA --vectors text_vectors.npy --work WORK --hyenadna model.safetensors

`text_vectors.npy` and `WORK` are those of benchmarks/retrieval.py, `model.safetensors` is what scripts/train_dna_lm.py wrote. The first
`--bases` of a gene are read, the same for every encoder; nothing looks for relatives, so these are not the scores of the
shipped model.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from embedding_quality import gene_classes, markdown, mean_sd
from retrieval import kept_pairs, kept_split

from dnaclip.encoders import HyenaDnaConfig, HyenaDnaEncoder, load_hyenadna, sequence_features
from dnaclip.metrics import clustering, retrieval_both
from dnaclip.models import ClipModel, Projector, ProjectorConfig
from dnaclip.train import Feed, TrainConfig, embed_feed, train_clip

TRAINING = TrainConfig(batch_size=512, max_epochs=30, patience=4, lr=1e-3, weight_decay=0.1)


def encoded(sequences: list[str], options: argparse.Namespace) -> dict[str, np.ndarray]:
    """Vectors by encoder, (n, d) each."""
    made: dict[str, np.ndarray] = {}

    def add(name: str, vectors: np.ndarray, start: float) -> None:
        made[name] = vectors
        print(f"{name}: {vectors.shape[1]} numbers, {time.process_time() - start:.0f} CPU s", flush=True)

    start = time.process_time()
    add("length only", np.log([[len(sequence)] for sequence in sequences]), start)
    add("composition (default)", sequence_features(sequences).composition, start)
    network = load_hyenadna(options.hyenadna)
    for seed in range(options.seeds):
        start = time.process_time()
        untrained = HyenaDnaEncoder.untrained(HyenaDnaConfig(**vars(network.config)), rng=seed)
        add(f"HyenaDNA, untrained, seed {seed}", untrained.encode(sequences, progress=True), start)
    start = time.process_time()
    add("HyenaDNA, trained here", HyenaDnaEncoder(network).encode(sequences, progress=True), start)
    return made


def scores(vectors: np.ndarray, text: np.ndarray, part: np.ndarray, text_id: np.ndarray, seed: int) -> pd.Series:
    """Train both projectors on the training genes and judge them on the test genes."""
    train = part == "train"
    standard = (vectors - vectors[train].mean(0)) / (vectors[train].std(0) + 1e-6)
    inputs = {"dna": standard.astype(np.float32), "text": text.astype(np.float32)}
    model = ClipModel(
        {
            name: Projector(
                ProjectorConfig(in_dim=array.shape[1], hidden=(512,), dropout=0.3, residual=True), seed=seed
            )
            for name, array in inputs.items()
        }
    )
    feeds = [Feed(inputs, rows=np.flatnonzero(part == name), same=text_id) for name in ("train", "validation", "test")]
    history = train_clip(model, *feeds[:2], TRAINING, rng=seed, progress=False)
    found = {side: rows.cpu().numpy() for side, rows in embed_feed(model, feeds[2]).items()}
    table = retrieval_both(found["dna"], found["text"], groups=text_id[part == "test"], ks=(1, 10))
    both = {f"{direction} @{k}": table.loc[direction, f"accuracy@{k}"] for direction in table.index for k in (1, 10)}
    return pd.Series(both | {"epochs": history.best_epoch}), found["dna"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--hyenadna", type=Path, required=True)
    parser.add_argument(
        "--genes", type=int, nargs=3, default=(6000, 1000, 1500), metavar=("TRAIN", "VALIDATION", "TEST")
    )
    parser.add_argument("--bases", type=int, default=1024)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()

    pairs, kept = kept_pairs(options.shared)
    split = kept_split(pairs, options.work)["split"].to_numpy()
    human = (pairs["species"] == "Homo sapiens").to_numpy()
    rng = np.random.default_rng(0)
    chosen = []
    for name, n in zip(("train", "validation", "test"), options.genes, strict=True):
        rows = np.flatnonzero(human & (split == name))
        chosen.append(rng.permutation(rows)[:n])
    rows = np.sort(np.concatenate(chosen))
    genes, part = pairs.iloc[rows], split[rows]
    text = np.load(options.vectors)[kept][rows].astype(np.float32)
    text_id = pd.factorize(genes["text"])[0]
    classes = gene_classes(genes, pd.read_parquet(options.shared / "benchmarks/human_gene_class.parquet"))
    labelled = classes[part == "test"].notna().to_numpy()
    print(f"human genes: {pd.Series(part).value_counts().to_dict()}, the first {options.bases} bases", flush=True)

    found = []
    for name, vectors in encoded([sequence[: options.bases] for sequence in genes["sequence"]], options).items():
        for seed in range(options.seeds):
            row, dna = scores(vectors, text, part, text_id, seed)
            labels = classes[part == "test"][labelled].to_numpy()
            before = clustering(vectors[part == "test"][labelled], labels, rng=seed)
            after = clustering(dna[labelled], labels, rng=seed)
            clusters = {
                f"{metric}, {where}": value[metric]
                for where, value in (("raw", before), ("projected", after))
                for metric in value
            }
            found.append({"encoder": name.split(", seed")[0]} | row.to_dict() | clusters)
            print(found[-1], flush=True)
    table = pd.DataFrame(found).groupby("encoder", sort=False).agg(mean_sd)
    print("\n" + markdown(table.reset_index()))


if __name__ == "__main__":
    main()
