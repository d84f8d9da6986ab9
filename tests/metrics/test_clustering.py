"""NMI and ARI: known values, reproducibility, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from dnaclip._errors import InputError
from dnaclip.metrics import clustering


@pytest.fixture
def blobs() -> tuple[np.ndarray, np.ndarray]:
    labels = np.repeat(["coding", "miRNA", "lncRNA"], 40)
    centres = np.repeat(np.eye(3) * 20, 40, axis=0)
    return centres + np.random.default_rng(0).normal(size=centres.shape), labels


def test_separate_classes_score_one_and_shuffled_labels_near_zero(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    embedding, labels = blobs
    assert clustering(embedding, labels) == {"nmi": 1.0, "ari": 1.0}
    shuffled = clustering(embedding, np.random.default_rng(1).permutation(labels))
    assert shuffled["nmi"] < 0.1
    assert abs(shuffled["ari"]) < 0.1


def test_number_of_clusters(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    embedding, labels = blobs
    assert clustering(embedding, labels, n_clusters=1) == {"nmi": 0.0, "ari": 0.0}
    merged = clustering(embedding, np.where(labels == "coding", 0, 1), n_clusters=3)
    # Clusters of 40 + 40 + 40 against classes of 40 + 80: I = H(class) = .637 nats, H(cluster) = ln 3.
    assert merged["nmi"] == pytest.approx(2 * 0.63651 / (0.63651 + np.log(3)), abs=1e-4)


def test_same_seed_same_result() -> None:
    rng = np.random.default_rng(0)
    embedding, labels = rng.normal(size=(200, 5)), rng.integers(0, 7, size=200)
    assert clustering(embedding, labels, rng=3) == clustering(embedding, labels, rng=np.random.default_rng(3))


@pytest.mark.parametrize(
    ("embedding", "labels", "n_clusters", "message"),
    [
        ([[np.nan], [1.0], [2.0]], [0, 1, 1], None, r"embedding has 1 of 3 rows with NaN.*rows 0"),
        ([[0.0], [1.0], [2.0]], ["a", None, "b"], None, r"1 of 3 labels are missing: rows 1\."),
        ([[0.0], [1.0], [2.0]], ["a", "b"], None, r"one value per row of the embedding, 3, got 2"),
        ([[0.0], [1.0], [2.0]], ["a", "b", "b"], 4, r"n_clusters=4 must lie between 1 and the number of rows, 3"),
        ([[0.0], [1.0], [2.0]], ["a", "b", "b"], 0, r"n_clusters=0"),
        ([0.0, 1.0], ["a", "b"], None, r"embedding must have shape \(genes, dimensions\)"),
    ],
)
def test_bad_input(embedding: list, labels: list, n_clusters: int | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        clustering(embedding, labels, n_clusters=n_clusters)
