"""Vectors of genes from one key of varm or several side by side, and those of genes that are not in the data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from dnaclip._errors import InputError, examples
from dnaclip.tl._perturbation.vectors import VectorSource, read_vectors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import anndata

    from dnaclip.models import DnaClip

__all__ = ["GeneVectors", "join_blocks", "read_gene_vectors"]


@dataclass(frozen=True, eq=False)
class GeneVectors:
    """Where vectors of genes come from.

    Parameters
    ----------
    keys
        Keys of varm, in order.
    sources
        For each of them vectors by name, and the embedding table that knows other genes.
    flags
        For each of them whether a column says if a gene has it, because some genes lack it.
    """

    keys: tuple[str, ...]
    sources: tuple[VectorSource, ...]
    flags: tuple[bool, ...]

    def find(self, genes: Iterable[str]) -> tuple[np.ndarray, np.ndarray, str]:
        """Return vectors, float32 (n, d), which genes have one, and why the others have none."""
        genes = list(genes)
        parts, known, reasons = [], np.zeros(len(genes), dtype=bool), []
        for source in self.sources:
            found, why = source.find(genes)
            values = np.zeros((len(genes), source.values.shape[1]), np.float32)
            has = np.array([gene in found for gene in genes], dtype=bool)
            if has.any():
                values[has] = np.stack([found[gene] for gene in genes if gene in found])
            parts.append(values)
            known |= has
            reasons += [why] if why else []
        return join_blocks(parts, self.flags), known, " ".join(dict.fromkeys(reasons))

    def encode(self, strings: Sequence[str], side: str) -> np.ndarray:
        """Return vectors of genes given by text or by DNA, float32 (n, d), from the model that made those of the data."""
        parts, used = [], False
        for key, source in zip(self.keys, self.sources, strict=True):
            modality = source.table.get("modality")
            if modality not in ("joint", side):
                parts.append(np.zeros((len(strings), source.values.shape[1]), np.float32))
                continue
            model = self._model(key, source)
            parts.append(model.encode_text(strings) if side == "text" else model.encode_dna(strings))
            used = True
        if not used:
            modalities = [source.table.get("modality", "unknown") for source in self.sources]
            msg = (
                f"Genes cannot be predicted from {side}: the vectors in {examples(self.keys)} are of the modality "
                f"{examples(modalities)}. Embed genes with dnaclip.tl.embed(adata, modality='joint') or {side!r}."
            )
            raise InputError(msg)
        return join_blocks(parts, self.flags)

    @staticmethod
    def _model(key: str, source: VectorSource) -> DnaClip:
        model = _pretrained(source.table["model"])
        if model.dimension != source.values.shape[1]:
            msg = (
                f"The model {source.table['model']!r} has {model.dimension} dimensions, the vectors in {key!r} do not."
            )
            raise InputError(msg)
        return model


@lru_cache(maxsize=1)
def _pretrained(name: str) -> DnaClip:
    """Keep the last model: it takes seconds to load, and genes are often asked for one by one."""
    from dnaclip.models import load_pretrained

    return load_pretrained(name)


def read_gene_vectors(
    adata: anndata.AnnData, use_rep: str | Sequence[str]
) -> tuple[GeneVectors, np.ndarray, np.ndarray]:
    """Return where vectors come from, those of the genes of `adata`, float32 (n_vars, d), and which genes have one.

    Raises
    ------
    MissingKeyError
        There is no such key in varm.
    InputError
        Vectors are infinite or no numbers, a key is named twice, or no gene has a vector.
    """
    keys = (use_rep,) if isinstance(use_rep, str) else tuple(use_rep)
    if not keys or len(set(keys)) < len(keys):
        msg = f"use_rep must name one key of adata.varm or several different ones, got {use_rep!r}."
        raise InputError(msg)
    sources = tuple(read_vectors(adata, key, None) for key in keys)
    empty = [key for key, source in zip(keys, sources, strict=True) if not source.names]
    if empty:
        msg = f"No gene of adata has a vector in adata.varm[{empty[0]!r}]: all rows are NaN or zeros."
        raise InputError(msg)
    present = set().union(*(source.names for source in sources))
    flags = tuple(len(keys) > 1 and len(source.names) < len(present) for source in sources)
    vectors = GeneVectors(keys, sources, flags)
    # What is not in varm stays without a vector here, also if the table would know it.
    own = GeneVectors(keys, tuple(VectorSource(source.names, source.values) for source in sources), flags)
    values, known, _ = own.find(adata.var_names)
    return vectors, values, known


def join_blocks(blocks: Sequence[np.ndarray], flags: Sequence[bool]) -> np.ndarray:
    """Put vectors side by side, each block of length 1, with a column of 0 and 1 beside those that genes may lack.

    Examples
    --------
    >>> import numpy as np
    >>> join_blocks([np.array([[3.0, 4.0]]), np.zeros((1, 1))], [False, True])
    array([[0.6, 0.8, 0. , 0. ]], dtype=float32)
    """
    parts = []
    for values, flag in zip(blocks, flags, strict=True):
        length = np.linalg.norm(values, axis=1, keepdims=True)
        parts.append(values / np.maximum(length, 1e-12))
        if flag:
            parts.append(length > 0)
    return np.hstack(parts).astype(np.float32)
