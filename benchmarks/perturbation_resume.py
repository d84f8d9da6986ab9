"""Kill the training of a perturbation VAE at random moments, resume it, and compare with a run that nobody touched.

python benchmarks/perturbation_resume.py [--kills 20] [--epochs 150]

The process is ended with SIGKILL, which it cannot notice. Weights and history must agree bit for bit.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import sparse


def train(checkpoint: Path | None, seed: int, epochs: int) -> str:
    """Train on cells that follow from the seed, and return a digest of the weights and of the history."""
    import lightning_fabric  # noqa: F401  # slow to import: nothing to kill in it
    import torch

    from dnaclip.models import PerturbationVaeConfig
    from dnaclip.models._perturbation.cells import PerturbationCells
    from dnaclip.train import fit_vae

    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    n, n_conditions, n_genes = 1000, 12, 200
    conditions = ((), *((f"G{i}",) for i in range(n_conditions - 1)))
    vectors = rng.standard_normal((n_conditions, 64))
    vectors[0] = 0
    x = sparse.random_array((n, n_genes), density=0.1, format="csr", dtype=np.float32, rng=rng)
    condition = rng.integers(0, n_conditions, n).astype(np.int32)
    genes = tuple(f"G{i}" for i in range(n_genes))
    cells = PerturbationCells(x, condition, np.zeros(n, np.int32), conditions, ("line",), genes)
    config = PerturbationVaeConfig(hidden=64, batch_size=100, max_epochs=epochs, patience=None)
    print("ready", flush=True)
    model, history = fit_vae(
        cells,
        vectors,
        config=config,
        validation=[1, 2, 3],
        gene_vectors={f"G{i}": vectors[i + 1] for i in range(n_conditions - 1)},
        rng=seed,
        device="cpu",
        checkpoint=checkpoint,
        resume=checkpoint is not None,
        progress=False,
    )
    digest = hashlib.sha256(history.table.drop(columns="cells_per_second").to_csv(float_format="%.17g").encode())
    for name, value in model.state_dict().items():
        digest.update(name.encode() + value.numpy().tobytes())
    return digest.hexdigest()


def start(checkpoint: Path | None, seed: int, epochs: int) -> subprocess.Popen[str]:
    place = [] if checkpoint is None else ["--checkpoint", str(checkpoint)]
    command = [sys.executable, __file__, "--child", "--seed", str(seed), "--epochs", str(epochs), *place]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def readline(process: subprocess.Popen[str]) -> None:
    """Wait for the word that training begins now."""
    if process.stdout is not None:
        process.stdout.readline()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--checkpoint", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help="seed of the first run and of the moments")
    options = parser.parse_args()
    if options.child:
        print(train(options.checkpoint, options.seed, options.epochs))
        return
    rng = np.random.default_rng(options.seed)
    kills, seed = 0, options.seed
    print("| run | kills | during epoch | weights and history equal |\n| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as place:
        while kills < options.kills:
            whole = start(None, seed, options.epochs)
            readline(whole)
            began = time.perf_counter()
            expected = whole.communicate()[0].split()[-1]
            longest = (time.perf_counter() - began) / 5
            checkpoint, moments = Path(place) / f"{seed}.safetensors", []
            while True:
                process = start(checkpoint, seed, options.epochs)
                if kills < options.kills:
                    readline(process)
                    try:
                        process.wait(rng.uniform(0, longest))
                    except subprocess.TimeoutExpired:
                        process.send_signal(signal.SIGKILL)
                        process.communicate()
                        kills += 1
                        moments.append(epochs_done(checkpoint) + 1)
                        continue
                found = process.communicate()[0].split()[-1]
                break
            print(f"| {seed} | {len(moments)} | {moments} | {found == expected} |", flush=True)
            if found != expected:
                sys.exit("A resumed run differs from the one that was left alone.")
            seed += 1


def epochs_done(checkpoint: Path) -> int:
    """Epochs that the checkpoint holds; 0 without one."""
    import json

    import safetensors

    if not checkpoint.exists():
        return 0
    with safetensors.safe_open(checkpoint, framework="np") as file:
        return int(json.loads(file.metadata()["run"])["epoch"]) - 1


if __name__ == "__main__":
    main()
