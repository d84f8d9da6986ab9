"""Whether genes of one functional class lie together: NMI and ARI of a clustering against known labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._errors import InputError, examples
from dnaclip._validate import as_generator
from dnaclip.metrics._arrays import finite_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["clustering"]


def clustering(
    embedding: ArrayLike,
    labels: ArrayLike,
    *,
    n_clusters: int | None = None,
    rng: int | np.random.Generator | None = 0,
) -> dict[str, float]:
    """Cluster an embedding by k-means and compare the clusters with known labels.

    Distances are Euclidean on the rows as given: normalise rows to unit length to compare directions, scale columns when their
    units differ.

    Parameters
    ----------
    embedding
        Shape (n, d), finite.
    labels
        Shape (n,); the known class of each row, numbers or strings.
    n_clusters
        By default the number of distinct labels.
    rng
        Seed of the ten starts of k-means.

    Returns
    -------
    `nmi`, normalised mutual information (arithmetic mean; 0 to 1), and `ari`, adjusted Rand index (0 by chance, at most 1).

    Raises
    ------
    InputError
        If a row has NaN, a label is missing, the lengths differ, or there are fewer rows than clusters.

    Examples
    --------
    >>> import numpy as np
    >>> from dnaclip.metrics import clustering
    >>> clustering(np.array([[0.0], [0.1], [5.0], [5.1]]), ["a", "a", "b", "b"])
    {'nmi': 1.0, 'ari': 1.0}
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    rows = finite_rows("embedding", embedding)
    codes, classes = pd.factorize(np.asarray(labels))
    if codes.shape != (len(rows),):
        msg = f"labels must have one value per row of the embedding, {len(rows)}, got {len(codes)}."
        raise InputError(msg)
    missing = np.flatnonzero(codes < 0)
    if missing.size:
        msg = f"{missing.size} of {len(rows)} labels are missing: rows {examples(missing.tolist())}. Leave these genes out first."
        raise InputError(msg)
    k = len(classes) if n_clusters is None else n_clusters
    if not 1 <= k <= len(rows):
        msg = f"n_clusters={k} must lie between 1 and the number of rows, {len(rows)}."
        raise InputError(msg)

    seed = int(as_generator(rng).integers(2**31 - 1))
    found = KMeans(k, n_init=10, random_state=seed).fit_predict(rows)
    return {
        "nmi": float(normalized_mutual_info_score(codes, found)),
        "ari": float(adjusted_rand_score(codes, found)),
    }
