"""What each way of splitting leaks, on real pairs: `python benchmarks/split_leaks.py SHARED_DATA [--rows N]`."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import pandas as pd

from dnaclip.pp import split_leaks, split_pairs

SHOWN = ["genes", "near_sequence", "same_sequence", "near_text", "same_text", "sequence_similarity", "text_similarity"]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--rows", type=int, default=20_000)
    arguments = parser.parse_args()
    pairs = pd.read_parquet(arguments.data / "genes" / "pairs.parquet")
    pairs = pairs[pairs["informative"]]
    pairs = pairs.sample(min(arguments.rows, len(pairs)), random_state=0).reset_index(drop=True)
    print(f"{len(pairs):,} informative pairs.\n")
    print(f"| split by | part | {' | '.join(SHOWN)} | seconds |\n|{'---|' * (len(SHOWN) + 3)}")
    by: Any
    for by in ("rows, at random", "cluster", "sequence", "text", "species", "chromosome"):
        # Many rows are transcripts whose place is not known.
        table = pairs[pairs["seqid"] != ""] if by == "chromosome" else pairs
        if by == "rows, at random":
            split = pd.DataFrame({"split": "train"}, index=table.index)
            split.loc[table.sample(frac=0.1, random_state=1).index, "split"] = "test"
        else:
            split = split_pairs(table, by=by)
        start = time.process_time()
        leaks: Any = split_leaks(table, split)
        row = leaks.loc["test", SHOWN].tolist()
        seconds = time.process_time() - start
        cells = [f"{value:,.0f}" for value in row[:5]] + [f"{value:.3f}" for value in row[5:]]
        print(f"| {by} | test | {' | '.join(cells)} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
