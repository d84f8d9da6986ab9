"""How much worse predictions become without a feature: permutation importance on what was held out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip.tl._viability.evaluate import held_out_parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dnaclip.models._viability.method import Pairs
    from dnaclip.tl._viability.model import ViabilityModel

__all__ = ["feature_importance"]


def feature_importance(
    model: ViabilityModel,
    pairs: Pairs,
    observed: np.ndarray,
    names: Sequence[str],
    *,
    features: str,
    n_repeats: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return the table of :meth:`dnaclip.tl.ViabilityRegressor.importance`."""
    starts = np.cumsum([0, *model.blocks])
    columns = {name: np.arange(a, b) for name, a, b in zip(names, starts, starts[1:], strict=False)}
    if features == "dimensions":
        columns = {f"{name}[{i}]": at[i : i + 1] for name, at in columns.items() for i in range(len(at))}
    rows = []
    for held_out, lines, genes in held_out_parts(pairs):
        part, truth = pairs.take(lines, genes), observed[np.ix_(lines, genes)]
        base = _error(model, part, truth)
        for name, at in _features(columns, features):
            raised = [_error(model, _shuffled(part, at, rng), truth) - base for _ in range(n_repeats)]
            rows.append((held_out, name, float(np.mean(raised)), float(np.std(raised)), base))
    return pd.DataFrame(rows, columns=["held_out", "feature", "mse_increase", "sd", "mse"])


def _features(columns: dict[str, np.ndarray], features: str) -> list[tuple[str, np.ndarray | None]]:
    """Return each feature with its columns of the vectors, None for the profile."""
    profile: list[tuple[str, np.ndarray | None]] = [("profile", None)] if features == "blocks" else []
    return [*profile, *columns.items()]


def _shuffled(part: Pairs, columns: np.ndarray | None, rng: np.random.Generator) -> Pairs:
    if columns is None:
        return replace(part, profiles=rng.permutation(part.profiles))
    vectors = part.vectors.copy()
    vectors[:, columns] = rng.permutation(vectors[:, columns])
    return replace(part, vectors=vectors)


def _error(model: ViabilityModel, pairs: Pairs, observed: np.ndarray) -> float:
    return float(np.nanmean((model.method.predict(pairs) - observed) ** 2))
