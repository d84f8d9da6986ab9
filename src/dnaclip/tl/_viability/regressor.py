"""Predict the viability of cell lines after a perturbation from expression and gene vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from dnaclip import __version__
from dnaclip._errors import InputError, examples
from dnaclip._keys import DEFAULT_KEY
from dnaclip._validate import as_generator, check_choice, check_count, clean_params, torch_seed
from dnaclip.tl._viability.data import GeneVectors, check_effects, read_effects, read_profiles, read_vectors
from dnaclip.tl._viability.split import training_masks

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Self

    import anndata
    from numpy.typing import ArrayLike

    from dnaclip.models._viability.method import Pairs
    from dnaclip.tl._viability.model import ViabilityModel

__all__ = ["ViabilityRegressor"]

UNS_KEY = "viability_regressor"
MISSING = ("error", "mean")
MISSING_EFFECTS = ("error", "ignore")


class ViabilityRegressor(RegressorMixin, BaseEstimator):
    """Predict the viability of cell lines when a gene is knocked out or a drug is given, also for genes or lines never seen.

    A line is described by its expression, a gene by its vectors, a drug by the mean vector of its targets. Lines and genes
    are kept apart: the table of features of all pairs is never made.

    Methods are

    - `"hybrid"`: overall mean + effect of the line + effect of the gene + rest. Effects of lines and genes in training are
      the observed ones; those of others, and the rest, are predicted from profiles and vectors by ridge regressions (with a
      Gaussian kernel on vectors), each of which chooses its penalty by leave-one-out and may choose to say nothing.
    - `"ridge"`: the same with linear features only; known lines and genes have no advantage.
    - `"random_forest"`: profile and vector side by side, as in the paper, on a sample of at most `max_pairs` pairs.
    - `"hist_gradient_boosting"`: boosted trees on the same sample.
    - Baselines: `"gene_mean"`, `"line_mean"` and `"two_way"` (overall mean, line and gene effects; unknown effects are 0).

    Parameters
    ----------
    method
        How to predict, see above.
    use_rep
        Gene vectors in `adata.varm`, one name or several. Each entry is a block that counts as much as any other. A row of
        NaN or of zeros is no vector.
    profile
        Expression of the lines in `adata.obsm`; it is reduced to principal components of the training lines.
    layer
        Layer with the viability; None is `adata.X`.
    target_key
        Column of `adata.var` with the target genes of each drug, joined by `+` or `|`. None: columns are genes.
    missing
        What becomes of a gene without any vector or a line without a profile (NaN): an error, or they count as average
        (`"mean"`).
    missing_effects
        Whether NaN among the viabilities to learn from is an error or is left out (`"ignore"`).
    n_components
        Principal components of the profiles, at most.
    n_landmarks
        Genes that the kernel of `"hybrid"` goes through when there are more.
    n_estimators, max_pairs
        Trees, and pairs to grow them on.
    coverage
        Share of observations that intervals are to hold, by conformal prediction over `n_folds` inner folds, in each of
        which the method is fitted again. None: no intervals, and a quicker fit.
    n_folds
        Inner folds.
    permute_vectors
        Give each training gene the vectors of another: a control. What is still predicted, the vectors do not explain.
    rng
        Seed or generator.

    Attributes
    ----------
    model_
        The fitted model.
    n_features_in_
        Width of a profile.

    Notes
    -----
    With arrays, rows are lines: ``fit(X, y)`` takes profiles `X` (L, p) and viability `y` of one gene (L,) or of several
    (L, G), these with ``vectors`` (G, d). ``predict(X)`` then treats every line as new.

    References
    ----------
    The task and the random forest: section A.7 of the DNACLIP paper. Intervals: split conformal prediction
    :cite:p:`Lei2018`.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> import dnaclip
    >>> rng = np.random.default_rng(0)
    >>> vectors, profiles = rng.normal(size=(60, 3)), rng.normal(size=(12, 5))
    >>> effects = vectors[:, 0] + 0.3 * profiles[:, :1] + 0.1 * rng.normal(size=(12, 60))
    >>> adata = ad.AnnData(effects, varm={"dnaclip": vectors}, obsm={"expr": profiles})
    >>> dnaclip.tl.split_viability(adata, "genes")
    >>> regressor = dnaclip.tl.ViabilityRegressor().fit(adata, split="viability_split")
    >>> table = regressor.evaluate(adata)
    >>> overall = table.query("scope == 'overall' and metric == 'pcc'").set_index("method")["value"]
    >>> bool(overall["hybrid"] > 0.9), bool(overall["two_way"] < 0.5)
    (True, True)
    >>> regressor.predict(adata).layers["lower"].shape
    (12, 60)
    """

    def __init__(
        self,
        method: str = "hybrid",
        *,
        use_rep: str | Sequence[str] = DEFAULT_KEY,
        profile: str = "expr",
        layer: str | None = None,
        target_key: str | None = None,
        missing: str = "error",
        missing_effects: str = "error",
        n_components: int = 10,
        n_landmarks: int = 2000,
        n_estimators: int = 100,
        max_pairs: int = 20_000,
        coverage: float | None = 0.9,
        n_folds: int = 3,
        permute_vectors: bool = False,
        rng: int | np.random.Generator | None = 0,
    ) -> None:
        self.method = method
        self.use_rep = use_rep
        self.profile = profile
        self.layer = layer
        self.target_key = target_key
        self.missing = missing
        self.missing_effects = missing_effects
        self.n_components = n_components
        self.n_landmarks = n_landmarks
        self.n_estimators = n_estimators
        self.max_pairs = max_pairs
        self.coverage = coverage
        self.n_folds = n_folds
        self.permute_vectors = permute_vectors
        self.rng = rng

    def fit(
        self,
        X: anndata.AnnData | ArrayLike,
        y: ArrayLike | None = None,
        *,
        vectors: Any = None,
        profiles: Any = None,
        split: str | None = None,
    ) -> Self:
        """Learn from lines x genes.

        Parameters
        ----------
        X
            AnnData of viabilities, lines x genes (or drugs), never changed; or profiles (L, p), then with `y`.
        y
            Viability (L,) or (L, G) when `X` is an array.
        vectors
            DataFrame of vectors by gene, instead of varm; or an array (G, d) beside arrays.
        profiles
            AnnData or DataFrame with the expression of the lines by name, instead of obsm.
        split
            Column that :func:`dnaclip.tl.split_viability` wrote into `obs` and `var`: `train` trains. None: all.

        Returns
        -------
        The regressor itself.

        Raises
        ------
        MissingKeyError
            A key or column is absent.
        InputError
            Viability is infinite, NaN against `missing_effects` or for a whole line or gene; names repeat; there are fewer
            than two lines; a profile is not finite; a gene has no vector against `missing`; an option is out of range.
        """
        self._check_options()
        from dnaclip.tl._viability.model import fit_model

        if _is_adata(X):
            if y is not None:
                msg = "With an AnnData the viability is its X or layer: leave y out."
                raise InputError(msg)
            effects, rows, lines, found = self._read_training(X, vectors, profiles, split)
        else:
            effects, rows, lines, found = self._arrays(X, y, vectors)
        self.n_features_in_ = rows.shape[1]
        self.model_: ViabilityModel = fit_model(
            self.method,
            effects,
            rows,
            lines,
            found.values,
            found.names,
            found.blocks,
            seed=torch_seed(as_generator(self.rng)),
            permute_vectors=self.permute_vectors,
            coverage=self.coverage,
            n_folds=self.n_folds,
            n_components=self.n_components,
            n_landmarks=self.n_landmarks,
            n_estimators=self.n_estimators,
            max_pairs=self.max_pairs,
        )
        return self

    def predict(self, X: anndata.AnnData | ArrayLike, *, vectors: Any = None, profiles: Any = None) -> Any:
        """Predict the viability of lines under perturbations, seen in training or not.

        Parameters
        ----------
        X
            AnnData with the lines to predict (obs), and the genes (var) unless `vectors` names others; its X is not read.
            Or profiles (L, p).
        vectors
            DataFrame: predict the genes of its index. Array (J, d) beside an array `X`: predict these, as genes not seen.
        profiles
            As for :meth:`fit`.

        Returns
        -------
        For an AnnData a new one, lines x genes: `X`, and with intervals `layers["lower"]` and `layers["upper"]`, float32;
        `in_training` in `obs` and `var`; `has_vector` in `var`. For arrays an array (L,) or (L, G).

        Raises
        ------
        InputError
            The regressor is not fitted, vectors or profiles are of another width, or a gene has no vector against `missing`.
        """
        check_is_fitted(self, "model_")
        if not _is_adata(X):
            return self._predicted_array(X, vectors)
        pairs, found = self._read_pairs(X, vectors, profiles)
        return self._adata(X, found, pairs)

    def evaluate(
        self,
        adata: anndata.AnnData,
        *,
        profiles: Any = None,
        vectors: pd.DataFrame | None = None,
        n_permutations: int = 0,
    ) -> pd.DataFrame:
        """Score predictions of what did not train, beside the baselines.

        Parameters
        ----------
        adata
            Lines x genes with observed viability. Pairs of a training line and a training gene are not judged.
        profiles, vectors
            As for :meth:`fit`.
        n_permutations
            Fit the method again so often with permuted vectors, as a control, and add the means of the scores
            (`"<method>, permuted vectors"`). A single permutation strays; `adata` must hold the training lines and genes.

        Returns
        -------
        The columns `method`, `held_out` (`genes`, `lines` or `both`) and those of :func:`dnaclip.metrics.viability`.

        Raises
        ------
        InputError
            All lines and genes of `adata` were in training, or training data for the control are not there.
        """
        from dnaclip.tl._viability.evaluate import evaluate_regressor

        check_is_fitted(self, "model_")
        check_count("n_permutations", n_permutations, least=0)
        return evaluate_regressor(self, adata, profiles=profiles, vectors=vectors, n_permutations=n_permutations)

    def importance(
        self,
        adata: anndata.AnnData,
        *,
        profiles: Any = None,
        vectors: pd.DataFrame | None = None,
        features: str = "blocks",
        n_repeats: int = 5,
        rng: int | np.random.Generator | None = 0,
    ) -> pd.DataFrame:
        """Say how much worse predictions of what did not train become when a feature is shuffled.

        Parameters
        ----------
        adata, profiles, vectors
            As for :meth:`evaluate`.
        features
            `"blocks"`: the profile, and each entry of `use_rep` as a whole. `"dimensions"`: each dimension of the vectors.
        n_repeats
            Shuffles of each.
        rng
            Seed or generator.

        Returns
        -------
        One row per situation and feature: `held_out`, `feature`, `mse_increase` (mean over shuffles), `sd` and `mse`
        (unshuffled). Profiles are shuffled among lines, vectors among the genes to predict.
        """
        from dnaclip.tl._viability.importance import feature_importance

        check_is_fitted(self, "model_")
        check_choice("features", features, ("blocks", "dimensions"))
        check_count("n_repeats", n_repeats)
        pairs, found = self._read_pairs(adata, vectors, profiles)
        observed = read_effects(adata, self.layer)[:, adata.var_names.get_indexer(found.names)]
        names = [self.use_rep] if isinstance(self.use_rep, str) else list(self.use_rep)
        names = names if len(names) == len(found.blocks) else ["vectors"]
        return feature_importance(
            self.model_, pairs, observed, names, features=features, n_repeats=n_repeats, rng=as_generator(rng)
        )

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the regressor to a folder: `config.json`, `model.safetensors`, `README.md`; whole or not at all."""
        from dnaclip.tl._viability.save import save_regressor

        check_is_fitted(self, "model_")
        return save_regressor(self, folder)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Read a regressor that :meth:`save` wrote; every byte is checked. It predicts exactly as before."""
        from dnaclip.tl._viability.save import load_regressor

        return load_regressor(cls, folder)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _check_options(self) -> None:
        from dnaclip.models._viability.methods import METHODS

        check_choice("method", self.method, METHODS)
        check_choice("missing", self.missing, MISSING)
        check_choice("missing_effects", self.missing_effects, MISSING_EFFECTS)
        least = {"n_components": 1, "n_landmarks": 2, "n_estimators": 1, "max_pairs": 2, "n_folds": 2}
        for name, low in least.items():
            check_count(name, getattr(self, name), least=low)
        if self.coverage is not None and not 0 < self.coverage < 1:
            msg = f"coverage must be between 0 and 1, or None for no intervals, got {self.coverage!r}."
            raise InputError(msg)

    def _read_training(
        self, adata: anndata.AnnData, vectors: Any, profiles: Any, split: str | None
    ) -> tuple[np.ndarray, np.ndarray, pd.Index, GeneVectors]:
        effects = read_effects(adata, self.layer)
        train_lines, train_genes = training_masks(adata, split)
        adata = adata[train_lines, train_genes]
        effects = effects[np.ix_(train_lines, train_genes)]
        if len(effects) < 2:
            msg = f"There are {len(effects)} lines to learn from; at least 2 are needed."
            raise InputError(msg)
        check_effects(effects, adata.obs_names, adata.var_names, self.missing_effects)
        rows = read_profiles(adata, self.profile, profiles, self.missing)
        found = read_vectors(adata, self.use_rep, self.target_key, vectors)
        self._check_vectors(found)
        return effects, rows, adata.obs_names, found

    def _check_vectors(self, found: GeneVectors) -> None:
        from dnaclip.models._viability.methods import BASELINES

        if self.missing == "error" and self.method not in BASELINES and not found.known.all():
            without = found.names[~found.known]
            msg = (
                f"{len(without)} of {len(found.names)} genes have no vector: {examples(without)}. Leave them out, give vectors=, "
                "or use missing='mean' to do with what is known without."
            )
            raise InputError(msg)

    def _arrays(
        self, X: ArrayLike, y: ArrayLike | None, vectors: Any
    ) -> tuple[np.ndarray, np.ndarray, pd.Index, GeneVectors]:
        options = {"dtype": np.float64, "ensure_min_samples": 2, "multi_output": True, "y_numeric": True}
        rows, target = validate_data(self, X, y, **options)
        effects = np.asarray(target, dtype=np.float64)
        self._one_gene = effects.ndim == 1
        effects = effects.reshape(len(rows), -1)
        values = np.zeros((effects.shape[1], 0)) if vectors is None else np.asarray(vectors, dtype=np.float64)
        if values.ndim != 2 or len(values) != effects.shape[1]:
            msg = f"vectors must have one row for each of the {effects.shape[1]} genes of y, got shape {values.shape}."
            raise InputError(msg)
        found = GeneVectors(pd.RangeIndex(len(values)).astype(str), values, (values.shape[1],) if values.size else ())
        if values.size:
            self._check_vectors(found)
        return effects, rows, pd.RangeIndex(len(rows)).astype(str), found

    def _predicted_array(self, X: ArrayLike, vectors: Any) -> np.ndarray:
        from dnaclip.models._viability.method import Pairs

        rows, model = validate_data(self, X, dtype=np.float64, reset=False), self.model_
        values = model.vectors if vectors is None else np.asarray(vectors, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != model.vectors.shape[1]:
            msg = f"vectors must be genes x {model.vectors.shape[1]}, as in training, got shape {values.shape}."
            raise InputError(msg)
        genes = np.arange(len(values)) if vectors is None else np.full(len(values), -1)
        predicted = model.method.predict(Pairs(rows, values, np.full(len(rows), -1), genes))
        return predicted[:, 0] if getattr(self, "_one_gene", False) and vectors is None else predicted

    def _read_pairs(self, adata: anndata.AnnData, vectors: Any, profiles: Any) -> tuple[Pairs, GeneVectors]:
        """Return the lines of `adata`, and its genes or those of `vectors`."""
        model = self.model_
        rows = read_profiles(adata, self.profile, profiles, self.missing)
        if self.target_key is None and isinstance(vectors, pd.DataFrame):
            asked = vectors.index.astype(str)
            found = read_vectors(_columns(asked), self.use_rep, None, vectors.set_axis(asked))
        else:
            found = read_vectors(adata, self.use_rep, self.target_key, vectors)
        if rows.shape[1] != model.n_profile or found.blocks != model.blocks:
            msg = (
                f"The regressor was trained on profiles of {model.n_profile} and vectors of {list(model.blocks)} numbers, but got "
                f"{rows.shape[1]} and {list(found.blocks)}. Give profiles and vectors of the same kind, in the same order."
            )
            raise InputError(msg)
        self._check_vectors(found)
        return model.pairs(rows, adata.obs_names, found.values, found.names), found

    def _adata(self, adata: anndata.AnnData, found: GeneVectors, pairs: Pairs) -> anndata.AnnData:
        import anndata as ad

        predicted = self.model_.method.predict(pairs)
        layers = {}
        if np.isfinite(self.model_.half_widths).any():
            half = self.model_.widths(pairs)
            layers = {"lower": np.float32(predicted - half), "upper": np.float32(predicted + half)}
        params = {**self.get_params(), "dnaclip_version": __version__}
        return ad.AnnData(
            predicted.astype(np.float32),
            obs=pd.DataFrame({"in_training": pairs.lines >= 0}, index=adata.obs_names.copy()),
            var=pd.DataFrame({"in_training": pairs.genes >= 0, "has_vector": found.known}, index=found.names.copy()),
            layers=layers,
            uns={UNS_KEY: {"params": clean_params(params)}},
        )


def _is_adata(X: object) -> bool:
    from anndata import AnnData

    return isinstance(X, AnnData)


def _columns(names: pd.Index) -> anndata.AnnData:
    from anndata import AnnData

    return AnnData(shape=(0, len(names)), var=pd.DataFrame(index=names))
