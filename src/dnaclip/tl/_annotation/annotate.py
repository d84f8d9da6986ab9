"""Annotate unknown genes by their DNA."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from tqdm.auto import tqdm

from dnaclip._errors import InputError
from dnaclip._keys import DEFAULT_KEY
from dnaclip._validate import check_count
from dnaclip.tl._annotation.annotator import Annotator
from dnaclip.tl._annotation.queries import read_queries

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from dnaclip.models import DnaClip

__all__ = ["annotate"]


def annotate(
    sequences: Any,
    *,
    candidates: Any = None,
    texts: Any = None,
    evidence: str | None = None,
    reference: pd.DataFrame | None = None,
    n_neighbors: int = 5,
    min_confidence: float = 0.5,
    llm: Callable[[list[dict[str, str]]], str] | None = None,
    model: str | DnaClip | None = None,
    calibration: str | os.PathLike[str] | None = None,
    sequence_key: str = "sequence",
    use_rep: str = DEFAULT_KEY,
    threads: int = 1,
    batch_size: int = 1000,
    progress: bool = False,
) -> pd.DataFrame:
    """Find known genes that do what unknown genes may do, and say how much to trust it.

    The DNA of each gene is embedded and compared with the texts of known genes. With `evidence`, the genes are also
    aligned with known sequences; the two are combined by weights that were fitted on held-out genes
    (`benchmarks/RESULTS-annotation.md`). For genes that align with nothing the embedding alone decides.

    Parameters
    ----------
    sequences
        DNA on the gene's own strand: a list, a dictionary or series by name, a table with the columns `gene` and `sequence`
        (as :func:`dnaclip.pp.gene_sequences` makes), the path of a FASTA file, or annotated data whose `var` has sequences,
        or else whose `varm` has embeddings.
    candidates
        Genes to choose from: species such as `"human"`, an :class:`~dnaclip.datasets.EmbeddingTable`, a list of these, or a
        table with the column `gene` and `text` or `name`, optionally `symbol`, `species` and `sequence`. `None` is human.
        A table of your own needs ``pip install 'dnaclip[text]'``.
    texts
        Texts of the candidates, in a dictionary, a series, or a table with the columns `gene` and `text`; genes without one
        have their name.
    evidence
        Program to align with: `"blast"`, `"diamond"` or `"mmseqs"`. `None` aligns nothing.
    reference
        Known genes to align with, a table as for `candidates`, with sequences; `None` takes the candidates, which then need
        a column `sequence`.
    n_neighbors
        Known genes returned for each gene.
    min_confidence
        Below it a gene is left without annotation.
    llm
        A :class:`dnaclip.llm.ChatClient`, or any function from messages to text, that summarises the texts of the neighbours;
        each claim is checked against them (:func:`dnaclip.llm.describe_program`). `None` quotes their most typical sentences.
    model
        The model or its name; `None` is the default.
    calibration
        File of `scripts/fit_annotation.py` for a model of your own. `None` is the one of the default model.
    sequence_key, use_rep
        Column with the sequences, in a table or in `adata.var`, and key of the embeddings in `adata.varm`.
    threads
        Processor cores for the alignment program.
    batch_size
        Genes at once; changes memory, not the result.
    progress
        Whether to show progress bars.

    Returns
    -------
    One row per gene and neighbour, best first; take ``table[table["rank"] == 1]`` for one row per gene.

    `query`, `rank`
        The gene, and the place of the neighbour, from 1.
    `gene`, `symbol`, `name`, `species`, `text`
        The neighbour.
    `similarity`
        Cosine of the gene's embedding and that of the neighbour's text.
    `score`
        What neighbours are ranked by: log-odds of embedding and alignment together, up to a constant per gene; without
        alignment, the similarity.
    `confidence`
        Estimated probability that the first neighbour's text describes the same function; the same for all rows of a gene.
        It was calibrated on genes without similar sequence in training, where a text counted as right if its MiniLM
        cosine with the true one was at least 0.5, which one in 75 random pairs reaches. NaN if there is no calibration
        for this model, or no sequence.
    `annotation`
        Summary of the neighbours' texts, empty below `min_confidence`.
    `status`
        `annotated`, or why not.

    With `evidence` also `nearest` (the first by embedding alone), `hit` (best alignment), `level` (`protein` or `bases`),
    `identity` (per cent), `bitscore`, `evalue`, `query_coverage`, `target_coverage`, `hit_text`, and `agreement` (cosine of the
    neighbour's text with that of the hit). `attrs["parameters"]` says how the table was made.

    Raises
    ------
    InputError
        A sequence or an argument cannot be used, or names stand twice.
    MissingKeyError
        A column is absent.
    MissingDependencyError
        The alignment program, or the text encoder for a table of your own, is not installed.

    Warns
    -----
    UserWarning
        There is no calibration for the model, or the language model failed: the rest has quoted sentences.

    Examples
    --------
    >>> import dnaclip
    >>> ubiquitin = (
    ...     "ATGCAGATTTTTGTGAAAACCCTGACCGGCAAAACCATTACCCTGGAAGTGGAACCGAGCGATACCATTGAAAACGTGAAAGCGAAAATTCAGGATAAAGAA"
    ...     "GGCATTCCGCCGGATCAGCAGCGCCTGATTTTTGCGGGCAAACAGCTGGAAGATGGCCGCACCCTGAGCGATTATAACATTCAGAAAGAAAGCACCCTGCAT"
    ...     "CTGGTGCTGCGCCTGCGCGGCGGC"
    ... )
    >>> table = dnaclip.tl.annotate({"mystery": ubiquitin}, n_neighbors=2)
    >>> table[["query", "rank", "symbol"]]
         query  rank symbol
    0  mystery     1    UBB
    1  mystery     2    UBC
    """
    check_count("batch_size", batch_size)
    queries = read_queries(sequences, sequence_key=sequence_key, use_rep=use_rep)
    annotator = Annotator(
        candidates=candidates,
        texts=texts,
        evidence=evidence,
        reference=reference,
        n_neighbors=n_neighbors,
        min_confidence=min_confidence,
        llm=llm,
        model=model,
        calibration=calibration,
        threads=threads,
        progress=progress,
    )
    if evidence is not None and queries.sequences is None:
        msg = "evidence needs sequences, and adata has only embeddings. Put the DNA of each gene into adata.var['sequence']."
        raise InputError(msg)
    with annotator, tqdm(total=len(queries), unit="gene", desc="Annotating", disable=not progress) as bar:
        parts = []
        for start in range(0, len(queries), batch_size):
            parts.append(annotator.annotate(queries.block(start, batch_size)))
            bar.update(min(batch_size, len(queries) - start))
    table = pd.concat(parts, ignore_index=True)
    table.attrs["parameters"] = annotator.parameters
    return table
