"""Mean methods by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnaclip.models._perturbation.baselines import (
    Additive,
    LinearPca,
    NearestNeighbours,
    NoChange,
    OtherContext,
    PerturbedMean,
)
from dnaclip.models._perturbation.hybrid import Hybrid
from dnaclip.models._perturbation.linear import IdentityRidge, Ridge

if TYPE_CHECKING:
    from dnaclip.models._perturbation.means import MeanMethod

__all__ = ["MEAN_METHODS"]

MEAN_METHODS: dict[str, type[MeanMethod]] = {
    "hybrid": Hybrid,
    "no_change": NoChange,
    "perturbed_mean": PerturbedMean,
    "additive": Additive,
    "knn": NearestNeighbours,
    "linear_pca": LinearPca,
    "other_context": OtherContext,
    "identity": IdentityRidge,
    "ridge": Ridge,
}
