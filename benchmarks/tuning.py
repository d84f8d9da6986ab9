"""What each setting of the default model changes, one at a time, on validation genes.

    python benchmarks/tuning.py SHARED_DATA --vectors text_vectors.npy --work FOLDER [--only NAME ...] [--mask-names]

Rows, split and files are those of `retrieval.py`, of which nothing but training and validation genes is used. Each line of
`FOLDER/tuning.csv` is one training; a second run goes on from there. Prints a markdown table. With `--mask-names` every text
says "this gene" for the gene's own symbol; the vectors file, made if absent, and the folder must then be others.
"""

from __future__ import annotations

import argparse
import logging
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from embedding_quality import markdown, species_group
from retrieval import embed_with_parts, kept_pairs, kept_split
from sklearn.cluster import MiniBatchKMeans
from train_base import text_vectors

from dnaclip.metrics import retrieval
from dnaclip.train import Feed, PreparedPairs, Recipe, fit_prepared, prepare_pairs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dnaclip.models import DnaClip
    from dnaclip.train import Batch

logger = logging.getLogger(__name__)
PARTS = {"dna": "whole", "homology": "homology part", "composition": "composition part"}


class TopicFeed(Feed):
    """Batches made of a few topics, so that negatives are hard: genes whose texts are close."""

    topics = 8

    def epoch(self, *, seed: int, epoch: int, batch_size: int) -> Iterator[Batch]:
        """Yield batches of `topics` runs of genes with neighbouring texts."""
        texts = self.inputs["text"][0][self.rows].numpy()
        n_clusters = max(2, len(texts) * self.topics // batch_size)
        topic = MiniBatchKMeans(n_clusters, n_init=1, random_state=seed + epoch).fit_predict(texts)
        rng = np.random.default_rng((seed, epoch))
        order = np.argsort(rng.permutation(n_clusters)[topic] + rng.random(len(topic)) / 2)
        generator = torch.Generator().manual_seed(epoch)
        starts = rng.permutation(np.arange(0, len(order) - batch_size + 1, batch_size))
        for start in starts.tolist():
            yield self._take(self.rows[order[start : start + batch_size]], generator)


def feature_dropout(batch: Batch, generator: torch.Generator, *, share: float) -> Batch:
    """Switch off a share of the composition features."""
    (features,) = batch.inputs["composition"]
    kept = torch.rand(features.shape, generator=generator) >= share
    return replace(batch, inputs=batch.inputs | {"composition": (features * kept / (1 - share),)})


def by_species(species: pd.Series, power: float) -> np.ndarray:
    """Sampling weight of each gene: the number of genes of its species to the power `-power`."""
    return species.map(species.value_counts()).to_numpy(dtype=float) ** -power


def variants(pairs: pd.DataFrame) -> dict[str, dict]:
    """Name of each variant and what it gives to `fit_prepared`."""
    base = Recipe()

    def recipe(**changes: object) -> dict:
        return {"recipe": replace(base, **changes)}

    def training(**changes: object) -> dict:
        return recipe(training=replace(base.training, **changes))

    plain = {f"default, seed {seed}": {"rng": seed} for seed in range(2)}
    changed = {
        "scale fixed at 20": recipe(learn_scale=False),
        **{f"batch {size}": training(batch_size=size) for size in (512, 2048)},
        "composition: 2 layers of 1024": recipe(composition_hidden=(1024, 1024)),
        "text dropout 0.5": recipe(text_dropout=0.5),
    }
    feeds = {
        "species sampled by size^-0.5": partial(Feed, weights=by_species(pairs["species"], 0.5)),
        "hard negatives: 8 topics a batch": TopicFeed,
        "30 % of features off": partial(Feed, transform=partial(feature_dropout, share=0.3)),
    }
    return plain | changed | {name: {"make_feed": feed} for name, feed in feeds.items()}


def mask_names(pairs: pd.DataFrame) -> pd.DataFrame:
    """Write "this gene" for the gene's own symbol in its text; symbols of one letter are left alone."""
    symbols = pairs["symbol"].fillna("").astype(str)
    masked = [
        re.sub(rf"(?<!\w){re.escape(symbol)}(?!\w)", "this gene", text, flags=re.IGNORECASE)
        if len(symbol) > 1
        else text
        for symbol, text in zip(symbols, pairs["text"], strict=True)
    ]
    return pairs.assign(text=masked)


def validation_scores(model: DnaClip, prepared: PreparedPairs, pairs: pd.DataFrame) -> dict[str, float]:
    """Accuracy@10 from DNA to text on validation genes: whole and parts, and of human genes with a summary alone."""
    arrays = embed_with_parts(model, prepared)
    rows = prepared.rows("validation")
    human = rows[species_group(pairs.iloc[rows]) == "human, summary"]
    places = {name: (array, rows) for array, name in PARTS.items()} | {"human, summary": ("dna", human)}
    return {
        name: float(
            retrieval(arrays[array][at], arrays["text"][at], groups=prepared.text_of[at], ks=(10,))["accuracy@10"]
        )
        for name, (array, at) in places.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--mask-names", action="store_true")
    parser.add_argument("--only", nargs="*", help="names of variants; default all")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)

    pairs, kept = kept_pairs(options.shared)
    split = kept_split(pairs, options.work)
    if options.mask_names:
        pairs = mask_names(pairs)
    plans = variants(pairs)
    file = options.work / "tuning.csv"
    done = pd.read_csv(file) if file.exists() else pd.DataFrame(columns=["variant"])
    missing = [name for name in options.only or plans if name not in set(done["variant"])]
    if missing:
        if not options.vectors.exists():
            every_pair = pd.read_parquet(options.shared / "genes/pairs.parquet")
            text_vectors(mask_names(every_pair) if options.mask_names else every_pair, options.vectors)
        raw_text = np.load(options.vectors)[kept].astype(np.float32)
        prepared = prepare_pairs(pairs, split, text_vectors=raw_text, progress=False)
    for name in missing:
        start = process_time()
        model, history = fit_prepared(
            prepared, **({"rng": 0} | plans[name]), remember="train", device="cpu", progress=False
        )
        row = {"variant": name, "best epoch": history.best_epoch} | validation_scores(model, prepared, pairs)
        row["CPU seconds"] = round(process_time() - start)
        logger.info("%s", row)
        done = pd.concat([done, pd.DataFrame([row])], ignore_index=True) if len(done) else pd.DataFrame([row])
        done.to_csv(file, index=False)
    print(markdown(done.round(3)))


if __name__ == "__main__":
    main()
