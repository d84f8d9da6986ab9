"""Regression trees as plain arrays, which safetensors can hold: scikit-learn grows them, and nothing here is pickled."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Trees"]


@dataclass(frozen=True, eq=False)
class Trees:
    """The sum of many trees plus a constant.

    Parameters
    ----------
    feature
        Feature that a node asks about, -1 for a leaf, int32 (nodes,).
    threshold
        A row goes left when its feature is at most this, float64 (nodes,).
    missing_left
        Whether a row of which the feature is NaN goes left, bool (nodes,).
    left, right
        Nodes below, int32 (nodes,).
    value
        What a leaf adds, float64 (nodes,).
    roots
        First node of each tree, int32 (trees,).
    base
        The constant.
    """

    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray
    roots: np.ndarray
    base: float

    @classmethod
    def of_forest(cls, forest: Any) -> Trees:
        """Take the trees of a fitted `sklearn.ensemble.RandomForestRegressor`; their mean is predicted."""
        n = len(forest.estimators_)
        parts = []
        for tree in (one.tree_ for one in forest.estimators_):
            leaf = tree.children_left < 0
            feature = np.where(leaf, -1, tree.feature)
            children = (tree.children_left, tree.children_right)
            parts.append((feature, tree.threshold, tree.missing_go_to_left, *children, tree.value[:, 0, 0] / n))
        return cls._joined(parts, 0.0)

    @classmethod
    def of_boosting(cls, boosting: Any) -> Trees:
        """Take the trees of a fitted `sklearn.ensemble.HistGradientBoostingRegressor` without categories."""
        parts = []
        for (tree,) in boosting._predictors:
            nodes = tree.nodes
            feature = np.where(nodes["is_leaf"], -1, nodes["feature_idx"])
            children = (nodes["left"].astype(np.int64), nodes["right"].astype(np.int64))
            parts.append((feature, nodes["num_threshold"], nodes["missing_go_to_left"], *children, nodes["value"]))
        return cls._joined(parts, float(np.ravel(boosting._baseline_prediction)[0]))

    @classmethod
    def _joined(cls, parts: Iterable[tuple[np.ndarray, ...]], base: float) -> Trees:
        parts = list(parts)
        starts = np.cumsum([0, *(len(part[0]) for part in parts)])
        moved = [
            (*part[:3], part[3] + start, part[4] + start, part[5]) for part, start in zip(parts, starts, strict=False)
        ]
        columns = [np.concatenate(column) for column in zip(*moved, strict=True)]
        kinds = (np.int32, np.float64, np.bool_, np.int32, np.int32, np.float64)
        names = ("feature", "threshold", "missing_left", "left", "right", "value")
        nodes: list[Any] = [column.astype(kind) for column, kind in zip(columns, kinds, strict=True)]
        return cls(**dict(zip(names, nodes, strict=True)), roots=starts[:-1].astype(np.int32), base=base)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return float64 (n,) for `x`, float32 (n, d)."""
        total = np.full(len(x), self.base)
        rows = np.arange(len(x))
        for root in self.roots:
            node = np.full(len(x), root)
            going = rows
            while len(going):
                at = node[going]
                inner = self.feature[at] >= 0
                going, at = going[inner], at[inner]
                asked = x[going, self.feature[at]]
                down = np.where(np.isnan(asked), self.missing_left[at], asked <= self.threshold[at])
                node[going] = np.where(down, self.left[at], self.right[at])
            total += self.value[node]
        return total

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return the constant and the arrays."""
        arrays = {f"trees.{f.name}": getattr(self, f.name) for f in fields(self) if f.name != "base"}
        return {"base": self.base}, arrays

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Trees:
        """Read what :meth:`state` gave."""
        nodes: Any = {f.name: arrays[f"trees.{f.name}"] for f in fields(cls) if f.name != "base"}
        return cls(**nodes, base=config["base"])
