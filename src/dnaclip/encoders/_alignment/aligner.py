"""Best alignments of genes with genes that are known."""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd

from dnaclip._errors import InputError
from dnaclip._validate import check_choice, check_count
from dnaclip.encoders._alignment.programs import (
    FIELDS,
    PROGRAMS,
    check_installed,
    program_version,
    protein_commands,
    run,
)
from dnaclip.encoders._alignment.proteins import longest_proteins

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["HIT_COLUMNS", "Aligner"]

logger = logging.getLogger(__name__)

HIT_COLUMNS = ("query", "hit", "level", "identity", "bitscore", "evalue", "query_coverage", "target_coverage")
# Shorter reading frames stay out of the protein database.
_MIN_RESIDUES = 20


class Aligner:
    """Aligns genes with reference genes by an installed program; a context manager, since it keeps a database on disk.

    Genes are compared as proteins first: their own strand, translated, against the longest reading frame of each
    reference gene. What hits nothing so is compared as bases by BLASTN, if that is installed.

    Parameters
    ----------
    reference
        DNA of the known genes, on their own strand.
    program
        `"blast"` (BLAST+ :cite:p:`Camacho2009`), `"diamond"` (DIAMOND :cite:p:`Buchfink2021`, in its sensitive mode) or
        `"mmseqs"` (MMseqs2 :cite:p:`Steinegger2017`).
    max_hits
        Reference genes kept for each query.
    evalue
        Hits of which more are expected by chance do not count.
    threads
        Processor cores that the programs may use.

    Raises
    ------
    MissingDependencyError
        The program is not installed; the message says how to get it.
    InputError
        An option has a value that cannot be used, or there are no reference genes.

    Examples
    --------
    >>> import shutil
    >>> import numpy as np
    >>> from dnaclip.encoders import Aligner
    >>> genes = [
    ...     "ATG" + "".join(np.random.default_rng(i).choice(["GCC", "AAG", "CTG", "GAT", "TGC"], 90)) for i in range(3)
    ... ]
    >>> if shutil.which("diamond"):
    ...     with Aligner(genes, "diamond") as aligner:
    ...         print(aligner.search([genes[1]])["hit"].tolist()[:1])
    ... else:
    ...     print([1])
    [1]
    """

    def __init__(
        self,
        reference: Sequence[str],
        program: str,
        *,
        max_hits: int = 25,
        evalue: float = 1e-3,
        threads: int = 1,
    ) -> None:
        check_choice("program", program, PROGRAMS)
        check_count("max_hits", max_hits)
        check_count("threads", threads)
        if not evalue > 0:
            msg = f"evalue must be a number above 0, got {evalue!r}."
            raise InputError(msg)
        if not len(reference):
            msg = "There are no reference genes to align with."
            raise InputError(msg)
        check_installed(program)
        self.program = program
        self.max_hits = max_hits
        self._evalue = evalue
        self._threads = threads
        self._reference = list(reference)
        self._bases = shutil.which("blastn") is not None and shutil.which("makeblastdb") is not None
        if not self._bases:
            logger.info("blastn is not installed: genes that %s relates to no protein stay without a hit.", program)

    @property
    def version(self) -> str:
        """Program and version."""
        name = PROGRAMS[self.program][0]
        return f"{name} {program_version(name)}"

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="dnaclip-")
        self._work = Path(self._folder.name)
        try:
            self._make_databases()
        except BaseException:
            self._folder.cleanup()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def _make_databases(self) -> None:
        proteins = longest_proteins(self._reference)
        long_enough = [(i, protein) for i, protein in enumerate(proteins) if len(protein) >= _MIN_RESIDUES]
        self._has_proteins = _write_fasta(self._work / "reference.faa", long_enough) > 0
        if self._has_proteins:
            for command in self._commands()[0]:
                run(*command)
        if self._bases:
            file = self._work / "reference.fna"
            _write_fasta(file, enumerate(self._reference))
            run("makeblastdb", "-in", file, "-dbtype", "nucl", "-out", self._work / "bases.db")

    def _commands(self) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
        return protein_commands(
            self.program, self._work, max_hits=self.max_hits, evalue=self._evalue, threads=self._threads
        )

    def search(self, sequences: Sequence[str]) -> pd.DataFrame:
        """Find the best hits of each gene.

        Parameters
        ----------
        sequences
            DNA of the genes, on their own strand.

        Returns
        -------
        One row per hit, best first for each query: `query` and `hit` (positions), `level` (`"protein"` or `"bases"`),
        `identity` (per cent, of residues or of bases), `bitscore`, `evalue`, `query_coverage` and `target_coverage` (shares of
        the two sequences inside the alignment).
        """
        sequences = list(sequences)
        work = self._work
        _write_fasta(work / "query.fna", enumerate(sequences))
        found = _no_hits()
        if self._has_proteins and sequences:
            if self.program == "mmseqs":
                _write_fasta(work / "query.faa", ((i, p) for i, p in enumerate(longest_proteins(sequences)) if p))
            for command in self._commands()[1]:
                run(*command)
            found = _read_hits(work / "proteins.tsv", "protein")
        rest = sorted(set(range(len(sequences))) - set(found["query"]))
        if self._bases and rest:
            _write_fasta(work / "rest.fna", ((i, sequences[i]) for i in rest))
            run(
                *(
                    "blastn",
                    "-task",
                    "blastn",
                    "-query",
                    work / "rest.fna",
                    "-db",
                    work / "bases.db",
                    "-strand",
                    "plus",
                ),
                *("-evalue", self._evalue, "-max_target_seqs", max(self.max_hits, 5), "-max_hsps", 1),
                *("-num_threads", self._threads, "-out", work / "bases.tsv", "-outfmt", " ".join(["6", *FIELDS])),
            )
            found = pd.concat([found, _read_hits(work / "bases.tsv", "bases")], ignore_index=True)
        order = np.lexsort((found["hit"], -found["bitscore"].to_numpy(float), found["query"]))
        found = found.iloc[order]
        return found[found.groupby("query").cumcount() < self.max_hits].reset_index(drop=True)


def _write_fasta(path: Path, sequences: Iterable[tuple[int, str]]) -> int:
    """Write sequences under their numbers, so that no name can be misread, and return how many there were."""
    n = 0
    with path.open("w", encoding="ascii") as file:
        for number, sequence in sequences:
            file.write(f">{number}\n{sequence.upper().replace('U', 'T')}\n")
            n += 1
    return n


def _no_hits() -> pd.DataFrame:
    kinds = {"query": int, "hit": int, "level": object}
    return pd.DataFrame({name: pd.Series(dtype=kinds.get(name, float)) for name in HIT_COLUMNS})


def _read_hits(path: Path, level: str) -> pd.DataFrame:
    found = pd.read_csv(path, sep="\t", names=list(FIELDS))
    if not len(found):
        return _no_hits()
    found = found.sort_values("bitscore", ascending=False, kind="stable").drop_duplicates(["qseqid", "sseqid"])
    return pd.DataFrame(
        {
            "query": found["qseqid"].astype(int),
            "hit": found["sseqid"].astype(int),
            "level": level,
            "identity": found["pident"].astype(float),
            "bitscore": found["bitscore"].astype(float),
            "evalue": found["evalue"].astype(float),
            "query_coverage": ((found["qend"] - found["qstart"]).abs() + 1) / found["qlen"],
            "target_coverage": ((found["send"] - found["sstart"]).abs() + 1) / found["slen"],
        }
    )
