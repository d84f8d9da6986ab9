"""Genes per second: embedding, ranking, and alignment by each program that is installed.

    python benchmarks/annotation_speed.py SHARED_DATA --work FOLDER --genes 300 --threads 2

FOLDER is that of `retrieval.py`. Held-out genes are aligned with all training genes; making the database is not counted, but told.
CPU seconds count the programs that are called; on a machine with nothing else to do, wall time is CPU time over threads.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from embedding_quality import markdown
from retrieval import kept_pairs, kept_split

from dnaclip._errors import MissingDependencyError
from dnaclip.datasets import load_table
from dnaclip.encoders import Aligner
from dnaclip.models import load_pretrained
from dnaclip.models._annotation.calibration import Calibration
from dnaclip.models._annotation.embedding import embed_with_significance
from dnaclip.tl._annotation.candidates import read_known
from dnaclip.tl._annotation.ranker import Ranker


def clock() -> tuple[float, float]:
    """Wall seconds, and CPU seconds of this process and its children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.perf_counter(), sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--genes", type=int, default=300)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    pairs, _ = kept_pairs(options.shared)
    split = kept_split(pairs, options.work)["split"].to_numpy()
    sequences = pairs["sequence"].to_numpy()
    train = sequences[split == "train"].tolist()
    asked = np.random.default_rng(0).choice(sequences[split != "train"], options.genes, replace=False).tolist()
    rows: list[dict[str, str]] = []

    def told(what: str, prepared: float, before: tuple[float, float]) -> None:
        wall, cpu = (after - start for after, start in zip(clock(), before, strict=True))
        rates = {
            "genes per CPU second": f"{options.genes / cpu:.1f}",
            "genes per second, wall": f"{options.genes / wall:.1f}",
        }
        rows.append({"what": what, "prepared once, CPU s": f"{prepared:.1f}", **rates})

    start = clock()[1]
    model, table = load_pretrained(), load_table("human")
    known = read_known(table, None, model, progress=False)
    ranker = Ranker(known, Calibration.load())
    prepared, before = clock()[1] - start, clock()
    dna, significance = embed_with_significance(model, asked)
    told("embedding of DNA", prepared, before)
    before = clock()
    ranker.rank(dna, significance, None, 5)
    told(f"ranking of {len(known):,} candidates", 0, before)
    for program in ("diamond", "mmseqs", "blast"):
        try:
            start = clock()[1]
            with Aligner(train, program, threads=options.threads) as aligner:
                prepared, before = clock()[1] - start, clock()
                aligner.search(asked)
                told(f"{aligner.version}, {len(train):,} known genes", prepared, before)
        except MissingDependencyError as error:
            rows.append({"what": str(error)})
        print(".", end="", flush=True)
    print(f"\n{options.genes} genes, {options.threads} threads, load average {os.getloadavg()[0]:.1f}\n")
    print(markdown(pd.DataFrame(rows).fillna("")))


if __name__ == "__main__":
    main()
