"""Find the gene that a source speaks of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnaclip.pp._genome.attributes import public_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from dnaclip.pp._gene_text.rows import Statement

__all__ = ["HOW", "GeneIndex"]

# How a statement was matched, the surest first.
HOW = ("id", "symbol", "alias")


class GeneIndex:
    """Rows of a table of genes by identifier, by NCBI Gene number and by symbol."""

    def __init__(self, genes: pd.DataFrame) -> None:
        n = len(genes)
        self.entrez_ids = genes["entrez_id"].fillna("").astype(str).tolist() if "entrez_id" in genes else [""] * n
        self.symbols = genes["symbol"].fillna("").astype(str).tolist() if "symbol" in genes else [""] * n
        self.aliases: list[tuple[str, ...]] = [()] * n
        ids = genes["gene_id"].fillna("").astype(str).tolist()
        self._by_id = _unique((public_id(value), row) for row, value in enumerate(ids))
        self._by_entrez = _unique((value, row) for row, value in enumerate(self.entrez_ids))
        # RefSeq names many genes by their symbol alone.
        self._by_symbol = _unique((value.casefold(), row) for row, value in enumerate(self.symbols))

    def learn(self, statements: Iterable[Statement]) -> None:
        """Take from the sources which number and which symbols belong to the identifiers of the table."""
        for statement in statements:
            row = self._row_by_id(statement)
            if row is None:
                continue
            if statement.entrez_id and not self.entrez_ids[row] and statement.entrez_id not in self._by_entrez:
                self.entrez_ids[row] = statement.entrez_id
                self._by_entrez[statement.entrez_id] = row
            for value in statement.ids:
                self._by_id.setdefault(value, row)
            self.symbols[row] = self.symbols[row] or statement.symbol
            self.aliases[row] = tuple(dict.fromkeys((*self.aliases[row], *statement.aliases)))
        self._by_symbol = _unique((value.casefold(), row) for row, value in enumerate(self.symbols))
        self._by_alias = _unique((alias.casefold(), row) for row, names in enumerate(self.aliases) for alias in names)

    def find(self, statement: Statement) -> tuple[int, str] | None:
        """Row of the gene that a statement is about, and how sure that is; None if it is none of ours."""
        row = self._row_by_id(statement)
        if row is not None:
            return row, HOW[0]
        symbol = statement.symbol.casefold()
        row = self._by_symbol.get(symbol) if symbol else None
        if row is not None and not self._contradicts(statement, row):
            return row, HOW[1]
        row = self._by_alias.get(symbol) if symbol else None
        if row is not None and symbol not in self._by_symbol and not self._contradicts(statement, row):
            return row, HOW[2]
        return None

    def _row_by_id(self, statement: Statement) -> int | None:
        row = self._by_entrez.get(statement.entrez_id) if statement.entrez_id else None
        if row is not None:
            return row
        return next((self._by_id[value] for value in statement.ids if value in self._by_id), None)

    def _contradicts(self, statement: Statement, row: int) -> bool:
        """Whether gene and statement have different numbers, so that one symbol names two genes."""
        return bool(statement.entrez_id and self.entrez_ids[row] and statement.entrez_id != self.entrez_ids[row])


def _unique(pairs: Iterable[tuple[str, int]] | Sequence[tuple[str, int]]) -> dict[str, int]:
    """Row by name, without names of several rows and the empty one."""
    found: dict[str, int] = {}
    several = {""}
    for name, row in pairs:
        if found.setdefault(name, row) != row:
            several.add(name)
    return {name: row for name, row in found.items() if name not in several}
