"""Find a gene's row in a table by any of its identifiers."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd

__all__ = ["AMBIGUOUS", "UNKNOWN", "GeneLookup"]

UNKNOWN = -1
AMBIGUOUS = -2


class GeneLookup:
    """Row numbers by identifier, one index per kind, each built when it is first used.

    Parameters
    ----------
    genes
        Table with the columns `ensembl_id`, `entrez_id`, `symbol` and `aliases` (joined by `|`), one row per gene.
    """

    def __init__(self, genes: pd.DataFrame) -> None:
        self._genes = genes
        self._rows = np.arange(len(genes))

    @cached_property
    def ensembl(self) -> pd.Series:
        """Rows by Ensembl gene id, or by the id that takes its place in a species (locus tag, `FBgn...`)."""
        return _index(self._genes["ensembl_id"].to_numpy(object), self._rows)

    @cached_property
    def entrez(self) -> pd.Series:
        """Rows by Entrez gene id, as text."""
        return _index(self._genes["entrez_id"].to_numpy(object), self._rows)

    @cached_property
    def symbol(self) -> pd.Series:
        """Rows by approved symbol. Of several genes with one symbol, the one with the most identifiers owns it."""
        identifiers = (self._genes[["ensembl_id", "entrez_id"]] != "").sum(axis=1).to_numpy()
        return _index(self._genes["symbol"].to_numpy(object), self._rows, weight=identifiers)

    @cached_property
    def alias(self) -> pd.Series:
        """Rows by alias or previous symbol."""
        listed = pd.Series(self._genes["aliases"].to_numpy(object), index=self._rows)
        each = listed[listed != ""].str.split("|").explode()
        return _index(each.to_numpy(object), each.index.to_numpy())

    @cached_property
    def folded(self) -> pd.Series:
        """Rows by lower-case Ensembl id or symbol."""
        exact = pd.concat([self.ensembl, self.symbol])
        return _index(exact.index.str.lower().to_numpy(object), exact.to_numpy())

    @cached_property
    def folded_alias(self) -> pd.Series:
        """Rows by lower-case alias or previous symbol."""
        return _index(self.alias.index.str.lower().to_numpy(object), self.alias.to_numpy())

    @staticmethod
    def find(index: pd.Series, names: np.ndarray) -> np.ndarray:
        """Look `names` up in one of the indices: row number, `UNKNOWN` (-1) or `AMBIGUOUS` (-2)."""
        place = index.index.get_indexer(pd.Index(names, dtype=object))
        # One more entry at the end serves the place -1, which stands for an absent name.
        return np.append(index.to_numpy(), UNKNOWN)[place]


def _index(names: np.ndarray, rows: np.ndarray, *, weight: np.ndarray | None = None) -> pd.Series:
    """Series of rows by distinct name; a name with several rows of the same, highest weight is ambiguous."""
    frame = pd.DataFrame({"name": names, "row": rows, "weight": 0 if weight is None else weight})
    frame = frame[frame["name"] != ""].drop_duplicates(["name", "row"])
    shared = frame["name"].duplicated(keep=False)
    if shared.any():
        alone, rivals = frame[~shared], frame[shared]
        rivals = rivals[rivals["weight"] == rivals.groupby("name")["weight"].transform("max")]
        tied = rivals["name"].duplicated(keep=False)
        rivals = rivals.assign(row=rivals["row"].mask(tied, AMBIGUOUS)).drop_duplicates("name")
        frame = pd.concat([alone, rivals])
    return pd.Series(frame["row"].to_numpy(), index=pd.Index(frame["name"].to_numpy(object), dtype=object))
