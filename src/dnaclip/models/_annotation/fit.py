"""Fit how clues are weighed, on held-out genes whose texts are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dnaclip._errors import InputError
from dnaclip.models._annotation.scores import CLUES, GATE

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Task", "fit_weights", "limit_embedding"]

# Keeps weights finite where a clue decides every case; a hundred times more or less changes little.
_RIDGE = 1e-4


@dataclass(frozen=True)
class Task:
    """Genes that choose among the same texts.

    Attributes
    ----------
    clues
        float32 (n, m, len(CLUES)), from :func:`clue_scores`.
    gate
        float32 (n, len(GATE)), from :meth:`Relatives.gate`.
    right
        int64 (n,): the right text of each gene.
    """

    clues: np.ndarray
    gate: np.ndarray
    right: np.ndarray


def fit_weights(tasks: Sequence[Task]) -> np.ndarray:
    """Choose the weights under which the right texts are most likely (conditional logit :cite:p:`McFadden1974`).

    Parameters
    ----------
    tasks
        Held-out genes; genes of one task share their candidates.

    Returns
    -------
    float32 (len(GATE), len(CLUES)).

    Raises
    ------
    InputError
        There are no genes.

    Examples
    --------
    A clue that is always right gets a positive weight, one that is always wrong a negative one:

    >>> import numpy as np
    >>> from dnaclip.models._annotation.fit import Task, fit_weights
    >>> clues = np.zeros((2, 2, 4), np.float32)
    >>> clues[[0, 1], [0, 1], 0] = clues[[0, 1], [1, 0], 1] = 1
    >>> weights = fit_weights([Task(clues, np.float32([[1, 0, 0], [1, 0, 0]]), np.array([0, 1]))])
    >>> bool(weights[0, 0] > 0 > weights[0, 1])
    True
    """
    import torch

    n = sum(len(task.right) for task in tasks)
    if n == 0:
        msg = "There are no genes to fit the weights on."
        raise InputError(msg)
    data = [(torch.tensor(t.clues), torch.tensor(t.gate), torch.tensor(t.right)) for t in tasks]
    weights = torch.zeros(len(GATE), len(CLUES))
    weights[0] = 5.0
    weights.requires_grad_()
    optimizer = torch.optim.LBFGS([weights], max_iter=60, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        loss = _RIDGE * (weights**2).sum()
        for clues, gate, right in data:
            scores = torch.einsum("nmj,nj->nm", clues, gate @ weights)
            loss = loss + torch.nn.functional.cross_entropy(scores, right, reduction="sum") / n
        loss.backward()
        return float(loss.detach())

    optimizer.step(closure)
    return weights.detach().numpy()


# Parts of its fitted weight that the embedding may keep.
_PARTS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)


def limit_embedding(tasks: Sequence[Task], bins: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """Lower the weight of the embedding until it does no harm where there is an alignment.

    Likely texts are not yet right ones among the first: the fitted weight is a compromise over all genes. Of seven parts of it,
    the one is taken with the best mean accuracy@1, 5 and 10 among those that are in no bin worse than alignment alone; the
    smallest if there is none such. Without an alignment the order is that of the embedding whatever its weight.

    Parameters
    ----------
    tasks
        Held-out genes.
    bins
        For each task, the bin of each gene, such as the identity of its best hit.
    weights
        From :func:`fit_weights`.

    Returns
    -------
    float32 (len(GATE), len(CLUES)).
    """
    labels = np.concatenate(bins)
    names, bin_of = np.unique(labels.astype(str), return_inverse=True)

    def accuracy(part: float) -> np.ndarray:
        mended = _with_part(weights, part)
        each = np.concatenate([_accuracy(task, mended) for task in tasks])
        return np.append(np.bincount(bin_of, each, minlength=len(names)) / np.bincount(bin_of), each.mean())

    alone = accuracy(0.0)
    found = {part: accuracy(part) for part in _PARTS}
    harmless = [part for part in _PARTS if (found[part][:-1] >= alone[:-1] - 1e-9).all()]
    return _with_part(weights, max(harmless, key=lambda part: found[part][-1], default=_PARTS[0]))


def _with_part(weights: np.ndarray, part: float) -> np.ndarray:
    """Keep a part of the embedding's weight; of none, so little that it only decides between equals."""
    mended = weights.copy()
    mended[:, 0] *= part
    mended[0, 0] += 1e-6 * (part == 0)
    return mended


def _accuracy(task: Task, weights: np.ndarray) -> np.ndarray:
    """Mean accuracy@1, 5 and 10 of each gene, ties in random order."""
    scores = np.einsum("nmj,nj->nm", task.clues, task.gate @ weights)
    own = scores[np.arange(len(scores)), task.right][:, None]
    better, tied = (scores > own).sum(axis=1), (scores == own).sum(axis=1)
    return np.mean([np.clip((k - better) / tied, 0, 1) for k in (1, 5, 10)], axis=0)
