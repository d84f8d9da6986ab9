"""How the effect of two perturbations together follows from their effects alone."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Literal

import numpy as np

from dnaclip._errors import InputError
from dnaclip._validate import as_generator, check_choice, torch_seed
from dnaclip.metrics._distance_correlation import distance_correlation

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["interaction"]

# Pairs of genes that the Theil-Sen estimator takes a line through.
THEIL_SEN_PAIRS = 5000

NAMES = (
    "c1",
    "c2",
    "magnitude",
    "dominance",
    "model_fit",
    "similarity",
    "similarity_singles",
    "equality",
    "deviation",
    "synergy",
    "suppression",
    "neomorphism",
    "redundancy",
    "epistasis",
)


def interaction(
    first: ArrayLike,
    second: ArrayLike,
    double: ArrayLike,
    *,
    fit: Literal["least_squares", "theil_sen"] = "least_squares",
    rng: int | np.random.Generator | None = 0,
) -> dict[str, float]:
    r"""Measure how the change under a double perturbation departs from the sum of the changes under the singles.

    The change :math:`\delta_{ab}` over genes is fitted by :math:`c_1 \delta_a + c_2 \delta_b`, without intercept, as
    Norman et al. :cite:p:`Norman2019` did; two independent genes that add up have :math:`c_1 = c_2 = 1`. With dcor the
    distance correlation over genes, the result holds

    `c1`, `c2`
        The coefficients.
    `magnitude`
        :math:`\sqrt{c_1^2 + c_2^2}`; :math:`\sqrt 2` if effects add up.
    `dominance`
        :math:`|\log_{10} |c_1 / c_2||`; 0 if both count alike.
    `model_fit`
        dcor of the fit and :math:`\delta_{ab}`.
    `similarity`
        dcor of the two singles, taken together, and the double.
    `similarity_singles`
        dcor of the two singles with each other.
    `equality`
        The smaller divided by the larger of dcor(a, ab) and dcor(b, ab).
    `deviation`
        :math:`\lVert \delta_{ab} - \delta_a - \delta_b \rVert / \lVert \delta_a + \delta_b \rVert`: how far from
        additive.

    and, for each type of interaction in GEARS :cite:p:`Roohani2024`, a score that is higher the more of it there is:
    `synergy` is magnitude / :math:`\sqrt 2` - 1 and `suppression` its negative; `neomorphism` is 1 - model fit;
    `redundancy` is similarity; and `epistasis` is 1 - equality. Scores compare pairs; no threshold is applied.

    Parameters
    ----------
    first, second, double
        Changes (G,) under the two singles and the double.
    fit
        `"least_squares"`; or `"theil_sen"`, the spatial median of the fits to 5,000 random pairs of genes, which outlying
        genes do not move. It is the field's, for genes chosen by expression: where most genes are silent, their noise is
        the majority, and the genes that respond are the outliers.
    rng
        Seed of these random pairs.

    Returns
    -------
    The numbers above. All are NaN when a change is the same for all genes.

    Raises
    ------
    InputError
        The changes have different lengths, fewer than three genes, or NaN or infinite values.

    Examples
    --------
    >>> import numpy as np
    >>> from dnaclip.metrics import interaction
    >>> a, b = np.random.default_rng(0).normal(size=(2, 200))
    >>> found = interaction(a, b, 2 * a + b)
    >>> round(found["c1"], 3), round(found["c2"], 3), round(found["synergy"], 2)
    (2.0, 1.0, 0.58)
    """
    check_choice("fit", fit, ("least_squares", "theil_sen"))
    generator = as_generator(rng)
    a, b, ab = (np.asarray(change, dtype=np.float64) for change in (first, second, double))
    if a.ndim != 1 or not a.shape == b.shape == ab.shape or len(a) < 3:
        msg = f"The three changes must be over the same genes, three or more, got {a.shape}, {b.shape} and {ab.shape}."
        raise InputError(msg)
    singles = np.column_stack([a, b])
    if not (np.isfinite(singles).all() and np.isfinite(ab).all()):
        msg = "The changes must not hold NaN or infinite values."
        raise InputError(msg)
    if min(np.ptp(a), np.ptp(b), np.ptp(ab)) == 0:
        return dict.fromkeys(NAMES, float("nan"))
    c1, c2 = _theil_sen(singles, ab, generator) if fit == "theil_sen" else np.linalg.lstsq(singles, ab)[0]
    magnitude = float(np.hypot(c1, c2))
    parts = sorted([distance_correlation(a, ab), distance_correlation(b, ab)])
    fitted = singles @ [c1, c2]
    model_fit = distance_correlation(fitted, ab)
    similarity = distance_correlation(singles, ab)
    equality = parts[0] / parts[1]
    sum_size = np.linalg.norm(a + b)
    values = (
        c1,
        c2,
        magnitude,
        abs(np.log10(abs(c1 / c2))) if c1 and c2 else np.inf,
        model_fit,
        similarity,
        distance_correlation(a, b),
        equality,
        np.linalg.norm(ab - a - b) / sum_size if sum_size > 0 else np.nan,
        magnitude / np.sqrt(2) - 1,
        1 - magnitude / np.sqrt(2),
        1 - model_fit,
        similarity,
        1 - equality,
    )
    return {name: float(value) for name, value in zip(NAMES, values, strict=True)}


def _theil_sen(singles: np.ndarray, double: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import TheilSenRegressor

    # Genes that change in neither single say nothing of the coefficients, and pairs of them have no fit.
    moved = np.any(singles != 0, axis=1)
    model = TheilSenRegressor(
        fit_intercept=False, max_subpopulation=THEIL_SEN_PAIRS, n_subsamples=2, random_state=torch_seed(rng)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=ConvergenceWarning)
        return model.fit(singles[moved], double[moved]).coef_
