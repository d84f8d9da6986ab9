"""Train the model that dnaclip ships, for maintainers.

    python scripts/train_base.py SHARED_DATA --vectors text_vectors.npy --out src/dnaclip/datasets/bundled/dnaclip-base

The vectors of the texts (one row per row of pairs.parquet, float16) are computed and kept in the given file if it is not
there yet: about half an hour on two cores.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from dnaclip.encoders import TextEncoder
from dnaclip.train import train_folder

# Whole species kept out of training as a test of annotating a new genome: a bacterium with distant relatives in the
# data, one with another genetic code, and a fish.
HELD_OUT = (
    "Neisseria meningitidis MC58",
    "Mycoplasma mycoides subsp. capri GM12-like (GCF_000023685.1)",
    "Danio rerio",
)
# A repository whose badge forbids commercial use; its sequences are left out of what ships.
NOT_FREE = "Thales-research-institute"


def is_free(pairs: pd.DataFrame) -> pd.Series:
    """Rows whose origin allows what is made from them to be shipped."""
    return ~pairs["source_repo_path"].fillna("").str.startswith(NOT_FREE)


def text_vectors(pairs: pd.DataFrame, path: Path) -> np.ndarray:
    """Read the vectors of the texts, or compute and keep them."""
    if path.exists():
        return np.load(path)
    codes, distinct = pd.factorize(pairs["text"].where(pairs["text"].str.strip() != "", "unknown gene"))
    vectors = TextEncoder().encode(distinct.tolist(), progress=True)[codes].astype(np.float16)
    np.save(path, vectors)
    return vectors


def main() -> None:
    """Train and write the model folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)

    pairs = pd.read_parquet(options.shared / "genes/pairs.parquet")
    vectors = text_vectors(pairs, options.vectors)
    kept = (pairs["informative"] & is_free(pairs)).to_numpy()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pairs.parquet"
        pairs[kept].to_parquet(file)
        np.save(Path(folder) / "vectors.npy", vectors[kept])
        scores = train_folder(
            file, options.out, name="dnaclip-base", held_out_species=HELD_OUT, text_vectors=Path(folder) / "vectors.npy"
        )
    print(scores.round(3).to_string())


if __name__ == "__main__":
    main()
