"""From a file of pairs to a model folder with its card: the work of `dnaclip train`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnaclip._validate import as_generator, check_choice
from dnaclip.models._folder import check_replaceable
from dnaclip.train._card import model_card
from dnaclip.train._checkpoint import remove_checkpoint
from dnaclip.train._fit import REMEMBER, fit_prepared
from dnaclip.train._pairs_file import read_pairs, read_vectors
from dnaclip.train._prepare import prepare_pairs
from dnaclip.train._processes import is_first
from dnaclip.train._recipe import Recipe
from dnaclip.train._score import score_parts

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import pandas as pd

__all__ = ["train_folder"]


def train_folder(
    pairs: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    name: str = "my-dnaclip",
    held_out_species: Sequence[str] = (),
    text_encoder: str = "all-MiniLM-L6-v2",
    text_vectors: str | os.PathLike[str] | None = None,
    remember: str = "all",
    max_epochs: int | None = None,
    batch_size: int | None = None,
    recipe: Recipe | None = None,
    rng: int = 0,
    device: str = "auto",
    resume: bool = False,
    log: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Train on a Parquet table of pairs and write a model folder.

    The run keeps a checkpoint beside the folder (`<out>.checkpoint.safetensors`) until it is finished.

    Parameters
    ----------
    pairs
        Parquet file with the columns `sequence` and `text`; `species` and `gene_id` are used when they are there. Rows
        whose column `informative` is false are left out. Sequences are written to a temporary file and read from there gene
        by gene, so that the table may be larger than memory.
    out
        Model folder to write.
    name
        Name of the model.
    held_out_species
        Species to keep out of training and validation as a test.
    text_encoder
        Frozen sentence-transformers model.
    text_vectors
        NumPy file (.npy) with one row per row of the Parquet table.
    remember
        `"all"` or `"train"`, as in :func:`fit`.
    max_epochs, batch_size
        Settings of the loop that are changed most often, in place of those of `recipe`.
    recipe
        All settings; `None` takes the defaults.
    rng
        Seed of the split and of the training.
    device
        `"auto"`, `"cpu"`, `"cuda"` or `"cuda:1"`.
    resume
        Go on from the checkpoint of an interrupted run with the same settings.
    log
        CSV file or folder for the history, as in :func:`train_clip`.
    progress
        Whether to show progress bars.

    Returns
    -------
    Retrieval accuracy on the held-out parts, before the model remembers their genes, with columns as in
    :func:`dnaclip.metrics.retrieval_both`.

    Raises
    ------
    InputError
        A file, the table or a setting cannot be used; raised before training, and nothing is written.
    MissingKeyError
        A column is absent.

    Examples
    --------
    >>> from dnaclip.train import train_folder
    >>> train_folder("pairs.parquet", "my-model")
    Traceback (most recent call last):
        ...
    dnaclip._errors.InputError: There is no file 'pairs.parquet'. Give a Parquet table with the columns 'sequence' and 'text'.
    """
    from dnaclip.pp import split_pairs

    out = Path(out)
    check_choice("remember", remember, REMEMBER)
    check_replaceable(out.absolute())
    recipe = recipe or Recipe()
    asked: dict[str, Any] = {"max_epochs": max_epochs, "batch_size": batch_size}
    given = {name: value for name, value in asked.items() if value is not None}
    recipe = replace(recipe, training=replace(recipe.training, **given))
    file = read_pairs(Path(pairs))
    vectors = None if text_vectors is None else read_vectors(Path(text_vectors), file)
    split = split_pairs(file.table, held_out_species=held_out_species, rng=rng)
    prepared = prepare_pairs(
        file.table,
        split,
        text_encoder=text_encoder,
        text_vectors=vectors,
        n_neighbours=recipe.n_neighbours,
        seeds_per_gene=recipe.seeds_per_gene,
        progress=progress,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    checkpoint = out.with_name(f"{out.name}.checkpoint.safetensors")
    model, history = fit_prepared(
        prepared,
        recipe=recipe,
        remember=remember,
        name=name,
        rng=as_generator(rng),
        device=device,
        checkpoint=checkpoint,
        resume=resume,
        log=log,
        progress=progress,
    )
    scores = score_parts(model, prepared)
    model.config["training"] |= {"data": {"file": Path(pairs).name, "sha256": file.sha256}, "rng": rng}
    model.config["training"]["held_out_species"] = list(held_out_species)
    model.config["metrics"] = scores.reset_index().to_dict("records")
    if is_first():
        model.save(out, card=model_card(model.config, scores, history, file.table))
        remove_checkpoint(checkpoint)
    return scores
