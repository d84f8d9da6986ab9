"""Recognise gene identifiers of any kind and find their rows in an embedding table."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnaclip._errors import InputError, examples
from dnaclip.datasets._lookup import AMBIGUOUS, UNKNOWN
from dnaclip.datasets._species import find_species
from dnaclip.pp._identify import KINDS, as_names, ensembl_prefix, identify

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dnaclip.datasets._table import EmbeddingTable

__all__ = ["GeneMatch", "check_species", "find_genes", "match_genes"]


@dataclass(frozen=True, eq=False)
class GeneMatch:
    """Where identifiers stand in a table.

    Attributes
    ----------
    ids
        The identifiers as text, without surrounding white space, `""` for missing ones, (n,).
    rows
        Row in the table, int64 (n,), -1 where an identifier has none.
    how
        Kind by which each was recognised, categorical (n,): `ensembl`, `entrez`, `symbol`, `alias` (also previous
        symbols), `case` (fits only when upper and lower case are the same), `date` (a name that a spreadsheet turned
        into a date), or `""`.
    ambiguous
        Distinct identifiers that belong to several genes and were therefore not matched.
    foreign
        Distinct Ensembl ids that are not of genes of the table's species.
    notes
        Sentences about what looks wrong with the identifiers.
    """

    ids: np.ndarray
    rows: np.ndarray
    how: pd.Categorical[Any]
    ambiguous: tuple[str, ...]
    foreign: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def found(self) -> np.ndarray:
        """Which identifiers have a row, bool (n,)."""
        return self.rows >= 0

    @property
    def counts(self) -> dict[str, int]:
        """Number of identifiers found by each kind that occurs."""
        counts = Counter(self.how[self.found])
        return {kind: counts[kind] for kind in KINDS if counts[kind]}

    @property
    def n_shared(self) -> int:
        """Number of identifiers whose gene an earlier identifier already has."""
        rows = self.rows[self.found]
        return len(rows) - len(np.unique(rows))

    def summary(self) -> str:
        """One line: how many were found, by which kinds, and what was ambiguous or shared."""
        n, total = int(self.found.sum()), len(self.rows)
        parts = [f"{n:,} of {total:,} genes found" + (f" ({n / total:.1%})" if total else "")]
        if n:
            parts.append(", ".join(f"{count:,} by {kind}" for kind, count in self.counts.items()))
        if self.ambiguous:
            parts.append(f"{len(self.ambiguous):,} ambiguous names left out")
        if self.n_shared:
            parts.append(f"{self.n_shared:,} repeat a gene")
        return "; ".join(parts)


def match_genes(ids: Iterable[object], table: EmbeddingTable, *, organism: str | None = None) -> GeneMatch:
    """Find genes in an embedding table by identifiers of any kind, mixed as they may be.

    Each identifier is tried as Ensembl id (with or without version), Entrez id (number or text, also `LOC` + number),
    approved symbol, alias or previous symbol, then as any of these without regard to case. An approved symbol wins
    over an alias; a name that several genes share is not matched. Names such as `1-Mar`, which spreadsheets make of
    `MARCH1`, are resolved too. Missing and empty names never match.

    Parameters
    ----------
    ids
        Identifiers, n of them: text, numbers, bytes or missing values.
    table
        Embedding table of the species.
    organism
        Species that the identifiers come from; if given, it must be the table's.

    Returns
    -------
    Rows in the table and the kind of each match.

    Raises
    ------
    dnaclip._errors.InputError
        `ids` is not one-dimensional, or the table is for another species.

    Warns
    -----
    UserWarning
        Once, if names look like another species' or like dates, or if fewer than half of them are known.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from dnaclip.datasets import EmbeddingTable
    >>> from dnaclip.pp import match_genes
    >>> genes = pd.DataFrame(
    ...     [["ENSG00000141510", "7157", "TP53", "p53|LFS1"], ["ENSG00000145416", "55016", "MARCHF1", "MARCH1"]],
    ...     columns=["ensembl_id", "entrez_id", "symbol", "aliases"],
    ... ).assign(name="", biotype="", chromosome="")
    >>> table = EmbeddingTable(genes, {"text": np.eye(2)}, "human", 9606, "toy", "0" * 64)
    >>> match = match_genes(["ENSG00000141510.18", 55016, "p53", "no such gene"], table, organism="human")
    >>> match.rows
    array([ 0,  1,  0, -1])
    >>> match.summary()
    '3 of 4 genes found (75.0%); 1 by ensembl, 1 by entrez, 1 by alias; 1 repeat a gene'
    """
    if organism is not None:
        check_species(table, organism)
    match = find_genes(ids, table)
    if match.notes:
        warnings.warn(" ".join(match.notes), UserWarning, stacklevel=2)
    return match


def check_species(table: EmbeddingTable, organism: str) -> None:
    """Raise when the table is for another species than `organism`, an English or Latin name."""
    if table.species not in (organism, find_species(organism).name):
        msg = f"organism={organism!r}, but the table is for {table.species!r}. Use the table of the genes' own species."
        raise InputError(msg)


def find_genes(ids: Iterable[object], table: EmbeddingTable) -> GeneMatch:
    """Do the work of :func:`match_genes` without warning."""
    names = as_names(ids)
    places, distinct = pd.factorize(names)
    rows, how = identify(distinct, table.lookup)
    foreign = _foreign(distinct[rows == UNKNOWN], table)
    return GeneMatch(
        ids=names,
        rows=np.maximum(rows, UNKNOWN)[places],
        how=pd.Categorical.from_codes(how[places], categories=pd.Index([*KINDS, ""])),
        ambiguous=tuple(distinct[rows == AMBIGUOUS]),
        foreign=foreign,
        notes=_notes(distinct, rows, how, foreign, table),
    )


def _notes(
    names: np.ndarray, rows: np.ndarray, how: np.ndarray, foreign: tuple[str, ...], table: EmbeddingTable
) -> tuple[str, ...]:
    """Say what looks wrong with distinct names."""
    species, found = table.species, rows >= 0
    notes = []
    dates = how == KINDS.index("date")
    if dates.any():
        read = zip(names[dates], table.genes["symbol"].to_numpy()[rows[dates]], strict=True)
        notes.append(
            f"{dates.sum()} names are dates that a spreadsheet made of gene symbols, read as the likeliest genes: "
            f"{examples(f'{date} as {symbol}' for date, symbol in read)}. Better restore the names where they come from."
        )
    folded = names[how == KINDS.index("case")]
    if len(folded) > found.sum() / 2:
        notes.append(
            f"{len(folded)} of {found.sum()} names fit the {species} table only without regard to case "
            f"({examples(folded)}): they look like another species' symbols, such as mouse's. If they are, give that "
            "species as organism; if not, nothing needs to be done."
        )
    if foreign:
        notes.append(
            f"{len(foreign)} Ensembl ids are not of {species} genes ({examples(foreign)}): they belong to another "
            "species, or to transcripts or proteins. Give that species as organism, or the ids of the genes."
        )
    if found.sum() < len(names) / 2:
        notes.append(
            f"Only {found.sum()} of {len(names)} distinct names are in the {species} table; "
            f"unknown are {examples(names[~found])}."
        )
    return tuple(notes)


def _foreign(names: np.ndarray, table: EmbeddingTable) -> tuple[str, ...]:
    """Pick the Ensembl ids of other species, transcripts or proteins among names that were not found."""
    own = {"", *(ensembl_prefix(name) for name in table.lookup.ensembl.index[:1])}
    return tuple(name for name in names if ensembl_prefix(name) not in own)
