"""Gene programs of blood cells by modality: enrichment, coherence, and recovery of known gene sets; five seeds.

    python benchmarks/programs.py SHARED_DATA

prints the markdown tables of RESULTS-programs.md, and with `--speed` that of times. Every row is made from the same genes: those of `cells/pbmc3k_counts.h5ad`
seen in three cells or more that have both a DNA and a text vector. Programs are cut at Leiden resolution 1, and by spectral
clustering into 40, so that the number of programs does not decide. Controls: k-means on random vectors, and co-expression alone.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anndata as ad
import numpy as np
import pandas as pd
import scanpy as sc
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_mutual_info_score

from dnaclip import tl
from dnaclip.datasets import gene_sets
from dnaclip.metrics import coherence
from dnaclip.tl._programs.abundance import abundance_bins
from dnaclip.tl._programs.coexpression import coexpression_vectors

if TYPE_CHECKING:
    from collections.abc import Callable

GO = "genesets/enrichr_GO_Biological_Process_2021.gmt"
KNOWN = {
    "Hallmark": ("genesets/msigdb_h.all.v7.0.symbols.gmt", 1, 10_000),
    "Reactome": ("genesets/msigdb_c2.cp.reactome.v7.0.symbols.gmt", 10, 200),
}
SIDES = {"DNA": "dna", "text": "text", "joint": "joint"}
CUTS: dict[str, dict[str, Any]] = {
    "Leiden, resolution 1": {},
    "spectral, 40": {"method": "spectral", "n_programs": 40},
}


def blood(shared_data: Path) -> ad.AnnData:
    """Return log-normalised cells, and the genes that have both vectors."""
    adata = ad.read_h5ad(shared_data / "cells/pbmc3k_counts.h5ad")
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    for name, modality in SIDES.items():
        tl.embed(adata, modality=modality, key_added=name)
    both = adata.var["DNA_found"] & adata.var["text_found"] & (np.asarray((adata.X > 0).sum(axis=0)).ravel() >= 3)
    return adata[:, both].copy()


def contenders(adata: ad.AnnData) -> dict[str, Callable[[dict[str, Any], int], pd.Series]]:
    """Return, by name, what makes programs from a cut and a seed."""

    def programs(cut: dict[str, Any], seed: int, **options: Any) -> pd.Series:
        found = tl.gene_programs(adata, **cut, **options, coherence=False, rng=seed, copy=True)
        assert found is not None
        return found.var["gene_program"]

    def random(cut: dict[str, Any], seed: int) -> pd.Series:
        n_programs = programs(cut, seed, use_rep="joint").nunique()
        vectors = np.random.default_rng(seed).normal(size=(adata.n_vars, 128))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        found = KMeans(n_programs, n_init=1, random_state=seed).fit_predict(vectors)
        return pd.Series(pd.Categorical([f"P{i + 1}" for i in found]), index=adata.var_names)

    sides = {name: lambda cut, seed, name=name: programs(cut, seed, use_rep=name) for name in SIDES}
    return {
        **sides,
        "joint, expression weight 0.3": lambda cut, seed: programs(cut, seed, use_rep="joint", expression_weight=0.3),
        "co-expression alone": lambda cut, seed: programs(cut, seed, expression_weight=1),
        "k-means, random vectors": random,
    }


def scores(
    program: pd.Series, views: dict[str, np.ndarray], strata: np.ndarray, go: dict, seed: int
) -> dict[str, float]:
    """Return size, enrichment in GO BP, and mean z of coherence in each view (`embedding` or expression)."""
    member = {str(name): genes.index.tolist() for name, genes in program.groupby(program, observed=True)}
    terms = tl.enrich(member, go, background=program.index.tolist(), prune_parents=False)
    best = terms.groupby("program")["log10_p"].min()
    table: dict[str, float] = {
        "programs": len(member),
        "genes in programs": int(program.notna().sum()),
        "with a term": terms["program"].nunique() / len(member),
        "median -log10 p of best term": float(-best.reindex(list(member), fill_value=0).median()),
    }
    codes = program.cat.remove_unused_categories().cat.codes.to_numpy().astype(np.int64)
    for view, vectors in views.items():
        found = coherence(vectors, codes, strata=strata, rng=seed)
        table[f"z, {view}"] = float(found["z"].mean())
        if view == "expression":
            table["p < .05, expression"] = float((found["p"] < 0.05).mean())
    return table


def recovery(program: pd.Series, known: dict[str, set[str]], rng: np.random.Generator) -> dict[str, float]:
    """Return AMI over genes in exactly one set, and the best Jaccard per set; the latter for permuted programs, too."""
    label = pd.Series({gene: name for name, genes in known.items() for gene in genes})
    times = pd.Series([gene for genes in known.values() for gene in genes]).value_counts()
    both = [gene for gene in times.index[times == 1] if isinstance(program[gene], str)]
    jaccard = []
    for labels in (program.to_numpy(), rng.permutation(program.to_numpy())):
        codes = pd.Categorical(labels).codes
        size = np.bincount(codes[codes >= 0])
        values = []
        for genes in known.values():
            inside = codes[program.index.get_indexer(list(genes))]
            shared = np.bincount(inside[inside >= 0], minlength=len(size))
            values.append((shared / (size + len(genes) - shared)).max())
        jaccard.append(float(np.mean(values)))
    ami = adjusted_mutual_info_score(label[both], program[both].astype(str))
    return {"genes": len(both), "sets": len(known), "AMI": ami, "best Jaccard": jaccard[0], "permuted": jaccard[1]}


def markdown(rows: list[dict[str, Any]], by: list[str]) -> str:
    """Return the mean +- sd over seeds of each number as a markdown table."""
    table = pd.DataFrame(rows)
    groups = table.groupby(by, sort=False)
    cells = groups.mean().round(3).astype(str) + " +- " + groups.std(ddof=1).round(3).astype(str)
    lines = [[*by, *cells.columns], ["---"] * (len(by) + cells.shape[1])]
    lines += [
        [*(key if isinstance(key, tuple) else (key,)), *row]
        for key, row in zip(cells.index, cells.to_numpy(), strict=True)
    ]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def speed(n_genes: int = 20_000) -> None:
    """Print a table of CPU seconds on random vectors in 300 groups and 2,000 cells."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(300, 128))[rng.integers(300, size=n_genes)] + rng.normal(size=(n_genes, 128))
    x = sparse.random(2_000, n_genes, density=0.05, format="csr", dtype=np.float32, rng=rng)
    adata = ad.AnnData(x, varm={"dnaclip": vectors.astype(np.float32)})
    print("| 20,000 genes | CPU s |\n|---|---|")
    cases: dict[str, dict[str, Any]] = {
        "Leiden, no coherence": {"coherence": False},
        "Leiden": {},
        "Leiden, expression weight 0.3": {"expression_weight": 0.3},
        "hierarchical, 40": {"method": "hierarchical", "n_programs": 40},
        "spectral, 40": {"method": "spectral", "n_programs": 40},
        "Leiden, resolution auto": {"resolution": "auto"},
        "spectral, auto": {"method": "spectral"},
    }
    tl.gene_programs(adata[:, :1000].copy())  # imports
    for name, options in cases.items():
        start = time.process_time()
        tl.gene_programs(adata, **options)
        print(f"| {name} | {time.process_time() - start:.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared_data", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--speed", action="store_true", help="print CPU seconds instead")
    args = parser.parse_args()
    if args.speed:
        speed()
        return
    warnings.filterwarnings("ignore", category=UserWarning)

    adata = blood(args.shared_data)
    go = gene_sets(args.shared_data / GO)
    genes = set(adata.var_names)
    known = {}
    for name, (file, least, most) in KNOWN.items():
        sets = {term: genes & set(members) for term, members in gene_sets(args.shared_data / file).items()}
        known[name] = {term: members for term, members in sets.items() if least <= len(members) <= most}
    expression, mean = coexpression_vectors(adata, None, np.arange(adata.n_vars), np.random.default_rng(0))
    unit = {name: adata.varm[name] / np.linalg.norm(adata.varm[name], axis=1, keepdims=True) for name in SIDES}
    views, strata = {**unit, "expression": expression}, abundance_bins(mean)
    print(f"{adata.n_vars:,} genes, {adata.n_obs:,} cells, seeds 0 to {args.seeds - 1}; mean +- sd over seeds.\n")

    quality, recovered = [], []
    for cut_name, cut in CUTS.items():
        for name, make in contenders(adata).items():
            for seed in range(args.seeds):
                program = make(cut, seed)
                quality.append({"cut": cut_name, "programs from": name, **scores(program, views, strata, go, seed)})
                for collection, sets in known.items():
                    row = {"collection": collection, "cut": cut_name, "programs from": name}
                    recovered.append({**row, **recovery(program, sets, np.random.default_rng(seed))})
    print(markdown(quality, ["cut", "programs from"]), "\n")
    print(markdown(recovered, ["collection", "cut", "programs from"]))


if __name__ == "__main__":
    main()
