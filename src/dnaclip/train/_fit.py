"""Train the default model on a table of DNA-text pairs, from start to finish."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from dnaclip._validate import as_generator, check_choice, torch_seed
from dnaclip.models import DnaClip, DnaSide, Gate, Memory, ProjectorConfig, SequenceTextModel, fit_gate
from dnaclip.train._feed import Feed
from dnaclip.train._loop import History, train_clip
from dnaclip.train._prepare import PreparedPairs, memory_index, prepare_pairs
from dnaclip.train._recipe import Recipe

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    import pandas as pd

    from dnaclip.encoders import HomologyIndex

__all__ = ["REMEMBER", "fit", "fit_prepared"]

REMEMBER = ("all", "train")


def fit(
    pairs: pd.DataFrame,
    *,
    split: pd.DataFrame | None = None,
    recipe: Recipe | None = None,
    text_encoder: str = "all-MiniLM-L6-v2",
    text_vectors: np.ndarray | None = None,
    remember: str = "all",
    name: str = "my-dnaclip",
    rng: int | np.random.Generator | None = 0,
    device: str = "auto",
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: bool = True,
) -> tuple[DnaClip, History]:
    """Train a model on pairs of gene sequence and function text (paper, A.3).

    Parameters
    ----------
    pairs
        One row per gene, with the columns `sequence` and `text`; `species` and `gene_id` are used when they are there.
    split
        From :func:`dnaclip.pp.split_pairs`; `None` makes one with `rng`.
    recipe
        Settings; `None` takes the defaults.
    text_encoder
        Frozen text model.
    text_vectors
        Its vectors of `pairs["text"]`, (n, d), to save encoding them again.
    remember
        `"all"`: the finished model looks for relatives among all genes of `pairs`, also those that no weight was trained
        on, which is best for use. `"train"`: among the training genes only, which is what a fair test on the rest needs.
    name
        Name of the model.
    rng
        Seed of the split, the weights and the order.
    device
        `"auto"`, `"cpu"`, `"cuda"` or `"cuda:1"`.
    checkpoint, resume
        As in :func:`train_clip`.
    progress
        Whether to show progress bars.

    Returns
    -------
    The model and the history of its training.

    Raises
    ------
    InputError
        The table or a setting cannot be used; raised before training.
    MissingKeyError
        A column is absent.

    Examples
    --------
    Random genes with random vectors in the place of a text model's: there is nothing to learn, but it runs in a moment.

    >>> import numpy as np
    >>> import pandas as pd
    >>> from dnaclip.train import Recipe, TrainConfig, fit
    >>> rng = np.random.default_rng(0)
    >>> codons = [a + b + c for a in "ACG" for b in "ACGT" for c in "ACGT"]  # none of them is a stop
    >>> sequences = ["".join(rng.choice(codons, 100)) for _ in range(60)]
    >>> pairs = pd.DataFrame({"sequence": sequences, "text": [f"gene {i}" for i in range(60)]})
    >>> recipe = Recipe(composition_hidden=(8,), text_hidden=(8,), training=TrainConfig(batch_size=32, max_epochs=1))
    >>> vectors = rng.normal(size=(60, 16))
    >>> model, history = fit(pairs, recipe=recipe, text_vectors=vectors, device="cpu", progress=False)
    >>> model.encode_dna(sequences[:2]).shape
    (2, 128)
    """
    from dnaclip.pp import split_pairs

    check_choice("remember", remember, REMEMBER)
    generator = as_generator(rng)
    if split is None:
        split = split_pairs(pairs, rng=generator)
    recipe = recipe or Recipe()
    prepared = prepare_pairs(
        pairs,
        split,
        text_encoder=text_encoder,
        text_vectors=text_vectors,
        n_neighbours=recipe.n_neighbours,
        seeds_per_gene=recipe.seeds_per_gene,
        progress=progress,
    )
    return fit_prepared(
        prepared,
        recipe=recipe,
        remember=remember,
        name=name,
        rng=generator,
        device=device,
        checkpoint=checkpoint,
        resume=resume,
        progress=progress,
    )


def fit_prepared(
    prepared: PreparedPairs,
    *,
    recipe: Recipe | None = None,
    remember: str = "all",
    name: str = "my-dnaclip",
    rng: int | np.random.Generator | None = 0,
    make_feed: Callable[..., Feed] = Feed,
    **loop: Any,
) -> tuple[DnaClip, History]:
    """Train on prepared pairs, so that several seeds can share one preparation.

    Parameters
    ----------
    prepared
        From :func:`prepare_pairs`, with the `n_neighbours` and `seeds_per_gene` of the recipe.
    recipe, remember, name, rng
        As in :func:`fit`.
    make_feed
        Makes the feed of the training genes; called as `Feed(inputs, rows=..., same=...)`. This is the place for another
        sampling or for augmentation.
    **loop
        `device`, `checkpoint`, `resume`, `log`, `callbacks` and `progress` of :func:`train_clip`.

    Returns
    -------
    The model and the history of its training.

    Raises
    ------
    InputError
        A setting cannot be used; raised before training.

    Examples
    --------
    Three seeds, to see how much they matter:

    >>> from dnaclip.train import fit_prepared
    >>> def losses(prepared):
    ...     return [fit_prepared(prepared, rng=seed)[1].best_loss for seed in range(3)]
    """
    check_choice("remember", remember, REMEMBER)
    recipe = recipe or Recipe()
    generator = as_generator(rng)
    train = prepared.rows("train")
    features = prepared.features.composition
    mean, scale = features[train].mean(0), features[train].std(0) + 1e-3
    neighbours = prepared.neighbours
    known = prepared.text_of[prepared.memory_rows[np.maximum(neighbours.ids, 0)]]
    texts_of_neighbours = np.where(neighbours.ids >= 0, known, -1)
    inputs = {
        "composition": (features - mean) / scale,
        "text": prepared.texts[prepared.text_of],
        "homology": (texts_of_neighbours, neighbours.evidence()),
    }
    model = _untrained(prepared, train, recipe, torch_seed(generator))
    history = train_clip(
        model,
        make_feed(inputs, rows=train, same=prepared.text_of),
        Feed(inputs, rows=prepared.rows("validation"), same=prepared.text_of),
        recipe.training,
        rng=generator,
        **loop,
    )
    model.cpu()
    side = DnaSide(
        composition=model.composition,
        mean=mean,
        scale=scale,
        attention=model.attention,
        memory=_memory(model, prepared, prepared.memory_rows, prepared.index),
        gate=Gate(),
        n_neighbours=recipe.n_neighbours,
    )
    fitted = DnaClip(side, model.text, _config(name, recipe, prepared, history, remember))
    side.gate = _gate(fitted, prepared)
    if remember == "all":
        rows, index = memory_index(
            prepared.features,
            np.arange(len(prepared.split)),
            prepared.near_copies,
            prepared.text_of,
            prepared.cluster,
            seeds_per_gene=recipe.seeds_per_gene,
        )
        side.memory = _memory(model, prepared, rows, index)
    return fitted, history


def _untrained(prepared: PreparedPairs, train: np.ndarray, recipe: Recipe, seed: int) -> SequenceTextModel:
    """Build the model; the text projector starts as the principal components of the training texts."""
    width = prepared.texts.shape[1]
    model = SequenceTextModel(
        ProjectorConfig(
            in_dim=prepared.features.composition.shape[1],
            out_dim=recipe.dimension,
            hidden=recipe.composition_hidden,
            dropout=recipe.composition_dropout,
        ),
        ProjectorConfig(
            in_dim=width,
            out_dim=recipe.dimension,
            hidden=recipe.text_hidden,
            dropout=recipe.text_dropout,
            residual=True,
        ),
        torch.tensor(prepared.texts),
        logit_scale=recipe.logit_scale,
        learn_scale=recipe.learn_scale,
        loss=recipe.loss,
        penalty=recipe.penalty,
        seed=seed,
    )
    # torch.tensor copies into aligned memory. NumPy's alignment changes from run to run, and with it the last bits of a
    # matrix product.
    texts = torch.tensor(prepared.texts[np.unique(prepared.text_of[train])])
    components = torch.linalg.eigh(texts.T @ texts).eigenvectors.flip(1)[:, : recipe.dimension]
    last_layer = f"layers.{len(model.text.layers) - 1}.weight"
    with torch.no_grad():
        model.text.get_parameter("skip.weight")[: components.shape[1]] = components.T
        model.text.get_parameter(last_layer).mul_(0.1)  # the hidden layer starts as a small correction
    return model


def _memory(model: SequenceTextModel, prepared: PreparedPairs, rows: np.ndarray, index: HomologyIndex) -> Memory:
    distinct, value_of = np.unique(prepared.text_of[rows], return_inverse=True)
    with torch.no_grad():
        values = model.text.eval()(torch.tensor(prepared.texts[distinct])).numpy()
    return Memory(index, values, value_of)


def _gate(fitted: DnaClip, prepared: PreparedPairs) -> Gate:
    rows = prepared.rows("validation")
    own = prepared.neighbours.take(rows)
    return fit_gate(
        fitted.dna.from_neighbours(own),
        fitted.dna.from_composition(prepared.features.composition[rows]),
        fitted.project_text(prepared.texts[prepared.text_of[rows]]),
        own.significance[:, 0],
        prepared.text_of[rows],
    )


def _curves(history: History) -> list[dict[str, float]]:
    """What JSON can hold of the history; without speeds, so that equal runs give equal files."""
    table = history.table.drop(columns="pairs_per_second", errors="ignore")
    return [{key: float(f"{value:.6g}") for key, value in row.dropna().items()} for _, row in table.iterrows()]


def _config(name: str, recipe: Recipe, prepared: PreparedPairs, history: History, remember: str) -> dict[str, Any]:
    parts, sizes = np.unique(prepared.split, return_counts=True)
    return {
        "name": name,
        "text_encoder": prepared.text_encoder,
        "recipe": json.loads(json.dumps(asdict(recipe))),  # as it will be read again: tuples become lists
        "training": {
            "pairs": dict(zip(parts.tolist(), sizes.tolist(), strict=True)),
            "remembered_genes": remember,
            "seed": history.seed,
            "best_epoch": history.best_epoch,
            "validation_loss": round(history.best_loss, 4),
            "history": _curves(history),
        },
    }
