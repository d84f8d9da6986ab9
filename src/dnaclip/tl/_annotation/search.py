"""Find genes by words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from dnaclip._errors import InputError, examples
from dnaclip._keys import DEFAULT_KEY
from dnaclip._validate import check_choice, check_count
from dnaclip.datasets._table import MODALITIES
from dnaclip.tl._adata import check_adata
from dnaclip.tl._annotation.candidates import _check_same_space
from dnaclip.tl._gene_vectors import gene_vectors
from dnaclip.tl._knn import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dnaclip.models import DnaClip

__all__ = ["search"]


def search(
    query: str | Iterable[str],
    data: Any = None,
    *,
    n: int = 10,
    modality: Literal["joint", "dna", "text"] = "joint",
    use_rep: str = DEFAULT_KEY,
    model: str | DnaClip | None = None,
) -> pd.DataFrame:
    """Find the genes that fit a description in free words.

    The words are embedded into the space of the genes, and the nearest genes by cosine are returned. Needs
    ``pip install 'dnaclip[text]'``, whose language model (92 MB) is fetched at the first use.

    Parameters
    ----------
    query
        A description in English, such as `"repairs DNA after ultraviolet light"`, or several.
    data
        Where to look: a species, an :class:`~dnaclip.datasets.EmbeddingTable`, or annotated data with embeddings in
        `varm[use_rep]`. `None` is human. Nothing is written.
    n
        Genes per query.
    modality
        For a table: compare with what the DNA says, with what the text says, or with both.
    use_rep
        For annotated data: key of the embeddings.
    model
        The model, or its name, that encodes the words; it must be the one that made the embeddings.

    Returns
    -------
    One row per query and gene, best first: `query`, `rank` (from 1), `gene`, `symbol`, `name`, `similarity` (cosine). For
    annotated data `gene` is the name in `adata.var_names`, and there is no `symbol` or `name`.

    Raises
    ------
    InputError
        A query is blank, no gene has a vector, or the vectors are another model's.
    MissingKeyError
        There is no table for the species, or `use_rep` is not in `adata.varm`.
    MissingDependencyError, DownloadError
        The language model is not installed, or cannot be fetched.

    Examples
    --------
    A model that encodes words as it likes stands in for the real one, which needs a download:

    >>> import numpy as np
    >>> import dnaclip
    >>> table = dnaclip.datasets.load_table("human")
    >>> model = dnaclip.models.load_pretrained()
    >>> class Words:
    ...     def encode(self, texts, **options):
    ...         return np.ones((len(texts), 384), np.float32)
    >>> model.text_encoder = Words()
    >>> dnaclip.tl.search("repairs DNA", table, n=3, model=model)["rank"].tolist()
    [1, 2, 3]
    """
    check_count("n", n)
    check_choice("modality", modality, MODALITIES)
    queries = [query] if isinstance(query, str) else list(query)
    blank = [i for i, text in enumerate(queries) if not isinstance(text, str) or not text.strip()]
    if blank or not queries:
        msg = f"query must be words, or a list of them; blank or no text: {examples(blank) or 'an empty list'}."
        raise InputError(msg)
    from dnaclip.models import load_pretrained

    model = load_pretrained(model) if model is None or isinstance(model, str) else model
    genes, vectors = _genes(data, modality, use_rep, model)
    # Double precision, because here a tie between equal vectors must not hang on a rounding error.
    asked = model.encode_text(queries).astype(np.float64)
    rows, similarity = nearest(asked, vectors.astype(np.float64), min(n, len(vectors)))
    k = rows.shape[1]
    table = pd.DataFrame(
        {"query": np.repeat(np.array(queries, object), k), "rank": np.tile(np.arange(1, k + 1), len(rows))}
    )
    found = genes.iloc[rows.ravel()].reset_index(drop=True)
    table[list(found.columns)] = found
    return table.assign(similarity=similarity.ravel())


def _genes(data: Any, modality: str, use_rep: str, model: DnaClip) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the genes to look among, and their vectors."""
    from dnaclip.datasets import EmbeddingTable, load_table

    if data is None or isinstance(data, str):
        data = load_table(data or "human")
    if isinstance(data, EmbeddingTable):
        _check_same_space(data, model)
        vectors = data.vectors(modality)
        kept = np.flatnonzero(~np.isnan(vectors[:, 0]))
        genes = data.genes.iloc[kept]
        ids = genes["ensembl_id"].where(genes["ensembl_id"] != "", genes["entrez_id"])
        frame = pd.DataFrame(
            {"gene": ids.where(ids != "", genes["symbol"]), "symbol": genes["symbol"], "name": genes["name"]}
        )
        return frame, vectors[kept]
    check_adata(data)
    positions, vectors = gene_vectors(data, use_rep)
    if not len(positions):
        msg = f"No gene of adata has an embedding in varm[{use_rep!r}]."
        raise InputError(msg)
    if vectors.shape[1] != model.dimension:
        msg = f"adata.varm[{use_rep!r}] has {vectors.shape[1]} dimensions, the model has {model.dimension}: they do not fit."
        raise InputError(msg)
    return pd.DataFrame({"gene": data.var_names[positions].to_numpy()}), vectors
