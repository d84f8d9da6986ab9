"""What each part of the training is worth: the loss, the species, a third modality.

    python benchmarks/ablations.py SHARED_DATA --vectors text_vectors.npy --work FOLDER [--seeds 2] [--only loss species ...]
        [--encoder model.safetensors]

Rows, split and files are those of `retrieval.py`; `--genes` takes a sample of the pairs. Each line of `FOLDER/ablations.csv` is
one training, and a second run goes on from there. Prints markdown tables: mean and standard deviation over seeds of retrieval
among test genes, and of how well k-means clusters of human test genes agree with their functional classes.

The default model stands in the groups `loss` and `species`. In the group `modality` every side is a plain projector of what can
be counted in one gene, without a search for relatives: words of the DNA and codons, residues and residue pairs of the protein
that the longest reading frame gives, and the text.

The group `fine-tuning` reads the first bases of genes with a small HyenaDNA, of random weights and, with `--encoder`, of a file
that scripts/train_dna_lm.py wrote. Both projectors are trained on frozen vectors first; from there on they and the encoder are,
which stays frozen or learns by LoRA or in full, and the epoch with the lowest validation loss is kept. To be affordable on a CPU,
it learns from a sample.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from embedding_quality import gene_classes, markdown, mean_sd
from fine_tuning import FineTuning
from retrieval import kept_pairs, kept_split

from dnaclip.encoders import composition_names
from dnaclip.metrics import clustering, retrieval_both
from dnaclip.models import ClipModel, Projector, ProjectorConfig
from dnaclip.train import Feed, PreparedPairs, Recipe, embed_feed, fit_prepared, memory_index, prepare_pairs, train_clip
from dnaclip.train._score import embed_prepared

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)
# The gene's own side, of which there may be several kinds, and its text: each (n, d) with a row per pair.
Sides = tuple[dict[str, np.ndarray], np.ndarray]


def whole_model(prepared: PreparedPairs, *, seed: int, loss: str = "clip") -> Sides:
    """Train the default model with a loss and embed all pairs."""
    # A sigmoid's logits are shifted by its bias; ten is the scale that it was published with.
    recipe = Recipe(loss=loss, logit_scale=10.0) if loss == "siglip" else Recipe(loss=loss)
    model, _ = fit_prepared(prepared, recipe=recipe, remember="train", rng=seed, device="cpu", progress=False)
    dna, text = embed_prepared(model, prepared, np.arange(len(prepared.split)))
    return {"DNA": dna}, text


def of_species(prepared: PreparedPairs, chosen: np.ndarray) -> PreparedPairs:
    """Leave the genes that are not `chosen` out of training, validation and memory."""
    split = np.where(chosen | (prepared.split == "test") | (prepared.split == "species"), prepared.split, "left out")
    train = np.flatnonzero(split == "train")
    rows, index = memory_index(
        prepared.features,
        train,
        prepared.near_copies,
        prepared.text_of,
        prepared.cluster,
        seeds_per_gene=Recipe().seeds_per_gene,
    )
    own = np.where(split == "train", prepared.cluster, -1)
    neighbours = index.search(prepared.features.seeds, k=Recipe().n_neighbours, exclude=(own, prepared.cluster[rows]))
    return replace(prepared, split=split, memory_rows=rows, index=index, neighbours=neighbours)


def plain_model(prepared: PreparedPairs, *, seed: int, modalities: tuple[str, ...]) -> Sides:
    """Train one projector per modality, every pair of modalities aligned, and embed all pairs."""
    recipe = Recipe()
    inputs = {name: values for name, values in counted(prepared).items() if name in modalities}
    inputs["text"] = prepared.texts[prepared.text_of]
    towers = {}
    for i, (name, values) in enumerate(inputs.items()):
        hidden, dropout = recipe.composition_hidden, recipe.composition_dropout
        if name == "text":
            hidden, dropout = recipe.text_hidden, recipe.text_dropout
        shape = ProjectorConfig(in_dim=values.shape[1], out_dim=recipe.dimension, hidden=hidden, dropout=dropout)
        towers[name] = Projector(shape, seed=len(modalities) * seed + i)
    model = ClipModel(towers, logit_scale=recipe.logit_scale, partial=True)
    same = prepared.text_of
    train, validation = (Feed(inputs, rows=prepared.rows(part), same=same) for part in ("train", "validation"))
    train_clip(model, train, validation, recipe.training, rng=seed, device="cpu", progress=False)
    sides = {name: vectors.numpy() for name, vectors in embed_feed(model, Feed(inputs)).items()}
    text = sides.pop("text")
    if len(sides) > 1:
        sides[" + ".join(sides)] = sum(sides.values())
    return sides, text


def counted(prepared: PreparedPairs) -> dict[str, np.ndarray]:
    """Split what is counted in a gene into what belongs to DNA and to protein, standardised; zeros without a frame."""
    values = prepared.features.composition
    train = values[prepared.rows("train")]
    values = (values - train.mean(0)) / (train.std(0) + 1e-3)
    names = np.array(composition_names())
    of_protein = np.char.startswith(names, "residue_") | np.char.startswith(names, "pair_")
    has_frame = prepared.features.composition[:, of_protein].any(1, keepdims=True)
    return {"DNA": values[:, ~of_protein], "protein": values[:, of_protein] * has_frame, "DNA with protein": values}


def scores(sides: Sides, prepared: PreparedPairs, labels: pd.Series, seed: int) -> pd.DataFrame:
    """One row per kind of gene side: retrieval among all test genes and among human ones, clusters of human ones."""
    vectors, text = sides
    test = prepared.rows("test")
    human = test[labels[test].notna().to_numpy()]
    rows = {}
    for name, own in vectors.items():
        row = {}
        for group, at in {"test": test, "human": human}.items():
            found = retrieval_both(own[at], text[at], groups=prepared.text_of[at])
            row |= {f"{group}, to text @{k}": found.iloc[0][f"accuracy@{k}"] for k in (1, 10)}
            row |= {f"{group}, from text @{k}": found.iloc[1][f"accuracy@{k}"] for k in (1, 10)}
        for side, array in {"gene": own, "text": text}.items():
            unit = array[human] / np.maximum(np.linalg.norm(array[human], axis=1, keepdims=True), 1e-12)
            found = clustering(unit, labels[human].to_numpy(), rng=seed)
            row |= {f"NMI, {side}": found["nmi"], f"ARI, {side}": found["ari"]}
        rows[name] = row
    return pd.DataFrame(rows).T.rename_axis("side").reset_index()


def plans(
    prepared: PreparedPairs, human: np.ndarray, sequences: list[str], encoder: Path | None
) -> dict[tuple[str, str], Callable[..., Sides]]:
    """Group and name of each variant, and what trains it with a seed."""
    todo: dict[tuple[str, str], Callable[..., Sides]] = {
        ("loss", "CLIP"): partial(whole_model, prepared),
        ("loss", "SigLIP"): partial(whole_model, prepared, loss="siglip"),
        ("loss", "CLIP with similarity penalty"): partial(whole_model, prepared, loss="penalized_clip"),
        ("species", "human alone"): lambda *, seed: whole_model(of_species(prepared, human), seed=seed),
    }
    for modalities in (("DNA",), ("DNA with protein",), ("DNA", "protein")):
        todo["modality", " + ".join((*modalities, "text"))] = partial(plain_model, prepared, modalities=modalities)
    for weights in [None, encoder] if encoder else [None]:
        encoder_of = lru_cache(maxsize=1)(partial(FineTuning, prepared, sequences, weights))
        for fine_tune, what in {"none": "frozen", "lora": "LoRA", "full": "full fine-tuning"}.items():
            name = f"{'pre-trained' if weights else 'random weights'}, {what}"
            todo["fine-tuning", name] = lambda *, seed, of=encoder_of, how=fine_tune: of(seed)(how)
    return todo


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--genes", type=int, help="train and judge on a sample of so many pairs")
    groups = ["loss", "species", "modality", "fine-tuning"]
    parser.add_argument("--only", nargs="*", default=groups, help="groups; default all")
    parser.add_argument("--encoder", type=Path, help="weights of a HyenaDNA, for the group fine-tuning")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)

    pairs, kept = kept_pairs(options.shared)
    split = kept_split(pairs, options.work)
    if options.genes:
        some = np.sort(np.random.default_rng(0).choice(len(pairs), options.genes, replace=False))
        pairs, split, kept = (
            pairs.iloc[some].reset_index(drop=True),
            split.iloc[some].reset_index(drop=True),
            kept[some],
        )
    labels = gene_classes(pairs, pd.read_parquet(options.shared / "benchmarks/human_gene_class.parquet"))
    vectors = np.load(options.vectors)[kept].astype(np.float32)
    prepared = prepare_pairs(pairs, split, text_vectors=vectors, progress=False)
    file = options.work / "ablations.csv"
    done = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=["group", "variant", "seed"])
    human = (pairs["species"] == "Homo sapiens").to_numpy()
    todo = plans(prepared, human, pairs["sequence"].tolist(), options.encoder)
    for seed in range(options.seeds):
        for (group, name), train in todo.items():
            known = (done["group"] == group) & (done["variant"] == name) & (done["seed"] == seed)
            if group not in options.only or known.any():
                continue
            start = process_time()
            found = scores(train(seed=seed), prepared, labels, seed)
            found.insert(0, "CPU seconds", round(process_time() - start))
            found = pd.concat({(group, name, seed): found}, names=["group", "variant", "seed"]).reset_index(
                level=[0, 1, 2]
            )
            logger.info("\n%s", found.T)
            done = pd.concat([done, found], ignore_index=True) if len(done) else found
            done.to_csv(file, index=False)
    show(done)


def show(done: pd.DataFrame) -> None:
    """Print a table per group; the species are compared with the default model, which saw all of them."""
    everything = done[(done["group"] == "loss") & (done["variant"] == "CLIP")]
    done = pd.concat([done, everything.assign(group="species", variant="all species")])
    done.loc[done["group"] == "species", [name for name in done if name.startswith("test, ")]] = np.nan
    for group, part in done.groupby("group", sort=False):
        means = (
            part.dropna(axis=1).drop(columns=["group", "seed"]).groupby(["variant", "side"], sort=False).agg(mean_sd)
        )
        print(f"\n### {group} ({part['seed'].nunique()} seeds)\n\n{markdown(means.reset_index())}")


if __name__ == "__main__":
    main()
