"""Nearest vectors by cosine among up to hundreds of thousands: exact, exact through faiss, or approximate with its recall."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dnaclip._errors import InputError
from dnaclip._optional import require
from dnaclip._validate import check_choice, check_count

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["VectorIndex"]

_METHODS = ("exact", "faiss", "ivf")
# Similarities held at a time: 32 MiB as float32.
_VALUES_AT_ONCE = 2**23
# Of the vectors each list of the approximate index is trained on, faiss asks for 39 at least.
_PER_LIST = 39


class VectorIndex:
    """Finds the rows of a matrix that are most similar to others, by cosine.

    Parameters
    ----------
    base
        Vectors to look among, (m, d); rows need not be of length one, but neither zero nor NaN.
    method
        `"exact"`: blocks of matrix products, so that memory does not grow with the number of pairs. `"faiss"`: the same
        through a flat index of faiss :cite:p:`Douze2024`, which is faster. `"ivf"`: its inverted lists, approximate; ask
        :meth:`recall` what they miss. The latter two need ``pip install 'dnaclip[faiss]'``.
    n_lists, n_probe
        For `"ivf"`: lists that the vectors are sorted into (`None`: four times the square root of m), and lists that are looked
        through for each query.

    Raises
    ------
    InputError
        A row cannot be normalised, or an option is not known.
    MissingDependencyError
        faiss is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from dnaclip.models import VectorIndex
    >>> index = VectorIndex(np.eye(4))
    >>> rows, similarity = index.search([[1.0, 0.2, 0.1, 0.0]], 2)
    >>> rows.tolist()
    [[0, 1]]
    """

    def __init__(
        self, base: ArrayLike, method: str = "exact", *, n_lists: int | None = None, n_probe: int = 16
    ) -> None:
        check_choice("method", method, _METHODS)
        check_count("n_probe", n_probe)
        self.base = _unit(base, "base")
        self.method = method
        self._index: Any = None
        if method == "exact":
            return
        faiss = require("faiss", extra="faiss", purpose=f"method={method!r}")
        d = self.base.shape[1]
        if method == "faiss":
            self._index = faiss.IndexFlatIP(d)
        else:
            n_lists = int(4 * np.sqrt(len(self.base))) if n_lists is None else n_lists
            check_count("n_lists", n_lists)
            n_lists = max(1, min(n_lists, len(self.base) // _PER_LIST))
            self._index = faiss.IndexIVFFlat(faiss.IndexFlatIP(d), d, n_lists, faiss.METRIC_INNER_PRODUCT)
            self._index.train(self.base)
            self._index.nprobe = min(n_probe, n_lists)
        self._index.add(self.base)

    def __len__(self) -> int:
        return len(self.base)

    def search(self, queries: ArrayLike, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Find the `k` most similar rows of each query.

        Parameters
        ----------
        queries
            Vectors, (n, d).
        k
            Rows wanted; fewer when there are fewer.

        Returns
        -------
        Rows, int64 (n, k), the most similar first, and cosines, float32 (n, k). With `"ivf"` -1 stands where the lists looked
        through held fewer.
        """
        check_count("k", k)
        asked = _unit(queries, "queries")
        if asked.shape[1] != self.base.shape[1]:
            msg = f"queries have {asked.shape[1]} dimensions, the base has {self.base.shape[1]}."
            raise InputError(msg)
        k = min(k, len(self.base))
        if self._index is not None:
            similarity, rows = self._index.search(asked, k)
            return rows.astype(np.int64), similarity
        return self._blocked(asked, k)

    def recall(self, queries: ArrayLike, k: int = 10) -> float:
        """Share of the true `k` nearest rows of some queries that :meth:`search` finds; 1 for the exact methods up to ties."""
        asked = _unit(queries, "queries")
        found, _ = self.search(asked, k)
        true, _ = self._blocked(asked, min(k, len(self.base)))
        return float(np.mean([len(np.intersect1d(a, b)) / len(b) for a, b in zip(found, true, strict=True)]))

    def _blocked(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        import torch

        rows = np.empty((len(queries), k), np.int64)
        similarity = np.empty((len(queries), k), np.float32)
        base = torch.from_numpy(self.base)
        step = max(1, _VALUES_AT_ONCE // len(base))
        for start in range(0, len(queries), step):
            scores = torch.from_numpy(queries[start : start + step]) @ base.T
            at = _best(scores, k).numpy()
            values = np.take_along_axis(scores.numpy(), at, axis=1)
            order = np.lexsort((at, -values), axis=1)
            rows[start : start + step] = np.take_along_axis(at, order, axis=1)
            similarity[start : start + step] = np.take_along_axis(values, order, axis=1)
        return rows, similarity


def _best(scores: Any, k: int) -> Any:
    """Columns of the `k` highest scores of each row: first the runs of columns that can hold one, then these columns alone.

    The k highest values lie in at most k runs, and these are among the k runs with the highest maxima.
    """
    import torch

    n, m = scores.shape
    width = 64
    runs = m // width
    if runs <= 4 * k:
        return scores.topk(k, dim=1).indices
    highest = scores[:, : runs * width].reshape(n, runs, width).amax(dim=2)
    chosen = highest.topk(k, dim=1).indices
    columns = (chosen[:, :, None] * width + torch.arange(width)).reshape(n, -1)
    rest = torch.arange(runs * width, m).expand(n, -1)
    columns = torch.cat([columns, rest], dim=1)
    return columns.gather(1, scores.gather(1, columns).topk(k, dim=1).indices)


def _unit(values: ArrayLike, name: str) -> np.ndarray:
    array = np.ascontiguousarray(values, np.float32)
    if array.ndim != 2 or not len(array):
        msg = f"{name} must be vectors of shape (n, d), at least one, got {array.shape}."
        raise InputError(msg)
    length = np.linalg.norm(array, axis=1, keepdims=True)
    bad = np.flatnonzero(~(np.isfinite(length[:, 0]) & (length[:, 0] > 0)))
    if bad.size:
        msg = f"{name} has {bad.size} rows that are zero, NaN or infinite, the first is row {bad[0]}. Leave them out."
        raise InputError(msg)
    return array / length
