"""Command lines of the three programs, and running them."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

from dnaclip._errors import DnaclipError, MissingDependencyError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "FIELDS",
    "PROGRAMS",
    "AlignmentError",
    "check_installed",
    "find_program",
    "program_version",
    "protein_commands",
    "run",
]

FIELDS = ("qseqid", "sseqid", "pident", "evalue", "bitscore", "qstart", "qend", "qlen", "sstart", "send", "slen")
# MMseqs2 names the same columns in its own way.
_MMSEQS_FIELDS = "query,target,pident,evalue,bits,qstart,qend,qlen,tstart,tend,tlen"

PROGRAMS = {
    "blast": ("blastx", "makeblastdb"),
    "diamond": ("diamond",),
    "mmseqs": ("mmseqs",),
}
_INSTALL = {
    "blastx": "apt install ncbi-blast+ (or conda install -c bioconda blast)",
    "blastn": "apt install ncbi-blast+ (or conda install -c bioconda blast)",
    "makeblastdb": "apt install ncbi-blast+ (or conda install -c bioconda blast)",
    "diamond": "apt install diamond-aligner (or conda install -c bioconda diamond)",
    "mmseqs": "apt install mmseqs2 (or conda install -c bioconda mmseqs2)",
}


class AlignmentError(DnaclipError, RuntimeError):
    """An alignment program stopped with an error."""


def find_program(name: str) -> str:
    """Return the path of a program, or raise an error that says how to install it."""
    path = shutil.which(name)
    if path is None:
        msg = f"The program {name!r} is not installed (not on PATH). Install it with: {_INSTALL[name]}."
        raise MissingDependencyError(msg)
    return path


def check_installed(program: str) -> None:
    """Raise when something that an alignment by `program` needs is not installed."""
    for name in PROGRAMS[program]:
        find_program(name)


def program_version(name: str) -> str:
    """Return what a program says its version is, such as `2.12.0`."""
    option = {"diamond": "version", "mmseqs": "version"}.get(name, "-version")
    done = subprocess.run([find_program(name), option], capture_output=True, text=True, check=False)
    found = re.search(r"\d+(?:[.\-]\w+)+|\b[0-9a-f]{7,40}\b", done.stdout)
    return found[0] if found else done.stdout.strip()[:40]


def run(*command: object) -> None:
    """Run a program, never through a shell; when it fails, raise what it said last."""
    name, *options = (str(part) for part in command)
    done = subprocess.run([find_program(name), *options], capture_output=True, text=True, check=False, errors="replace")
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1][:500]
        msg = f"{name} stopped with exit code {done.returncode}. Its last words: {said}"
        raise AlignmentError(msg)


def protein_commands(
    program: str, work: Path, *, max_hits: int, evalue: float, threads: int
) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Return the commands that make the database of `work/reference.faa`, and those that search it.

    DIAMOND and BLAST+ translate `work/query.fna` on its own strand; MMseqs2 is given `work/query.faa`, the longest frames,
    because it cannot leave out the other strand. Hits go to `work/proteins.tsv`.
    """
    reference, database, found = work / "reference.faa", work / "reference.db", work / "proteins.tsv"
    if program == "diamond":
        make: tuple[object, ...] = (
            "diamond",
            "makedb",
            "--quiet",
            "--in",
            reference,
            "--db",
            database,
            "--threads",
            threads,
        )
        search: tuple[object, ...] = (
            *("diamond", "blastx", "--quiet", "--sensitive", "--query", work / "query.fna", "--db", database),
            *("--strand", "plus", "--evalue", evalue, "--max-target-seqs", max_hits, "--max-hsps", 1),
            *("--threads", threads, "--out", found, "--outfmt", 6, *FIELDS),
        )
        return [make], [search]
    if program == "blast":
        make = ("makeblastdb", "-in", reference, "-dbtype", "prot", "-out", database)
        search = (
            *("blastx", "-task", "blastx-fast", "-query", work / "query.fna", "-db", database, "-strand", "plus"),
            # With few targets wanted the search may stop at good ones instead of the best.
            *("-evalue", evalue, "-max_target_seqs", max(max_hits, 5), "-max_hsps", 1),
            *("-num_threads", threads, "-out", found, "-outfmt", " ".join(["6", *FIELDS])),
        )
        return [make], [search]
    make = ("mmseqs", "createdb", reference, database, "-v", 1)
    scratch = work / "mmseqs"
    search = (
        *("mmseqs", "easy-search", work / "query.faa", database, found, scratch, "-s", 7.5, "-e", evalue, "-v", 1),
        *("--max-seqs", max(300, max_hits), "--max-accept", max_hits, "--threads", threads),
        *("--format-output", _MMSEQS_FIELDS),
    )
    return [make], [search]
