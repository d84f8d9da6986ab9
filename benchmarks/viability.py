"""Viability of cell lines from gene vectors, beside means and vectors that say nothing.

    DNACLIP_MIRROR=assets python benchmarks/viability.py ../shared/data # every table, about 10 minutes of one core
    python benchmarks/viability.py ../shared/data --tables genes --skip-trees

Tables: `genes` (genes never perturbed in training), `lines` (lines never screened, alone and with unseen genes), `intervals`
(coverage of 90 % intervals), `pairs` (fitness of two genes activated at once), `scale` (1,000 lines x 18,000 genes, synthetic).
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pandas as pd

from dnaclip.datasets import load_table
from dnaclip.metrics import viability
from dnaclip.models._viability.method import Pairs, ViabilityMethod
from dnaclip.models._viability.methods import make_method
from dnaclip.pp import match_genes
from dnaclip.tl import ViabilityRegressor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SETTINGS = {"n_components": 10, "n_landmarks": 2000, "n_estimators": 100, "max_pairs": 10_000, "seed": 0}
COLUMNS = {
    "PCC": ("overall", "pcc"),
    "MSE": ("overall", "mse"),
    "PCC within line": ("within line", "pcc"),
    "PCC within gene": ("within gene", "pcc"),
}
N_PAIR_SEEDS = 5
Blocks = tuple[np.ndarray, ...]


def read(shared: Path) -> tuple[ad.AnnData, dict[str, Blocks]]:
    """Return the screen, and sets of vectors by name."""
    adata = ad.read_h5ad(shared / "cells" / "depmap_chronos_subset_58x887.h5ad")
    genes = adata.var_names
    table = load_table("human")
    match = match_genes(list(genes), table)
    rows = np.where(match.found, match.rows, 0)
    sides = {
        name: np.where(match.found[:, None], table.vectors(name)[rows], np.nan).astype(float)
        for name in ("dna", "text", "joint")
    }
    wide = load_table("human", model="dnaclip-function")
    match = match_genes(list(genes), wide)
    rows = np.where(match.found, match.rows, 0)
    sides["function"] = np.where(match.found[:, None], wide.vectors("text")[rows], np.nan).astype(float)
    for name, values in sides.items():
        print(f"{name} vectors: {np.isfinite(values[:, 0]).sum()} of {len(genes)} genes; the others count as average")
    panel = expression_panel(shared / "cells" / "hpa_cell_lines.h5ad", genes)
    tissue = expression_panel(shared / "cells" / "hpa_consensus_tissue.h5ad", genes)
    print(f"expression of the gene itself: {np.isfinite(panel[:, 0]).sum()} genes, 64 cell lines; 54 tissues")
    rng = np.random.default_rng(0)
    sets: dict[str, Blocks] = {name: (values,) for name, values in sides.items()}
    sets["joint, permuted"] = (rng.permutation(sides["joint"]),)
    sets["random"] = (rng.normal(size=sides["joint"].shape),)
    sets["cell lines' expression"] = (panel,)
    sets["tissues' expression"] = (tissue,)
    sets |= {f"{name} + cell lines' expression": (sides[name], panel) for name in sides}
    sets["joint, permuted + cell lines' expression"] = (sets["joint, permuted"][0], panel)
    sets["joint + both expressions"] = (sides["joint"], panel, tissue)
    return adata, sets


def expression_panel(path: Path, genes: pd.Index) -> np.ndarray:
    """Return log expression of each gene over the samples of a panel, NaN for a gene that is not in it."""
    panel = ad.read_h5ad(path)
    x = np.log1p(panel.X.toarray() if hasattr(panel.X, "toarray") else np.asarray(panel.X)).T
    first = ~panel.var["gene_name"].astype(str).duplicated().to_numpy()
    names = pd.Index(panel.var["gene_name"].astype(str)[first])
    place = names.get_indexer(genes)
    return np.where(place[:, None] >= 0, x[first][place], np.nan)


def folds(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(n) % 5


def method_of(name: str, blocks: Blocks) -> ViabilityMethod:
    return make_method(name, blocks=tuple(block.shape[1] for block in blocks), **SETTINGS)


def scores(predicted: np.ndarray, observed: np.ndarray) -> list[float]:
    table = viability(predicted, observed).set_index(["scope", "metric"])["value"]
    # An undefined correlation, as of a constant, is none at all.
    return [float(np.nan_to_num(table[key])) for key in COLUMNS.values()]


def held_out_genes(name: str, effects: np.ndarray, profiles: np.ndarray, blocks: Blocks, n_seeds: int) -> np.ndarray:
    """Scores (seeds, columns), each a mean over five folds of genes."""
    vectors, rows = np.hstack(blocks), []
    for seed in range(n_seeds):
        fold = folds(effects.shape[1], seed)
        one = []
        for k in range(5):
            train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
            method = method_of(name, blocks).fit(effects[:, train], Pairs.training(profiles, vectors[train]))
            asked = Pairs(profiles, vectors[test], np.arange(len(profiles)), np.full(len(test), -1))
            one.append(scores(method.predict(asked), effects[:, test]))
        rows.append(np.mean(one, axis=0))
    return np.array(rows)


def held_out_lines(
    name: str, effects: np.ndarray, profiles: np.ndarray, blocks: Blocks, n_seeds: int
) -> tuple[np.ndarray, np.ndarray]:
    """Scores (seeds, columns) of new lines with known genes, and with new genes."""
    vectors, rows = np.hstack(blocks), []
    for seed in range(n_seeds):
        line_fold, gene_fold = folds(len(effects), seed), folds(effects.shape[1], seed)
        one = []
        for k in range(5):
            lines, genes = np.flatnonzero(line_fold != k), np.flatnonzero(gene_fold != k)
            new_lines, new_genes = np.flatnonzero(line_fold == k), np.flatnonzero(gene_fold == k)
            method = method_of(name, blocks)
            method.fit(effects[np.ix_(lines, genes)], Pairs.training(profiles[lines], vectors[genes]))
            unseen = np.full(len(new_lines), -1)
            known = Pairs(profiles[new_lines], vectors[genes], unseen, np.arange(len(genes)))
            both = Pairs(profiles[new_lines], vectors[new_genes], unseen, np.full(len(new_genes), -1))
            one.append(
                scores(method.predict(known), effects[np.ix_(new_lines, genes)])
                + scores(method.predict(both), effects[np.ix_(new_lines, new_genes)])
            )
        rows.append(np.mean(one, axis=0))
    table = np.array(rows)
    return table[:, : len(COLUMNS)], table[:, len(COLUMNS) :]


def show(title: str, rows: Mapping[str, np.ndarray], columns: list[str]) -> None:
    print(f"\n### {title}\n\n| method | {' | '.join(columns)} |\n| --- |{' --- |' * len(columns)}")
    for name, values in rows.items():
        cells = [
            f"{column.mean():.3f}" + (f" ± {column.std(ddof=1):.3f}" if len(column) > 1 else "") for column in values.T
        ]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def coverage_table(adata: ad.AnnData, blocks: Blocks) -> None:
    adata = adata.copy()
    for i, block in enumerate(blocks):
        adata.varm[f"v{i}"] = block
    gene_fold, line_fold = folds(adata.n_vars, 0), folds(adata.n_obs, 0)
    found = []
    for k in range(5):
        adata.var["split"] = np.where(gene_fold == k, "test", "train")
        adata.obs["split"] = np.where(line_fold == k, "test", "train")
        regressor = ViabilityRegressor(use_rep=[f"v{i}" for i in range(len(blocks))], missing="mean")
        found.append(regressor.fit(adata, split="split").evaluate(adata))
    table = pd.concat(found).query("method == 'hybrid' and scope == 'overall' and metric in ('coverage', 'width')")
    table = table.pivot_table(index="held_out", columns="metric", values="value", aggfunc=["mean", "std"])
    print("\n### 90 % intervals, 5 folds\n\n| held out | coverage | width |\n| --- | --- | --- |")
    for held_out, row in table.iterrows():
        cells = [f"{row['mean', one]:.3f} ± {row['std', one]:.3f}" for one in ("coverage", "width")]
        print(f"| {held_out} | {' | '.join(cells)} |")


def pair_fitness(shared: Path) -> None:
    """Fitness of two genes activated at once: both genes are described by their vectors."""
    pairs = pd.read_csv(shared / "tables" / "norman_k562_crispra_pair_fitness.csv.gz", index_col=0)
    single = pairs.loc[pairs.index != "negative", "negative"]
    pairs = pairs.loc[single.index, single.index]
    table = load_table("human")
    match = match_genes(list(single.index), table)
    keep = match.found
    effects, alone = pairs.to_numpy(dtype=float)[np.ix_(keep, keep)], single.to_numpy(dtype=float)[keep]
    vectors = table.vectors("joint")[match.rows[keep]].astype(float)
    usable = np.isfinite(vectors[:, 0])
    effects, alone, vectors = effects[np.ix_(usable, usable)], alone[usable], vectors[usable]
    n, upper = len(effects), np.triu(np.isfinite(effects), 1)
    results: dict[str, list[tuple[float, float]]] = {}
    for seed in range(N_PAIR_SEEDS):
        for name, values in pair_folds(effects, alone, vectors, seed).items():
            results.setdefault(name, []).append(tuple(np.mean(values, axis=0)))
    title = f"Fitness of {upper.sum()} pairs of {n} genes, K562 CRISPRa, 5 folds, {N_PAIR_SEEDS} fold seeds"
    show(title, {name: np.array(values) for name, values in results.items()}, ["PCC", "MSE"])
    a, b = (alone[:, None] + alone)[upper], effects[upper]
    print(f"\nAll pairs at once: sum of measured singles PCC {np.corrcoef(a, b)[0, 1]:.3f}")


def pair_folds(
    effects: np.ndarray, alone: np.ndarray, vectors: np.ndarray, seed: int
) -> dict[str, list[tuple[float, float]]]:
    """Return (PCC, MSE) of each fold by situation and method."""
    n, rng = len(effects), np.random.default_rng(seed)
    permuted, upper = rng.permutation(vectors), np.triu(np.isfinite(effects), 1)
    pair_fold = np.triu(rng.integers(5, size=(n, n)), 1)
    # Both orders of a pair are in one fold, so a pair is hidden in both.
    pair_fold = pair_fold + pair_fold.T
    gene_fold = folds(n, seed)
    results: dict[str, list[tuple[float, float]]] = {}
    for k in range(5):
        new = gene_fold == k
        every = np.ones(n, dtype=bool)
        fitted = pair_methods(np.where(pair_fold == k, np.nan, effects), alone, vectors, permuted, every)
        tests = [("known genes", upper & (pair_fold == k), fitted)]
        fitted = pair_methods(effects, alone, vectors, permuted, ~new)
        tests += [("one gene new", upper & (new[:, None] ^ new), fitted)]
        tests += [("both genes new", upper & new[:, None] & new, fitted)]
        for situation, which, predictions in tests:
            for name, predicted in predictions.items():
                a, b = predicted[which], effects[which]
                pcc = float(np.corrcoef(a, b)[0, 1]) if np.ptp(a) > 1e-9 else 0.0
                results.setdefault(f"{situation}: {name}", []).append((pcc, float(((a - b) ** 2).mean())))
    return results


def pair_methods(
    effects: np.ndarray, alone: np.ndarray, vectors: np.ndarray, permuted: np.ndarray, known: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the predicted fitness of all pairs by each method, trained on the pairs of `known` genes."""
    inside, places = np.ix_(known, known), np.where(known, np.cumsum(known) - 1, -1)
    singles = alone[:, None] + alone
    fitted = {"sum of the two measured singles": singles}
    sets = {
        "two_way": ("two_way", vectors),
        "hybrid, joint": ("hybrid", vectors),
        "hybrid, permuted": ("hybrid", permuted),
    }
    for name, (kind, one) in sets.items():
        for base, label in ((0.0 * singles, name), (singles, f"singles + {name} on the rest")):
            # A gene with itself is no pair.
            target = np.where(np.eye(len(effects), dtype=bool), np.nan, effects - base)[inside]
            method = method_of(kind, (one,)).fit(target, Pairs.training(one[known], one[known]))
            predicted = method.predict(Pairs(one, one, places, places))
            fitted[label] = (predicted + predicted.T) / 2 + base
    return fitted


