"""What is known of single genes: names from an embedding table, texts of the user, and who is in the middle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnaclip._errors import InputError, MissingKeyError, examples

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dnaclip.datasets import EmbeddingTable

__all__ = ["KnownGenes", "given_texts"]


class KnownGenes:
    """Approved symbols, names and text vectors of genes, from the embedding table of an organism.

    With `organism=None` genes keep the names they have, and nothing is known of them. So does a gene that is not in the
    table, or in other upper and lower case only: it may be another species'.

    Attributes
    ----------
    names
        Full name of each gene that has one, by symbol.
    """

    def __init__(self, genes: Iterable[str], organism: str | None) -> None:
        genes = list(dict.fromkeys(genes))
        self.names: dict[str, str] = {}
        self._symbols: dict[str, str] = {}
        self._table: EmbeddingTable | None = None
        self._rows: dict[str, int] = {}
        if organism is None or not genes:
            return
        from dnaclip.datasets import load_table
        from dnaclip.pp._match import find_genes

        self._table = load_table(organism)
        match = find_genes(genes, self._table)
        symbols, names = (self._table.genes[column].to_numpy(dtype=object)[match.rows] for column in ("symbol", "name"))
        known = match.found & (match.how != "case") & (symbols != "")
        for gene, symbol, name, row in zip(
            *(np.array(genes, dtype=object)[known], symbols[known], names[known], match.rows[known]), strict=True
        ):
            self._symbols[gene] = symbol
            self._rows[symbol] = int(row)
            if name:
                self.names[symbol] = name

    def symbols(self, genes: Iterable[str]) -> list[str]:
        """Return the symbols of genes, each once."""
        return list(dict.fromkeys(self._symbols.get(gene, gene) for gene in genes))

    def central(self, genes: Sequence[str], n: int = 3) -> list[str]:
        """Return the genes whose texts are nearest to the mean of all of `genes`, with their names."""
        rows = [(gene, self._rows[gene]) for gene in genes if gene in self._rows]
        if self._table is None or "text" not in self._table.sides or not rows:
            return []
        vectors = self._table.vectors("text")[[row for _, row in rows]]
        present = np.flatnonzero(~np.isnan(vectors[:, 0]))
        if len(present) <= n:
            return []
        near = vectors[present] @ vectors[present].mean(axis=0)
        # Rounded, so that the order of summation cannot part genes that share a text.
        first = present[np.argsort(-near.round(5), kind="stable")[:n]]
        shown = [rows[i][0] for i in first]
        return [f"{gene} ({self.names[gene]})" if gene in self.names else gene for gene in shown]


def given_texts(texts: Any) -> dict[str, str]:
    """Return texts by gene from a dictionary, a series, or a table with the columns `gene` and `text`."""
    if texts is None:
        return {}
    if isinstance(texts, pd.DataFrame):
        missing = [column for column in ("gene", "text") if column not in texts.columns]
        if missing:
            msg = f"texts needs the columns 'gene' and 'text'; it has {examples(texts.columns, 10) or 'none'}."
            raise MissingKeyError(msg)
        pairs: Iterable[tuple[Any, Any]] = zip(texts["gene"], texts["text"], strict=True)
    elif isinstance(texts, (pd.Series, Mapping)):
        pairs = texts.items()
    else:
        msg = f"texts must be a dictionary, a series or a table, got {type(texts).__name__}."
        raise InputError(msg)
    return {str(gene).strip(): text for gene, text in pairs if isinstance(text, str) and text.strip()}
