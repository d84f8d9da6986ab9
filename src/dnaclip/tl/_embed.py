"""Put gene embeddings into an AnnData object."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from dnaclip import __version__
from dnaclip._errors import InputError, examples
from dnaclip._keys import DEFAULT_KEY, EmbeddingKeys
from dnaclip._validate import check_choice, clean_params
from dnaclip.datasets._load import load_table
from dnaclip.datasets._table import MODALITIES, SIDES, EmbeddingTable
from dnaclip.pp._match import check_species
from dnaclip.tl._gene_ids import match_var

if TYPE_CHECKING:
    from pathlib import Path

    import anndata

    from dnaclip.pp._match import GeneMatch

__all__ = ["embed"]

logger = logging.getLogger(__name__)

_USED = ("dna+text", "dna", "text", "none")


def embed(
    adata: anndata.AnnData,
    model: str | Path | EmbeddingTable | None = None,
    modality: Literal["joint", "dna", "text"] = "joint",
    gene_ids: str | Iterable[object] | None = None,
    organism: str = "human",
    *,
    key_added: str = DEFAULT_KEY,
    missing: Literal["nan", "zero", "error"] = "nan",
    copy: bool = False,
) -> anndata.AnnData | None:
    """Put the embedding of each gene into `adata.varm`.

    The embeddings come ready-made from a table, so neither a GPU nor the expression values are needed. Genes are
    recognised by Ensembl id (with or without version), Entrez id, symbol, alias or previous symbol, whatever the case;
    see :func:`dnaclip.pp.match_genes`.

    Parameters
    ----------
    adata
        Annotated data, genes in columns; in memory or backed. A view becomes an object of its own, its parent stays.
    model
        Name of a model, file of an embedding table (`*.safetensors`), or a table. None: the default model.
    modality
        `"dna"`: from the gene's sequence. `"text"`: from the description of its function. `"joint"`: the mean of both,
        scaled to length one, or the one there is.
    gene_ids
        Column of `adata.var` with the identifiers, or one identifier per gene. None: `adata.var_names`; if they fit
        fewer than half of the genes and a usual column (`gene_ids`, `feature_name`, ...) fits most, that one, which is
        logged.
    organism
        Species of the genes, by English or Latin name.
    key_added
        Name under which all results are stored.
    missing
        What genes without an embedding get: rows of NaN, of zeros, or an error.
    copy
        Return a changed copy instead of changing `adata`.

    Returns
    -------
    None, or the copy if `copy=True`. Written are:

    `adata.varm[key_added]`
        Embeddings, float32 (n_vars, d), rows of length one.
    `adata.var[f"{key_added}_found"]`
        Whether the gene has an embedding, bool.
    `adata.var[f"{key_added}_modalities"]`
        What it was made from, categorical: `dna+text`, `dna`, `text` or `none`.
    `adata.uns[key_added]`
        Under `params`: all choices, the model's name and checksum, the number of genes found.

    An earlier result under the same key is replaced. With :func:`anndata.concat` use `merge="same"` to keep it.

    Raises
    ------
    InputError
        No gene has an embedding; some have none and `missing="error"`; an argument has an unknown value or the wrong
        length; the table is for another species; or `key_added` is taken by something else. `adata` stays as it was.
    MissingKeyError
        `gene_ids` is no column of `adata.var`, or there is no table for this model and organism.

    Warns
    -----
    UserWarning
        Once, if the identifiers look like those of another species or like dates, or if most of them are unknown.

    Examples
    --------
    >>> import anndata as ad
    >>> import numpy as np
    >>> import dnaclip
    >>> adata = ad.AnnData(np.ones((2, 3), dtype="float32"))
    >>> adata.var_names = ["TP53", "ENSG00000075624.17", "not-a-gene"]
    >>> dnaclip.tl.embed(adata)
    >>> adata.varm["dnaclip"].shape
    (3, 128)
    >>> adata.var["dnaclip_found"].tolist()
    [True, True, False]
    """
    from anndata import ImplicitModificationWarning

    keys = EmbeddingKeys(key_added)
    check_choice("modality", modality, MODALITIES)
    check_choice("missing", missing, ("nan", "zero", "error"))
    _check_adata(adata, keys, copy=copy)
    table = _find_table(model, organism)
    source, match, advice = match_var(adata, gene_ids, table)
    vectors = np.full((adata.n_vars, table.dimension), np.nan, dtype=np.float32)
    vectors[match.found] = table.vectors(modality)[match.rows[match.found]]
    found = ~np.isnan(vectors[:, 0])
    _check_found(found, match, table, source=source, modality=modality, missing=missing, advice=advice)
    if missing == "zero":
        vectors[~found] = 0
    notes = [*match.notes, advice] if advice else match.notes
    if notes:
        warnings.warn(" ".join(notes), UserWarning, stacklevel=2)

    params = {
        "model": table.model,
        "model_sha256": table.model_sha256,
        "modality": modality,
        "organism": table.species,
        "gene_ids": source,
        "missing": missing,
        "n_genes": len(found),
        "n_found": int(found.sum()),
        "found_by": match.counts,
        "dnaclip_version": __version__,
    }
    adata = adata.copy() if copy else adata
    with warnings.catch_warnings():
        # A view becomes an object of its own when it is written to, as documented: no need to warn.
        warnings.simplefilter("ignore", category=ImplicitModificationWarning)
        adata.varm[keys.varm] = vectors
    adata.var[keys.found] = found
    adata.var[keys.modalities] = _used(table, match, found, modality)
    adata.uns[keys.uns] = {"params": clean_params(params)}
    logger.info(
        "%d of %d genes have a %s embedding (%s, %s), now in varm[%r]. By %s: %s.",
        *(found.sum(), len(found), modality, table.model, table.species, keys.varm, source, match.summary()),
    )
    return adata if copy else None


def _check_adata(adata: anndata.AnnData, keys: EmbeddingKeys, *, copy: bool) -> None:
    from anndata import AnnData

    if not isinstance(adata, AnnData):
        msg = f"adata must be an AnnData, got {type(adata).__name__}. Of a MuData give one modality: mdata['rna']."
        raise InputError(msg)
    if adata.isbacked and (copy or adata.is_view):
        msg = "A backed AnnData cannot be copied, nor a view of it be changed, in place. Use adata.to_memory() first."
        raise InputError(msg)
    # An embedding of ours is known by its record, or, where concatenation dropped that, by its two columns.
    record = adata.uns.get(keys.uns)
    recorded = isinstance(record, Mapping) and "params" in record
    ours = recorded or {keys.found, keys.modalities} <= set(adata.var.columns)
    taken = [
        place
        for place, there in (
            ("varm", keys.varm in adata.varm and not ours),
            ("uns", record is not None and not recorded),
        )
        if there
    ]
    if taken:
        places = " and ".join(f"adata.{place}[{keys.name!r}]" for place in taken)
        msg = f"{places} exists and was not written by dnaclip.tl.embed. Use another key_added, or delete it first."
        raise InputError(msg)


def _find_table(model: str | os.PathLike[str] | EmbeddingTable | None, organism: str) -> EmbeddingTable:
    if isinstance(model, os.PathLike) or (isinstance(model, str) and model.endswith(".safetensors")):
        model = EmbeddingTable.load(model)
    if isinstance(model, EmbeddingTable):
        check_species(model, organism)
        return model
    if model is not None and not isinstance(model, str):
        msg = f"model must be a name, a file, an EmbeddingTable or None, got {type(model).__name__}."
        raise InputError(msg)
    return load_table(organism, model)


def _check_found(
    found: np.ndarray, match: GeneMatch, table: EmbeddingTable, *, source: str, modality: str, missing: str, advice: str
) -> None:
    absent = match.ids[~found]
    if len(found) and not found.any():
        known = int(match.found.sum())
        why = f"{known} are known, but without {modality} vectors." if known else "None of them is known."
        msg = (
            f"No gene of adata has a {modality} embedding for organism {table.species!r}. Looked up were the {source}: "
            f"{examples(match.ids)}. {why} {advice} {' '.join(match.notes)}"
        )
        raise InputError(" ".join(msg.split()))
    if missing == "error" and len(absent):
        msg = (
            f"{len(absent)} of {len(found)} genes have no {modality} embedding: {examples(absent)}. "
            "Use missing='nan' or 'zero', or subset adata to the genes that have one."
        )
        raise InputError(msg)


def _used(table: EmbeddingTable, match: GeneMatch, found: np.ndarray, modality: str) -> pd.Categorical:
    """Which sides each gene's vector was made from."""
    dna, text = (found & table.has(side)[match.rows] & (modality in ("joint", side)) for side in SIDES)
    return pd.Categorical(np.select([dna & text, dna, text], _USED[:3], _USED[3]), categories=_USED)
