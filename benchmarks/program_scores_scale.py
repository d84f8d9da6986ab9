"""Score programs in a million cells of a dask array: time, memory, and the same numbers on a cluster.

    python benchmarks/program_scores_scale.py SHARED_DATA 1000000 --methods mean mean_z aucell --workers 0 2

Cells are drawn from the 2,638 of `cells/pbmc3k_counts.h5ad`, thinned to 90 % of their counts, normalised and logged,
10,000 to a chunk, when the chunk is asked for: nothing is stored. Each case runs in a process of its own; peak memory is
the sum of the peaks of all its processes, as the kernel counts them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import sparse

N_GENES = 3_000
CHUNK = 10_000


def base(shared_data: Path):
    """Return the most expressed genes of the cells that were measured, with programs."""
    import anndata as ad

    from dnaclip import tl

    adata = ad.read_h5ad(shared_data / "cells/pbmc3k_counts.h5ad")
    most = np.sort(np.argsort(-np.asarray(adata.X.sum(axis=0)).ravel(), kind="stable")[:N_GENES])
    adata = ad.AnnData(sparse.csr_matrix(adata.X[:, most], dtype=np.int32), var=adata.var.iloc[most][[]].copy())
    tl.embed(adata)
    tl.gene_programs(adata, resolution=2, coherence=False)
    return adata


def cells_like(counts: sparse.csr_matrix, n_cells: int, seed: int) -> sparse.csr_matrix:
    """Draw cells with replacement, keep 90 % of their counts, and return log-normalised values."""
    rng = np.random.default_rng(seed)
    drawn = counts[rng.integers(counts.shape[0], size=n_cells)]
    drawn.data = rng.binomial(drawn.data, 0.9)
    total = np.maximum(np.asarray(drawn.sum(axis=1)).ravel(), 1)
    drawn = drawn.astype(np.float32)
    drawn.data *= np.repeat((1e4 / total).astype(np.float32), np.diff(drawn.indptr))
    np.log1p(drawn.data, out=drawn.data)
    return drawn


def lazy_cells(counts: sparse.csr_matrix, n_cells: int):
    import dask
    import dask.array as da

    source = dask.delayed(counts)
    sizes = [min(CHUNK, n_cells - start) for start in range(0, n_cells, CHUNK)]
    meta = sparse.csr_matrix((0, 0), dtype=np.float32)
    parts = [
        da.from_delayed(dask.delayed(cells_like)(source, size, seed), (size, counts.shape[1]), meta=meta)
        for seed, size in enumerate(sizes)
    ]
    return da.concatenate(parts)


def peak_mib() -> float:
    """Return the highest resident memory of this process so far; `ru_maxrss` would count what its parent held, too."""
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1024


def one_case(shared_data: Path, n_cells: int, method: str, workers: int, out: Path) -> None:
    import anndata as ad
    import dask

    from dnaclip import tl

    measured = base(shared_data)
    adata = ad.AnnData(lazy_cells(measured.X, n_cells), var=measured.var, uns=measured.uns)
    client = None
    if workers:
        from distributed import Client, LocalCluster

        cluster = LocalCluster(n_workers=workers, threads_per_worker=1, memory_limit="1500MiB", dashboard_address=None)
        client = Client(cluster)
    else:
        dask.config.set(scheduler="threads", num_workers=1)
    start = time.perf_counter()
    tl.score_programs(adata, method=method)
    wall = time.perf_counter() - start
    peak = [peak_mib()]
    if client:
        peak += client.run(peak_mib).values()
        client.close()
        cluster.close()
    np.save(out, adata.obsm["gene_program"])
    print(json.dumps({"wall": wall, "peak": peak, "n_programs": adata.obsm["gene_program"].shape[1]}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared_data", type=Path)
    parser.add_argument("n_cells", type=int)
    parser.add_argument("--methods", nargs="+", default=["mean", "mean_z", "aucell"])
    parser.add_argument(
        "--workers", nargs="+", type=int, default=[0, 2], help="0 is the threaded scheduler, one thread"
    )
    parser.add_argument("--case", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case:
        one_case(args.shared_data, args.n_cells, args.methods[0], args.workers[0], args.case)
        return
    print("| cells x genes | method | scheduler | wall s | peak RSS, MiB (sum; each process) | equal to the first |")
    print("|---|---|---|---|---|---|")
    for method in args.methods:
        first = None
        for workers in args.workers:
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "scores.npy"
                command = [sys.executable, __file__, str(args.shared_data), str(args.n_cells), "--case", str(out)]
                command += ["--methods", method, "--workers", str(workers)]
                run = subprocess.run(command, check=True, capture_output=True, text=True)
                case, scores = json.loads(run.stdout.splitlines()[-1]), np.load(out)
            same = (
                "-"
                if first is None
                else "every bit"
                if np.array_equal(first, scores)
                else f"{abs(first - scores).max():.1e}"
            )
            first = scores if first is None else first
            where = f"distributed, {workers} workers" if workers else "threads, 1"
            peaks = " + ".join(f"{mib:.0f}" for mib in case["peak"])
            print(
                f"| {args.n_cells:,} x {N_GENES:,}, {case['n_programs']} programs | {method} | {where} | {case['wall']:.0f} "
                f"| {sum(case['peak']):.0f} ({peaks}) | {same} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
