"""What training the perturbation VAE costs: CPU seconds per epoch and memory above the loaded data, on one thread.

python benchmarks/perturbation_speed.py [--genes 2000 5000] [--density 0.1] [--epochs 2] [--repeats 1] [--large]

Each line runs in a process of its own. CPU seconds depend on the machine and on who else is on it, so the speed of a
512 x 512 matrix product, measured just before and after, stands beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

D = 3072
# As in the measurements of the published model: cells, training cells, conditions.
SINGLES = (10_000, 7_720, 150)
DOUBLES = (10_000, 5_899, 230), (10_000, 5_702, 230)  # up to 2,000 genes, more
# CPU seconds per epoch and peak MB above the loaded data that the published model took.
PUBLISHED = {
    (2000, "singles"): (9.0, 865),
    (2000, "doubles"): (7.0, 1303),
    (5000, "singles"): (13.4, 1192),
    (5000, "doubles"): (9.2, 1613),
}


def write_problem(folder: Path, kind: str, n_genes: int, density: float, n_cells: int | None) -> None:
    """Log-normal values at random places, random vectors of length 1, random conditions."""
    total, n_train, n_conditions = SINGLES if kind == "singles" else DOUBLES[n_genes > 2000]
    n_cells, n_train = (n_cells, n_cells) if n_cells else (total, n_train)
    rng = np.random.default_rng(0)
    parts = [
        sparse.random_array(
            (min(10_000, n_cells - start), n_genes),
            density=density,
            format="csr",
            dtype=np.float32,
            rng=rng,
            data_sampler=lambda size: np.log1p(rng.lognormal(size=size)).astype(np.float32),
        )
        for start in range(0, n_cells, 10_000)
    ]
    sparse.save_npz(folder / "x.npz", sparse.csr_matrix(sparse.vstack(parts, format="csr")), compressed=False)
    names = [f"G{i}" for i in range(n_conditions if kind == "singles" else 110)]
    conditions: list[list[str]] = [[], *([name] for name in names)]
    while len(conditions) < n_conditions + 1:
        pair = sorted(rng.choice(names, 2, replace=False).tolist())
        if pair not in conditions:
            conditions.append(pair)
    genes = {name: vector / np.linalg.norm(vector) for name in names for vector in [rng.standard_normal(D)]}
    vectors = np.array([sum((genes[gene] for gene in one), np.zeros(D)) for one in conditions], dtype=np.float32)
    train = np.zeros(n_cells, bool)
    train[rng.permutation(n_cells)[:n_train]] = True
    condition = rng.integers(0, len(conditions), n_cells).astype(np.int32)
    np.savez(folder / "rest.npz", vectors=vectors, train=train, condition=condition)
    (folder / "conditions.json").write_text(json.dumps(conditions))


def gigaflops() -> float:
    """Speed of a matrix product now."""
    import torch

    one, n = torch.ones(512, 512), 20
    start = time.process_time()
    for _ in range(n):
        one @ one
    return 2 * 512**3 * n / (time.process_time() - start) / 1e9


def memory(name: str) -> float:
    """`VmRSS`, memory now, or `VmHWM`, its peak, in MB."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1e3


def measure(folder: Path, epochs: int) -> dict[str, float]:
    """Train in this process, and say what it cost."""
    import lightning_fabric  # noqa: F401  # imports belong to neither the data nor the training
    import torch

    from dnaclip.models import PerturbationVaeConfig
    from dnaclip.models._perturbation.cells import PerturbationCells
    from dnaclip.train import fit_vae

    torch.set_num_threads(1)
    x = sparse.load_npz(folder / "x.npz")
    rest = np.load(folder / "rest.npz")
    conditions = tuple(tuple(one) for one in json.loads((folder / "conditions.json").read_text()))
    genes = tuple(f"G{i}" for i in range(x.shape[1]))
    cells = PerturbationCells(x, rest["condition"], np.zeros(x.shape[0], np.int32), conditions, ("line",), genes)
    vectors, train = rest["vectors"], rest["train"]

    def run(n_epochs: int) -> tuple[float, float]:
        start = time.process_time(), time.perf_counter()
        config = PerturbationVaeConfig(max_epochs=n_epochs)
        fit_vae(cells, vectors, config=config, train=train, device="cpu", progress=False)
        return time.process_time() - start[0], time.perf_counter() - start[1]

    speed = gigaflops()
    loaded = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    first = run(1)
    more = run(1 + epochs) if epochs > 1 else (2 * first[0], 2 * first[1])
    return {
        "train_cells": int(train.sum()),
        "cpu": (more[0] - first[0]) / max(epochs, 1),
        "wall": (more[1] - first[1]) / max(epochs, 1),
        "loaded": loaded,
        "above": memory("VmHWM") - loaded,
        "peak": memory("VmHWM"),
        "gflops": (speed + gigaflops()) / 2,
    }


def in_a_process(kind: str, n_genes: int, density: float, epochs: int, n_cells: int | None = None) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place:
        write_problem(Path(place), kind, n_genes, density, n_cells)
        command = [sys.executable, __file__, "--measure", place, "--epochs", str(epochs)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--genes", type=int, nargs="+", default=[2000, 5000])
    parser.add_argument("--density", type=float, default=0.1, help="share of values that are not zero")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument(
        "--repeats", type=int, default=1, help="runs of each line; the one with the fewest CPU s is shown"
    )
    parser.add_argument("--large", action="store_true", help="one epoch of 100,000 cells x 5,000 genes instead")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.epochs)))
        return
    if options.large:
        one = in_a_process("singles", 5000, options.density, 1, 100_000)
        print("| cells | genes | non-zero | CPU s / epoch | wall s / epoch | loaded, MB | peak, MB | GFLOP/s then |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        print(
            f"| 100,000 | 5,000 | {options.density:.0%} | {one['cpu']:.1f} | {one['wall']:.1f} | {one['loaded']:.0f} | "
            f"{one['peak']:.0f} | {one['gflops']:.0f} |"
        )
        return
    print(
        "| run | train cells | CPU s / epoch | published | times fewer | peak above data, MB | published | times less | GFLOP/s then |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for n_genes in options.genes:
        for kind in ("singles", "doubles"):
            runs = [in_a_process(kind, n_genes, options.density, options.epochs) for _ in range(options.repeats)]
            one = min(runs, key=lambda run: run["cpu"])
            cpu, above = PUBLISHED.get((n_genes, kind), (float("nan"), float("nan")))
            print(
                f"| {kind}, {n_genes} genes, {options.density:.0%} non-zero | {one['train_cells']} | {one['cpu']:.2f} | {cpu} | "
                f"{cpu / one['cpu']:.1f} | {one['above']:.0f} | {above} | {above / one['above']:.1f} | {one['gflops']:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
