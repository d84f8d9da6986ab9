"""Scores of predicted against observed expression profiles, one row per perturbation, without a loop over rows."""

from __future__ import annotations

import numpy as np

__all__ = ["OVERLAPS", "TOP_EXPRESSED", "TOP_GENES", "row_scores", "smallest_change", "top_weights", "weighted_pearson"]

TOP_GENES = 20
OVERLAPS = (20, 50, 100)
TOP_EXPRESSED = 1000
# Values in the rows that are scored at once: 1 MiB per array, so that those in use stay in the processor's cache.
VALUES_AT_ONCE = 2**17


def row_scores(
    predicted: np.ndarray,
    observed: np.ndarray,
    control: np.ndarray,
    predicted_control: np.ndarray,
    reference: np.ndarray | None,
    keep: np.ndarray,
    de_statistic: np.ndarray | None,
    floor: float,
) -> dict[str, np.ndarray]:
    """Return every score that needs no other perturbation, float64 (m,) each; NaN where it is undefined.

    All arrays are (m, G), `keep` is False for genes to leave out, and changes up to `floor` count as none.
    """
    step = max(1, VALUES_AT_ONCE // max(predicted.shape[1], 1))
    parts = []
    for start in range(0, len(predicted), step):
        rows = slice(start, start + step)
        parts.append(
            _block_scores(
                predicted[rows].astype(np.float64),
                observed[rows].astype(np.float64),
                control[rows].astype(np.float64),
                predicted_control[rows].astype(np.float64),
                None if reference is None else reference[rows],
                None if de_statistic is None else de_statistic[rows],
                keep[rows],
                floor,
            )
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _block_scores(
    predicted: np.ndarray,
    observed: np.ndarray,
    control: np.ndarray,
    predicted_control: np.ndarray,
    reference: np.ndarray | None,
    de_statistic: np.ndarray | None,
    keep: np.ndarray,
    floor: float,
) -> dict[str, np.ndarray]:
    delta, true_delta = predicted - predicted_control, observed - control
    weight = keep.astype(np.float64)
    size = np.where(keep, np.abs(delta), -np.inf)
    true_size = np.where(keep, np.abs(true_delta), -np.inf)
    chosen = dict(zip(OVERLAPS, top_weights(true_size, *OVERLAPS), strict=True))
    if de_statistic is None:
        top = chosen[TOP_GENES]
    else:
        [top] = top_weights(np.where(keep, np.abs(de_statistic), np.nan), TOP_GENES)
    error, delta_error = (predicted - observed) ** 2, (delta - true_delta) ** 2
    [expressed] = top_weights(np.where(keep, control, -np.inf), TOP_EXPRESSED)
    scores = {
        "pcc_delta": weighted_pearson(delta, true_delta, weight, floor),
        "pcc_delta_top20": weighted_pearson(delta, true_delta, top, floor),
        "mse": _weighted_mean(error, weight),
        "mse_delta": _weighted_mean(delta_error, weight),
        "mse_delta_top20": _weighted_mean(delta_error, top),
        "l2_top1000": np.sqrt((error * expressed).sum(axis=1)),
        "direction_match": _direction_match(delta, true_delta, weight, floor),
        "direction_match_top20": _direction_match(delta, true_delta, top, floor),
    }
    # Changes that are rounding noise are all alike: which of them is largest says nothing.
    size[size > -np.inf] = np.where(size[size > -np.inf] > floor, size[size > -np.inf], 0)
    for k, predicted_top in zip(OVERLAPS, top_weights(size, *OVERLAPS), strict=True):
        n_chosen = chosen[k].sum(axis=1)
        shared = (predicted_top * chosen[k]).sum(axis=1)
        scores[f"de_overlap@{k}"] = np.divide(shared, n_chosen, out=np.full(len(shared), np.nan), where=n_chosen > 0)
    if reference is not None:
        scores["pcc_delta_reference"] = weighted_pearson(predicted - reference, observed - reference, weight, floor)
    for values in scores.values():
        values[np.isnan(predicted).any(axis=1)] = np.nan
    return scores


def smallest_change(observed: np.ndarray, control: np.ndarray) -> float:
    """Return the change that single precision cannot tell from none: a millionth of the highest expression."""
    return 1e-6 * float(max(max(one.max(initial=0), -one.min(initial=0)) for one in (observed, control)))


def weighted_pearson(a: np.ndarray, b: np.ndarray, weight: np.ndarray, floor: float) -> np.ndarray:
    """Pearson correlation of each row under weights (m, G); NaN where a side varies by no more than `floor`."""
    total = weight.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        a, b = (x - ((x * weight).sum(axis=1) / total)[:, None] for x in (a, b))
        cross, a2, b2 = ((x * y * weight).sum(axis=1) / total for x, y in ((a, b), (a, a), (b, b)))
        result = cross / np.sqrt(a2 * b2)
        result[~((np.sqrt(a2) > floor) & (np.sqrt(b2) > floor))] = np.nan
    return np.clip(result, -1, 1)


def top_weights(score: np.ndarray, *counts: int) -> list[np.ndarray]:
    """Return, for each count k, weights (m, G) that choose the `k` largest of each row; genes tied for the last places share them.

    The weight of a gene is the probability to be chosen when ties are broken at random, so that the order of genes
    changes nothing. Genes of NaN or -inf are never chosen.
    """
    score = np.where(np.isnan(score), -np.inf, score)
    n_genes = score.shape[1]
    places = [n_genes - min(k, n_genes) for k in counts]
    ordered = np.partition(score, places, axis=1)
    weights = []
    for k, place in zip(counts, places, strict=True):
        last = ordered[:, place, None]
        above, tied = score > last, score == last
        share = (min(k, n_genes) - above.sum(axis=1)) / tied.sum(axis=1)
        weights.append(np.where(np.isfinite(score), above + tied * share[:, None], 0.0))
    return weights


def _weighted_mean(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    total = weight.sum(axis=1)
    return np.divide((values * weight).sum(axis=1), total, out=np.full(len(values), np.nan), where=total > 0)


def _direction_match(delta: np.ndarray, true_delta: np.ndarray, weight: np.ndarray, floor: float) -> np.ndarray:
    """Share of the genes that changed whose change has the right sign; no predicted change is half right."""
    sign, true_sign = (np.where(np.abs(x) > floor, np.sign(x), 0.0) for x in (delta, true_delta))
    return _weighted_mean((1 + sign * true_sign) / 2, weight * (true_sign != 0))
