"""Trees on the features of a line beside those of a gene, grown on a sample of pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dnaclip.models._viability.features import LineComponents
from dnaclip.models._viability.method import ViabilityMethod
from dnaclip.models._viability.trees import Trees

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnaclip.models._viability.method import Pairs

__all__ = ["Boosting", "Forest"]

# Features of pairs that are in memory at once: 64 MiB.
VALUES_AT_ONCE = 2**24


class Forest(ViabilityMethod):
    """Random forest on principal components of the profile and the vector of the gene, side by side.

    A split looks at a third of the features, a leaf holds at least 3 pairs. The pairs of a gene are nearly alike, so a sample of
    them says about as much as all.

    Parameters
    ----------
    n_components
        Principal components of the profiles.
    n_estimators
        Trees.
    max_pairs
        Pairs of a line and a gene to grow them on, drawn without replacement when more were observed.
    seed
        For the sample and the trees.
    """

    def __init__(
        self, *, n_components: int = 10, n_estimators: int = 100, max_pairs: int = 20_000, seed: int = 0
    ) -> None:
        self.n_components = n_components
        self.n_estimators = n_estimators
        self.max_pairs = max_pairs
        self.seed = seed

    def again(self) -> Forest:
        names = ("n_components", "n_estimators", "max_pairs", "seed")
        return type(self)(**{name: getattr(self, name) for name in names})

    def _fit(self, effects: np.ndarray, pairs: Pairs) -> None:
        self.lines_ = LineComponents.fit(pairs.profiles, self.n_components)
        observed = np.flatnonzero(np.isfinite(effects))
        rng = np.random.default_rng(self.seed)
        if len(observed) > self.max_pairs:
            observed = np.sort(rng.choice(observed, self.max_pairs, replace=False))
        line, gene = np.divmod(observed, effects.shape[1])
        lines, genes = self._features(pairs)
        self.trees_ = self._grown(np.hstack([lines[line], genes[gene]]), effects[line, gene])

    def _grown(self, x: np.ndarray, y: np.ndarray) -> Trees:
        from sklearn.ensemble import RandomForestRegressor

        forest = RandomForestRegressor(
            self.n_estimators, max_features=1 / 3, min_samples_leaf=3, random_state=self.seed, n_jobs=1
        )
        return Trees.of_forest(forest.fit(x, y))

    def _features(self, pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
        return self.lines_(pairs.profiles).astype(np.float32), pairs.vectors.astype(np.float32)

    def predict(self, pairs: Pairs) -> np.ndarray:
        lines, genes = self._features(pairs)
        n_lines, n_genes, width = len(lines), len(genes), lines.shape[1] + genes.shape[1]
        result = np.empty(n_lines * n_genes)
        step = max(1, VALUES_AT_ONCE // max(width, 1))
        for start in range(0, len(result), step):
            at = np.arange(start, min(start + step, len(result)))
            line, gene = np.divmod(at, n_genes)
            result[at] = self.trees_.predict(np.hstack([lines[line], genes[gene]]))
        return result.reshape(n_lines, n_genes)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        config, arrays = super().state()
        trees, nodes = self.trees_.state()
        arrays |= {f"lines.{name}": getattr(self.lines_, name) for name in ("centre", "axes")}
        return config | trees, arrays | nodes

    def restore(self, config: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        super().restore(config, arrays)
        self.lines_ = LineComponents(arrays["lines.centre"], arrays["lines.axes"])
        self.trees_ = Trees.from_state(config, arrays)


class Boosting(Forest):
    """Gradient boosting on histograms, on the features and the sample of :class:`Forest`."""

    def _grown(self, x: np.ndarray, y: np.ndarray) -> Trees:
        from sklearn.ensemble import HistGradientBoostingRegressor

        boosting = HistGradientBoostingRegressor(
            max_iter=self.n_estimators, early_stopping=False, random_state=self.seed
        )
        return Trees.of_boosting(boosting.fit(x, y))
