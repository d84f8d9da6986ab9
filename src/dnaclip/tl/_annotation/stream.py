"""Annotate the genes of a file block by block into a table on disk, from where an interrupted run goes on."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from tqdm.auto import tqdm

from dnaclip._errors import InputError
from dnaclip._files import replacing, write_atomic
from dnaclip._validate import check_count
from dnaclip.tl._annotation.annotator import Annotator
from dnaclip.tl._annotation.queries import Queries, read_genes, read_queries
from dnaclip.tl._annotation.report import write_report

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["annotate_file"]

_FEATURES = ("auto", "gene", "transcript", "cds")


def annotate_file(
    fasta: str | os.PathLike[str],
    annotation: str | os.PathLike[str] | None = None,
    *,
    out: str | os.PathLike[str],
    feature: str = "auto",
    report: str | os.PathLike[str] | None = None,
    batch_size: int = 200,
    restart: bool = False,
    progress: bool = True,
    **options: Any,
) -> pd.DataFrame:
    """Annotate the genes of a genome, or of a FASTA file of genes, into a TSV file.

    Parameters
    ----------
    fasta
        Genome, or, without `annotation`, one record per gene on its own strand.
    annotation
        GTF, GFF3 or GenBank with the genes of the genome.
    out
        TSV file to write, the table of :func:`dnaclip.tl.annotate`. Until it is complete, `.{name}.partial` beside it holds what is
        done; the same call goes on from there.
    feature
        What is cut out of the genome: `"gene"`, `"transcript"` or `"cds"`; `"auto"` takes the coding sequence of a gene that has
        one, and else its transcript.
    report
        HTML page to write about the table.
    batch_size
        Genes between two savings.
    restart
        Whether to begin anew instead of going on.
    progress
        Whether to show a progress bar.
    **options
        Of :func:`dnaclip.tl.annotate`.

    Returns
    -------
    The table.

    Raises
    ------
    InputError
        A file or an option cannot be used, or the interrupted run had other options.
    """
    check_count("batch_size", batch_size)
    out = Path(out)
    partial, state_file = out.with_name(f".{out.name}.partial"), out.with_name(f".{out.name}.state.json")
    queries = _genes(fasta, annotation, feature)
    mark = _fingerprint(queries, feature, options)
    annotator = Annotator(progress=progress, **options)  # checks options before anything is written
    out.parent.mkdir(parents=True, exist_ok=True)
    done, size = (0, 0) if restart else _state(state_file, partial, mark)
    with annotator, partial.open("r+b" if size else "wb") as file:
        file.truncate(size)
        file.seek(size)
        with tqdm(total=len(queries), initial=done, unit="gene", desc="Annotating", disable=not progress) as bar:
            for start in range(done, len(queries), batch_size):
                block = queries.block(start, batch_size)
                table = annotator.annotate(block)
                file.write(table.to_csv(sep="\t", index=False, header=start == 0).encode())
                file.flush()
                os.fsync(file.fileno())
                state = {"mark": mark, "done": start + len(block), "bytes": file.tell()}
                write_atomic(state_file, json.dumps(state).encode())
                bar.update(len(block))
    table = pd.read_csv(partial, sep="\t", keep_default_na=False, na_values={c: [""] for c in _NUMBERS}, dtype=_TEXTS)
    partial.replace(out)
    state_file.unlink(missing_ok=True)
    table.attrs["parameters"] = annotator.parameters
    if report is not None:
        with replacing(report) as part:
            part.write_text(write_report(table, name=Path(fasta).name), encoding="utf-8")
    return table


_NUMBERS = (
    *("similarity", "score", "confidence", "identity", "bitscore", "evalue"),
    *("query_coverage", "target_coverage", "agreement"),
)
_TEXTS = dict.fromkeys(
    ("query", "gene", "symbol", "name", "species", "text", "annotation", "status", "hit", "nearest"), str
)


def _genes(fasta: str | os.PathLike[str], annotation: str | os.PathLike[str] | None, feature: str) -> Queries:
    if feature not in _FEATURES:
        msg = f"feature={feature!r} is not known. Use one of: {', '.join(map(repr, _FEATURES))}."
        raise InputError(msg)
    if annotation is None:
        return read_queries(dict(_distinct(fasta)), sequence_key="sequence", use_rep="")
    from dnaclip.pp import gene_sequences

    if feature != "auto":
        return read_queries(gene_sequences(fasta, annotation, feature), sequence_key="sequence", use_rep="")  # type: ignore[arg-type]
    genes = gene_sequences(fasta, annotation, "transcript")
    coding = gene_sequences(fasta, annotation, "cds").set_index("gene_id")["sequence"]
    genes["sequence"] = genes["gene_id"].map(coding[~coding.index.duplicated()]).fillna(genes["sequence"])
    return read_queries(genes, sequence_key="sequence", use_rep="")


def _distinct(fasta: str | os.PathLike[str]) -> list[tuple[str, str]]:
    genes = list(read_genes(fasta))
    names = pd.Index([name for name, _ in genes])
    if names.has_duplicates:
        msg = f"{fasta} has more than one record named {names[names.duplicated()][0]!r}. Give each gene its own name."
        raise InputError(msg)
    return genes


def _fingerprint(queries: Queries, feature: str, options: Mapping[str, Any]) -> str:
    """Checksum of genes and options: a run goes on only with the same."""
    digest = hashlib.sha256(repr((feature, len(queries))).encode())
    for name, sequence in zip(queries.names, queries.sequences or [], strict=True):
        digest.update(f"{name}\t{sequence}\n".encode())
    for key, value in sorted(options.items()):
        if isinstance(value, pd.DataFrame):
            told = hashlib.sha256(value.to_csv(index=False).encode()).hexdigest()
        else:
            told = getattr(value, "__name__", None) or repr(value)
        digest.update(f"{key}={told}\n".encode())
    return digest.hexdigest()


def _state(state_file: Path, partial: Path, mark: str) -> tuple[int, int]:
    """Return how many genes and bytes of an interrupted run are done."""
    if not (state_file.is_file() and partial.is_file()):
        return 0, 0
    try:
        state = json.loads(state_file.read_text(encoding="utf-8"))
        there, done, size = str(state["mark"]), int(state["done"]), int(state["bytes"])
    except (ValueError, KeyError, TypeError):
        return 0, 0
    if there != mark:
        msg = (
            f"{partial} is of an interrupted run with other genes or options. Repeat that call to finish it, or begin anew "
            "with restart=True (--restart)."
        )
        raise InputError(msg)
    return (done, size) if size <= partial.stat().st_size else (0, 0)
