"""Scores of a search against each setting that it varied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._errors import InputError
from dnaclip._validate import check_key
from dnaclip.pl._colors import PALETTE, SMALLER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["tuning_curves"]

LABELS = {
    "lr": "learning rate",
    "dimension": "latent dimension",
    "logit_scale": "logit scale (1 / temperature)",
    "batch_size": "batch size (genes)",
    "nmi_dna": "NMI, DNA",
    "ari_dna": "ARI, DNA",
    "nmi_text": "NMI, text",
    "ari_text": "ARI, text",
}
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def tuning_curves(
    trials: pd.DataFrame,
    settings: Sequence[str] = ("lr", "dimension", "logit_scale"),
    metrics: Sequence[str] | None = None,
    *,
    axs: Sequence[Axes] | np.ndarray | None = None,
) -> Figure:
    """Draw scores against settings, one panel each (paper, Extended Data Fig. 4).

    Parameters
    ----------
    trials
        From :func:`dnaclip.train.tune`. Of a search with `sampler="one_at_a_time"` each panel has the trials in which only
        its setting differs, joined by lines; of any other it has all trials, with a line through the best of every value or
        fifth of the range, since the other settings vary too.
    settings
        Columns to draw against.
    metrics
        Columns to draw; `None` takes the clustering scores when they are there, else the accuracies.
    axs
        Axes to draw on, one per setting; `None` makes a new figure.

    Returns
    -------
    The figure.

    Raises
    ------
    MissingKeyError
        A column is absent.
    InputError
        A setting has a single value, nothing is left to draw, or the number of axes is another than that of settings.

    Examples
    --------
    >>> import pandas as pd
    >>> import dnaclip
    >>> trials = pd.DataFrame({"lr": [1e-4, 1e-3, 1e-2], "varied": ["lr", "", "lr"], "accuracy@10": [0.3, 0.5, 0.4]})
    >>> figure = dnaclip.pl.tuning_curves(trials, ["lr"])
    >>> figure.axes[0].get_xlabel()
    'learning rate'
    """
    import matplotlib.pyplot as plt

    if metrics is None:
        metrics = [name for name in trials if str(name).startswith(("nmi_", "ari_"))]
        metrics = metrics or [name for name in trials if str(name).startswith("accuracy@")]
    if not metrics or not len(settings):
        msg = "There is nothing to draw: name columns of the table as settings and metrics."
        raise InputError(msg)
    for name in (*settings, *metrics):
        check_key(name, trials.columns, where="the table", hint="Give what dnaclip.train.tune returned.")
    panels = {name: _points(trials, name, metrics) for name in settings}
    if axs is None:
        _, grid = plt.subplots(
            1, len(settings), figsize=(3.6 * len(settings) + 0.8, 3.4), sharey=True, layout="constrained"
        )
        axs = np.atleast_1d(grid)
    if len(axs) != len(settings):
        msg = f"There are {len(axs)} axes for {len(settings)} settings. Give one per setting."
        raise InputError(msg)
    for ax, (name, points) in zip(axs, panels.items(), strict=True):
        _panel(ax, name, points, metrics, alone=_is_one_at_a_time(trials))
    axs[0].set_ylabel("score on validation genes")
    axs[-1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False, fontsize=8)
    return axs[0].figure  # type: ignore[return-value]


def _is_one_at_a_time(trials: pd.DataFrame) -> bool:
    return "varied" in trials and bool((trials["varied"].fillna("") != "").any())


def _points(trials: pd.DataFrame, name: str, metrics: Sequence[str]) -> pd.DataFrame:
    if _is_one_at_a_time(trials):
        trials = trials[trials["varied"].fillna("").isin(["", name])]
    points = trials.dropna(subset=list(metrics))
    if points[name].map(str).nunique() < 2:
        msg = f"The setting {name!r} has a single value in these trials: there is no curve to draw."
        raise InputError(msg)
    return points.sort_values(
        name, kind="stable", key=lambda values: values if _is_numeric(values) else values.map(str)
    )


def _is_numeric(values: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _panel(ax: Axes, name: str, points: pd.DataFrame, metrics: Sequence[str], *, alone: bool) -> None:
    numeric = _is_numeric(points[name])
    x = points[name] if numeric else points[name].map(str)
    codes, values = pd.factorize(x)
    at = x.to_numpy(dtype=float) if numeric else codes
    for i, metric in enumerate(metrics):
        color, marker = PALETTE[i % len(PALETTE)], _MARKERS[i % len(_MARKERS)]
        y = points[metric].to_numpy(dtype=float)
        if not alone:
            ax.scatter(at, y, s=12, color=color, alpha=0.35, linewidths=0)
        line = _upper(at, y, numeric=numeric)
        style = "-" if numeric else ""
        ax.plot(*line, linestyle=style, marker=marker, markersize=5, color=color, label=LABELS.get(metric, metric))
    positive = numeric and points[name].min() > 0
    if positive and points[name].max() > 3 * points[name].min():
        ax.set_xscale("log")
    if not numeric:
        ax.set_xticks(range(len(values)), [str(one).replace("_", " ") for one in values], rotation=20, ha="right")
    elif len(values) <= 7 and (points[name] % 1 == 0).all():
        ax.set_xticks(values, [f"{one:g}" for one in values])
        ax.minorticks_off()
    ax.set_xlabel(LABELS.get(name, name.replace("_", " ")))
    ax.grid(axis="y", color=SMALLER, alpha=0.3, linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)


def _upper(at: np.ndarray, y: np.ndarray, *, numeric: bool) -> tuple[np.ndarray, np.ndarray]:
    """The best score of every value, or of every fifth of the range when there are more than eight values."""
    group, values = pd.factorize(at, sort=True)
    if numeric and len(values) > 8:
        edges = np.geomspace(values[0], values[-1], 6) if values[0] > 0 else np.linspace(values[0], values[-1], 6)
        group = np.clip(np.searchsorted(edges, at, side="right") - 1, 0, 4)
    best = pd.DataFrame({"group": group, "x": at, "y": y}).sort_values("y").groupby("group").last()
    return best["x"].to_numpy(), best["y"].to_numpy()
