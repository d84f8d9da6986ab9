"""What `dnaclip encode` costs beside a plain call, that kills change nothing, and what reading GenePT's form of file takes.

    python benchmarks/encode_fasta.py SHARED_DATA --work FOLDER

prints the markdown tables of RESULTS-encode-fasta.md. The folder is emptied of what this writes when it is done.
"""

from __future__ import annotations

import argparse
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from dnaclip._fasta import read_records
from dnaclip.encoders import CompositionEncoder, VectorTable, encode_fasta

MAIN = "from dnaclip.cli import main\nmain()\n"
READ = r"""
import re, sys, time
from pathlib import Path
def memory():
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1e3
kind, path = sys.argv[1:]
if kind == "ours":
    from dnaclip.encoders import read_vectors
else:
    import pickle
before, start = memory(), time.perf_counter()
table = read_vectors(path) if kind == "ours" else pickle.load(open(path, "rb"))
print(time.perf_counter() - start, memory() - before)
"""


def seconds(function: object, *arguments: object) -> float:
    start = time.perf_counter()
    function(*arguments)  # type: ignore[operator]
    return time.perf_counter() - start


def command(work: Path, out: str, *, processes: int = 1, letters: int = 1 << 20) -> list[str]:
    (work / "main.py").write_text(MAIN)
    python = Path(sys.executable)
    start = [str(python)]
    if processes > 1:
        start = [str(python.with_name("torchrun")), "--nproc-per-node", str(processes)]
    options = ["--fasta", work / "genes.fa", "--encoder", "composition", "--out", work / out, "--no-progress"]
    return [*start, str(work / "main.py"), "encode", *map(str, options), "--letters-per-part", str(letters)]


def killed(line: list[str], out: Path, limit: float) -> int:
    """Run a command and kill it some time after it wrote a part, again and again; return how often, then let it end."""
    rng = np.random.default_rng(0)
    kills, until = 0, time.monotonic() + limit
    parts = out.with_name(f"{out.name}.parts")
    while time.monotonic() < until and not out.exists():
        before = len(list(parts.glob("part-*")))
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while len(list(parts.glob("part-*"))) == before and process.poll() is None:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
    subprocess.run(line, check=True, capture_output=True)
    return kills


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--genes", type=int, default=20_000)
    parser.add_argument("--kill-seconds", type=float, default=60)
    given = parser.parse_args()
    work: Path = given.work
    work.mkdir(parents=True, exist_ok=True)
    pairs = pd.read_parquet(given.shared / "genes/pairs.parquet", columns=["gene_id", "sequence"])
    pairs = pairs.drop_duplicates("gene_id").iloc[: given.genes]
    pairs["gene_id"] = pairs["gene_id"].str.replace(r"\s", "_", regex=True)  # a name ends at the first space
    sequences = pairs["sequence"].tolist()
    (work / "genes.fa").write_text("".join(f">{g}\n{s}\n" for g, s in zip(pairs["gene_id"], sequences, strict=True)))
    expected = CompositionEncoder().encode(sequences)

    print(f"{len(pairs):,} genes, {sum(map(len, sequences)) / 1e6:.1f} million bases, encoder `composition`.\n")
    print("| what | seconds | vectors equal |\n|---|---|---|")
    print(f"| reading the file alone | {seconds(lambda: list(read_records(work / 'genes.fa'))):.1f} | |")
    print(f"| plain call of `encode` | {seconds(CompositionEncoder().encode, sequences):.1f} | |")

    def row(name: str, took: float, out: str) -> None:
        table = VectorTable.load(work / out)
        same = table.ids == pairs["gene_id"].tolist() and np.array_equal(table.vectors, expected)
        print(f"| {name} | {took:.1f} | {'bit for bit' if same else 'NO'} |")
        (work / out).unlink()

    took = seconds(encode_fasta, work / "genes.fa", "composition", work / "a")
    row("`encode_fasta`", took, "a")
    took = seconds(lambda: subprocess.run(command(work, "b"), check=True, capture_output=True))
    row("`dnaclip encode`", took, "b")
    took = seconds(lambda: subprocess.run(command(work, "c", processes=2), check=True, capture_output=True))
    row("`torchrun`, two processes", took, "c")
    start = time.perf_counter()
    kills = killed(command(work, "d", letters=60_000), work / "d", given.kill_seconds)
    row(f"{kills} times killed (`kill -9`), parts of 60,000 bases", time.perf_counter() - start, "d")

    rng = np.random.default_rng(0)
    vectors = {f"g{i}": rng.normal(size=3072).tolist() for i in range(4000)}
    vectors |= {f"{gene}_{k}": vector for gene, vector in list(vectors.items()) for k in range(3)}
    path = work / "vectors.pickle"
    path.write_bytes(pickle.dumps(vectors))
    print(
        f"\nA pickle as GenePT's: {len(vectors):,} names of 4,000 lists of 3,072, {path.stat().st_size / 1e6:.0f} MB.\n"
    )
    print("| reader | seconds | MB of memory |\n|---|---|---|")
    for kind, name in (("ours", "`read_vectors`, runs nothing"), ("pickle", "`pickle.load`, runs anything")):
        done = subprocess.run([sys.executable, "-c", READ, kind, str(path)], check=True, capture_output=True, text=True)
        took, memory = map(float, done.stdout.split())
        print(f"| {name} | {took:.1f} | {memory:.0f} |")
    for left in ("genes.fa", "main.py", "vectors.pickle"):
        (work / left).unlink()


if __name__ == "__main__":
    main()
