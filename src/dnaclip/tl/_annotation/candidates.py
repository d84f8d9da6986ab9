"""Known genes: those to choose annotations from, and those to align with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dnaclip._errors import InputError, MissingKeyError, examples
from dnaclip.tl._programs.gene_texts import given_texts

if TYPE_CHECKING:
    from dnaclip.datasets import EmbeddingTable
    from dnaclip.models import DnaClip

__all__ = ["KNOWN_COLUMNS", "KnownGeneTable", "read_known"]

# Names that annotate nothing.
_NO_NAME = r"(?i)(uncharacteri[sz]ed|novel (transcript|gene|protein)|hypothetical)\b"
KNOWN_COLUMNS = ("gene", "symbol", "name", "species", "text")


@dataclass(frozen=True)
class KnownGeneTable:
    """Genes with texts and vectors.

    Attributes
    ----------
    genes
        One row per gene, text columns :data:`KNOWN_COLUMNS`; the text is the name where nothing else is known.
    vectors
        float32 (n, d), rows of length one in the shared space.
    sequences
        DNA of each gene, or `None`.
    """

    genes: pd.DataFrame
    vectors: np.ndarray
    sequences: list[str] | None

    def __len__(self) -> int:
        return len(self.genes)

    @property
    def texts(self) -> list[str]:
        """One text a gene."""
        return self.genes["text"].tolist()


def read_known(candidates: Any, texts: Any, model: DnaClip, *, progress: bool) -> KnownGeneTable:
    """Read known genes from a species, embedding tables, or a table of the user.

    Parameters
    ----------
    candidates
        `None` (human), species, :class:`~dnaclip.datasets.EmbeddingTable`, a list of these, or a table with the column `gene`
        and `text` or `name`, optionally `symbol`, `species` and `sequence`.
    texts
        Texts of these genes, as in :func:`dnaclip.tl.describe`.
    model
        Encodes the texts of a table of the user.
    progress
        Whether to show a progress bar.
    """
    known = given_texts(texts)
    if isinstance(candidates, pd.DataFrame):
        return _of_frame(candidates, known, model, progress=progress)
    if isinstance(candidates, (Mapping, pd.Series)):
        return read_known(pd.DataFrame(candidates.items(), columns=["gene", "text"]), texts, model, progress=progress)
    listed = candidates if isinstance(candidates, (list, tuple)) else [candidates]
    if not listed:
        msg = "candidates is an empty list. Name a species, such as 'human', or give a table."
        raise InputError(msg)
    parts = [_of_table(one, known, model) for one in listed]
    return KnownGeneTable(
        pd.concat([part.genes for part in parts], ignore_index=True), np.concatenate([p.vectors for p in parts]), None
    )


def _of_table(source: Any, known: dict[str, str], model: DnaClip) -> KnownGeneTable:
    from dnaclip.datasets import EmbeddingTable, load_table

    if source is None or isinstance(source, str):
        source = load_table(source or "human")
    if not isinstance(source, EmbeddingTable):
        msg = (
            f"candidates must be a species, an EmbeddingTable, a list of these or a table, got {type(source).__name__}."
        )
        raise InputError(msg)
    _check_same_space(source, model)
    vectors = source.vectors("text") if "text" in source.sides else source.vectors("joint")
    genes = source.genes
    ids = genes["ensembl_id"].where(genes["ensembl_id"] != "", genes["entrez_id"])
    ids = ids.where(ids != "", genes["symbol"])
    text = pd.Series([_text_of(known, *names) for names in zip(ids, genes["symbol"], genes["name"], strict=True)])
    frame = pd.DataFrame(
        {"gene": ids, "symbol": genes["symbol"], "name": genes["name"], "species": source.species, "text": text}
    )
    # A symbol alone, or a name that only says that there is no name, tells nothing about an unknown gene.
    no_name = (frame["name"] == "") | frame["name"].str.match(_NO_NAME)
    says_nothing = no_name & (frame["text"] == [*map(_plain, genes["symbol"], genes["name"])])
    kept = ~np.isnan(vectors[:, 0]) & (frame["text"] != "").to_numpy() & ~says_nothing.to_numpy()
    if not kept.any():
        msg = f"No gene of the table for {source.species!r} has both a vector and a name."
        raise InputError(msg)
    return KnownGeneTable(frame[kept].reset_index(drop=True), vectors[kept], None)


def _check_same_space(table: EmbeddingTable, model: DnaClip) -> None:
    """Raise when the vectors of a table are another model's: comparing them would give noise."""
    name = model.config.get("name")
    if table.dimension != model.dimension or table.model != name:
        msg = f"The table was made by the model {table.model!r}, the genes are encoded by {name!r}: use one model for both."
        raise InputError(msg)


def _text_of(known: dict[str, str], gene: str, symbol: str, name: str) -> str:
    return known.get(gene) or known.get(symbol) or _plain(symbol, name)


def _plain(symbol: str, name: str) -> str:
    return f"{symbol}: {name}" if symbol and name else name or symbol


def _of_frame(table: pd.DataFrame, known: dict[str, str], model: DnaClip, *, progress: bool) -> KnownGeneTable:
    if "gene" not in table or not ({"text", "name"} & set(table.columns) or known):
        msg = f"A table of known genes needs the columns 'gene' and 'text' (or 'name'); it has {examples(table.columns, 10) or 'none'}."
        raise MissingKeyError(msg)
    if not len(table):
        msg = "The table of known genes is empty."
        raise InputError(msg)
    frame = pd.DataFrame({"gene": [str(gene) for gene in table["gene"]]})
    for column in ("symbol", "name", "species"):
        frame[column] = table[column].fillna("").astype(str).to_numpy() if column in table else ""
    own = table["text"].fillna("").astype(str).str.strip().tolist() if "text" in table else [""] * len(table)
    frame["text"] = [
        text or _text_of(known, *names)
        for text, names in zip(own, zip(frame["gene"], frame["symbol"], frame["name"], strict=True), strict=True)
    ]
    kept = (frame["text"] != "").to_numpy()
    if not kept.any():
        msg = f"None of the {len(table)} known genes has a text or a name."
        raise InputError(msg)
    sequences = None
    if "sequence" in table:
        kept = kept & table["sequence"].notna().to_numpy()
        sequences = ["".join(str(sequence).split()) for sequence in table["sequence"][kept]]
    frame = frame[kept].reset_index(drop=True)
    distinct, rows = np.unique(frame["text"].to_numpy(dtype=str), return_inverse=True)
    vectors = model.encode_text(distinct.tolist(), progress=progress)[rows]
    return KnownGeneTable(frame, vectors, sequences)
