"""Predictions of a fitted viability regressor, for an AnnData or for arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
import pandas as pd
from sklearn.utils.validation import validate_data

from dnaclip import __version__
from dnaclip._errors import InputError
from dnaclip._validate import clean_params
from dnaclip.tl._viability.data import check_vectors, read_profiles, read_vectors

if TYPE_CHECKING:
    import anndata
    from numpy.typing import ArrayLike

    from dnaclip.models._viability.method import Pairs
    from dnaclip.tl._viability.data import GeneVectors
    from dnaclip.tl._viability.regressor import ViabilityRegressor

__all__ = ["is_adata", "pairs_of_adata", "predict_adata", "predict_arrays"]

UNS_KEY = "viability_regressor"


def is_adata(X: object) -> TypeGuard[anndata.AnnData]:
    """Whether `X` is an AnnData, not an array."""
    from anndata import AnnData

    return isinstance(X, AnnData)


def pairs_of_adata(
    regressor: ViabilityRegressor, adata: anndata.AnnData, vectors: Any, profiles: Any
) -> tuple[Pairs, GeneVectors]:
    """Return the lines of `adata`, and its genes or those of `vectors`."""
    model = regressor.model_
    rows = read_profiles(adata, regressor.profile, profiles, regressor.missing)
    if regressor.target_key is None and isinstance(vectors, pd.DataFrame):
        asked = vectors.index.astype(str)
        found = read_vectors(_columns(asked), regressor.use_rep, None, vectors.set_axis(asked))
    else:
        found = read_vectors(adata, regressor.use_rep, regressor.target_key, vectors)
    if rows.shape[1] != model.n_profile or found.blocks != model.blocks:
        msg = (
            f"The regressor was trained on profiles of {model.n_profile} and vectors of {list(model.blocks)} numbers, but got "
            f"{rows.shape[1]} and {list(found.blocks)}. Give profiles and vectors of the same kind, in the same order."
        )
        raise InputError(msg)
    check_vectors(found, regressor.method, regressor.missing)
    return model.pairs(rows, adata.obs_names, found.values, found.names), found


def predict_adata(
    regressor: ViabilityRegressor, adata: anndata.AnnData, pairs: Pairs, found: GeneVectors
) -> anndata.AnnData:
    """Return predictions of the lines of `adata` and the genes found, with intervals where the model has them."""
    import anndata as ad

    model = regressor.model_
    predicted = model.method.predict(pairs)
    layers = {}
    if np.isfinite(model.half_widths).any():
        half = model.widths(pairs)
        layers = {"lower": np.float32(predicted - half), "upper": np.float32(predicted + half)}
    params = {**regressor.get_params(), "dnaclip_version": __version__}
    return ad.AnnData(
        predicted.astype(np.float32),
        obs=pd.DataFrame({"in_training": pairs.lines >= 0}, index=adata.obs_names.copy()),
        var=pd.DataFrame({"in_training": pairs.genes >= 0, "has_vector": found.known}, index=found.names.copy()),
        layers=layers,
        uns={UNS_KEY: {"params": clean_params(params)}},
    )


def predict_arrays(regressor: ViabilityRegressor, X: ArrayLike, vectors: Any) -> np.ndarray:
    """Return predictions of new lines with profiles `X`, for the training genes or for new ones with these vectors."""
    from dnaclip.models._viability.method import Pairs

    rows, model = validate_data(regressor, X, dtype=np.float64, reset=False), regressor.model_
    values = model.vectors if vectors is None else np.asarray(vectors, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != model.vectors.shape[1]:
        msg = f"vectors must be genes x {model.vectors.shape[1]}, as in training, got shape {values.shape}."
        raise InputError(msg)
    genes = np.arange(len(values)) if vectors is None else np.full(len(values), -1)
    predicted = model.method.predict(Pairs(rows, values, np.full(len(rows), -1), genes))
    return predicted[:, 0] if regressor.one_gene_ and vectors is None else predicted


def _columns(names: pd.Index) -> anndata.AnnData:
    from anndata import AnnData

    return AnnData(shape=(0, len(names)), var=pd.DataFrame(index=names))
