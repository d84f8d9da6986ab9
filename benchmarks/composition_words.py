"""Which words of DNA pay in the composition features: how long, and whether both strands count as one.

    python benchmarks/composition_words.py SHARED_DATA --vectors text_vectors.npy --work FOLDER

trains a composition projector alone against the text, on the rows and split of `retrieval.py`, with one seed a variant, and prints
accuracy@10 from DNA to text on validation genes as markdown.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from embedding_quality import markdown, species_group
from retrieval import kept_pairs, kept_split
from sklearn.feature_extraction.text import CountVectorizer

from dnaclip.encoders import composition_names, sequence_features
from dnaclip.metrics import retrieval
from dnaclip.models import ClipModel, Projector, ProjectorConfig
from dnaclip.train import Feed, Recipe, embed_feed, train_clip

if TYPE_CHECKING:
    from collections.abc import Sequence

COMPLEMENT = str.maketrans("ACGT", "TGCA")


def words_of(k: int) -> list[str]:
    """All words of `k` bases, in order."""
    return ["".join(letters) for letters in product("ACGT", repeat=k)]


def root_shares(counts: np.ndarray) -> np.ndarray:
    """Square roots of shares, as in the shipped features."""
    return np.sqrt(counts / np.maximum(counts.sum(1, keepdims=True), 1)).astype(np.float32)


def word_counts(sequences: Sequence[str], k: int) -> np.ndarray:
    """Count the words of `k` bases, float32 (n, 4**k)."""
    counter = CountVectorizer(analyzer="char", ngram_range=(k, k), vocabulary=words_of(k), lowercase=False)
    return counter.transform(sequences).astype(np.float32).toarray()


def both_strands(counts: np.ndarray, k: int) -> np.ndarray:
    """Add the counts of each word and of its reverse complement, one column a pair."""
    words = words_of(k)
    canonical = np.array([min(word, word.translate(COMPLEMENT)[::-1]) for word in words])
    _, column = np.unique(canonical, return_inverse=True)
    summed = np.zeros((len(counts), column.max() + 1), np.float32)
    np.add.at(summed.T, column, counts.T)
    return summed


def variants(sequences: Sequence[str], shipped: np.ndarray) -> dict[str, np.ndarray]:
    """Name of each variant and its features, made when asked for."""
    names = composition_names()
    is_word = np.array([set(name) <= set("ACGT") for name in names])
    words = {k: is_word & (np.char.str_len(names) == k) for k in range(1, 5)}
    counted = {k: word_counts(sequences, k) for k in (5, 6)}
    rest = shipped[:, ~is_word]
    canonical = [both_strands(shipped[:, words[k]] ** 2, k) for k in words]
    return {
        "words of 1 to 4, one strand (shipped)": shipped,
        "the same, both strands as one": np.hstack([rest, *map(root_shares, canonical)]),
        "words of 1 to 3": shipped[:, ~words[4]],
        "no words, only the reading frame and lengths": rest,
        "words of 1 to 5": np.hstack([shipped, root_shares(counted[5])]),
        "words of 1 to 6": np.hstack([shipped, root_shares(counted[5]), root_shares(counted[6])]),
        "words of 1 to 6, both strands as one": np.hstack(
            [rest, *map(root_shares, [*canonical, both_strands(counted[5], 5), both_strands(counted[6], 6)])]
        ),
    }


def score(features: np.ndarray, texts: np.ndarray, text_id: np.ndarray, split: np.ndarray, human: np.ndarray) -> dict:
    """Train a projector of the features beside one of the texts and score it on validation genes."""
    train, validation = np.flatnonzero(split == "train"), np.flatnonzero(split == "validation")
    mean, scale = features[train].mean(0), features[train].std(0) + 1e-3
    recipe = Recipe()
    inputs = {"composition": (features - mean) / scale, "text": texts}
    model = ClipModel(
        {
            "composition": Projector(
                ProjectorConfig(in_dim=features.shape[1], hidden=recipe.composition_hidden, dropout=recipe.composition_dropout),
                seed=0,
            ),
            "text": Projector(ProjectorConfig(in_dim=texts.shape[1], hidden=recipe.text_hidden, dropout=recipe.text_dropout, residual=True), seed=1),
        },
        logit_scale=recipe.logit_scale,
    )  # fmt: skip
    feeds = [Feed(inputs, rows=rows, same=text_id) for rows in (train, validation)]
    history = train_clip(model, *feeds, recipe.training, rng=0, device="cpu", progress=False)
    embedded = embed_feed(model, feeds[1])
    result = {"features": features.shape[1], "best epoch": history.best_epoch}
    for name, chosen in (("validation", np.ones(len(validation), bool)), ("human, summary", human[validation])):
        dna, text = (np.asarray(embedded[side])[chosen] for side in ("composition", "text"))
        result[name] = round(retrieval(dna, text, groups=text_id[validation][chosen], ks=(10,))["accuracy@10"], 3)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    pairs, kept = kept_pairs(options.shared)
    split = kept_split(pairs, options.work)["split"].to_numpy()
    texts = np.load(options.vectors)[kept].astype(np.float32)
    used = np.flatnonzero(np.isin(split, ["train", "validation"]))
    pairs, split, texts = pairs.iloc[used], split[used], texts[used]
    text_id = pd.factorize(pairs["text"])[0]
    human = species_group(pairs) == "human, summary"
    shipped = sequence_features(pairs["sequence"].tolist()).composition
    rows = []
    for name, features in variants(pairs["sequence"].tolist(), shipped).items():
        start = process_time()
        rows.append({"words": name} | score(features, texts, text_id, split, human))
        rows[-1]["CPU seconds"] = round(process_time() - start)
        print(rows[-1], flush=True)
    print(markdown(pd.DataFrame(rows)))


if __name__ == "__main__":
    main()
