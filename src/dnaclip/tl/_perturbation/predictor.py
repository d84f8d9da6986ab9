"""Predict the expression of perturbed cells from gene vectors, by any of the methods, behind one interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dnaclip._conditions import CONTROL
from dnaclip._errors import InputError
from dnaclip._keys import DEFAULT_KEY
from dnaclip._validate import as_generator, check_choice, check_count, torch_seed
from dnaclip.tl._adata import check_adata
from dnaclip.tl._perturbation.answer import generated, predicted, requested
from dnaclip.tl._perturbation.vectors import MISSING, VectorSource

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Self

    import anndata
    import pandas as pd
    from numpy.typing import ArrayLike

    from dnaclip.models._perturbation.model import PerturbationModel

__all__ = ["PerturbationPredictor"]


class PerturbationPredictor:
    """Predict what a perturbation does to the expression of cells, also for genes that were never perturbed.

    Effects are learned as functions of the vectors of the perturbed genes, summed over the genes of a combination. What
    is predicted is the shift of the mean from the control cells of the same context (cell line or type).

    Methods are

    - `"hybrid"`: ridge, additive effects, neighbours, means and the network of `"sclambda"`, stacked. It starts from
      the simplest: which genes are perturbed (`"identity"`), and for genes that training never saw the mean of all
      perturbations, shrunk. Vectors, a weighted mean and the network each have to predict perturbations held out from
      training better beyond noise, or have no weight; see `parts_`. An inner network is trained to weigh the
      network; `network=False` does without both, in seconds.
    - `"ridge"`: kernel ridge regression of mean shifts on vectors, its penalties chosen by leave-one-out.
    - `"sclambda"`: the disentangled variational autoencoder of scLAMBDA :cite:p:`Wang2024`, which predicts cells.
    - Baselines: `"no_change"`, `"perturbed_mean"` (of the context), `"additive"`, `"identity"` (ridge on which genes are
      perturbed and nothing else), `"knn"`, `"linear_pca"` and `"other_context"` (what the same perturbation did there).

    `"hybrid"`, `"ridge"` and `"identity"` predict standard deviations too.

    Parameters
    ----------
    adata
        Log-normalised expression of control and perturbed cells; dense, sparse, dask or backed. It is read in blocks and
        never changed.
    use_rep
        Gene vectors in `adata.varm`, as :func:`dnaclip.tl.embed` writes them. Perturbed genes that were not measured are
        looked up in the embedding table that `adata.uns[use_rep]` names. Rows of NaN or zeros are no vectors.
    perturbation_key
        Column of `adata.obs` with the perturbed genes of each cell, joined by `+` in any order; the control may stand
        among them: `A`, `A+ctrl`, `A+B`, `A+B+C`.
    control
        Name of the control condition.
    context_key
        Column of `adata.obs` with the cell line or type. A context can be predicted as soon as its control cells are in
        training.
    layer
        Layer to read; None is `adata.X`.
    method
        How to predict, see above.
    vectors
        Gene vectors by gene (index), used before those in varm, which they may replace altogether.
    context_vectors
        Vectors of the contexts by name (index), such as text embeddings of the cell lines, for the network. None: where
        their control cells lie among each other.
    missing
        What becomes of a perturbation with a gene without a vector: an error, left out (`"drop"`, in training and
        prediction), or the vector zero for this gene.
    rng
        Seed. The same seed, data and options give the same predictions.
    device
        Where the network trains: `"auto"`, `"cpu"`, `"cuda"`, `"cuda:1"`.
    options
        Options of the method. `"hybrid"` and `"sclambda"` take those of :class:`dnaclip.models.PerturbationVaeConfig`, such
        as `max_epochs`, and `target_head=True` for a head that predicts the targeted genes themselves, and
        `precision="bf16-mixed"` on a GPU; `"knn"` takes `n_neighbors`.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> import dnaclip
    >>> rng = np.random.default_rng(0)
    >>> vectors = rng.normal(size=(20, 4))
    >>> condition = np.repeat(["ctrl", *(f"gene{i}+ctrl" for i in range(15))], 30)
    >>> effect = np.vstack([np.zeros(20), 0.3 * vectors[:15] @ vectors.T])
    >>> x = np.log1p(5 * rng.random((480, 20))) + np.repeat(effect, 30, axis=0).clip(min=0)
    >>> adata = ad.AnnData(x, obs={"condition": condition}, var={"name": [f"gene{i}" for i in range(20)]})
    >>> adata.var_names = adata.var["name"]
    >>> adata.varm["dnaclip"] = vectors
    >>> predictor = dnaclip.tl.PerturbationPredictor(adata, method="ridge").fit()
    >>> predicted = predictor.predict(["gene3", "gene19+gene17"])
    >>> predicted.obs[["n_genes", "n_genes_known", "in_training"]]
                   n_genes  n_genes_known  in_training
    gene3                1              1         True
    gene17+gene19        2              2        False
    >>> predicted.X.shape, predicted.layers["delta"].shape, predicted.layers["std"].shape
    ((2, 20), (2, 20), (2, 20))
    """

    def __init__(
        self,
        adata: anndata.AnnData,
        use_rep: str = DEFAULT_KEY,
        perturbation_key: str = "condition",
        control: str = CONTROL,
        context_key: str | None = None,
        layer: str | None = None,
        method: str = "hybrid",
        *,
        vectors: pd.DataFrame | None = None,
        context_vectors: pd.DataFrame | None = None,
        missing: str = "error",
        rng: int | np.random.Generator | None = 0,
        device: str = "auto",
        **options: Any,
    ) -> None:
        from dnaclip.models._perturbation.model import METHODS, check_options

        check_adata(adata)
        check_choice("method", method, METHODS)
        check_choice("missing", missing, MISSING)
        check_options(method, options)
        self.adata: anndata.AnnData | None = adata
        self.use_rep = use_rep
        self.perturbation_key = perturbation_key
        self.control = control
        self.context_key = context_key
        self.layer = layer
        self.method = method
        self.vectors = vectors
        self.context_vectors = context_vectors
        self.missing = missing
        # A generator is drawn from once, so that fitting again gives the same.
        self.rng = torch_seed(as_generator(rng))
        self.device = device
        self.options = options
        self.source_ = VectorSource((), np.zeros((0, 0), dtype=np.float32))
        self.train_: str | ArrayLike | None = None
        self.model_: PerturbationModel | None = None

    def __repr__(self) -> str:
        state = "not fitted"
        if self.model_ is not None:
            n_conditions, n_genes = len(set(self.model_.shifts.conditions)), len(self.model_.genes)
            state = f"fitted to {n_conditions} perturbations, {n_genes} genes"
        return f"{type(self).__name__}(method={self.method!r}, {state})"

    def fit(
        self,
        *,
        train: str | ArrayLike | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
        progress: bool = True,
    ) -> Self:
        """Learn from the cells of `adata`.

        Processes that `torchrun` started train the network together. Let the first of them alone save the predictor.

        Parameters
        ----------
        train
            Which cells train: booleans, a column of `adata.obs` that holds booleans, or one that
            :func:`dnaclip.tl.split_perturbations` wrote, of which `train` trains, and `validation` tells the network when
            to stop. None: all.
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
            There is no control, a cell has no condition, values are NaN or infinite, names of genes repeat, or perturbed
            genes have no vector and `missing="error"`.

        Warns
        -----
        UserWarning
            Once, if the expression looks like raw counts.
        """
        from dnaclip.tl._perturbation.fitting import fit_predictor

        fit_predictor(self, train, checkpoint=checkpoint, resume=resume, progress=progress)
        return self

    @property
    def parts_(self) -> pd.DataFrame:
        """What each part of the prediction weighs, a table with the columns `part` and `weight`.

        For `"hybrid"` there is a row for each part in each `situation`, that is, what training knows of the perturbation: the
        same one in another context; all, some or none of its genes. `n_left_out`, `pcc` and `mse` say on how many held-out
        shifts the part was judged and how it did.
        """
        return self._fitted.parts

    @property
    def history_(self) -> pd.DataFrame:
        """Losses of the network by epoch, see :func:`dnaclip.train.fit_vae`; empty without a network."""
        return self._fitted.history

    def predict(
        self, conditions: str | Iterable[str], *, contexts: str | Iterable[str] | None = None
    ) -> anndata.AnnData:
        """Predict the mean expression of cells under perturbations, seen in training or not.

        Parameters
        ----------
        conditions
            Names such as `A`, `A+B` or `A+B+C`, in any order of genes.
        contexts
            Cell lines or types to predict them in. None: all whose control cells were in training.

        Returns
        -------
        A new AnnData with one row per condition and context. It holds

        `X`
            Mean expression, float32: that of the context's control cells plus `delta`. It is not clipped at zero.
        `layers["delta"]`
            Shift of the mean from the control cells.
        `layers["std"]`
            Standard deviation of its error, for methods that know one.
        `obs`
            The condition (genes sorted) and context under their keys; `n_genes`, the number of perturbed genes;
            `n_genes_known`, how many of them have a vector, or were perturbed in training for methods that read none;
            `in_training`, whether this very perturbation was trained on in this context.

        Raises
        ------
        InputError
            The predictor is not fitted, a context has no control cells in training, a name is no condition, or genes have
            no vector and `missing="error"`.
        """
        return predicted(self, requested(self, conditions, contexts))

    def generate(
        self,
        conditions: str | Iterable[str],
        n_cells: int = 100,
        *,
        contexts: str | Iterable[str] | None = None,
        rng: int | np.random.Generator | None = 0,
    ) -> anndata.AnnData:
        """Generate cells under perturbations.

        The network of `"sclambda"` draws them from its prior: expected expression, without the noise of counting.
        All other methods draw from the control cells of the context and add the predicted shift; so does `"hybrid"`, unless
        the network has a weight in the prediction (see `parts_`): then it draws from the network and moves these cells to
        the predicted mean. Where training has no negative expression, values below zero are set to zero, which can raise
        the mean of genes that are rarely expressed: take means from :meth:`predict`.

        Parameters
        ----------
        conditions, contexts
            As for :meth:`predict`.
        n_cells
            Cells for each condition and context.
        rng
            Seed or generator.

        Returns
        -------
        A new AnnData, dense float32, with the columns of :meth:`predict` in `obs`.
        """
        check_count("n_cells", n_cells)
        generator = as_generator(rng)
        return generated(self, requested(self, conditions, contexts), n_cells, generator)

    def evaluate(
        self,
        test: str | ArrayLike | None = None,
        *,
        adata: anndata.AnnData | None = None,
        group_key: str | None = None,
        baselines: bool = False,
        controls: bool = False,
        n_cells: int | None = None,
        **options: Any,
    ) -> pd.DataFrame:
        """Score predictions of perturbations that did not train, beside baselines and controls.

        Parameters
        ----------
        test
            Cells to predict: booleans, or a column of `obs` with booleans or with the word `test`. None: the column given
            to :meth:`fit`, or the cells that did not train. A perturbation is judged by all of its cells outside training.
        adata
            Cells to judge by, controls included; None: those that the predictor was made with.
        group_key
            Column of `obs` with a group per perturbation. None: `f"{split}_group"` of the split in use, if it is there.
        baselines
            Add the baselines, fitted to the same training shifts.
        controls
            Add the method itself, fitted again with vectors that say nothing about genes: `permuted` (the real ones, each
            with another gene), `random` (normal, of the same length) and `one_hot`. Where these do as well, the vectors
            are of no use. A network is trained three more times.
        n_cells
            Also generate so many cells of each perturbation for the E-distance.
        options
            Options of :func:`dnaclip.tl.evaluate_perturbations`, such as `ceiling` and `rng`.

        Returns
        -------
        The table of :func:`dnaclip.tl.evaluate_perturbations`, with the columns `method` and `vectors` before it: `given`
        for the real ones, `none` for methods that read none, or one of the controls.

        Raises
        ------
        InputError
            No cell is held out, or a perturbation to predict is not known.
        """
        from dnaclip.tl._perturbation.evaluate import evaluate_predictor

        _ = self._fitted  # raises before any cell is read
        return evaluate_predictor(
            self,
            test,
            adata=adata,
            group_key=group_key,
            baselines=baselines,
            controls=controls,
            n_cells=n_cells,
            **options,
        )

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the predictor to a folder that needs no other file: `config.json`, `model.safetensors` and `README.md`.

        With it go the training means, the gene vectors, and of each context up to 1,000 control cells. The folder
        appears whole or not at all; an earlier model there is replaced.
        """
        from dnaclip.tl._perturbation.save import save_predictor

        return save_predictor(self, folder)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, device: str = "auto") -> Self:
        """Read a predictor that :meth:`save` wrote; every byte of it is checked. It predicts, and cannot be fitted again."""
        from dnaclip.tl._perturbation.save import load_predictor

        return load_predictor(cls, folder, device=device)

    @property
    def _fitted(self) -> PerturbationModel:
        if self.model_ is None:
            msg = "This PerturbationPredictor has not been fitted. Call fit() first."
            raise InputError(msg)
        return self.model_

    @property
    def _keys(self) -> dict[str, Any]:
        return {
            "perturbation_key": self.perturbation_key,
            "control": self.control,
            "context_key": self.context_key,
            "layer": self.layer,
        }
