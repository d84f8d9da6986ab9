"""Trained models side by side: what they score and how their settings differ."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from dnaclip._errors import InputError, examples
from dnaclip.models import load_folder

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["compare"]

_SCORES = ("n_queries", "n_candidates", "accuracy", "chance", "mrr", "median_rank")
# Of the config, what is neither a score nor a setting.
_LEFT_OUT = ("metrics", "history", "weights_sha256", "format", "format_version")


def compare(folders: Sequence[str | os.PathLike[str]], *, all_settings: bool = False) -> pd.DataFrame:
    """Lay model folders side by side.

    Parameters
    ----------
    folders
        Model folders, at least two.
    all_settings
        Whether to show settings that are the same in all models too.

    Returns
    -------
    A column per folder, and rows (`kind`, `name`): first the scores on held-out genes (`score`, such as
    `"test, dna->text, accuracy@10"`), then settings and facts of the training (`setting`); missing where a model lacks one.
    Scores compare only between models with equal `training.data` and split: look at these rows first.

    Raises
    ------
    InputError
        There are fewer than two folders, two have one name, or one holds no model.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import torch
    >>> from dnaclip.models import save_folder
    >>> from dnaclip.train import compare
    >>> with tempfile.TemporaryDirectory() as place:
    ...     folders = [Path(place) / name for name in ("a", "b")]
    ...     for dimension, folder in enumerate(folders, 64):
    ...         config = {"name": folder.name, "dimension": dimension, "text_encoder": "the same"}
    ...         _ = save_folder(folder, {"w": torch.ones(1)}, config, "# A card")
    ...     compare(folders).loc[("setting", "dimension")].tolist()
    [64, 65]
    """
    places = [Path(folder) for folder in folders]
    if len(places) < 2:
        msg = f"A comparison needs at least two model folders, got {len(places)}."
        raise InputError(msg)
    names = _short_names(places)
    columns = {name: dict(_entries(load_folder(place)[0])) for name, place in zip(names, places, strict=True)}
    keys = list(dict.fromkeys(key for column in columns.values() for key in column))
    keys.sort(key=lambda key: key[0] != "score")  # stable: the order of the first model otherwise
    rows = {key: [column.get(key) for column in columns.values()] for key in keys}
    if not all_settings:
        rows = {key: values for key, values in rows.items() if key[0] == "score" or any(v != values[0] for v in values)}
    index = pd.MultiIndex.from_tuples(list(rows), names=["kind", "name"])
    return pd.DataFrame(list(rows.values()), index=index, columns=list(columns), dtype=object)


def _short_names(places: Sequence[Path]) -> list[str]:
    names = [place.resolve().name for place in places]
    if len(set(names)) < len(names):
        names = [str(place) for place in places]
    if len(set(names)) < len(names):
        msg = f"A folder is there twice: {examples(names)}. Give each model once."
        raise InputError(msg)
    return names


def _entries(config: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], Any]]:
    """Scores and settings of a model, with names that say where they stand in its config."""
    for row in config.get("metrics", ()):
        for name, value in row.items():
            if str(name).startswith(_SCORES):
                yield ("score", f"{row.get('part')}, {row.get('direction')}, {name}"), value
    yield from ((("setting", name), value) for name, value in _flat(config))


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if name in _LEFT_OUT:
            continue
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
