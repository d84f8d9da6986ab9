"""Put the vectors of encoded sequences into an embedding table."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dnaclip._errors import InputError, examples
from dnaclip.datasets._table import GENE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dnaclip.datasets._fasta import Transcript
    from dnaclip.datasets._table import EmbeddingTable

__all__ = ["encode_transcripts", "fill_dna"]

logger = logging.getLogger(__name__)

# Genes encoded between two steps of the progress bar.
BATCH = 256


def fill_dna(
    table: EmbeddingTable | None,
    transcripts: Mapping[str, Transcript],
    encode: Callable[[list[str]], np.ndarray],
    *,
    overwrite: bool,
    progress: bool,
) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Encode the transcripts of genes without a DNA vector.

    Parameters
    ----------
    table
        Table to start from, left as it is; None to start from nothing.
    transcripts
        By Ensembl gene id.
    encode
        Turns sequences into vectors (n, d).
    overwrite
        Whether to encode also the genes that have a DNA vector.

    Returns
    -------
    Genes and sides of the filled table: first the rows of `table`, then the genes that it did not have.

    Raises
    ------
    dnaclip._errors.InputError
        A vector is not finite, or has not the length of those in the table.
    """
    genes = pd.DataFrame(columns=list(GENE_COLUMNS), dtype=object) if table is None else table.genes
    sides = {} if table is None else table.sides
    known = {gene: row for row, gene in enumerate(genes["ensembl_id"])}
    done = set() if table is None or overwrite else set(genes["ensembl_id"][table.has("dna")])
    todo = [transcript for gene, transcript in transcripts.items() if gene not in done]
    vectors = encode_transcripts(todo, encode, dimension=table.dimension if table else None, progress=progress)

    added = [transcript for transcript in todo if transcript.gene not in known]
    known |= {transcript.gene: len(genes) + i for i, transcript in enumerate(added)}
    rows = pd.DataFrame([_gene_row(transcript) for transcript in added], columns=list(GENE_COLUMNS))
    longer = {side: _lengthen(matrix, len(added)) for side, matrix in sides.items()}
    longer.setdefault("dna", np.full((len(genes) + len(added), vectors.shape[1]), np.nan, dtype=np.float32))
    longer["dna"][[known[transcript.gene] for transcript in todo]] = vectors
    logger.info(
        "%d genes have a sequence: %d DNA vectors kept, %d filled in, %d genes added.",
        len(transcripts), len(transcripts) - len(todo), len(todo) - len(added), len(added),
    )  # fmt: skip
    return pd.concat([genes, rows], ignore_index=True), longer


def encode_transcripts(
    transcripts: Sequence[Transcript],
    encode: Callable[[list[str]], np.ndarray],
    *,
    dimension: int | None,
    progress: bool,
) -> np.ndarray:
    """Encode sequences in batches, float32 (n, d); `dimension` is the length that vectors must have, if known."""
    from tqdm.auto import tqdm

    batches = []
    with tqdm(total=len(transcripts), desc="encoding", unit="gene", disable=not progress) as bar:
        for start in range(0, len(transcripts), BATCH):
            batch = transcripts[start : start + BATCH]
            vectors = np.asarray(encode([transcript.sequence for transcript in batch]), dtype=np.float32)
            dimension = dimension or vectors.shape[-1]
            if vectors.shape != (len(batch), dimension):
                msg = f"The model gave vectors of shape {vectors.shape}, the table needs ({len(batch)}, {dimension})."
                raise InputError(msg)
            bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1)).tolist()
            if bad:
                msg = f"The model gave no finite vector for {len(bad)} genes: {examples(batch[i].gene for i in bad)}."
                raise InputError(msg)
            batches.append(vectors)
            bar.update(len(batch))
    return np.concatenate(batches) if batches else np.empty((0, dimension or 0), dtype=np.float32)


def _gene_row(transcript: Transcript) -> dict[str, str]:
    return {
        "ensembl_id": transcript.gene,
        "entrez_id": "",
        "symbol": transcript.symbol,
        "aliases": "",
        "name": transcript.name,
        "biotype": transcript.biotype,
        "chromosome": transcript.chromosome,
    }


def _lengthen(matrix: np.ndarray, n_rows: int) -> np.ndarray:
    """Copy with rows of NaN at the end."""
    return np.concatenate([matrix, np.full((n_rows, matrix.shape[1]), np.nan, dtype=np.float32)])
