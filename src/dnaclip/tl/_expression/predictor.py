"""Predict the expression of genes that were never measured, from their vectors, behind one interface."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from dnaclip._errors import InputError, examples
from dnaclip._keys import DEFAULT_KEY
from dnaclip._validate import as_generator, check_choice, torch_seed
from dnaclip.tl._adata import check_adata
from dnaclip.tl._expression.data import read_targets
from dnaclip.tl._expression.vectors import read_gene_vectors
from dnaclip.tl._split_marks import train_and_validation

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Self

    import anndata
    import pandas as pd
    from numpy.typing import ArrayLike

    from dnaclip.models._expression.model import ExpressionModel
    from dnaclip.tl._expression.vectors import GeneVectors

__all__ = ["ExpressionPredictor"]

# Above this, expression is hardly a logarithm.
LARGEST_LOG = 30.0


class ExpressionPredictor:
    """Predict how strongly a gene is expressed in each cell type or tissue, also for genes that are not in the data.

    Genes are examples, groups of cells are what is predicted: the predictor says what a *new gene* does in *known* groups,
    never what a known gene does in a new one.

    Methods are

    - `"hybrid"`: ridge, and the correction that a network adds to it, weighed by how much it helps on genes held out from
      training. A network that does not help has no weight; see `parts_`.
    - `"ridge"`: :class:`dnaclip.models.GeneRidge`, linear and with a kernel, penalties chosen by leave-one-out.
    - `"unicorn"`: the network alone, after UNICORN :cite:p:`LiuUnicorn2025`, with its losses and variants.
    - Baselines: `"train_mean"`, the mean of the training genes in each group, and `"gene_mean"`, one number for everything.

    Parameters
    ----------
    adata
        Log-normalised expression, groups or cells by genes; dense, sparse, dask or backed. It is read in blocks and never
        changed.
    use_rep
        Gene vectors in `adata.varm`, as :func:`dnaclip.tl.embed` writes them; several keys are put side by side. Rows of NaN
        or zeros are no vectors; genes without any are left out.
    groupby
        Column of `adata.obs`, or several, by which cells become pseudobulks; see :func:`dnaclip.tl.pseudobulk`. None: every
        row of `adata` is a group.
    layer
        Layer to read; None is `adata.X`.
    method
        How to predict, see above.
    donor_key
        Column of `adata.obs` with the donor, for a pseudobulk per donor and group.
    rng
        Seed. The same seed, data and options give the same predictions.
    device
        Where the network trains: `"auto"`, `"cpu"`, `"cuda"`, `"cuda:1"`.
    options
        Options of the method. `"ridge"` and `"hybrid"` take those of :class:`dnaclip.models.GeneRidge`, such as
        `n_landmarks`; `"unicorn"` and `"hybrid"` those of :class:`dnaclip.models.ExpressionNetConfig`, such as `loss`,
        `variant` and `max_epochs`; `"hybrid"` takes `learns="residual"` for a network that sees only what ridge leaves over
        (of training genes, each left out in turn), in place of `"expression"`.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> import dnaclip
    >>> rng = np.random.default_rng(0)
    >>> vectors = rng.normal(size=(80, 4)).astype("float32")
    >>> adata = ad.AnnData(np.abs(vectors[:, :3].T), obs={"cell_type": ["B", "NK", "T"]})
    >>> adata.varm["dnaclip"] = vectors
    >>> adata.var["split"] = ["train"] * 60 + ["test"] * 20
    >>> predictor = dnaclip.tl.ExpressionPredictor(adata, method="ridge").fit(train="split")
    >>> predicted = predictor.predict(["70", "71"])
    >>> predicted.X.shape, predicted.layers["lower"].shape, predicted.layers["upper"].shape
    ((3, 2), (3, 2), (3, 2))
    >>> scores = predictor.evaluate(baselines=False)
    >>> bool(scores.query("metric == 'cell_pcc' and group == 'all'")["value"].item() > 0.5)
    True
    """

    def __init__(
        self,
        adata: anndata.AnnData,
        use_rep: str | Sequence[str] = DEFAULT_KEY,
        groupby: str | Sequence[str] | None = None,
        layer: str | None = None,
        method: str = "hybrid",
        *,
        donor_key: str | None = None,
        rng: int | np.random.Generator | None = 0,
        device: str = "auto",
        **options: Any,
    ) -> None:
        from dnaclip.models._expression.model import EXPRESSION_METHODS, check_expression_options

        check_adata(adata)
        check_choice("method", method, EXPRESSION_METHODS)
        check_expression_options(method, options)
        self.adata: anndata.AnnData | None = adata
        self.use_rep = use_rep if isinstance(use_rep, str) else list(use_rep)
        self.groupby = groupby if groupby is None or isinstance(groupby, str) else list(groupby)
        self.layer = layer
        self.method = method
        self.donor_key = donor_key
        # A generator is drawn from once, so that fitting again gives the same.
        self.rng = torch_seed(as_generator(rng))
        self.device = device
        self.options = options
        self.train_: str | ArrayLike | None = None
        self.model_: ExpressionModel | None = None

    def __repr__(self) -> str:
        state = "not fitted"
        if self.model_ is not None:
            state = f"fitted to {len(self.train_genes_)} genes in {len(self.obs_)} groups"
        return f"{type(self).__name__}(method={self.method!r}, {state})"

    def fit(
        self,
        *,
        train: str | ArrayLike | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
        progress: bool = True,
    ) -> Self:
        """Learn from the genes of `adata`.

        Parameters
        ----------
        train
            Which genes train: booleans, a column of `adata.var` that holds booleans, or one that
            :func:`dnaclip.tl.split_genes` wrote, of which `train` trains, and `validation` judges the network and sets the
            width of the intervals. None: all genes; then a network holds out a tenth for that.
        checkpoint
            File that keeps the state of the network's training.
        resume
            Go on from `checkpoint`, to the same result as without a break.
        progress
            Show a bar while the network trains.

        Returns
        -------
        The predictor itself.

        Raises
        ------
        MissingKeyError
            A column, layer or `use_rep` is absent.
        InputError
            Values are NaN or infinite, names of genes repeat, or too few genes with a vector train.

        Warns
        -----
        UserWarning
            Once, if the expression does not look like a logarithm.
        """
        from dnaclip.train._expression.fit import fit_expression_model

        if self.adata is None:
            msg = "A predictor that was loaded from a folder has no genes to fit. Make a new one from adata."
            raise InputError(msg)
        training, validation = train_and_validation(self.adata, train, of="gene")
        vectors, values, known = read_gene_vectors(self.adata, self.use_rep)
        targets = read_targets(self.adata, self.groupby, self.donor_key, self.layer)
        if targets.values.max() > LARGEST_LOG:
            msg = (
                f"The expression reaches {targets.values.max():.4g}, so it is no logarithm: a few genes will decide everything. "
                "Use scanpy.pp.log1p(adata), or groupby for counts of single cells."
            )
            warnings.warn(msg, UserWarning, stacklevel=2)
        run = {"checkpoint": checkpoint, "resume": resume, "progress": progress}
        model = fit_expression_model(
            values,
            targets.values,
            np.flatnonzero(training & known),
            np.flatnonzero(validation & known & ~training),
            method=self.method,
            options=self.options,
            seed=self.rng,
            device=self.device,
            **run,
        )
        means = targets.values[training & known].mean(axis=0, dtype=np.float64)
        self._set(model, vectors, targets.obs, tuple(targets.genes[training & known]), means)
        self.train_ = train
        return self

    def _set(
        self,
        model: ExpressionModel,
        vectors: GeneVectors,
        obs: pd.DataFrame,
        train_genes: tuple[str, ...],
        group_means: np.ndarray,
    ) -> None:
        self.model_, self.vectors_, self.obs_ = model, vectors, obs
        self.train_genes_, self.group_means_ = train_genes, group_means

    @property
    def parts_(self) -> pd.DataFrame:
        """What the network of `"hybrid"` weighs beside the ridge, judged on validation genes.

        A row for the `level` of genes, their mean over groups, and one for their `pattern`, what the groups add to it; with
        the `weight`, the mean squared error of the ridge and of both together, and the number of genes. Empty for others.
        """
        return self._fitted.judged

    @property
    def history_(self) -> pd.DataFrame:
        """Losses of the network by epoch, see :func:`dnaclip.train.fit_expression_net`; empty without a network."""
        return self._fitted.history

    def predict(
        self,
        genes: str | Iterable[str] | None = None,
        *,
        texts: Mapping[str, str] | None = None,
        sequences: Mapping[str, str] | None = None,
        vectors: pd.DataFrame | None = None,
        coverage: float = 0.9,
    ) -> anndata.AnnData:
        """Predict genes by name, by what is written about them, by their DNA, or by vectors.

        Parameters
        ----------
        genes
            Names as in the data, or identifiers that the embedding table knows. None: without texts, sequences and vectors,
            all genes of the data that did not train.
        texts
            Name of each gene to a description of its function.
        sequences
            Name of each gene to its DNA, as for :meth:`dnaclip.models.DnaClip.encode_dna`.
        vectors
            Vectors of the same kind by gene (index), such as those of another species; only with a single `use_rep`.
        coverage
            Share of genes whose observed value should lie between the bounds.

        Returns
        -------
        A new AnnData, groups by genes, float32, with

        `X`
            Predicted expression, on the scale of the data that was learned from.
        `layers["lower"]`, `layers["upper"]`
            Conformal bounds, infinite when too few genes calibrate them.
        `var["source"]`
            `name`, `text`, `sequence` or `vector`.
        `var["in_training"]`
            Whether the gene was trained on.

        Raises
        ------
        InputError
            The predictor is not fitted, a gene has no vector, or there is nothing to predict.
        """
        from dnaclip.tl._expression.predict import predict_genes

        _ = self._fitted
        return predict_genes(self, genes, texts=texts, sequences=sequences, vectors=vectors, coverage=coverage)

    def evaluate(
        self,
        test: str | ArrayLike | None = None,
        *,
        adata: anndata.AnnData | None = None,
        baselines: bool = True,
        controls: bool = False,
        by_gene: bool = False,
        coverage: float = 0.9,
    ) -> pd.DataFrame:
        """Score predictions of genes that did not train, beside baselines and controls.

        Parameters
        ----------
        test
            Genes to judge: booleans, or a column of `var` with booleans or with the word `test`. None: the column given to
            :meth:`fit`, or all genes that did not train. Genes without a vector are left out.
        adata
            Data to judge by, with the same groups; None: those that the predictor was made with.
        baselines
            Add `train_mean` and `gene_mean`, and `ridge` for methods with a network.
        controls
            Add the method itself, fitted again with vectors that say nothing: `permuted` (each with another gene) and
            `random` (normal). Where these do as well, the vectors are of no use.
        by_gene
            A row for each gene with `gene_pcc`, `gene_pcc_centred` and `mse`, in place of the summary.
        coverage
            Coverage that intervals are asked for; the metric `coverage` says what they have.

        Returns
        -------
        The table of :func:`dnaclip.metrics.expression` with the columns `method` and `vectors` before it.

        Raises
        ------
        InputError
            No gene is held out, or the groups are others than those learned.
        """
        from dnaclip.tl._expression.evaluate import evaluate_predictor

        _ = self._fitted
        return evaluate_predictor(
            self, test, adata=adata, baselines=baselines, controls=controls, by_gene=by_gene, coverage=coverage
        )

    def calibration(
        self,
        test: str | ArrayLike | None = None,
        *,
        adata: anndata.AnnData | None = None,
        levels: Sequence[float] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95),
    ) -> pd.DataFrame:
        """Compare how often intervals hold the observed expression with how often they should.

        Parameters
        ----------
        test, adata
            As for :meth:`evaluate`.
        levels
            Coverages to ask for.

        Returns
        -------
        One row per level and group (`all` for all of them), with `nominal`, `group`, `coverage` and `width`.
        """
        from dnaclip.tl._expression.evaluate import calibrate_predictor

        _ = self._fitted
        return calibrate_predictor(self, test, adata=adata, levels=levels)

    def attribute(
        self,
        gene: str,
        group: str | None = None,
        *,
        by: str = "genes",
        sequence: str | None = None,
        n_top: int = 10,
    ) -> pd.DataFrame:
        """Say what a prediction rests on.

        Parameters
        ----------
        gene
            A gene as for :meth:`predict`; with `sequence` a name of your choice.
        group
            Group whose prediction is explained. None: the mean over groups.
        by
            - `"genes"`: the training genes with the most similar vectors, their cosine and observed expression, if the
              predictor has its data.
            - `"dimensions"`: dimensions of the vector; `attribution` is gradient times value, so to first order what the
              prediction would lose without it.
            - `"sequence"`: composition features of the DNA (words, codons, residues, lengths, see
              :func:`dnaclip.encoders.composition_names`) of a gene given by `sequence`; `attribution` is gradient times
              standardised feature, taken through the composition part of the DNA encoder alone: what comes from relatives
              in the model's memory has no features of its own. Needs vectors of the modality `dna` or `joint`.
        sequence
            DNA of the gene.
        n_top
            Rows to return.

        Returns
        -------
        A table, the strongest first.

        Raises
        ------
        InputError
            The gene or group is not known, or the vectors were not made from DNA by a dnaclip model.
        """
        from dnaclip.tl._expression.attribute import attribute_prediction

        _ = self._fitted
        return attribute_prediction(self, gene, group, by=by, sequence=sequence, n_top=n_top)

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the predictor to a folder that needs no other file: `config.json`, `model.safetensors` and `README.md`.

        With it go the gene vectors and the names of the training genes, and no expression of single genes. The folder appears
        whole or not at all; an earlier model there is replaced.
        """
        from dnaclip.tl._expression.save import save_predictor

        return save_predictor(self, folder)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Read a predictor that :meth:`save` wrote; every byte of it is checked. It predicts, and cannot be fitted again."""
        from dnaclip.tl._expression.save import load_predictor

        return load_predictor(cls, folder)

    @property
    def _fitted(self) -> ExpressionModel:
        if self.model_ is None:
            msg = "This ExpressionPredictor has not been fitted. Call fit() first."
            raise InputError(msg)
        return self.model_

    def _vectors_of(self, genes: Sequence[str]) -> np.ndarray:
        """Return the vectors of genes by name, (n, d), or raise."""
        values, known, why = self.vectors_.find(genes)
        without = [gene for gene, ok in zip(genes, known, strict=True) if not ok]
        if without:
            msg = f"{len(without)} of {len(genes)} genes have no vector: {examples(without)}. {why}"
            raise InputError(msg)
        return values
