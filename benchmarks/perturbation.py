"""Mean shifts of perturbations predicted from gene vectors, beside the simplest methods and vectors that say nothing.

    python benchmarks/perturbation.py ../shared/data                  # every table, about 40 minutes of one core
    python benchmarks/perturbation.py ../shared/data --tables pairs contexts --seeds 20

Tables: `genes` (knock-downs of genes never perturbed in training, two cell lines), `lines` (the same perturbations in the
other cell line), `pairs` (singles and doubles of one screen, folds over perturbations and over genes), `contexts` (one of four
cell lines held out). Other vectors join with `--vectors name=file.npz`, which holds `genes` and `vectors`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anndata as ad
import numpy as np

from dnaclip._conditions import condition_genes, condition_name
from dnaclip.datasets import load_table
from dnaclip.metrics import perturbation
from dnaclip.models import MEAN_METHODS, LinearPca, Ridge
from dnaclip.pp import match_genes

if TYPE_CHECKING:
    import pandas as pd

METRICS = {
    "pcc_delta": "PCC",
    "pcc_delta_reference": "PCC minus training mean",
    "pcc_delta_top20": "PCC top 20",
    "mse_delta": "MSE",
    "discrimination": "disc, L1",
    "discrimination_cosine": "disc, cosine",
}
Vectors = Mapping[str, np.ndarray]


@dataclass
class Screen:
    """Shifts of conditions in contexts; training and judging use means of different halves of the control cells."""

    conditions: list[tuple[str, ...]]
    contexts: np.ndarray
    names: list[str]
    measured: list[str]
    observed: np.ndarray
    control_train: np.ndarray
    control_judge: np.ndarray
    counts: np.ndarray

    @property
    def genes(self) -> list[str]:
        return sorted({gene for condition in self.conditions for gene in condition})

    def take(self, rows: np.ndarray) -> Screen:
        arrays = (self.observed[rows], self.control_train[rows], self.control_judge[rows], self.counts[rows])
        return Screen([self.conditions[i] for i in rows], self.contexts[rows], self.names, self.measured, *arrays)


def read(path: Path, *, seed: int = 0, control: bool = True) -> Screen:
    adata = ad.read_h5ad(path)
    x = np.asarray(adata.X.todense(), dtype=float)
    condition, line = adata.obs["condition"].astype(str).to_numpy(), adata.obs["cell_type"].astype(str).to_numpy()
    names, rng = sorted(set(line)), np.random.default_rng(seed)
    rows = []
    for context, name in enumerate(names):
        halves = np.zeros((2, x.shape[1]))
        if control:
            cells = rng.permutation(np.flatnonzero((condition == "ctrl") & (line == name)))
            halves = np.stack([x[cells[: len(cells) // 2]].mean(axis=0), x[cells[len(cells) // 2 :]].mean(axis=0)])
        for one in sorted(set(condition[line == name]) - {"ctrl"}):
            cells = (condition == one) & (line == name)
            rows.append((condition_genes(one), context, x[cells].mean(axis=0), *halves, cells.sum()))
    columns = list(zip(*rows, strict=True))
    return Screen(
        conditions=list(columns[0]),
        contexts=np.array(columns[1]),
        names=names,
        measured=list(adata.var_names),
        observed=np.array(columns[2]),
        control_train=np.array(columns[3]),
        control_judge=np.array(columns[4]),
        counts=np.array(columns[5]),
    )


def own_vectors(genes: Sequence[str]) -> dict[str, Vectors]:
    table = load_table("human")
    match = match_genes(genes, table)
    out: dict[str, Vectors] = {}
    for side in ("joint", "text", "dna"):
        values = np.nan_to_num(table.vectors(side)[np.where(match.found, match.rows, 0)]) * match.found[:, None]
        out[side] = dict(zip(genes, values.astype(float), strict=True))
        print(
            f"{side} vectors: {(np.abs(values).sum(axis=1) > 0).sum()} of {len(genes)} genes; the others have the vector 0"
        )
    return out


def function_vectors(genes: Sequence[str]) -> Vectors:
    """The wider table of text, keywords and gene groups."""
    table = load_table("human", model="dnaclip-function")
    match = match_genes(genes, table)
    values = np.nan_to_num(table.vectors("text")[np.where(match.found, match.rows, 0)]) * match.found[:, None]
    return dict(zip(genes, values.astype(float), strict=True))


def controls(vectors: Vectors, seed: int) -> dict[str, Vectors]:
    genes, values = list(vectors), np.stack(list(vectors.values()))
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=values.shape)
    noise *= np.linalg.norm(values, axis=1, keepdims=True) / np.linalg.norm(noise, axis=1, keepdims=True)
    made = {"permuted": rng.permutation(values), "random": noise, "one-hot": np.eye(len(genes))}
    return {name: dict(zip(genes, rows, strict=True)) for name, rows in made.items()}


def rows_of_table(sets: Mapping[str, Vectors], seed: int, measured: list[str]) -> dict[str, tuple[Callable, Vectors]]:
    """Methods and vectors by the name of their row."""
    joint = sets["joint"]
    simple = ("no_change", "perturbed_mean", "additive", "other_context", "knn", "linear_pca", "identity")
    rows: dict[str, tuple[Callable, Vectors]] = {name: (MEAN_METHODS[name], joint) for name in simple}
    rows["linear_pca, own loadings"] = (lambda: LinearPca(genes=measured), joint)
    rows["ridge, linear kernel"] = (lambda: Ridge(kernel="linear"), joint)
    every = {**sets, **controls(joint, seed)}
    rows |= {f"ridge, {name}": (Ridge, vectors) for name, vectors in every.items()}
    rows |= {f"hybrid, {name}": (MEAN_METHODS["hybrid"], every[name]) for name in ("joint", "function", "permuted")}
    return rows


def judge(screen: Screen, folds: list[tuple[np.ndarray, np.ndarray]], make: Callable, vectors: Vectors) -> pd.Series:
    """Mean of every metric over the held-out rows of all folds."""
    predicted = np.full(screen.observed.shape, np.nan)
    reference = np.zeros(screen.observed.shape)
    for train, test in folds:
        known, asked = screen.take(train), screen.take(test)
        method = make().fit(
            known.observed - known.control_train, known.conditions, vectors, known.counts, contexts=known.contexts
        )
        delta = method.predict(asked.conditions, contexts=asked.contexts)
        predicted[test] = asked.control_train + delta
        # The training mean is a mean shift on top of the control of the context asked for.
        reference[test] = asked.control_judge + (known.observed - known.control_judge).mean(axis=0)
    untested = np.isnan(predicted[:, 0])
    reference[untested] = reference[~untested].mean(axis=0)
    place = {gene: i for i, gene in enumerate(screen.measured)}
    table = perturbation(
        predicted,
        screen.observed,
        screen.control_judge,
        names=[condition_name(condition) for condition in screen.conditions],
        predicted_control=screen.control_train,
        reference=reference,
        targets=[[place[gene] for gene in condition if gene in place] for condition in screen.conditions],
        contexts=[screen.names[context] for context in screen.contexts],
        n_cells=screen.counts,
        min_cells=0,
    )
    # An undefined correlation, as of a constant, is none at all.
    table.loc[table["status"] == "undefined", "value"] = 0.0
    return table[table["status"] != "unavailable"].groupby("metric")["value"].mean()[list(METRICS)]


def condition_folds(screen: Screen, seed: int, n_folds: int = 5) -> list[tuple[np.ndarray, np.ndarray]]:
    order = np.random.default_rng(seed).permutation(len(screen.conditions))
    tests = [np.sort(order[start::n_folds]) for start in range(n_folds)]
    return [(np.setdiff1d(order, test), test) for test in tests]


def gene_folds(screen: Screen, seed: int, n_folds: int = 5) -> list[tuple[np.ndarray, np.ndarray]]:
    """Test what perturbs genes of the fold only, train on what perturbs none of them."""
    genes = screen.genes
    order = np.random.default_rng(seed).permutation(len(genes))
    folds = []
    for start in range(n_folds):
        fold = {genes[i] for i in order[start::n_folds]}
        touched = np.array([bool(fold & set(condition)) for condition in screen.conditions])
        inside = np.array([fold >= set(condition) for condition in screen.conditions])
        if inside.any():
            folds.append((np.flatnonzero(~touched), np.flatnonzero(inside)))
    return folds


def context_folds(screen: Screen) -> list[tuple[np.ndarray, np.ndarray]]:
    held_out = [screen.contexts == context for context in range(len(screen.names))]
    return [(np.flatnonzero(~test), np.flatnonzero(test)) for test in held_out]


def show(title: str, results: Mapping[str, list[pd.Series]]) -> None:
    print(f"\n### {title}\n\n| method | {' | '.join(METRICS.values())} |\n| --- |{' --- |' * len(METRICS)}")
    for name, series in results.items():
        values = np.stack([one.to_numpy() for one in series])
        spread = values.std(axis=0, ddof=1) if len(values) > 1 else np.full(len(METRICS), np.nan)
        digits = [4 if metric.startswith("mse") else 3 for metric in METRICS]
        cells = [
            f"{mean:.{n}f}" + (f" ± {sd:.{n}f}" if np.isfinite(sd) else "")
            for mean, sd, n in zip(values.mean(axis=0), spread, digits, strict=True)
        ]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def run(
    title: str,
    screen: Screen,
    folds_of: Callable,
    sets: Mapping[str, Vectors],
    n_seeds: int,
    skip: Sequence[str],
    only: str,
) -> None:
    results: dict[str, list[pd.Series]] = {}
    for seed in range(n_seeds):
        for name, (make, vectors) in rows_of_table(sets, seed, screen.measured).items():
            if name not in skip and only in name:
                results.setdefault(name, []).append(judge(screen, folds_of(screen, seed), make, vectors))
    show(title, results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--tables", nargs="+", default=["genes", "lines", "pairs", "contexts"])
    parser.add_argument("--seeds", type=int, default=20, help="fold seeds of `pairs`; the other tables take at most 3")
    parser.add_argument("--vectors", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--only", default="", help="only rows whose name has this in it")
    options = parser.parse_args()
    cells = options.shared / "cells"

    def vector_sets(screen: Screen) -> dict[str, Vectors]:
        sets = {**own_vectors(screen.genes), "function": function_vectors(screen.genes)}
        for name, file in (item.split("=", 1) for item in options.vectors):
            with np.load(file) as stored:
                given = dict(zip(stored["genes"].tolist(), stored["vectors"].astype(float), strict=True))
            sets[name] = {gene: given.get(gene, np.zeros(stored_width(given))) for gene in screen.genes}
        return sets

    if {"genes", "lines"} & set(options.tables):
        screen = read(cells / "replogle2022_top1000up_585kd_k562_rpe1.h5ad", control=False)
        sets = vector_sets(screen)
        alone = ("additive", "other_context", "identity", "ridge, one-hot")
        if "genes" in options.tables:
            for context, name in enumerate(screen.names):
                line = screen.take(np.flatnonzero(screen.contexts == context))
                title = f"Knock-downs of unseen genes, {name}, {len(line.conditions)} genes, 5 folds"
                run(title, line, condition_folds, sets, min(options.seeds, 3), alone, options.only)
        if "lines" in options.tables:
            for held_out in range(len(screen.names)):
                title = f"Knock-downs seen in {screen.names[1 - held_out]} only, predicted in {screen.names[held_out]}"
                one = [context_folds(screen)[held_out]]
                run(title, screen, lambda _screen, _seed, one=one: one, sets, 1, ("additive",), options.only)
    if "pairs" in options.tables:
        screen = read(cells / "norman_k562_devel.h5ad")
        sets = vector_sets(screen)
        title = f"{len(screen.conditions)} singles and doubles of {len(screen.genes)} genes, {options.seeds} fold seeds"
        run(
            f"{title}, 5 folds over perturbations",
            screen,
            condition_folds,
            sets,
            options.seeds,
            ("other_context",),
            options.only,
        )
        run(f"{title}, 5 folds over genes", screen, gene_folds, sets, options.seeds, ("other_context",), options.only)
    if "contexts" in options.tables:
        screen = read(cells / "norman_mcfaline_perturbench_devel.h5ad")
        title = f"One of {len(screen.names)} cell lines held out, {len(screen.conditions)} perturbations in lines"
        run(
            title,
            screen,
            lambda one, _seed: context_folds(one),
            vector_sets(screen),
            min(options.seeds, 3),
            (),
            options.only,
        )


def stored_width(vectors: Vectors) -> int:
    return len(next(iter(vectors.values())))


if __name__ == "__main__":
    main()
