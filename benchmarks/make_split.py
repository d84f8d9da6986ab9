"""Split the informative pairs without leaks, as the other benchmarks need it, and say how long it took.

python benchmarks/make_split.py --pairs pairs.parquet --out split.parquet
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import pandas as pd

from dnaclip.pp import split_pairs

# One bacterium far from the others, one family of very small genomes, one vertebrate.
HELD_OUT = ("Neisseria", "Mycoplasma", "Danio rerio")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    columns = ["species", "sequence", "text"]
    pairs = pd.read_parquet(arguments.pairs, columns=columns, filters=[("informative", "==", True)])
    held_out = [species for species in pairs["species"].unique() if species.startswith(HELD_OUT)]
    start = time.perf_counter()
    split = split_pairs(pairs, held_out_species=held_out)
    seconds = time.perf_counter() - start
    split.to_parquet(arguments.out)
    sizes = split["cluster"].value_counts()
    print(f"{len(split):,} pairs in {len(sizes):,} clusters, the largest of {sizes.head(5).tolist()}: {seconds:.0f} s")
    print(f"most memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB")
    print(split["split"].value_counts().to_string())


if __name__ == "__main__":
    main()
