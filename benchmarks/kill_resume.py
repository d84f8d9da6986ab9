"""Kill a CLIP training at random moments, resume it, and compare with a run that nobody touched.

python benchmarks/kill_resume.py [--kills 1000] [--epochs 10]

The process is ended with SIGKILL, which it cannot notice, at any moment from its first on. Weights and history must agree
bit for bit, and the log must lack no epoch. Runs alternate between the three losses, and every second one embeds its batches
in parts. Processes are forked from one that has torch loaded, so that a kill costs a fraction of a second.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from functools import wraps
from pathlib import Path
from typing import Any

import lightning_fabric  # noqa: F401 (loaded here once, and not in every process)
import numpy as np
import torch

from dnaclip.models import ClipModel, Projector, ProjectorConfig
from dnaclip.train import Feed, TrainConfig, _log, _loop, train_clip

FORK = multiprocessing.get_context("fork")
# What a killed process was at; it says so in memory that outlives it.
PHASES = ["set-up", "training", "validation", "writing the checkpoint", "writing the log"]
FUNCTIONS = [(_loop, "run_epoch"), (_loop, "_validate"), (_loop, "save_checkpoint"), (_log, "write_atomic")]


def announce(phase: Any) -> None:
    """Let the loop's functions say when they are running."""

    def telling(number: int, function: Any) -> Any:
        @wraps(function)
        def run(*arguments: Any, **options: Any) -> Any:
            phase.value = number
            return function(*arguments, **options)

        return run

    for number, (module, name) in enumerate(FUNCTIONS, 1):
        setattr(module, name, telling(number, getattr(module, name)))


def train(checkpoint: Path | None, seed: int, epochs: int, phase: Any, answer: Any) -> None:
    """Train on genes that follow from the seed, and send a digest of the weights and of the history."""
    announce(phase)
    rng = np.random.default_rng(seed)
    n = 400
    hidden = rng.standard_normal((n, 16))
    inputs = {
        name: (hidden @ rng.standard_normal((16, d))).astype(np.float32) for name, d in (("dna", 64), ("text", 96))
    }
    towers = {
        name: Projector(ProjectorConfig(in_dim=one.shape[1], out_dim=32, hidden=(128,), dropout=0.2), seed=seed)
        for name, one in inputs.items()
    }
    model = ClipModel(towers, loss=("clip", "siglip", "penalized_clip")[seed % 3])
    config = TrainConfig(batch_size=64, max_epochs=epochs, patience=None, micro_batch=24 if seed % 2 else None)
    log = None if checkpoint is None else checkpoint.with_suffix(".csv")
    history = train_clip(
        model,
        Feed(inputs, rows=range(320)),
        Feed(inputs, rows=range(320, n)),
        config,
        rng=seed,
        device="cpu",
        checkpoint=checkpoint,
        resume=checkpoint is not None,
        log=log,
        progress=False,
    )
    if log is not None and len(log.read_text().splitlines()) != len(history.table) + 1:
        sys.exit("The log file lacks an epoch.")
    digest = hashlib.sha256(history.table.drop(columns="pairs_per_second").to_csv(float_format="%.17g").encode())
    for name, value in model.state_dict().items():
        digest.update(name.encode() + value.numpy().tobytes())
    answer.put(digest.hexdigest())


def start(checkpoint: Path | None, seed: int, epochs: int) -> tuple[Any, Any, Any]:
    """Start a process; return it, what it is at, and its answer."""
    phase, answer = FORK.RawValue("i", 0), FORK.SimpleQueue()
    process = FORK.Process(target=train, args=(checkpoint, seed, epochs, phase, answer))
    process.start()
    return process, phase, answer


def finish(process: Any, answer: Any) -> str:
    process.join()
    if process.exitcode:
        sys.exit(f"A training ended with {process.exitcode}.")
    return str(answer.get())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="seed of the first run and of the moments")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(options.seed)
    at: Counter[str] = Counter()
    most, longest, began = 0, 1.0, time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        seed = options.seed
        while at.total() < options.kills:
            before = at.total()
            process, _, answer = start(None, seed, options.epochs)
            expected = finish(process, answer)
            checkpoint = Path(place) / f"{seed}.safetensors"
            while True:
                process, phase, answer = start(checkpoint, seed, options.epochs)
                if at.total() == options.kills:
                    break
                process.join(rng.uniform(0, longest))
                if not process.is_alive():
                    break
                process.kill()
                process.join()
                at[PHASES[phase.value]] += 1
                # On a busy machine nothing else is known about how long a process takes to come to its first step.
                longest *= 0.95 if phase.value else 1.2
            if finish(process, answer) != expected:
                sys.exit(f"Run {seed}, resumed after {at.total() - before} kills, differs from the one left alone.")
            most = max(most, at.total() - before)
            seed += 1
            print(f"{at.total()} kills in {seed - options.seed} runs", file=sys.stderr, flush=True)
    runs, minutes = seed - options.seed, (time.perf_counter() - began) / 60
    print(f"{at.total()} kills in {runs} runs, up to {most} in one, {minutes:.0f} min: all equal bit for bit.\n")
    print("| killed during | kills |\n| --- | --- |")
    for name in PHASES:
        print(f"| {name} | {at[name]} |")


if __name__ == "__main__":
    main()
