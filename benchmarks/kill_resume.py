"""Kill a CLIP training at random moments, resume it, and compare with a run that nobody touched.

python benchmarks/kill_resume.py [--kills 20] [--epochs 40]

The process is ended with SIGKILL, which it cannot notice: in the middle of a step, of the validation or of writing the
checkpoint. Weights, history and the log file must agree bit for bit. Runs alternate between the three losses, and every
second one embeds its batches in parts.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def train(checkpoint: Path | None, seed: int, epochs: int) -> str:
    """Train on genes that follow from the seed, and return a digest of the weights and of the history."""
    import torch

    from dnaclip.models import ClipModel, Projector, ProjectorConfig
    from dnaclip.train import Feed, TrainConfig, train_clip

    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    n = 1500
    hidden = rng.standard_normal((n, 16))
    inputs = {
        name: (hidden @ rng.standard_normal((16, d))).astype(np.float32) for name, d in (("dna", 64), ("text", 96))
    }
    towers = {
        name: Projector(ProjectorConfig(in_dim=one.shape[1], out_dim=32, hidden=(128,), dropout=0.2), seed=seed)
        for name, one in inputs.items()
    }
    model = ClipModel(towers, loss=("clip", "siglip", "penalized_clip")[seed % 3])
    config = TrainConfig(batch_size=128, max_epochs=epochs, patience=None, micro_batch=48 if seed % 2 else None)
    log = None if checkpoint is None else checkpoint.with_suffix(".csv")
    print("ready", flush=True)
    history = train_clip(
        model,
        Feed(inputs, rows=range(1200)),
        Feed(inputs, rows=range(1200, n)),
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
    return digest.hexdigest()


def start(checkpoint: Path | None, seed: int, epochs: int) -> subprocess.Popen[str]:
    place = [] if checkpoint is None else ["--checkpoint", str(checkpoint)]
    command = [sys.executable, __file__, "--child", "--seed", str(seed), "--epochs", str(epochs), *place]
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, text=True)
    if process.stdout is not None:
        process.stdout.readline()  # training begins now
    return process


def epochs_done(checkpoint: Path) -> int:
    """Epochs that the checkpoint holds; 0 without one."""
    import safetensors

    if not checkpoint.exists():
        return 0
    with safetensors.safe_open(checkpoint, framework="np") as file:
        return int(json.loads(file.metadata()["run"])["epoch"]) - 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0, help="seed of the first run and of the moments")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--checkpoint", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(train(options.checkpoint, options.seed, options.epochs))
        return
    rng = np.random.default_rng(options.seed)
    kills, seed = 0, options.seed
    print("| run | kills | during epoch | weights and history equal |\n| --- | --- | --- | --- |", flush=True)
    with tempfile.TemporaryDirectory() as place:
        while kills < options.kills:
            began = time.perf_counter()
            expected = start(None, seed, options.epochs).communicate()[0].split()[-1]
            longest = (time.perf_counter() - began) / 3
            checkpoint, moments = Path(place) / f"{seed}.safetensors", []
            while True:
                process = start(checkpoint, seed, options.epochs)
                if kills < options.kills:
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


if __name__ == "__main__":
    main()
