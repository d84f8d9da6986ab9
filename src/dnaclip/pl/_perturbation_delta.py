"""The observed against the predicted change under one perturbation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dnaclip._conditions import CONTROL
from dnaclip._errors import InputError, examples
from dnaclip._validate import as_generator, check_count
from dnaclip.metrics._profile_scores import smallest_change, weighted_pearson
from dnaclip.pl._axes import axes_or_new
from dnaclip.pl._colors import PALETTE, SMALLER
from dnaclip.pl._labels import write_labels
from dnaclip.tl._perturbation.comparison import compare

if TYPE_CHECKING:
    import anndata
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

__all__ = ["perturbation_delta"]

TOP, TARGET = PALETTE[0], PALETTE[1]


def perturbation_delta(
    predicted: anndata.AnnData,
    observed: anndata.AnnData,
    perturbation: str,
    *,
    context: str | None = None,
    perturbation_key: str = "condition",
    control: str | None = CONTROL,
    context_key: str | None = None,
    layer: str | None = None,
    delta_layer: str | None = "delta",
    gene_symbols: str | None = None,
    train: str | ArrayLike | None = None,
    n_labels: int = 12,
    rng: int | np.random.Generator | None = 0,
    ax: Axes | None = None,
) -> Axes:
    """Draw the predicted change of each gene under one perturbation against the observed one.

    The two changes are taken from different control cells, as :func:`dnaclip.tl.evaluate_perturbations` does, and the
    correlation in the corner is its `pcc_delta`, without the targeted genes. Both axes have one scale: predictions that
    are too timid lie flatter than the diagonal.

    Parameters
    ----------
    predicted, observed
        Predictions and observed cells, as for :func:`dnaclip.tl.evaluate_perturbations`. Nothing is written.
    perturbation
        Name of the perturbation, such as `A` or `A+B`, in any order.
    context
        Which cell line or type to draw, if the perturbation was predicted in several.
    perturbation_key, control, context_key, layer, delta_layer, gene_symbols, train
        As for :func:`dnaclip.tl.evaluate_perturbations`.
    n_labels
        Genes with the largest observed changes whose names are written, besides the targeted ones.
    rng
        Seed of the halves of the control cells.
    ax
        Axes to draw on; `None` makes a new figure.

    Returns
    -------
    The axes, in the unit of the data. Targeted genes are diamonds.

    Raises
    ------
    MissingKeyError
        A column or layer is absent.
    InputError
        The perturbation was not predicted or not observed, or in several contexts and none is named.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> import dnaclip
    >>> x = 3 + np.random.default_rng(0).normal(size=(60, 50))
    >>> observed = ad.AnnData(x, obs={"condition": np.repeat(["ctrl", "A+ctrl"], 30)})
    >>> predicted = ad.AnnData(x[30:].mean(axis=0, keepdims=True), obs={"condition": ["A"]})
    >>> ax = dnaclip.pl.perturbation_delta(predicted, observed, "A")
    >>> ax.get_title(), ax.get_ylabel()
    ('A', 'predicted change against control cells')
    """
    check_count("n_labels", n_labels, least=0)
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
        conditions=[perturbation],
        reference=None,
        rng=as_generator(rng),
    )
    row = _row_of([found.truth.contexts[i] for i in found.pairs.contexts], context, perturbation)
    profiles = found.profiles
    if not np.isfinite(profiles.predicted[row]).all():
        msg = f"{perturbation!r} is not among the predictions."
        raise InputError(msg)
    true = profiles.observed[row] - profiles.control[row]
    delta = profiles.predicted[row] - profiles.predicted_control[row]
    targets = np.array(found.targets[row], dtype=np.int64)
    rest = np.setdiff1d(np.arange(len(true)), targets)
    floor = smallest_change(profiles.observed, profiles.control)
    pcc = weighted_pearson(delta[None, rest], true[None, rest], np.ones((1, len(rest))), floor)[0]
    top = rest[np.argsort(-np.abs(true[rest]), kind="stable")[:n_labels]]

    ax = axes_or_new(ax, (6, 6))
    span = min(true.min(), delta.min(), 0.0), max(true.max(), delta.max(), 0.0)
    margin = 0.12 * (span[1] - span[0]) or 1.0
    limits = (span[0] - margin, span[1] + margin)
    ax.axline((0, 0), slope=1, color=SMALLER, linewidth=0.8, linestyle="--", zorder=0)
    ax.axhline(0, color=SMALLER, linewidth=0.5, zorder=0)
    ax.axvline(0, color=SMALLER, linewidth=0.5, zorder=0)
    ax.scatter(true[rest], delta[rest], s=8, color="#888888", linewidths=0, rasterized=True)
    ax.scatter(true[top], delta[top], s=16, color=TOP, linewidths=0)
    ax.scatter(true[targets], delta[targets], s=45, color=TARGET, marker="D", edgecolors="black", linewidths=0.6)
    title = (
        found.names[row]
        if context_key is None
        else f"{found.names[row]}, {found.truth.contexts[found.pairs.contexts[row]]}"
    )
    ax.set(xlim=limits, ylim=limits, aspect="equal", title=title)
    ax.set(xlabel="observed change against control cells", ylabel="predicted change against control cells")
    ax.spines[["top", "right"]].set_visible(False)
    note = f"r = {pcc:.2f}" if np.isfinite(pcc) else "r undefined"
    ax.text(0.98, 0.02, f"{note}, {len(rest)} genes", transform=ax.transAxes, ha="right", fontsize=8, color="#444444")
    named = np.concatenate([targets, top])
    write_labels(
        ax,
        np.column_stack([true, delta])[named],
        [str(found.symbols[i]) for i in named],
        np.column_stack([true, delta]),
        colors=[TARGET] * len(targets) + [TOP] * len(top),
    )
    return ax


def _row_of(contexts: list[str], context: str | None, perturbation: str) -> int:
    if context is None and len(contexts) == 1:
        return 0
    if context not in contexts:
        said = "Name one as context" if context is None else f"It is not in {context!r}"
        msg = f"{perturbation!r} was observed in {len(contexts)} contexts: {examples(contexts)}. {said}."
        raise InputError(msg)
    return contexts.index(context)
