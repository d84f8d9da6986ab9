"""Pre-train the small DNA language model that benchmarks/dna_encoders.py compares, for maintainers.

    python scripts/train_dna_lm.py --pairs pairs.parquet --split split.parquet --out model.safetensors

`split.parquet` comes from benchmarks/make_split.py on the same pairs; only its training genes are read. Stopped at any time, the same command
goes on from where it was.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import pandas as pd

from dnaclip.encoders import HyenaDna, HyenaDnaConfig, save_hyenadna
from dnaclip.train import LanguageModelConfig, fit_hyenadna


def main() -> None:
    """Train, and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--context", type=int, default=1024)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--precision", default="32-true")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)

    pairs = pd.read_parquet(options.pairs, columns=["sequence"], filters=[("informative", "==", True)])
    split = pd.read_parquet(options.split)["split"].to_numpy()
    network = HyenaDna(HyenaDnaConfig(d_model=options.width, n_layer=options.layers, l_max=options.context + 2))
    settings = LanguageModelConfig(
        window=options.context,
        batch_size=options.batch_size,
        max_steps=options.steps,
        steps_per_epoch=min(250, options.steps),
        precision=options.precision,
    )
    history = fit_hyenadna(
        network,
        pairs.loc[split == "train", "sequence"].tolist(),
        pairs.loc[split == "validation", "sequence"].tolist(),
        settings,
        checkpoint=options.out.with_suffix(".checkpoint"),
        resume=True,
    )
    save_hyenadna(network, options.out)
    print(history.table.round(4).to_string(index=False))


if __name__ == "__main__":
    main()
