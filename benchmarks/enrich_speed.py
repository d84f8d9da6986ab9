"""CPU seconds of over-representation tests, and whether the p-values are those of gseapy.

python benchmarks/enrich_speed.py SHARED_DATA [N_PROGRAMS] [N_GSEAPY]

N_PROGRAMS (100) random programs of 20 to 300 genes, drawn partly from a gene set so that some are enriched, are tested
against every GO biological process (6,036 sets) with 20,000 background genes; gseapy.enrich runs on N_GSEAPY (10) of
them, one call each. Time is CPU time of the process, reading of the file apart. The p-values are then compared for every
GMT file in the folder.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import gseapy
import numpy as np

from dnaclip.datasets import gene_sets
from dnaclip.tl import enrich


def make_programs(sets: dict[str, list[str]], genes: np.ndarray, n: int) -> dict[str, list[str]]:
    rng = np.random.default_rng(0)
    large = [term for term, members in sets.items() if len(members) >= 20]
    programs = {}
    for i in range(n):
        known = sets[large[rng.integers(len(large))]]
        random = rng.choice(genes, size=int(rng.integers(20, 300)), replace=False).tolist()
        programs[f"P{i + 1}"] = list(dict.fromkeys(known[: len(known) // 2] + random))
    return programs


def main(folder: Path, n_programs: int = 100, n_gseapy: int = 10) -> None:
    start = time.process_time()
    sets = gene_sets(folder / "genesets" / "enrichr_GO_Biological_Process_2021.gmt")
    read = time.process_time() - start
    annotated = sorted({gene for members in sets.values() for gene in members})
    genes = np.array(annotated + [f"UNKNOWN{i}" for i in range(20_000 - len(annotated))])
    programs = make_programs(sets, genes, n_programs)

    print("| what | terms found | CPU s |\n|---|---|---|")
    print(f"| reading the GMT file | {len(sets):,} sets | {read:.2f} |")
    for label, options in (
        ("dnaclip, pruned", {}),
        ("dnaclip, not pruned", {"prune_parents": False}),
        ("dnaclip, every overlap listed", {"prune_parents": False, "max_fdr": 1}),
    ):
        start = time.process_time()
        table = enrich(programs, sets, background=genes, min_size=1, max_size=20_000, **options)
        print(f"| {label}, {n_programs} programs | {len(table):,} | {time.process_time() - start:.2f} |")

    start = time.process_time()
    compare(sets, genes, dict(list(programs.items())[:n_gseapy]))
    seconds = (time.process_time() - start) * n_programs / n_gseapy
    print(f"| gseapy.enrich, {n_programs} programs (from {n_gseapy}) | | {seconds:.1f} |")

    print("\n| gene sets | tests | largest difference of p from gseapy's | of log10 p |\n|---|---|---|---|")
    for path in sorted((folder / "genesets").glob("*.gmt")):
        sets = gene_sets(path)
        # gseapy changes the case of names like C1orf35 in some cases, and then misses them.
        annotated = sorted({gene for members in sets.values() for gene in members if gene.isupper()})
        genes = np.array(annotated + [f"UNKNOWN{i}" for i in range(20_000 - len(annotated))])
        n_tests, difference, of_log = compare(sets, genes, make_programs(sets, genes, n_gseapy))
        print(f"| {path.stem} | {n_tests:,} | {difference:.1e} | {of_log:.1e} |")


def compare(sets: dict[str, list[str]], genes: np.ndarray, programs: dict[str, list[str]]) -> tuple[int, float, float]:
    """Return the number of tests, and the largest difference between p-values and between their logarithms."""
    background = set(genes.tolist())
    programs = {name: [gene for gene in members if gene in background] for name, members in programs.items()}
    ours = enrich(
        programs, sets, background=genes, min_size=1, max_size=20_000, max_fdr=1, prune_parents=False
    ).set_index(["program", "term"])
    differences, of_log, n_tests = [], [], 0
    for name, members in programs.items():
        theirs = gseapy.enrich(gene_list=members, gene_sets=sets, background=background, outdir=None, no_plot=True)
        p = theirs.results.set_index("Term")["P-value"].astype(float)
        mine = ours.loc[name].loc[p.index]
        differences.append(float((mine["p_value"] - p).abs().max()))
        # Below 1e-308 gseapy returns 0.
        of_log.append(float((mine["log10_p"] - np.log10(p[p > 0])).abs().max()))
        n_tests += len(p)
    return n_tests, max(differences), max(of_log)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
