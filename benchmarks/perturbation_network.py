"""The network and the hybrid that holds it, beside the simple methods, through the public class alone.

    python benchmarks/perturbation_network.py SHARED_DATA --modality text --seeds 5 --work FOLDER

Norman's K562 subset, 5 folds over perturbations and 5 over genes, half of the control cells kept for judging. Each fold seed is
kept in FOLDER, and a second run goes on from there; several processes share the work by ``--splits`` and ``--first``. Prints markdown: mean over all perturbations of a fold seed, then mean and
standard deviation over fold seeds. An undefined score, such as the correlation of no change, counts as 0.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import anndata as ad
import pandas as pd
import torch

from dnaclip import tl

METRICS = ("pcc_delta", "pcc_delta_reference", "mse", "discrimination", "discrimination_cosine")
SPLITS = ("perturbations", "genes")


def scores(adata: ad.AnnData, seed: int, *, gene_disjoint: bool, epochs: int) -> pd.DataFrame:
    """Score the hybrid, the network alone and the baselines on all folds of one fold seed."""
    tables = []
    for fold in range(5):
        tl.split_perturbations(
            adata, "kfold", fold=fold, gene_disjoint=gene_disjoint, validation_fractions=(1, 1), rng=seed
        )
        for method in ("hybrid", "sclambda"):
            predictor = tl.PerturbationPredictor(adata, method=method, rng=seed, device="cpu", max_epochs=epochs)
            predictor.fit(train="split", progress=False)
            first = method == "hybrid"
            tables.append(predictor.evaluate("split", baselines=first, ceiling=first).assign(fold=fold))
    return pd.concat(tables).assign(seed=seed)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """One row per method, one column per metric: mean ± standard deviation over fold seeds."""
    table = table.assign(value=table["value"].fillna(0))
    by_seed = table[table["metric"].isin(METRICS)].groupby(["method", "metric", "seed"], sort=False)["value"].mean()
    spread = by_seed.groupby(level=["method", "metric"], sort=False).agg(["mean", "std"]).fillna(0)
    cells = spread["mean"].map("{:.4f}".format) + " ± " + spread["std"].map("{:.4f}".format)
    return cells.unstack().reset_index()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--seeds", type=int, default=2, help="how many fold seeds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--splits", nargs="+", choices=SPLITS, default=SPLITS, help="folds over what")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--modality", default="joint", help="vectors: joint, text or dna")
    parser.add_argument("--work", type=Path, required=True, help="folder for the scores of each fold seed")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    adata = ad.read_h5ad(options.shared / "cells/norman_k562_devel.h5ad")
    tl.embed(adata, modality=options.modality)
    tables: dict[str, list[pd.DataFrame]] = {what: [] for what in options.splits}
    for seed in range(options.first, options.first + options.seeds):
        for what, done in tables.items():
            file = options.work / f"{options.modality}-{what}-{options.epochs}-{seed}.csv"
            if not file.exists():
                scores(adata, seed, gene_disjoint=what == "genes", epochs=options.epochs).to_csv(file, index=False)
            done.append(pd.read_csv(file))
    for what, done in tables.items():
        table = summary(pd.concat(done))
        lines = [list(table.columns), ["---"] * table.shape[1], *table.to_numpy().tolist()]
        print(f"\n### Folds over {what}, {options.seeds} fold seeds\n")
        print("\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines), flush=True)


if __name__ == "__main__":
    main()
