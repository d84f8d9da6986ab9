"""Several mean methods stacked, each weighed by how well it predicts what it has not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._validate import check_count
from dnaclip.models._perturbation.baselines import Additive, NearestNeighbours, NoChange, OtherContext, PerturbedMean
from dnaclip.models._perturbation.evidence import Evidence
from dnaclip.models._perturbation.folds import SITUATIONS, UNSEEN, inner_folds, situations
from dnaclip.models._perturbation.linear import IdentityRidge, Ridge
from dnaclip.models._perturbation.means import MeanMethod

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike

    from dnaclip.models._perturbation.means import Condition, Shifts

__all__ = ["Hybrid"]

# Left-out rows that a situation needs for weights and standard deviations of its own.
MIN_ROWS = 10


class Hybrid(MeanMethod):
    """A weighted mean of ridge on gene identities and on vectors, additive effects, neighbours, other contexts, the mean and no change.

    The simplest comes first: ridge on gene identities where training has seen a gene, and where it has seen none the mean of all
    perturbations, shrunk towards no change. Whatever else is to have weight has to prove itself in inner cross-validation, by a
    squared error that is smaller beyond noise: first ridge on vectors, then a weighted mean. Weights are 0 or more, add up to 1,
    and minimise the squared error. They are estimated separately for what training knows of a perturbation: the same one in
    another context; all, some or none of its genes.

    Parameters
    ----------
    n_folds
        Number of inner folds over genes, and over conditions where some perturb several genes. Folds over contexts follow from
        the data.

    Attributes
    ----------
    weights_
        Weight of each part in each situation, (n_situations, n_parts).

    Examples
    --------
    >>> import numpy as np
    >>> from dnaclip.models import Hybrid
    >>> rng = np.random.default_rng(0)
    >>> vectors = {f"gene{i}": rng.normal(size=3) for i in range(30)}
    >>> effects = np.stack(list(vectors.values())) @ rng.normal(size=(3, 5))
    >>> method = Hybrid().fit(effects[:29], [(f"gene{i}",) for i in range(29)], vectors)
    >>> bool(np.corrcoef(method.predict([("gene29",)])[0], effects[29])[0, 1] > 0.9)
    True
    >>> best = method.parts_.query("situation == 'no gene seen'").nlargest(1, "weight")
    >>> best[["part", "n_left_out"]].to_dict("records")
    [{'part': 'ridge', 'n_left_out': 29}]
    """

    def __init__(self, *, n_folds: int = 5) -> None:
        check_count("n_folds", n_folds, least=2)
        self.n_folds = n_folds

    def _fit(self, shifts: Shifts) -> None:
        ridge = Ridge()
        self._parts = self._fitted_parts(shifts, ridge)
        # To choose the sharpness takes most of the time of a fit, so inner folds take that of the whole: one of a few values.
        sharpness = ridge.sharpness_
        nothing = Evidence.none(len(self._parts), shifts.deltas.shape[1])
        self._evidence = [nothing] * len(SITUATIONS)
        for fit, test in inner_folds(shifts, self.n_folds):
            known, asked = shifts.take(fit), shifts.take(test)
            predicted = _predictions(
                self._fitted_parts(known, Ridge(sharpness=sharpness)), asked.conditions, asked.contexts
            )
            where = situations(asked.conditions, asked.contexts, known)
            for code in np.unique(where).tolist():
                rows = where == code
                self._evidence[code] += Evidence.of(asked.deltas[rows], predicted[:, rows])
        overall = sum(self._evidence, start=nothing)
        self.weights_ = np.stack(
            [
                _weights(evidence, overall, list(self._parts), situation)
                for evidence, situation in zip(self._evidence, SITUATIONS, strict=True)
            ]
        )

    def _predict(self, conditions: Sequence[Condition], contexts: np.ndarray) -> np.ndarray:
        weights = self.weights_[situations(conditions, contexts, self.shifts_)]
        return _weighted(weights, _predictions(self._parts, conditions, contexts))

    def predict_std(self, conditions: Sequence[Condition], *, contexts: ArrayLike | None = None) -> np.ndarray:
        """Return the standard deviation of the error of each predicted shift, float32 (k, n_genes).

        The root mean square error of each gene in inner cross-validation, in the situation of the condition; over all situations
        where it came up too rarely, and NaN where nothing could be left out.
        """
        where = situations(conditions, self._contexts(contexts, len(conditions)), self.shifts_)
        total = sum(evidence.n_rows for evidence in self._evidence)
        noise = [evidence.noise(weights) for evidence, weights in zip(self._evidence, self.weights_, strict=True)]
        known = [
            (evidence.n_rows, values) for evidence, values in zip(self._evidence, noise, strict=True) if evidence.n_rows
        ]
        overall = sum(n * values for n, values in known) / total if total else noise[0]
        rare = [evidence.n_rows < MIN_ROWS for evidence in self._evidence]
        table = np.stack([overall if few else values for few, values in zip(rare, noise, strict=True)])
        return np.sqrt(table[where]).astype(np.float32)

    @property
    def parts_(self) -> pd.DataFrame:
        """What each part weighs in each situation, and how it did when rows in that situation were left out.

        Columns `situation`, `part`, `n_left_out`, `pcc` (mean correlation with the observed shift), `mse` and `weight`.
        """
        tables = []
        for situation, evidence, weights in zip(SITUATIONS, self._evidence, self.weights_, strict=True):
            pcc, mse = evidence.scores()
            columns = {
                "part": list(self._parts),
                "n_left_out": evidence.n_rows,
                "pcc": pcc,
                "mse": mse,
                "weight": weights,
            }
            tables.append(pd.DataFrame({"situation": situation, **columns}))
        return pd.concat(tables, ignore_index=True)

    def _fitted_parts(self, shifts: Shifts, ridge: Ridge) -> dict[str, MeanMethod]:
        """Fit every part."""
        parts = {
            "identity": IdentityRidge(),
            "ridge": ridge,
            "additive": Additive(),
            "perturbed_mean": PerturbedMean(),
            "no_change": NoChange(),
            "knn": NearestNeighbours(),
            "other_context": OtherContext(),
        }
        for part in parts.values():
            part.fit(shifts.deltas, shifts.conditions, self.vectors_, shifts.counts, contexts=shifts.contexts)
        return parts


def _weights(evidence: Evidence, overall: Evidence, parts: Sequence[str], situation: str) -> np.ndarray:
    """Return the weights of the parts, (n_parts,), by what left-out rows say about a situation and about all of them.

    First comes the simplest, which for genes that were never seen is the mean, shrunk towards no change, and for others which
    genes are perturbed. Each step from there has to gain beyond noise.
    """
    only = dict(zip(parts, np.eye(len(parts)), strict=True))
    enough = evidence.n_rows >= MIN_ROWS
    told = evidence if enough else overall
    found = only["identity"]
    if situation == UNSEEN:
        found = told.better(found, told.between(only["perturbed_mean"], only["no_change"]))
    found = told.better(only["ridge"], found)
    return evidence.better(evidence.weights(found), found) if enough else found


def _predictions(parts: Mapping[str, MeanMethod], conditions: Sequence[Condition], contexts: np.ndarray) -> np.ndarray:
    """Return what each part predicts, (n_parts, k, n_genes)."""
    return np.stack([part.predict(conditions, contexts=contexts) for part in parts.values()])


def _weighted(weights: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return the mean over parts by the weights of each row, (k, n_genes)."""
    return np.einsum("mp,pmg->mg", weights, predicted, optimize=True)
