"""What a viability regressor learns from: viability, profiles and vectors out of an AnnData or of arrays, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import validate_data

from dnaclip._errors import InputError
from dnaclip._validate import check_choice, check_count
from dnaclip.models._viability.methods import METHODS
from dnaclip.tl._viability.data import (
    GeneVectors,
    check_effects,
    check_vectors,
    read_effects,
    read_profiles,
    read_vectors,
)
from dnaclip.tl._viability.split import training_masks

if TYPE_CHECKING:
    import anndata
    from numpy.typing import ArrayLike

    from dnaclip.tl._viability.regressor import ViabilityRegressor

__all__ = ["Training", "check_options", "training_of_adata", "training_of_arrays"]

MISSING = ("error", "mean")
MISSING_EFFECTS = ("error", "ignore")


@dataclass(frozen=True, eq=False)
class Training:
    """Lines and genes to learn from.

    Parameters
    ----------
    effects
        Viability, float64 (L, G).
    profiles
        Expression of the lines, float64 (L, p).
    lines
        Names of the lines (L,).
    genes
        Names and vectors of the genes.
    one_gene
        Whether the viability came as (L,).
    """

    effects: np.ndarray
    profiles: np.ndarray
    lines: pd.Index
    genes: GeneVectors
    one_gene: bool = False


def check_options(regressor: ViabilityRegressor) -> None:
    """Raise an InputError when an option of the regressor is out of range."""
    check_choice("method", regressor.method, METHODS)
    check_choice("missing", regressor.missing, MISSING)
    check_choice("missing_effects", regressor.missing_effects, MISSING_EFFECTS)
    least = {"n_components": 1, "n_landmarks": 2, "n_estimators": 1, "max_pairs": 2, "n_folds": 2}
    for name, low in least.items():
        check_count(name, getattr(regressor, name), least=low)
    if regressor.coverage is not None and not 0 < regressor.coverage < 1:
        msg = f"coverage must be between 0 and 1, or None for no intervals, got {regressor.coverage!r}."
        raise InputError(msg)


def training_of_adata(
    regressor: ViabilityRegressor, adata: anndata.AnnData, vectors: Any, profiles: Any, split: str | None
) -> Training:
    """Return the training lines and genes of `adata`, as the options of the regressor say."""
    effects = read_effects(adata, regressor.layer)
    train_lines, train_genes = training_masks(adata, split)
    adata = adata[train_lines, train_genes]
    effects = effects[np.ix_(train_lines, train_genes)]
    if len(effects) < 2:
        msg = f"There are {len(effects)} lines to learn from; at least 2 are needed."
        raise InputError(msg)
    check_effects(effects, adata.obs_names, adata.var_names, regressor.missing_effects)
    rows = read_profiles(adata, regressor.profile, profiles, regressor.missing)
    found = read_vectors(adata, regressor.use_rep, regressor.target_key, vectors)
    check_vectors(found, regressor.method, regressor.missing)
    return Training(effects, rows, adata.obs_names, found)


def training_of_arrays(regressor: ViabilityRegressor, X: ArrayLike, y: ArrayLike | None, vectors: Any) -> Training:
    """Return lines and genes without names."""
    rows, target = validate_data(
        regressor, X, y, dtype=np.float64, ensure_min_samples=2, multi_output=True, y_numeric=True
    )
    target = np.asarray(target, dtype=np.float64)
    effects = target.reshape(len(rows), -1)
    values = np.zeros((effects.shape[1], 0)) if vectors is None else np.asarray(vectors, dtype=np.float64)
    if values.ndim != 2 or len(values) != effects.shape[1]:
        msg = f"vectors must have one row for each of the {effects.shape[1]} genes of y, got shape {values.shape}."
        raise InputError(msg)
    found = GeneVectors(pd.RangeIndex(len(values)).astype(str), values, (values.shape[1],) if values.size else ())
    if values.size:
        check_vectors(found, regressor.method, regressor.missing)
    return Training(effects, rows, pd.RangeIndex(len(rows)).astype(str), found, one_gene=target.ndim == 1)
