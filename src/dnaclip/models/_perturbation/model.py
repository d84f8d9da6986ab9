"""A fitted predictor of perturbations, as arrays: mean shifts of conditions in contexts, and cells that show them."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnaclip._errors import InputError
from dnaclip._validate import check_choice
from dnaclip.models._perturbation.config import PerturbationVaeConfig
from dnaclip.models._perturbation.hybrid import Hybrid
from dnaclip.models._perturbation.means import UNKNOWN
from dnaclip.models._perturbation.methods import MEAN_METHODS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dnaclip.models._perturbation.blend import Blend
    from dnaclip.models._perturbation.means import Condition, MeanMethod, Shifts
    from dnaclip.models._perturbation.training import Controls
    from dnaclip.models._perturbation.vae_method import VaeMethod

__all__ = ["METHODS", "PerturbationModel", "check_options", "make_mean", "needs_vectors", "placed"]

METHODS = ("hybrid", "sclambda", *(name for name in MEAN_METHODS if name != "hybrid"))
# Options of the network.
NETWORK_OPTIONS = ("target_head", "precision", *PerturbationVaeConfig.__dataclass_fields__)


def needs_vectors(method: str) -> bool:
    """Whether a method reads gene vectors."""
    return method == "sclambda" or _mean_type(method).needs_vectors


def make_mean(
    method: str, options: Mapping[str, Any], shifts: Shifts, vectors: Mapping[str, np.ndarray]
) -> MeanMethod | None:
    """Return the mean method of this name, or the one that `"hybrid"` is made of, fitted to shifts; none for `"sclambda"`."""
    if method == "sclambda":
        return None
    own = {name: value for name, value in options.items() if name in _mean_options(method)}
    return _mean_type(method)(**own).fit(
        shifts.deltas, shifts.conditions, vectors, shifts.counts, contexts=shifts.contexts
    )


def check_options(method: str, options: Mapping[str, Any]) -> None:
    """Raise when a method does not know an option, or cannot use its value."""
    mean, network = _mean_options(method), NETWORK_OPTIONS if method in ("hybrid", "sclambda") else ()
    known = [*mean, *(["network"] if method == "hybrid" else []), *network]
    unknown = [name for name in options if name not in known]
    if unknown:
        msg = f"{unknown[0]!r} is no option of method {method!r}. Its options are: {', '.join(known) or 'none'}."
        raise InputError(msg)
    if mean:
        _mean_type(method)(**{name: value for name, value in options.items() if name in mean})
    PerturbationVaeConfig(
        **{n: value for n, value in options.items() if n in PerturbationVaeConfig.__dataclass_fields__}
    )
    check_choice("precision", options.get("precision", "32-true"), ("32-true", "bf16-mixed"))
    for name in ("network", "target_head"):
        if not isinstance(options.get(name, True), bool):
            msg = f"{name} must be True or False, got {options[name]!r}."
            raise InputError(msg)


def _mean_type(method: str) -> type[MeanMethod]:
    return Hybrid if method == "hybrid" else MEAN_METHODS[method]


def _mean_options(method: str) -> list[str]:
    return [] if method == "sclambda" else [*inspect.signature(_mean_type(method)).parameters]


@dataclass(eq=False)
class PerturbationModel:
    """What was learned from cells.

    Parameters
    ----------
    method
        Name of the method.
    options
        Its options.
    genes, contexts
        Names of the measured genes and of the contexts.
    shifts
        Mean shifts of training.
    controls
        Control cells of training.
    vectors
        Vectors of perturbed genes; those of genes to be predicted are added before they are.
    mean
        The mean method, if there is one.
    vae
        The network, if there is one.
    blend
        What the network weighs beside the mean method.
    history
        Losses of the network by epoch.
    """

    method: str
    options: dict[str, Any]
    genes: tuple[str, ...]
    contexts: tuple[str, ...]
    shifts: Shifts
    controls: Controls
    vectors: dict[str, np.ndarray]
    mean: MeanMethod | None = None
    vae: VaeMethod | None = None
    blend: Blend | None = None
    history: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def wants_network(self) -> bool:
        """Whether the method has a network."""
        return self.method == "sclambda" or (self.method == "hybrid" and self.options.get("network", True))

    @property
    def network_options(self) -> dict[str, Any]:
        """Those of the options that are the network's."""
        return {name: value for name, value in self.options.items() if name in NETWORK_OPTIONS}

    @property
    def parts(self) -> pd.DataFrame:
        """What each part of the prediction weighs; for `"hybrid"` in each situation."""
        if not isinstance(self.mean, Hybrid):
            return pd.DataFrame({"part": [self.method], "weight": [1.0]})
        parts = self.mean.parts_
        return parts if self.blend is None else self.blend.with_network(parts, "sclambda")

    def predict(self, conditions: Sequence[Condition], contexts: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the mean shift of each condition in the context beside it, float32 (k, n_genes), and its standard deviation."""
        if self.mean is None:
            return self._network.predict(conditions, contexts, self.vectors), None
        where = placed(contexts, self.shifts)
        delta = self.mean.predict(conditions, contexts=where)
        if self.blend is not None and self.blend.weights.any():
            network = self._network.predict(conditions, contexts, self.vectors)
            delta = self.blend.mix(delta, network, conditions, where, self.shifts)
        return delta, self._std(conditions, where)

    def _std(self, conditions: Sequence[Condition], contexts: np.ndarray) -> np.ndarray | None:
        predict_std = getattr(self.mean, "predict_std", None)
        if predict_std is None:
            return None
        std = np.zeros((len(conditions), len(self.genes)), dtype=np.float32)
        perturbed = np.flatnonzero([len(condition) > 0 for condition in conditions])
        if len(perturbed):
            some = [conditions[i] for i in perturbed.tolist()]
            std[perturbed] = predict_std(some, contexts=contexts[perturbed])
        return std

    def generate(
        self, conditions: Sequence[Condition], contexts: np.ndarray, n_cells: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Return `n_cells` cells of each condition in the context beside it, float32 (k * n_cells, n_genes)."""
        cells = np.empty((len(conditions), n_cells, len(self.genes)), dtype=np.float32)
        for row, (condition, context) in enumerate(zip(conditions, contexts.tolist(), strict=True)):
            draw = self._from_prior if self._trusts_network(condition, context) else self._resampled
            cells[row] = draw(condition, context, n_cells, rng)
        if self.controls.nonnegative:
            np.maximum(cells, 0, out=cells)
        return cells.reshape(-1, len(self.genes))

    def _trusts_network(self, condition: Condition, context: int) -> bool:
        """Whether the network has any weight in a prediction."""
        if self.vae is None or self.mean is None:
            return self.vae is not None
        where = placed(np.array([context]), self.shifts)
        return self.blend is not None and self.blend.weight([condition], where, self.shifts)[0] > 0

    def _resampled(self, condition: Condition, context: int, n_cells: int, rng: np.random.Generator) -> np.ndarray:
        """Draw control cells and add the predicted shift."""
        delta, _ = self.predict([condition], np.array([context]))
        pool = self.controls.cells(context)
        drawn = pool[rng.integers(pool.shape[0], size=n_cells)].toarray()
        # The mean of the cells that were kept differs a little from that of all control cells.
        return drawn + delta + (self.controls.means[context] - pool.mean(axis=0))

    def _from_prior(self, condition: Condition, context: int, n_cells: int, rng: np.random.Generator) -> np.ndarray:
        """Draw cells from the network; those of `"hybrid"` are moved to its mean."""
        cells = self._network.generate(condition, context, self.vectors, n_cells, rng)
        if self.mean is None:
            return cells
        delta, _ = self.predict([condition], np.array([context]))
        return cells + (self.controls.means[context] + delta[0] - cells.mean(axis=0))

    @property
    def _network(self) -> VaeMethod:
        if self.vae is None:
            msg = f"Method {self.method!r} has no network."
            raise InputError(msg)
        return self.vae


def placed(contexts: np.ndarray, shifts: Shifts) -> np.ndarray:
    """Number contexts as the mean methods do: those without training perturbations are unknown to them."""
    return np.where(np.isin(contexts, shifts.contexts), contexts, UNKNOWN)
