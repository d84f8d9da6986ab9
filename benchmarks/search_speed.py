"""Seconds for the ten nearest of many vectors, 128 dimensions, exact and approximate, and the recall of the latter.

    python benchmarks/search_speed.py --base 60000 --queries 60000 --threads 1

Vectors lie in 2,000 clusters, as those of genes do; peak memory is what the process held at most above the vectors.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import pandas as pd
import torch
from embedding_quality import markdown

from dnaclip.models import VectorIndex


def clustered(n: int, d: int, seed: int) -> np.ndarray:
    """Vectors around 2,000 centres, which are the same for every seed."""
    centres = np.random.default_rng(0).normal(size=(2000, d)).astype(np.float32)
    rng = np.random.default_rng(seed)
    vectors = centres[rng.integers(len(centres), size=n)] + 0.6 * rng.normal(size=(n, d)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=int, default=60_000)
    parser.add_argument("--queries", type=int, default=60_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--methods", nargs="+", default=["exact", "faiss", "ivf"])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    base, queries = clustered(options.base, 128, 1), clustered(options.queries, 128, 2)
    rows = []
    for method in options.methods:
        if method != "exact":
            import faiss

            faiss.omp_set_num_threads(options.threads)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        wall, cpu = time.perf_counter(), time.process_time()
        index = VectorIndex(base, method)
        built = time.process_time() - cpu
        index.search(queries, 10)
        row = {"method": method, "built, CPU s": f"{built:.1f}", "all, CPU s": f"{time.process_time() - cpu:.1f}"}
        row |= {"all, wall s": f"{time.perf_counter() - wall:.1f}"}
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        row["peak above, GiB"] = f"{(after - before) / 2**20:.2f}"
        row["recall@10"] = f"{index.recall(queries[:1000], 10):.4f}"
        rows.append(row)
    print(f"{options.base:,} vectors, {options.queries:,} queries, {options.threads} threads\n")
    print(markdown(pd.DataFrame(rows)))


if __name__ == "__main__":
    main()
