"""Checks and conversions shared by the public verbs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dnaclip._errors import InputError, MissingKeyError, examples

__all__ = ["as_generator", "check_choice", "check_count", "check_key", "check_share", "clean_params", "torch_seed"]


def as_generator(rng: int | np.random.Generator | None) -> np.random.Generator:
    """Return a NumPy generator; global random state is never read or set."""
    if rng is not None and not isinstance(rng, (int, np.integer, np.random.Generator)):
        msg = f"rng must be an int, a numpy.random.Generator or None, got {type(rng).__name__}."
        raise InputError(msg)
    return np.random.default_rng(rng)


def torch_seed(rng: np.random.Generator) -> int:
    """Draw a seed for a `torch.Generator` or for a library that takes an int."""
    return int(rng.integers(2**31 - 1))


def check_choice(name: str, value: object, allowed: Collection[str]) -> None:
    """Raise when `value` is not one of `allowed`."""
    if value not in allowed:
        msg = f"{name}={value!r} is not known. Use one of: {', '.join(map(repr, allowed))}."
        raise InputError(msg)


def check_count(name: str, value: object, *, least: int = 1) -> None:
    """Raise when `value` is not a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        msg = f"{name} must be a whole number of at least {least}, got {value!r}."
        raise InputError(msg)


def check_key(key: object, present: Collection[str], *, where: str, hint: str = "") -> None:
    """Raise when `key` is not among the keys `present` in the place called `where`."""
    if key not in present:
        msg = f"{key!r} is not in {where}. Present: {examples([k for k in present if k is not None], 10) or 'nothing'}. {hint}"
        raise MissingKeyError(msg.rstrip())


def check_share(name: str, value: object) -> None:
    """Raise when `value` is not a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not 0 <= value <= 1:
        msg = f"{name} must be a number from 0 to 1, got {value!r}."
        raise InputError(msg)


def clean_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Turn parameters into values that h5ad and zarr can both store in `uns`."""
    cleaned: dict[str, Any] = {}
    for key, value in params.items():
        if isinstance(value, Mapping):
            cleaned[str(key)] = clean_params(value)
        elif isinstance(value, np.random.Generator):
            cleaned[str(key)] = "generator"
        elif value is None or isinstance(value, (str, bool, int, float, np.generic, np.ndarray)):
            cleaned[str(key)] = value
        elif isinstance(value, (tuple, list, set, frozenset)):
            cleaned[str(key)] = [str(v) if isinstance(v, Path) or v is None else v for v in value]
        else:
            cleaned[str(key)] = str(value)
    return cleaned
