"""Score the predictions of any tool against observed cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._conditions import CONTROL
from dnaclip._errors import InputError, examples
from dnaclip._validate import as_generator, check_count, check_key
from dnaclip.metrics._perturbation import NO_REFERENCE, REFERENCED, profile_scores
from dnaclip.metrics._score_table import score_table
from dnaclip.tl._perturbation.comparison import compare
from dnaclip.tl._perturbation.distances import cell_distances, half_distances
from dnaclip.tl._perturbation.profiles import half_profiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import anndata
    from numpy.typing import ArrayLike

    from dnaclip.tl._perturbation.comparison import Comparison
    from dnaclip.tl._perturbation.pairs import Pairs
    from dnaclip.tl._perturbation.profiles import Profiles

__all__ = ["evaluate_perturbations"]


def evaluate_perturbations(
    predicted: anndata.AnnData,
    observed: anndata.AnnData,
    *,
    perturbation_key: str = "condition",
    control: str | None = CONTROL,
    context_key: str | None = None,
    layer: str | None = None,
    delta_layer: str | None = "delta",
    group_key: str | None = None,
    gene_symbols: str | None = None,
    train: str | ArrayLike | None = None,
    conditions: str | Iterable[str] | None = None,
    reference: ArrayLike | Mapping[str, ArrayLike] | None = None,
    exclude_targets: bool = True,
    ceiling: bool = True,
    n_halves: int = 5,
    max_cells: int = 1000,
    min_cells: int = 30,
    rng: int | np.random.Generator | None = 0,
) -> pd.DataFrame:
    """Score predicted perturbations of any tool against observed cells.

    Conditions are matched however they are spelt (`A+ctrl` is `A`, `B+A` is `A+B`) and genes by name, in any order.
    What each metric means stands at :func:`dnaclip.metrics.perturbation`; where the predictions are cells there is also
    `e_distance`, their :func:`dnaclip.metrics.e_distance` to the observed ones. It alone
    sees more than means.

    Observed changes are taken from other control cells than predicted ones, because one control mean on both sides
    puts the same noise into both, and that alone correlates them. If some control cells are in `train` and some are not,
    the former serve the predicted and the latter the observed changes: this is the clean way. Otherwise the control
    cells of each context are cut at random in two halves. A predicted change is the prediction less its half, unless
    `predicted` has control rows, which then take the place of that half, or has `layers[delta_layer]`, which is the
    change itself. Changes made from all control cells share noise with either half: fit with some left out. For the same
    reason a method that returns the mean of all control cells seems to move against the noise: give control rows with it.

    Parameters
    ----------
    predicted
        Predicted expression on the scale of `observed`, one row per perturbation (means) or many (cells).
    observed
        Cells, including control cells; dense, sparse, dask or backed. They are read in blocks, never made dense as a
        whole, and nothing is written.
    perturbation_key
        Column of `obs`, in both, with the perturbed genes of each row joined by `+`.
    control
        Name of the control condition. `None` says that both tables hold changes already: control is zero.
    context_key
        Column of `obs`, in both, with the cell line or type. Each context has its own control, reference and
        discrimination.
    layer
        Layer of `observed` to read; `None` is `X`. Of `predicted`, `X` is read.
    delta_layer
        Layer of `predicted` with the predicted change, used if it is there.
    group_key
        Column of `observed.obs` with a group per perturbation, such as `split_group`.
    gene_symbols
        Column of `observed.var` with the names that conditions use; `None` is `var_names`.
    train
        Which observed cells the method was trained on: booleans, or a column of `observed.obs` with booleans or with
        the word `train`. `None`: all observed perturbations that are not scored. A perturbation is scored by the
        cells that are not in training, or by all cells if all are.
    conditions
        Perturbations to score, predicted or not; `None` is every predicted one that was observed.
    reference
        Mean expression of training perturbations over `observed.var_names`, or one for each context by name. `None`
        is the mean of the condition means of `train`; in a context without any, the mean change that they make in
        the others, added to its control.
    exclude_targets
        Whether the genes that a perturbation targets are left out of its scores.
    ceiling
        Whether to score one half of each perturbation's cells as a prediction of the other half.
    n_halves
        Over how many random halves the ceiling is a mean.
    max_cells
        Cells of a perturbation that the E-distance looks at; of more, a random sample.
    min_cells
        A perturbation with fewer observed cells has the status `few cells`.
    rng
        Seed or generator for the halves and samples.

    Returns
    -------
    Table with one row per perturbation and metric: `perturbation`, `context` with a `context_key`, `group`, `metric`,
    `value`, `baseline`, `ceiling`, `n_cells`, `status` and `reason`, as :func:`dnaclip.metrics.perturbation` explains
    them. `baseline` is the score of `reference` as the prediction for everything, `ceiling` that of half the
    observed cells for the other half. Halves have half the cells and are noisier than the whole that predictions are
    compared with, so a prediction may exceed the ceiling; no correction (such as Spearman and Brown's) is applied.
    Differentially expressed genes are those with the largest absolute Welch's t of observed against control cells,
    leaving out genes that are silent in the perturbed cells.
    :func:`dnaclip.metrics.perturbation_summary` makes means and normalised scores of it.

    Raises
    ------
    MissingKeyError
        A column or layer is absent.
    InputError
        The tables have no gene or perturbation in common, there is no control, names of genes repeat, cells have no
        condition, or values are NaN or infinite.

    Warns
    -----
    UserWarning
        If genes of `observed` are not predicted. They are not scored.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> import dnaclip
    >>> rng = np.random.default_rng(0)
    >>> effect = {"ctrl": np.zeros(50), "A": rng.normal(size=50), "B": rng.normal(size=50)}
    >>> condition = np.repeat(["ctrl", "A+ctrl", "B+ctrl"], 40)
    >>> x = np.repeat([3 + effect[name] for name in effect], 40, axis=0) + rng.normal(size=(120, 50))
    >>> observed = ad.AnnData(x, obs={"condition": condition})
    >>> predicted = ad.AnnData(np.array([3 + effect["A"], 3 + effect["B"]]), obs={"condition": ["A", "B"]})
    >>> table = dnaclip.tl.evaluate_perturbations(predicted, observed)
    >>> table[table["metric"] == "pcc_delta"].round(2)[["perturbation", "value", "ceiling", "status"]]
       perturbation  value  ceiling status
    0             A   0.94     0.88     ok
    15            B   0.94     0.89     ok
    """
    check_count("n_halves", n_halves)
    check_count("max_cells", max_cells, least=2)
    check_count("min_cells", min_cells, least=0)
    generator = as_generator(rng)
    found = compare(
        predicted,
        observed,
        perturbation_key=perturbation_key,
        control=control,
        context_key=context_key,
        layer=layer,
        delta_layer=delta_layer,
        gene_symbols=gene_symbols,
        train=train,
        conditions=conditions,
        reference=reference,
        rng=generator,
    )
    guess, truth, pairs, genes, profiles = found.guess, found.truth, found.pairs, found.genes, found.profiles
    labels = _labels(observed, found, group_key, with_context=context_key is not None)
    targets = found.targets if exclude_targets else [[] for _ in range(len(pairs))]
    scores = _scores(profiles, pairs, targets)
    columns, absent = {}, {}
    if profiles.reference is None:
        absent = dict.fromkeys(REFERENCED, NO_REFERENCE)
    else:
        columns["baseline"] = _scores(profiles.baseline, pairs, targets)
    cells_predicted = np.bincount(pairs.guess[pairs.guess >= 0], minlength=len(pairs)).max() > 1
    if cells_predicted:
        scores["e_distance"] = cell_distances(guess.x, truth.x, pairs, genes, targets, max_cells, generator)
    else:
        absent["e_distance"] = "the prediction is a mean, not cells"
    if ceiling:
        halves = half_profiles(truth, pairs, genes[1], profiles, n_halves, generator)
        columns["ceiling"] = _mean_scores([_scores(half, pairs, targets) for half in halves])
        if cells_predicted:
            columns["ceiling"]["e_distance"] = half_distances(truth.x, pairs, genes[1], targets, max_cells, generator)
    return score_table(
        scores,
        labels,
        available=np.isfinite(profiles.predicted).all(axis=1),
        n_cells=profiles.n_cells,
        min_cells=min_cells,
        absent=absent,
        columns=columns,
    )


def _scores(profiles: Profiles, pairs: Pairs, targets: Sequence[Sequence[int]]) -> dict[str, np.ndarray]:
    """Score the rows that were observed; the others, empty halves of a single cell, are NaN."""
    rows = np.flatnonzero(np.isfinite(profiles.observed).all(axis=1))
    found = profile_scores(
        profiles.predicted[rows],
        profiles.observed[rows],
        profiles.control[rows],
        predicted_control=profiles.predicted_control[rows],
        reference=None if profiles.reference is None else profiles.reference[rows],
        targets=[targets[i] for i in rows.tolist()],
        de_statistic=profiles.statistic[rows],
        contexts=pairs.contexts[rows],
    )
    scores = {metric: np.full(len(pairs), np.nan) for metric in found}
    for metric, values in found.items():
        scores[metric][rows] = values
    return scores


def _mean_scores(scores: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Average the scores of the halves, leaving out those that are undefined."""
    means = {}
    for metric in scores[0]:
        values = np.array([one[metric] for one in scores])
        count = np.isfinite(values).sum(axis=0)
        means[metric] = np.divide(np.nansum(values, axis=0), count, out=np.full(len(count), np.nan), where=count > 0)
    return means


def _labels(observed: anndata.AnnData, found: Comparison, group_key: str | None, *, with_context: bool) -> pd.DataFrame:
    """Return the columns that say which perturbation a row is about."""
    labels = pd.DataFrame({"perturbation": found.names})
    if with_context:
        labels["context"] = np.array(found.truth.contexts, dtype=object)[found.pairs.contexts]
    labels["group"] = "all"
    if group_key is not None:
        check_key(group_key, observed.obs.columns, where="adata.obs of the observed cells")
        scored = found.pairs.truth >= 0
        group = observed.obs[group_key].astype(object)[scored].groupby(found.pairs.truth[scored])
        mixed = group.nunique(dropna=False) != 1
        if mixed.any():
            names = labels["perturbation"][mixed.index[mixed]]
            msg = (
                f"Cells of one perturbation have different groups in adata.obs[{group_key!r}]: {examples(names)}. "
                "Use a column with one group per perturbation."
            )
            raise InputError(msg)
        labels["group"] = group.first().reindex(labels.index).to_numpy()
    return labels
