"""Predictions beside the observed cells they belong to: read, matched by name, and averaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dnaclip._conditions import CONTROL, condition_name
from dnaclip._validate import check_key
from dnaclip.tl._perturbation.data import read_cells
from dnaclip.tl._perturbation.pairs import match_pairs, shared_genes, target_positions
from dnaclip.tl._perturbation.profiles import read_profiles
from dnaclip.tl._split_marks import marked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import anndata
    from numpy.typing import ArrayLike

    from dnaclip.models._perturbation.cells import PerturbationCells
    from dnaclip.tl._perturbation.pairs import Pairs
    from dnaclip.tl._perturbation.profiles import Profiles

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Predictions and observed cells of the m perturbations to compare.

    Parameters
    ----------
    guess, truth
        The rows of the predictions, and the observed cells.
    pairs
        Which of them belong together.
    names
        Names of the m perturbations.
    genes
        Positions of the G shared genes in both tables.
    symbols
        Their names as conditions use them (G,).
    targets
        Positions, among the G, of the genes that each perturbation targets.
    profiles
        Means over the G genes.
    """

    guess: PerturbationCells
    truth: PerturbationCells
    pairs: Pairs
    names: list[str]
    genes: tuple[np.ndarray, np.ndarray]
    symbols: np.ndarray
    targets: list[list[int]]
    profiles: Profiles


def compare(
    predicted: anndata.AnnData,
    observed: anndata.AnnData,
    *,
    perturbation_key: str,
    control: str | None,
    context_key: str | None,
    layer: str | None,
    delta_layer: str | None,
    gene_symbols: str | None,
    train: str | ArrayLike | None,
    conditions: str | Iterable[str] | None,
    reference: ArrayLike | Mapping[str, ArrayLike] | None,
    rng: np.random.Generator,
) -> Comparison:
    """Match predictions with observed cells; the options are those of `evaluate_perturbations`."""
    name = CONTROL if control is None else control
    keys: dict[str, Any] = {"perturbation_key": perturbation_key, "control": name, "context_key": context_key}
    truth = read_cells(observed, **keys, layer=layer, need_control=control is not None)
    guess = read_cells(predicted, **keys, need_control=False)
    in_train = None if train is None else marked(observed, train, "train", of="cell")
    nobody = np.zeros(observed.n_obs, dtype=bool)
    pairs = match_pairs(guess, truth, conditions, name, nobody if in_train is None else in_train)
    genes = shared_genes(guess.genes, truth.genes)
    symbols = observed.var_names
    if gene_symbols is not None:
        check_key(gene_symbols, observed.var.columns, where="adata.var of the observed cells")
        symbols = observed.var[gene_symbols]
    symbols = np.array([str(name) for name in symbols], dtype=object)[genes[1]]
    profiles = read_profiles(
        guess,
        truth,
        pairs,
        genes,
        delta=None if delta_layer is None else predicted.layers.get(delta_layer),
        in_train=in_train,
        reference=reference,
        has_control=control is not None,
        rng=rng,
    )
    names = [condition_name(one, name) for one in pairs.conditions]
    return Comparison(guess, truth, pairs, names, genes, symbols, target_positions(pairs.conditions, symbols), profiles)
