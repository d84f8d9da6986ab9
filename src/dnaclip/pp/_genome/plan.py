"""The rows of a table of genes, and the reading of their sequences in one pass over the genome."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from dnaclip._errors import InputError, examples
from dnaclip.pp._genome.attributes import public_id
from dnaclip.pp._genome.extract import extract
from dnaclip.pp._genome.lines import bad_line
from dnaclip.pp._genome.seqids import match_seqids

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dnaclip.pp._genome.extract import Cut, Extracted
    from dnaclip.pp._genome.fasta import Contig
    from dnaclip.pp._genome.genome import Genome
    from dnaclip.pp._genome.model import Annotation, Gene, Transcript

__all__ = ["Plan", "plan_rows", "read_sequences"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """A table of genes that lacks the sequences, and for each row what to cut out of the genome."""

    table: pd.DataFrame
    cuts: list[Cut]
    path: str
    circular: frozenset[str]


def plan_rows(
    annotation: Annotation,
    rows: Iterable[tuple[Gene, Transcript | None, Cut]],
    *,
    keep_versions: bool,
) -> Plan:
    """Make the table.

    Raises
    ------
    InputError
        No row is left, or two genes have one identifier once the versions are taken off.
    """
    columns: dict[str, list[str]] = {
        name: []
        for name in ("gene_id", "symbol", "biotype", "seqid", "strand", "description", "entrez_id", "transcript_id")
    }
    cuts: list[Cut] = []
    lines: dict[tuple[str, str], int] = {}
    for gene, transcript, cut in rows:
        first = cut.pieces[0]
        name = public_id(gene.id, keep_version=keep_versions)
        part = public_id(transcript.id, keep_version=keep_versions) if transcript else ""
        values = (name, gene.symbol, gene.biotype, first.seqid, first.strand, gene.description, gene.entrez_id, part)
        if (name, part) in lines:
            fix = (
                "Give one of them another id."
                if name == gene.id
                else "Pass keep_versions=True, as the versions differ."
            )
            raise bad_line(
                annotation.path, first.line, f"the id {name!r} stands in line {lines[name, part]} already. {fix}"
            )
        lines[name, part] = first.line
        for column, value in zip(columns.values(), values, strict=True):
            column.append(value)
        cuts.append(cut)
    if not cuts:
        biotypes = sorted({gene.biotype for gene in annotation.genes.values()})
        msg = (
            f"{annotation.path} has {len(annotation.genes)} genes, but none with the feature and the biotype asked for. "
            f"Its biotypes: {examples(biotypes, 20)}."
        )
        raise InputError(msg)
    return Plan(pd.DataFrame(columns), cuts, annotation.path, frozenset(annotation.circular))


def read_sequences(
    plan: Plan, genome: Genome, *, seqid_map: Mapping[str, str] | str | None, missing: str, genome_name: str
) -> Iterator[Extracted]:
    """Yield the sequence of each row, in the order in which the genome has them.

    Raises
    ------
    InputError
        A row's contig is not in the genome and `missing` is `"error"`, a name stands for two contigs, or a gene does not
        fit into its contig.
    """
    wanted = set(plan.table["seqid"]) | {piece.seqid for cut in plan.cuts for piece in cut.pieces}
    given = _names_in_genome(wanted, genome, seqid_map, genome_name)
    names = {in_genome: name for name, in_genome in given.items()}
    if len(names) < len(given):
        twice = sorted(name for name in names if sum(each == name for each in given.values()) > 1)
        msg = f"seqid_map gives several names of the annotation to one contig of {genome_name}: {examples(twice)}."
        raise InputError(msg)
    contigs = _renamed(genome.contigs({given.get(name, name) for name in wanted}), names, taken=set(given))
    found = set()

    def passing() -> Iterator[Contig]:
        for contig in contigs:
            found.add(contig.name)
            yield contig

    yield from extract(plan.cuts, passing(), circular=plan.circular, path=plan.path)
    absent = wanted - found
    if absent and missing == "error":
        raise _absent(plan, absent, genome, genome_name)
    if absent:
        logger.info(
            "%d contigs of the annotation are not in %s: %s.", len(absent), genome_name, examples(sorted(absent))
        )


def _names_in_genome(
    wanted: set[str], genome: Genome, seqid_map: Mapping[str, str] | str | None, genome_name: str
) -> dict[str, str]:
    """Name in the genome by name in the annotation, where they differ."""
    if seqid_map is None:
        return {}
    headers = genome.headers()
    if isinstance(seqid_map, str):
        return match_seqids(sorted(wanted - set(headers)), headers)
    if unknown := sorted(set(seqid_map.values()) - set(headers)):
        msg = f"seqid_map names contigs that {genome_name} has not: {examples(unknown)}. It has {examples(headers)}."
        raise InputError(msg)
    return {name: in_genome for name, in_genome in seqid_map.items() if name in wanted}


def _renamed(contigs: Iterable[Contig], names: Mapping[str, str], *, taken: set[str]) -> Iterator[Contig]:
    for contig in contigs:
        if contig.name in names:
            yield replace(contig, name=names[contig.name])  # type: ignore[type-var]
        elif contig.name not in taken:
            yield contig


def _absent(plan: Plan, absent: set[str], genome: Genome, genome_name: str) -> InputError:
    """Say which names differ, and what mends it."""
    first, row = next((cut.pieces, i) for i, cut in enumerate(plan.cuts) if any(p.seqid in absent for p in cut.pieces))
    piece = next(piece for piece in first if piece.seqid in absent)
    headers = genome.headers()
    n_rows = sum(any(piece.seqid in absent for piece in cut.pieces) for cut in plan.cuts)
    means = match_seqids(sorted(absent), headers)
    if means:
        pairs = ", ".join(f"{name!r} -> {means[name]!r}" for name in sorted(means)[:5])
        fix = f"The names seem to mean the same contigs: {pairs}. Pass seqid_map='auto', or seqid_map={{...}} of your own."
    else:
        fix = "Pass seqid_map={name in annotation: name in genome}, or use the genome that the annotation belongs to."
    problem = (
        f"the sequence id {piece.seqid!r} is absent from {genome_name}, which has {examples(headers)}. "
        f"{len(absent)} of the annotation's sequence ids are absent, with {n_rows} of {len(plan.cuts)} rows. {fix} "
        "To leave such rows out, pass missing='drop'."
    )
    return bad_line(plan.path, piece.line, problem)
