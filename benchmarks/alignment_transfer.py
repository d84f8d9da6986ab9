"""Baseline for annotation by DNA: give a held-out gene the text of the training gene that it aligns to best.

Held-out genes are aligned by translated search (DIAMOND blastx, sense strand) to the longest open reading frame of every training gene;
those that hit nothing, non-coding genes above all, are aligned as nucleotides (BLASTN) to the training genes themselves.

    python benchmarks/alignment_transfer.py --pairs pairs.parquet --split split.parquet --out hits.parquet

needs the programs `diamond`, `makeblastdb` and `blastn` (Debian: diamond-aligner, ncbi-blast+). The split table has one row for
each informative row of the pairs table, in the same order, and says `train` or the name of a held-out part in its column `split`.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

# Columns of the programs' tables, as both call them.
_FIELDS = ["qseqid", "sseqid", "pident", "evalue", "bitscore", "qstart", "qend", "qlen", "sstart", "send", "slen"]

_BASES = np.full(256, 4, dtype=np.uint8)
_BASES[np.frombuffer(b"TCAG", dtype=np.uint8)] = range(4)
# The standard genetic code, codons in the order TTT, TTC, TTA, TTG, TCT, ...
_AMINO_ACIDS = np.frombuffer(b"FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG", dtype=np.uint8)


def longest_orf(sequence: str) -> str:
    """Translate the longest stretch between stop codons over the three forward frames; unknown codons become X."""
    bases = _BASES[np.frombuffer(sequence.upper().encode("ascii"), dtype=np.uint8)]
    stretches: list[str] = [""]
    for frame in range(3):
        codons = bases[frame : frame + (len(bases) - frame) // 3 * 3].reshape(-1, 3)
        known = np.all(codons < 4, axis=1)
        amino_acids = _AMINO_ACIDS[np.where(known[:, None], codons, 0) @ [16, 4, 1]]
        amino_acids[~known] = ord("X")
        stretches += amino_acids.tobytes().decode("ascii").split("*")
    return max(stretches, key=len)


def alignment_hits(
    sequences: Sequence[str],
    is_train: np.ndarray,
    *,
    sensitivity: str | None = None,
    evalue: float = 1e-3,
    min_orf: int = 20,
    threads: int = 1,
) -> pd.DataFrame:
    """Find the best training gene for every gene that is not in training.

    Parameters
    ----------
    sequences
        DNA of all genes, sense strand.
    is_train
        Shape (n,), boolean.
    sensitivity
        A mode of DIAMOND, such as `sensitive` or `very-sensitive`; None for its default.
    evalue
        Hits expected by chance above this number do not count.
    min_orf
        Amino acids; training genes with shorter reading frames stay out of the protein database.
    threads
        Processor cores that the programs may use.

    Returns
    -------
    One row per held-out gene, indexed by its row in `sequences`: `program` (`diamond`, `blastn` or empty), `hit_row` (-1 without a
    hit), `identity` (per cent: amino acids for DIAMOND, bases for BLASTN), `bitscore`, `evalue`, `query_coverage` and
    `target_coverage` (shares of the two sequences inside the alignment), `identity_bin`.
    """
    train, held_out = np.flatnonzero(is_train).tolist(), np.flatnonzero(~is_train).tolist()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        orfs = {i: longest_orf(sequences[i]) for i in train}
        proteins = _write_fasta(work / "train.faa", {i: orf for i, orf in orfs.items() if len(orf) >= min_orf})
        queries = _write_fasta(work / "held_out.fna", {i: sequences[i] for i in held_out})
        database, found = work / "train.dmnd", work / "hits.tsv"
        _run("diamond", "makedb", "--quiet", "--in", proteins, "--db", database, "--threads", threads)
        _run(
            *("diamond", "blastx", "--quiet", "--query", queries, "--db", database, "--out", found),
            *("--strand", "plus", "--evalue", evalue, "--max-target-seqs", 1, "--threads", threads),
            *([] if sensitivity is None else [f"--{sensitivity}"]),
            *("--outfmt", 6, *_FIELDS),
        )
        by_protein = _read_hits(found, "diamond")

        rest = set(held_out) - set(by_protein.index)
        genes = _write_fasta(work / "train.fna", {i: sequences[i] for i in train})
        queries = _write_fasta(work / "rest.fna", {i: sequences[i] for i in sorted(rest)})
        _run("makeblastdb", "-in", genes, "-dbtype", "nucl")
        _run(
            *("blastn", "-task", "blastn", "-query", queries, "-db", genes, "-out", found),
            *("-strand", "plus", "-evalue", evalue, "-num_threads", threads),
            # With one target alone the search may stop at a good one instead of the best.
            *("-max_target_seqs", 5, "-max_hsps", 1, "-outfmt", " ".join(["6", *_FIELDS])),
        )
        by_base = _read_hits(found, "blastn")

    hits = pd.concat([by_protein, by_base]).reindex(pd.Index(held_out, name="row"))
    hits["hit_row"] = hits["hit_row"].fillna(-1).astype(int)
    hits["program"] = hits["program"].fillna("")
    hits["identity_bin"] = identity_bin(hits)
    return hits


def identity_bin(hits: pd.DataFrame) -> pd.Series:
    """Sort hits by amino-acid identity; a hit of bases alone has no such identity and is its own bin."""
    bins = pd.cut(hits["identity"], [-1, 30, 50, 100], labels=["< 30 %", "30-50 %", "> 50 %"]).astype(object)
    return bins.mask(hits["program"] == "blastn", "bases only").mask(hits["program"] == "", "none")


def transferred(values: np.ndarray, hits: pd.DataFrame) -> np.ndarray:
    """Return for each row of `hits` the row of `values` of its best training gene, and zeros where there is none."""
    hit_row = hits["hit_row"].to_numpy()
    return np.where(hit_row[:, None] >= 0, values[hit_row], 0).astype(np.float32)


def _write_fasta(path: Path, sequences: dict[int, str]) -> Path:
    path.write_text("".join(f">{row}\n{sequence}\n" for row, sequence in sequences.items()))
    return path


def _run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def _read_hits(path: Path, program: str) -> pd.DataFrame:
    """Read the best hit of each query."""
    found = pd.read_csv(path, sep="\t", names=_FIELDS)
    found = found.sort_values("bitscore", ascending=False, kind="stable").drop_duplicates("qseqid").set_index("qseqid")
    return pd.DataFrame(
        {
            "program": program,
            "hit_row": found["sseqid"],
            "identity": found["pident"],
            "bitscore": found["bitscore"],
            "evalue": found["evalue"],
            "query_coverage": ((found["qend"] - found["qstart"]).abs() + 1) / found["qlen"],
            "target_coverage": ((found["send"] - found["sstart"]).abs() + 1) / found["slen"],
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sensitivity", help="mode of DIAMOND, for instance sensitive")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()

    pairs = pd.read_parquet(arguments.pairs, columns=["sequence", "informative"])
    sequences = pairs.loc[pairs["informative"], "sequence"].tolist()
    split = pd.read_parquet(arguments.split, columns=["split"])["split"].to_numpy()
    hits = alignment_hits(sequences, split == "train", sensitivity=arguments.sensitivity, threads=arguments.threads)
    hits.insert(0, "split", split[hits.index])
    hits.to_parquet(arguments.out)
    print(pd.crosstab(hits["split"], hits["identity_bin"]).to_string())


if __name__ == "__main__":
    main()
