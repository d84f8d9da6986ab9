"""Every viability method by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnaclip.models._viability.factored import Hybrid, Ridge
from dnaclip.models._viability.forests import Boosting, Forest
from dnaclip.models._viability.method import GeneMean, LineMean, TwoWay

if TYPE_CHECKING:
    from dnaclip.models._viability.method import ViabilityMethod

__all__ = ["BASELINES", "METHODS", "make_method"]

BASELINES: dict[str, type[ViabilityMethod]] = {"gene_mean": GeneMean, "line_mean": LineMean, "two_way": TwoWay}
METHODS: dict[str, type[ViabilityMethod]] = {
    "hybrid": Hybrid,
    "random_forest": Forest,
    "hist_gradient_boosting": Boosting,
    "ridge": Ridge,
    **BASELINES,
}


def make_method(
    name: str,
    *,
    blocks: tuple[int, ...],
    n_components: int,
    n_landmarks: int,
    n_estimators: int,
    max_pairs: int,
    seed: int,
) -> ViabilityMethod:
    """Return a method that is not fitted yet, with those of the settings that it has."""
    kind = METHODS[name]
    if issubclass(kind, Hybrid):
        return kind(n_components=n_components, n_landmarks=n_landmarks, seed=seed, blocks=blocks)
    if issubclass(kind, Forest):
        return kind(n_components=n_components, n_estimators=n_estimators, max_pairs=max_pairs, seed=seed)
    return kind()
