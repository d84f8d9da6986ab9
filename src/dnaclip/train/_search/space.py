"""What a search may vary: ranges and choices of settings, in Python and as words of the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dnaclip._errors import InputError, examples
from dnaclip.train._config import TrainConfig
from dnaclip.train._recipe import Recipe

if TYPE_CHECKING:
    from optuna import Trial

__all__ = ["SPACE", "Space", "changed", "check_space", "one_at_a_time", "read_space", "setting", "suggest"]

# Name to a range (low, high), which is searched on a logarithmic scale, or to a list of choices.
Space = Mapping[str, tuple[float, float] | list[Any]]

SPACE: dict[str, tuple[float, float] | list[Any]] = {
    "lr": (1e-4, 1e-2),
    "dimension": [32, 64, 128, 256, 512],
    "logit_scale": (1.0, 100.0),
    "loss": ["clip", "siglip", "penalized_clip"],
    "batch_size": [256, 512, 1024, 2048],
}
# These belong to the preparation of the pairs, which all trials share.
_OF_PREPARATION = ("n_neighbours", "seeds_per_gene")
_OF_RECIPE = [one.name for one in fields(Recipe) if one.name not in (*_OF_PREPARATION, "training")]
_OF_TRAINING = [one.name for one in fields(TrainConfig)]
_POINTS_OF_A_RANGE = 5


def check_space(space: Space, recipe: Recipe) -> None:
    """Raise unless every setting can be varied, and every value that stands there can be used."""
    if not space:
        msg = "The space is empty: name at least one setting to vary, such as {'lr': (1e-4, 1e-2)}."
        raise InputError(msg)
    if strange := [name for name in space if name not in (*_OF_RECIPE, *_OF_TRAINING)]:
        msg = f"{examples(strange)} cannot be varied. What can: {', '.join((*_OF_RECIPE, *_OF_TRAINING))}."
        raise InputError(msg)
    for name, values in space.items():
        if not _is_range(values) and (not isinstance(values, list) or not values):
            msg = (
                f"{name}={values!r} is neither a range nor choices. Give a tuple of two numbers above 0, the lower first, "
                "or a list with at least one value."
            )
            raise InputError(msg)
        for value in values:
            changed(recipe, {name: value})


def _is_range(values: Any) -> bool:
    return (
        isinstance(values, tuple)
        and len(values) == 2
        and all(isinstance(one, (int, float)) for one in values)
        and 0 < values[0] < values[1]
    )


def read_space(words: Sequence[str]) -> dict[str, tuple[float, float] | list[Any]]:
    """Read `name=low:high` and `name=one,two,three`.

    Examples
    --------
    >>> from dnaclip.train._search.space import read_space
    >>> read_space(["lr=1e-4:1e-2", "loss=clip,siglip", "dimension=64,128"])
    {'lr': (0.0001, 0.01), 'loss': ['clip', 'siglip'], 'dimension': [64, 128]}
    """
    space: dict[str, tuple[float, float] | list[Any]] = {}
    for word in words:
        name, _, values = word.partition("=")
        if not values:
            msg = f"{word!r} cannot be read. Write name=low:high for a range, or name=one,two for choices."
            raise InputError(msg)
        separator = ":" if ":" in values else ","
        found = [_number_or_word(one) for one in values.split(separator)]
        space[name] = tuple(found) if separator == ":" else found  # type: ignore[assignment]
    return space


def _number_or_word(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False, "none": None}.get(text.lower(), text)


def suggest(trial: Trial, space: Space) -> dict[str, Any]:
    """Ask the study for a value of every setting."""
    values: dict[str, Any] = {}
    for name, allowed in space.items():
        if isinstance(allowed, list):
            # As JSON, because a choice may be a list, such as the sizes of hidden layers.
            values[name] = json.loads(trial.suggest_categorical(name, [json.dumps(one) for one in allowed]))
        elif all(isinstance(one, int) for one in allowed):
            values[name] = trial.suggest_int(name, int(allowed[0]), int(allowed[1]), log=True)
        else:
            values[name] = trial.suggest_float(name, *allowed, log=True)
    return values


def one_at_a_time(space: Space) -> list[dict[str, Any]]:
    """The changes of trials that leave all settings but one alone.

    Examples
    --------
    >>> from dnaclip.train._search.space import one_at_a_time
    >>> one_at_a_time({"lr": (0.001, 0.1), "loss": ["siglip"]})
    [{'lr': 0.001}, {'lr': 0.00316}, {'lr': 0.01}, {'lr': 0.0316}, {'lr': 0.1}, {'loss': 'siglip'}]
    """
    plans: list[dict[str, Any]] = []
    for name, allowed in space.items():
        points: list[Any] = list(allowed)
        if isinstance(allowed, tuple):
            points = [float(f"{one:.3g}") for one in np.geomspace(*allowed, _POINTS_OF_A_RANGE)]
            if all(isinstance(one, int) for one in allowed):
                points = sorted({round(one) for one in points})
        plans += [{name: value} for value in points]
    return plans


def changed(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """The recipe with some settings changed, those of its training too."""
    tidy: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    training = {name: value for name, value in tidy.items() if name in _OF_TRAINING}
    rest = {name: value for name, value in tidy.items() if name not in training}
    return replace(recipe, **rest, training=replace(recipe.training, **training))


def setting(recipe: Recipe, name: str) -> Any:
    """One setting of a recipe or of its training."""
    return getattr(recipe.training if name in _OF_TRAINING else recipe, name)
