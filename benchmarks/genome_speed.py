"""Time and memory of reading genes out of genomes: `python benchmarks/genome_speed.py [--scale 1] [--folder DIR]`.

Writes a made-up genome and annotation of the size of Ensembl's human ones (3.1 Gb, 3 million lines of GTF), packed with
gzip as Ensembl's are, and reads them in fresh processes, so that the memory measured is theirs alone.
"""

from __future__ import annotations

import argparse
import gzip
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

# Lengths of the human chromosomes, in millions of bases.
CHROMOSOMES = [
    248,
    242,
    198,
    190,
    182,
    171,
    159,
    145,
    138,
    134,
    135,
    133,
    114,
    107,
    102,
    90,
    83,
    80,
    59,
    64,
    47,
    51,
    156,
    57,
]
N_GENES = 63_000
TRANSCRIPTS_OF_GENE = 4
EXONS_OF_TRANSCRIPT = 7


def write_genome(path: Path, scale: float) -> list[int]:
    """Write chromosomes in lines of 60 bases; one million random bases are repeated, as writing is not what is measured."""
    rng = np.random.default_rng(0)
    block = rng.choice(np.frombuffer(b"ACGT", np.uint8), (1_000_000 // 60, 60))
    lines = np.concatenate([block, np.full((len(block), 1), ord("\n"), np.uint8)], axis=1).tobytes()
    lengths = []
    with gzip.open(path, "wb", compresslevel=1) as file:
        for i, millions in enumerate(CHROMOSOMES, 1):
            n = max(int(millions * scale), 1)
            file.write(f">{i} dna:chromosome chromosome:TOY1:{i}:1:{n * block.size}:1 REF\n".encode())
            for _ in range(n):
                file.write(lines)
            lengths.append(n * block.size)
    return lengths


def write_annotation(path: Path, lengths: list[int], scale: float) -> int:
    rng = np.random.default_rng(1)
    n_lines = 0
    with gzip.open(path, "wt", compresslevel=1) as file:
        file.write("#!genome-build TOY1\n")
        n_genes = int(N_GENES * scale)
        chromosome = np.sort(rng.choice(len(lengths), n_genes, p=np.array(lengths) / sum(lengths)))
        for gene, which in enumerate(chromosome):
            length = int(min(rng.lognormal(9.5, 1.5), 2_000_000, lengths[which] // 2)) + 300
            start = int(rng.integers(1, lengths[which] - length))
            strand = "+-"[int(rng.integers(2))]
            where = f"{which + 1}\thavana"
            of_gene = f'gene_id "ENSG{gene:011d}"; gene_version "3"; gene_name "G{gene}"; gene_source "havana"; gene_biotype "protein_coding";'
            file.write(f"{where}\tgene\t{start}\t{start + length - 1}\t.\t{strand}\t.\t{of_gene}\n")
            n_lines += 1
            for transcript in range(TRANSCRIPTS_OF_GENE):
                part = f'{of_gene} transcript_id "ENST{gene * 10 + transcript:011d}"; transcript_version "1"; transcript_biotype "protein_coding"; tag "basic";'
                file.write(f"{where}\ttranscript\t{start}\t{start + length - 1}\t.\t{strand}\t.\t{part}\n")
                cuts = np.sort(rng.integers(start, start + length, 2 * EXONS_OF_TRANSCRIPT)).tolist()
                n_lines += 1
                for k in range(EXONS_OF_TRANSCRIPT):
                    for kind in ("exon", "CDS"):
                        if kind == "CDS" and k % 2:
                            continue
                        file.write(
                            f'{where}\t{kind}\t{cuts[2 * k]}\t{cuts[2 * k + 1]}\t.\t{strand}\t.\t{part} exon_number "{k + 1}"; exon_id "ENSE{k}";\n'
                        )
                        n_lines += 1
    return n_lines


def measure(folder: Path, feature: Any) -> None:
    """Read in this process, and print one row of the table."""
    from dnaclip.pp import gene_sequences

    start, cpu = time.perf_counter(), time.process_time()
    table = gene_sequences(folder / "genome.fa.gz", folder / "genes.gtf.gz", feature)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    bases = int(table["sequence"].str.len().sum())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"| {feature} | {len(table):,} | {bases / 1e9:.2f} | {seconds:.0f} | {cpu:.0f} | {peak:.2f} |", flush=True)


def lay_out(folder: Path) -> Path:
    """Link the two files to where Ensembl keeps them, with lists of checksums, and return the mirror."""
    from dnaclip.datasets._expected import BsdSum

    mirror = folder / "mirror"
    for place, name, source in (
        ("fasta/toy_human/dna", "Toy_human.TOY1.dna.toplevel.fa.gz", "genome.fa.gz"),
        # The reader tells GTF from GFF3 by what the file holds.
        ("gff3/toy_human", "Toy_human.TOY1.113.gff3.gz", "genes.gtf.gz"),
    ):
        into = mirror / "ensembl" / "release-113" / place
        if (into / "CHECKSUMS").exists():
            continue
        into.mkdir(parents=True)
        (into / name).hardlink_to(folder / source)
        digest = BsdSum()
        with (into / name).open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
        blocks = -(-(into / name).stat().st_size // 1024)
        (into / "CHECKSUMS").write_text(f"{digest.hexdigest()} {blocks} {name}\n")
    return mirror


def measure_build(folder: Path) -> None:
    """Build pairs in this process, files fetched from a folder and checked, and print one row of the table."""
    from dnaclip.pp import build_pairs

    os.environ["DNACLIP_DATA_DIR"] = str(folder / "cache")
    mirror = lay_out(folder)
    start, cpu = time.perf_counter(), time.process_time()
    out = folder / "pairs.parquet"
    table = build_pairs("Toy human", out, base_url=mirror, progress=False)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    bases, rows = int(table["bases"].sum()), int(table["genes"].sum())
    name = f"build_pairs ({out.stat().st_size / 1e9:.2f} GB written)"
    print(f"| {name} | {rows:,} | {bases / 1e9:.2f} | {seconds:.0f} | {cpu:.0f} | {peak:.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--features", nargs="+", default=["gene", "transcript", "cds", "promoter", "build"])
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        if arguments.measure == "build":
            measure_build(arguments.folder)
        else:
            measure(arguments.folder, arguments.measure)
        return
    with tempfile.TemporaryDirectory() as made:
        folder = arguments.folder or Path(made)
        folder.mkdir(exist_ok=True, parents=True)
        if not (folder / "genes.gtf.gz").exists():
            lengths = write_genome(folder / "genome.fa.gz", arguments.scale)
            n = write_annotation(folder / "genes.gtf.gz", lengths, arguments.scale)
            print(f"Genome of {sum(lengths) / 1e9:.2f} Gb, annotation of {n / 1e6:.2f} million lines.\n")
        print(
            "| feature | rows | bases cut out (Gb) | seconds | seconds of CPU | memory at most (GiB) |\n|---|---|---|---|---|---|",
            flush=True,
        )
        for feature in arguments.features:
            command = [sys.executable, __file__, "--folder", str(folder), "--measure", feature]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
