"""What was fitted on held-out genes: how clues are weighed, and how often annotations like this one are right."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dnaclip._errors import InputError
from dnaclip._files import write_atomic
from dnaclip.models._annotation.scores import CLUES, GATE

if TYPE_CHECKING:
    import os

__all__ = ["FEATURES", "Calibration", "Reliability"]

FEATURES = {
    "embedding": ("similarity", "significance", "consensus"),
    "alignment": ("similarity", "significance", "consensus", "strength", "coverage", "agreement"),
}
"""What confidence is read from, without and with alignment."""

# Where the genes, sorted by score, are cut into groups.
_SHARES = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.875, 0.925, 0.96, 0.985])


@dataclass(frozen=True)
class Reliability:
    """How often annotations with given features are right: a logistic score, then a rising curve of steps and slopes.

    Attributes
    ----------
    intercept, coefficients
        Of the logistic score.
    scores, shares
        Knots of the isotonic curve :cite:p:`Zadrozny2002`: score and share of right ones; beyond the last knot it stays
        level.
    """

    intercept: float
    coefficients: tuple[float, ...]
    scores: tuple[float, ...]
    shares: tuple[float, ...]

    def confidence(self, features: np.ndarray) -> np.ndarray:
        """Estimate the probability of being right from features (n, f): float64 (n,)."""
        return np.interp(self.intercept + features @ np.asarray(self.coefficients), self.scores, self.shares)

    @classmethod
    def fit(cls, features: np.ndarray, right: np.ndarray, *, repeats: int = 1) -> Reliability:
        """Fit on held-out genes.

        The curve is drawn through groups of genes of similar score, narrower ones at the top, where most is at stake. The share
        of each is the lower end of what its genes bear out (95 % one-sided), so that confidence errs on the side of caution.

        Parameters
        ----------
        features
            (n, f).
        right
            bool (n,).
        repeats
            How often each gene is among the rows; it bears out no more than once.

        Raises
        ------
        InputError
            All are right, or all are wrong.
        """
        from sklearn.isotonic import IsotonicRegression
        from sklearn.linear_model import LogisticRegression

        right = np.asarray(right, bool)
        if right.all() or not right.any():
            msg = "All annotations are right, or all are wrong: there is nothing to calibrate."
            raise InputError(msg)
        model = LogisticRegression(C=10.0, max_iter=1000).fit(features, right)
        score = model.decision_function(features)
        order = np.argsort(score, kind="stable")
        groups = [group for group in np.split(order, (_SHARES * len(order)).astype(int)) if len(group)]
        centres = np.array([score[group].mean() for group in groups])
        shares = np.array([_cautious(right[group], repeats) for group in groups])
        curve = IsotonicRegression(y_min=0, y_max=1).fit(centres, shares).predict(centres)
        return cls(
            round(float(model.intercept_[0]), 3),
            tuple(model.coef_[0].round(3).tolist()),
            tuple(centres.round(3).tolist()),
            tuple(curve.round(3).tolist()),
        )


@dataclass(frozen=True)
class Calibration:
    """Weights and reliability that belong to one model.

    Attributes
    ----------
    model
        Name of the model.
    weights
        float32 (len(GATE), len(CLUES)).
    reliability
        One curve for each key of :data:`FEATURES`.
    about
        How it was made.
    """

    model: str
    weights: np.ndarray
    reliability: dict[str, Reliability]
    about: str = ""

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None) -> Calibration:
        """Read a file that :meth:`save` wrote; `None` reads the one of the default model."""
        source: Any = files("dnaclip.models._annotation") / "dnaclip-base.json" if path is None else Path(path)
        try:
            stored = json.loads(source.read_text(encoding="utf-8"))
            weights = np.array(stored["weights"], np.float32)
            curves = {kind: Reliability(**{k: _tuple(v) for k, v in stored[kind].items()}) for kind in FEATURES}
            fits = weights.shape == (len(GATE), len(CLUES)) and all(
                len(curve.coefficients) == len(FEATURES[kind]) and len(curve.scores) == len(curve.shares) > 0
                for kind, curve in curves.items()
            )
            if not fits:
                msg = "its numbers do not fit together"
                raise ValueError(msg)
            return cls(str(stored["model"]), weights, curves, str(stored.get("about", "")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            msg = f"{source} is not a calibration of annotations ({error!r}). scripts/fit_annotation.py writes one."
            raise InputError(msg) from error

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it as JSON."""
        stored = {"model": self.model, "about": self.about, "weights": np.round(self.weights, 3).astype(float).tolist()}
        stored["weights"] = [[round(value, 3) for value in row] for row in stored["weights"]]  # type: ignore[union-attr]
        lines = [f'"{key}": {json.dumps(value)}' for key, value in stored.items()]
        lines += [f'"{kind}": {json.dumps(curve.__dict__)}' for kind, curve in self.reliability.items()]
        return write_atomic(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def _tuple(value: Any) -> Any:
    return tuple(float(part) for part in value) if isinstance(value, list) else float(value)


def _cautious(right: np.ndarray, repeats: int) -> float:
    """Lower end of a one-sided 95 % interval of the share of right ones (Wilson)."""
    n, share, z = len(right) / repeats, right.mean(), 1.645
    middle, half = share + z**2 / (2 * n), z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return float((middle - half) / (1 + z**2 / n))
