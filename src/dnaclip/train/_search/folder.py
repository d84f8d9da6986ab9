"""From a file of pairs to a folder with a study, its table and the best recipe: the work of `dnaclip tune`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnaclip._errors import InputError
from dnaclip._files import write_atomic
from dnaclip._optional import require
from dnaclip._validate import check_key
from dnaclip.train._pairs_file import read_pairs, read_vectors
from dnaclip.train._prepare import prepare_pairs
from dnaclip.train._recipe import Recipe
from dnaclip.train._search.space import SPACE, check_space, read_space
from dnaclip.train._search.tune import tune

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import pandas as pd

__all__ = ["tune_folder"]


def tune_folder(
    pairs: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    space: Mapping[str, Any] | Sequence[str] | None = None,
    labels: str | None = None,
    held_out_species: Sequence[str] = (),
    text_encoder: str = "all-MiniLM-L6-v2",
    text_vectors: str | os.PathLike[str] | None = None,
    recipe: Recipe | None = None,
    rng: int = 0,
    progress: bool = True,
    **options: Any,
) -> pd.DataFrame:
    """Search for settings on a Parquet table of pairs; a second call goes on where the first stopped.

    Parameters
    ----------
    pairs, held_out_species, text_encoder, text_vectors
        As in :func:`train_folder`.
    out
        Folder for `study.journal` (all trials, as Optuna keeps them), `trials.csv` (the same as a table) and `recipe.json`
        (the best settings, for :func:`train_folder`).
    space
        As in :func:`tune`, or words such as `"lr=1e-4:1e-2"` (a range) and `"loss=clip,siglip"` (choices).
    labels
        Column of the Parquet table with the class of each gene.
    recipe, rng, progress
        As in :func:`tune`.
    **options
        `n_trials`, `sampler`, `metric` and `device` of :func:`tune`.

    Returns
    -------
    The table of trials.

    Raises
    ------
    InputError
        A file or a setting cannot be used; raised before any training.
    MissingKeyError
        A column is absent.
    MissingDependencyError
        Optuna is not installed.

    Examples
    --------
    >>> from dnaclip.train import tune_folder
    >>> tune_folder("pairs.parquet", "search", space=["lr=1e-4:1e-2"])
    Traceback (most recent call last):
        ...
    dnaclip._errors.InputError: There is no file 'pairs.parquet'. Give a Parquet table with the columns 'sequence' and 'text'.
    """
    from dnaclip.pp import split_pairs

    require("optuna", extra="tune", purpose="A search for settings")
    out, recipe = Path(out), recipe or Recipe()
    if space is None:
        space = SPACE
    wanted = dict(space) if hasattr(space, "items") else read_space(space)  # type: ignore[arg-type]
    check_space(wanted, recipe)
    if out.exists() and not out.is_dir():
        msg = f"{str(out)!r} is a file. Name a folder for the search."
        raise InputError(msg)
    file = read_pairs(Path(pairs))
    if labels is not None:
        check_key(labels, file.table.columns, where="the table of pairs")
    vectors = None if text_vectors is None else read_vectors(Path(text_vectors), file)
    prepared = prepare_pairs(
        file.table,
        split_pairs(file.table, held_out_species=held_out_species, rng=rng),
        text_encoder=text_encoder,
        text_vectors=vectors,
        n_neighbours=recipe.n_neighbours,
        seeds_per_gene=recipe.seeds_per_gene,
        progress=progress,
    )
    out.mkdir(parents=True, exist_ok=True)
    trials, best = tune(
        prepared,
        space=wanted,
        labels=None if labels is None else file.table[labels],
        recipe=recipe,
        study=out / "study.journal",
        rng=rng,
        progress=progress,
        **options,
    )
    write_atomic(out / "trials.csv", trials.to_csv(index=False).encode())
    best.save(out / "recipe.json")
    return trials