def scale() -> None:
    rng = np.random.default_rng(0)
    n_lines, n_genes = 1000, 18_000
    vectors, profiles = rng.normal(size=(n_genes, 128)), rng.normal(size=(n_lines, 2000))
    effects = vectors[:, :5].sum(axis=1) + 0.3 * profiles[:, :1] + 0.2 * rng.normal(size=(n_lines, n_genes))
    for name in ("two_way", "ridge", "hybrid", "random_forest"):
        start = time.perf_counter()
        method = method_of(name, (vectors,)).fit(effects, Pairs.training(profiles, vectors))
        fitted = time.perf_counter()
        asked = Pairs(profiles[:10], vectors, np.full(10, -1), np.full(n_genes, -1))
        method.predict(asked)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"| {name} | {fitted - start:.0f} s | {time.perf_counter() - fitted:.1f} s | {peak:.1f} GiB |", flush=True
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--tables", nargs="+", default=["genes", "lines", "intervals", "pairs", "scale"])
    parser.add_argument("--seeds", type=int, default=3, help="fold seeds of the factored methods; trees take one")
    parser.add_argument("--skip-trees", action="store_true")
    options = parser.parse_args()
    screen = {"genes", "lines", "intervals"} & set(options.tables)
    if screen:
        adata, sets = read(options.shared)
        effects = np.asarray(adata.X, dtype=float)
        profiles = adata.obsm["expr_log2tpm1"].to_numpy(dtype=float)
        profiles[np.isnan(profiles).any(axis=1)] = np.nan
        adata.obsm["expr"] = profiles
        best = "joint + cell lines' expression"
        trees = [] if options.skip_trees else ["random_forest", "hist_gradient_boosting"]
    if "genes" in options.tables:
        run: Callable = held_out_genes
        rows = {"two_way (mean)": run("two_way", effects, profiles, sets["joint"], options.seeds)}
        rows |= {
            f"hybrid, {name}": run("hybrid", effects, profiles, blocks, options.seeds) for name, blocks in sets.items()
        }
        rows |= {f"ridge, {n}": run("ridge", effects, profiles, sets[n], options.seeds) for n in ("joint", best)}
        rows |= {
            f"{tree}, {n}": run(tree, effects, profiles, sets[n], 1)
            for tree in trees
            for n in ("joint", best, "tissues' expression")
        }
        show("Genes held out, 58 lines x 887 genes, 5 folds", rows, list(COLUMNS))
    if "lines" in options.tables:
        parts: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for name in ("gene_mean", "two_way", "hybrid", "ridge", *trees[:1]):
            n_seeds = 1 if name in trees else options.seeds
            parts[name] = held_out_lines(name, effects, profiles, sets[best], n_seeds)
        for i, title in enumerate(("Lines held out", "Lines and genes held out")):
            show(f"{title}, {best}, 5 folds", {name: part[i] for name, part in parts.items()}, list(COLUMNS))
    if "intervals" in options.tables:
        coverage_table(adata, sets[best])
    if "pairs" in options.tables:
        pair_fitness(options.shared)
    if "scale" in options.tables:
        print(
            "\n### 1,000 lines x 18,000 genes\n\n| method | fit | predict 10 new lines | peak memory so far |\n| --- | --- | --- | --- |"
        )
        scale()


if __name__ == "__main__":
    main()
