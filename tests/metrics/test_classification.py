"""Scores against known labels."""

from __future__ import annotations

import numpy as np
import pytest

from dnaclip._errors import InputError
from dnaclip.metrics import classification


def test_perfect_worst_and_tied():
    labels = [True, False, True, False]
    assert classification([4, 1, 3, 2], labels, k=2) == {"auroc": 1.0, "auprc": 1.0, "p_at_2": 1.0}
    assert classification([1, 4, 2, 3], labels, k=2)["auroc"] == 0.0
    assert classification([1, 1, 1, 1], labels)["auroc"] == 0.5
    assert classification([1, 1, 1, 1], labels)["auprc"] == 0.5


def test_auroc_counts_pairs():
    rng = np.random.default_rng(0)
    scores, labels = rng.integers(5, size=40), rng.random(40) < 0.4
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[labels] for b in scores[~labels]]
    assert classification(scores, labels)["auroc"] == pytest.approx(np.mean(pairs))


def test_the_top_may_be_longer_than_the_list():
    assert classification([0.1, 0.9], [0, 1], k=10)["p_at_10"] == 0.5


@pytest.mark.parametrize(
    ("scores", "labels", "match"),
    [
        ([1.0], [1, 0], "shape"),
        ([], [], "n above 0"),
        ([1.0, np.nan], [1, 0], r"1 of 2 scores are not finite: rows 1\."),
        ([1.0, 2.0], [1, 2], "there are others: 2"),
        ([1.0, 2.0], [1, 1], "All 2 labels are True"),
    ],
)
def test_what_cannot_be_scored_is_refused(scores, labels, match):
    with pytest.raises(InputError, match=match):
        classification(scores, labels)
