"""Ridge in factored form: features of lines and features of genes, never of their pairs."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from dnaclip.models._viability.features import SHARPNESS, GeneFeatures, LineComponents
from dnaclip.models._viability.method import ViabilityMethod
from dnaclip.models._viability.ridge import Decomposed, LinearMap, fit_ridge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dnaclip.models._viability.method import Pairs

__all__ = ["Hybrid", "Ridge"]

# Genes that choose the sharpness of the kernel.
MAX_JUDGED = 400
MAPS = ("gene_effect", "line_effect", "gene_rest", "line_rest", "both_rest")


class Hybrid(ViabilityMethod):
    """Mean effects, and ridge for whatever of them is not known.

    Viability is ``overall + line + gene + rest``. The effect of a line in training is the one observed, that of another line
    is predicted from its profile by ridge; likewise for genes and their vectors, with a Gaussian kernel. The rest, which the
    mean effects leave over, is predicted from the vector of the gene (known line), from the profile of the line (known gene),
    or from both. Each of the five regressions chooses its penalty by leave-one-out and may choose to say nothing.

    Parameters
    ----------
    n_components
        Principal components of the profiles.
    n_landmarks
        Genes that the kernel goes through when there are more.
    sharpness
        Of the kernel; None chooses it by leave-one-out.
    seed
        For the choice of landmarks.
    """

    linear = False

    def __init__(
        self,
        *,
        n_components: int = 10,
        n_landmarks: int = 2000,
        sharpness: float | None = None,
        seed: int = 0,
        blocks: tuple[int, ...] = (),
    ) -> None:
        self.n_components = n_components
        self.n_landmarks = n_landmarks
        self.sharpness = sharpness
        self.seed = seed
        self.blocks = blocks

    def again(self) -> Hybrid:
        options = {"n_components": self.n_components, "n_landmarks": self.n_landmarks, "seed": self.seed}
        return type(self)(**options, sharpness=self.genes_.sharpness, blocks=self.blocks)

    def _fit(self, effects: np.ndarray, pairs: Pairs) -> None:
        means, rest = self.means_, self.means_.residual(effects)
        self.lines_ = LineComponents.fit(pairs.profiles, self.n_components)
        self.genes_ = self._gene_features(pairs.vectors, means.gene)
        lines, genes = Decomposed.of(self.lines_(pairs.profiles)), Decomposed.of(self.genes_(pairs.vectors))
        line_rest = fit_ridge(lines, rest)
        self.maps_ = {
            "gene_effect": fit_ridge(genes, means.gene[:, None]),
            "line_effect": fit_ridge(lines, means.line[:, None]),
            "gene_rest": fit_ridge(genes, rest.T),
            "line_rest": line_rest,
            "both_rest": fit_ridge(genes, line_rest.weights.T),
        }

    def _gene_features(self, vectors: np.ndarray, effect: np.ndarray) -> GeneFeatures:
        def fitted(rows: np.ndarray, sharpness: float) -> GeneFeatures:
            rng = np.random.default_rng(self.seed)
            return GeneFeatures.fit(vectors[rows], self.blocks, sharpness, self.n_landmarks, rng)

        every = np.arange(len(vectors))
        if self.linear or self.sharpness is not None:
            return fitted(every, 0.0 if self.linear else float(self.sharpness or 0.0))
        judges = every[np.unique(np.linspace(0, len(every) - 1, min(MAX_JUDGED, len(every))).astype(int))]
        errors = []
        for sharpness in SHARPNESS:
            features = Decomposed.of(fitted(judges, sharpness)(vectors[judges]))
            errors.append(fit_ridge(features, effect[judges, None]).error)
        return fitted(every, SHARPNESS[int(np.argmin(errors))])

    def predict(self, pairs: Pairs) -> np.ndarray:
        lines, genes = self.lines_(pairs.profiles), self.genes_(pairs.vectors)
        new_lines, new_genes = pairs.lines < 0, pairs.genes < 0
        if self.linear:
            # Nothing but features: the same line gives the same prediction, known or not.
            new_lines, new_genes = np.ones_like(new_lines), np.ones_like(new_genes)
        line, gene = self.means_.line[pairs.lines], self.means_.gene[pairs.genes]
        line = np.where(new_lines, self.maps_["line_effect"](lines)[:, 0], line)
        gene = np.where(new_genes, self.maps_["gene_effect"](genes)[:, 0], gene)
        return self.means_.overall + line[:, None] + gene + self._rest(lines, genes, new_lines, new_genes, pairs)

    def _rest(
        self, lines: np.ndarray, genes: np.ndarray, new_lines: np.ndarray, new_genes: np.ndarray, pairs: Pairs
    ) -> np.ndarray:
        rest = np.zeros((len(lines), len(genes)))
        maps = self.maps_
        if (known := ~new_lines).any() and new_genes.any():
            rest[np.ix_(known, new_genes)] = maps["gene_rest"](genes[new_genes])[:, pairs.lines[known]].T
        if (known := ~new_genes).any():
            # A known line too: what its profile says of a pair that may not have been observed.
            rest[:, known] = maps["line_rest"](lines)[:, pairs.genes[known]]
        if new_lines.any() and new_genes.any():
            centred = lines[new_lines] - maps["line_rest"].centre
            rest[np.ix_(new_lines, new_genes)] = centred @ maps["both_rest"](genes[new_genes]).T
        return rest

    @property
    def penalties_(self) -> dict[str, float]:
        """The penalty of each regression, relative to the mean squared length of its features; infinite: it says nothing."""
        return {name: self.maps_[name].penalty for name in MAPS}

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        config, arrays = super().state()
        config["blocks"], config["sharpness"] = list(self.genes_.blocks), self.genes_.sharpness
        # JSON has no infinity.
        config["maps"] = {k: [None if np.isinf(m.penalty) else m.penalty, m.error] for k, m in self.maps_.items()}
        arrays |= {f"lines.{name}": getattr(self.lines_, name) for name in ("centre", "axes")}
        kept = ("centre", "scale", "medians", "landmarks", "projection")
        arrays |= {f"genes.{name}": getattr(self.genes_, name) for name in kept}
        for key, value in self.maps_.items():
            arrays |= {f"{key}.{name}": getattr(value, name) for name in ("centre", "weights", "offset")}
        return config, arrays

    def restore(self, config: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        super().restore(config, arrays)
        self.blocks = tuple(config["blocks"])
        self.lines_ = LineComponents(arrays["lines.centre"], arrays["lines.axes"])
        given = {"blocks": self.blocks, "sharpness": config["sharpness"]}
        stored: Any = {f.name: arrays[f"genes.{f.name}"] for f in fields(GeneFeatures) if f.name not in given}
        self.genes_ = GeneFeatures(**given, **stored)
        self.maps_ = {}
        for key, (penalty, error) in config["maps"].items():
            parts = {name: arrays[f"{key}.{name}"] for name in ("centre", "weights", "offset")}
            self.maps_[key] = LinearMap(**parts, penalty=np.inf if penalty is None else penalty, error=error)


class Ridge(Hybrid):
    """Linear ridge on profiles and vectors: line part, gene part, and products of the two; no effect of a known line or gene."""

    linear = True
