"""Predict the viability of cell lines after a perturbation from expression and gene vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from dnaclip._errors import InputError
from dnaclip._keys import DEFAULT_KEY
from dnaclip._validate import as_generator, check_choice, check_count, torch_seed
from dnaclip.tl._viability.data import read_effects
from dnaclip.tl._viability.prediction import is_adata, pairs_of_adata, predict_adata, predict_arrays

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Self

    import anndata
    import numpy as np
    import pandas as pd
    from numpy.typing import ArrayLike

    from dnaclip.tl._viability.model import ViabilityModel

__all__ = ["ViabilityRegressor"]


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
    one_gene_
        Whether the viability of one gene was given as an array (L,), and predictions come as one.

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
        from dnaclip.tl._viability.model import fit_model
        from dnaclip.tl._viability.training import check_options, training_of_adata, training_of_arrays

        check_options(self)
        if is_adata(X):
            if y is not None:
                msg = "With an AnnData the viability is its X or layer: leave y out."
                raise InputError(msg)
            training = training_of_adata(self, X, vectors, profiles, split)
        else:
            training = training_of_arrays(self, X, y, vectors)
        self.n_features_in_ = training.profiles.shape[1]
        self.one_gene_ = training.one_gene
        self.model_: ViabilityModel = fit_model(
            self.method,
            training.effects,
            training.profiles,
            training.lines,
            training.genes.values,
            training.genes.names,
            training.genes.blocks,
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
        if not is_adata(X):
            return predict_arrays(self, X, vectors)
        pairs, found = pairs_of_adata(self, X, vectors, profiles)
        return predict_adata(self, X, pairs, found)

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
        pairs, found = pairs_of_adata(self, adata, vectors, profiles)
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
