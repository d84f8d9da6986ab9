"""Memory and time from a file of pairs to what a training eats, for tables whose sequences are larger than memory.

    python benchmarks/pairs_mapped.py FOLDER [--genes 20000] [--bases 60000]

Writes a table of random genes, every tenth a copy of the one before with one base in fifty exchanged, and takes the steps of
`dnaclip train` before the training: read, split, prepare. The vectors of the texts are random. Memory is what the process
has for itself (RssAnon): mapped pages, which the system takes back at will, do not count.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from train_mapped import Watch

from dnaclip.pp import split_pairs
from dnaclip.train import prepare_pairs
from dnaclip.train._pairs_file import read_pairs

LETTERS = np.frombuffer(b"ACGT", np.uint8)
GENES_AT_ONCE = 200


def write(path: Path, genes: int, bases: int) -> None:
    """Lengths are spread around `bases` as those of genes are, over an order of magnitude."""
    rng = np.random.default_rng(0)
    schema = pa.schema([("sequence", pa.string()), ("text", pa.string())])
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        for start in range(0, genes, GENES_AT_ONCE):
            sequences: list[np.ndarray] = []
            for i in range(start, min(start + GENES_AT_ONCE, genes)):
                gene = LETTERS[rng.integers(0, 4, max(int(bases * rng.lognormal(-0.5, 1)), 300))]
                if i % 10 == 9:
                    gene = sequences[-1].copy()
                    hit = rng.random(len(gene)) < 0.02
                    gene[hit] = LETTERS[rng.integers(0, 4, hit.sum())]
                sequences.append(gene)
            strings = [gene.tobytes().decode() for gene in sequences]
            texts = [f"text of gene {start + i}" for i in range(len(strings))]
            file.write_table(pa.table([strings, texts], schema=schema))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--genes", type=int, default=20_000)
    parser.add_argument("--bases", type=int, default=60_000, help="of a gene on average")
    options = parser.parse_args()
    path = options.folder / "pairs.parquet"
    write(path, options.genes, options.bases)
    try:
        steps = (
            ("read", lambda: read_pairs(path).table),
            ("split", lambda: split_pairs(table)),
            ("prepare", lambda: prepare_pairs(table, split, text_vectors=vectors, progress=False)),
        )
        vectors = np.random.default_rng(0).standard_normal((options.genes, 384), dtype=np.float32)
        found = []
        for name, step in steps:
            start = time.process_time()
            with Watch():
                found.append(step())
            print(f"{name}: {time.process_time() - start:.0f} CPU s", flush=True)
            if name == "read":
                table = found[0]
                print(f"{len(table):,} genes, {sum(map(len, table['sequence'])) / 1e6:,.0f} million bases", flush=True)
            elif name == "split":
                split = found[1]
                print(f"{split['near_copies'].nunique():,} sets of near copies", flush=True)
    finally:
        path.unlink()


if __name__ == "__main__":
    main()
