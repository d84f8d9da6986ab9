"""Intervals that hold the observed expression as often as they say, by conformal prediction on genes left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dnaclip._errors import InputError

__all__ = ["Intervals", "fit_intervals"]

# Bins of predicted expression in which the size of errors is measured, and errors that each should hold.
N_BINS, BIN_SIZE = 10, 50
SMALLEST = 1e-6


@dataclass(frozen=True, eq=False)
class Intervals:
    """Split-conformal intervals :cite:p:`Lei2018`, wider where errors are usually larger.

    Parameters
    ----------
    places, sizes
        Predicted expression and the usual absolute error around it, (n_groups, n_bins); between them it is interpolated.
        Not used when the method gives a standard deviation of its own.
    scores
        Absolute errors of calibration genes in units of that size, ascending, (n_calibration, n_groups).

    Examples
    --------
    >>> import numpy as np
    >>> from dnaclip.models import fit_intervals
    >>> rng = np.random.default_rng(0)
    >>> predicted = rng.normal(size=(500, 1))
    >>> observed = predicted + rng.normal(size=(500, 1))
    >>> lower, upper = fit_intervals(predicted[:400], observed[:400]).bounds(predicted[400:], coverage=0.9)
    >>> bool(0.8 < ((lower < observed[400:]) & (observed[400:] < upper)).mean() < 0.97)
    True
    """

    places: np.ndarray
    sizes: np.ndarray
    scores: np.ndarray

    def size(self, predicted: np.ndarray) -> np.ndarray:
        """Return the usual absolute error of predictions, (k, n_groups)."""
        columns = zip(predicted.T, self.places, self.sizes, strict=True)
        return np.stack([np.interp(values, place, size) for values, place, size in columns], axis=1)

    def bounds(
        self, predicted: np.ndarray, *, coverage: float = 0.9, std: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        r"""Return lower and upper bounds, float32 (k, n_groups).

        With n calibration genes the bound is the :math:`\lceil (n + 1) c \rceil`-th smallest score; where there are too few
        genes for the coverage c, it is infinite.

        Parameters
        ----------
        predicted
            Predictions, (k, n_groups).
        coverage
            Share of genes whose observed value should lie inside, above 0 and below 1.
        std
            Standard deviations that the method gives, if it gave them for the calibration genes.
        """
        if isinstance(coverage, bool) or not 0 < coverage < 1:
            msg = f"coverage must lie between 0 and 1, got {coverage!r}."
            raise InputError(msg)
        n = len(self.scores)
        rank = int(np.ceil(round((n + 1) * coverage, 9)))
        factor = self.scores[rank - 1] if rank <= n else np.full(predicted.shape[1], np.inf)
        half = factor * (self.size(predicted) if std is None else np.maximum(std, SMALLEST))
        return (predicted - half).astype(np.float32), (predicted + half).astype(np.float32)


def fit_intervals(predicted: np.ndarray, observed: np.ndarray, *, std: np.ndarray | None = None) -> Intervals:
    """Calibrate intervals.

    Parameters
    ----------
    predicted, observed
        Of genes that were left out of the fit, (n, n_groups).
    std
        Standard deviations that the method gives for them; None: the usual error around the predicted value.

    Returns
    -------
    The intervals.

    Examples
    --------
    >>> import numpy as np
    >>> from dnaclip.models import fit_intervals
    >>> intervals = fit_intervals(np.zeros((9, 1)), np.arange(1.0, 10.0)[:, None])
    >>> intervals.bounds(np.zeros((1, 1)), coverage=0.8)
    (array([[-8.]], dtype=float32), array([[8.]], dtype=float32))
    """
    error = np.abs(np.asarray(observed, np.float64) - predicted)
    n_bins = int(np.clip(len(error) // BIN_SIZE, 1, N_BINS))
    order = np.argsort(predicted, axis=0, kind="stable")
    places, sizes = [], []
    for rows in np.array_split(order, n_bins):
        places.append(np.take_along_axis(predicted, rows, axis=0).mean(axis=0))
        sizes.append(np.take_along_axis(error, rows, axis=0).mean(axis=0))
    level = Intervals(np.transpose(places), np.maximum(np.transpose(sizes), SMALLEST), np.zeros((0, error.shape[1])))
    size = level.size(predicted) if std is None else np.maximum(std, SMALLEST)
    return Intervals(level.places, level.sizes, np.sort(error / size, axis=0))
