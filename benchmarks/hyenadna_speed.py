"""Bases per second and memory of the HyenaDNA encoder, beside the same network written plainly, and beside the arithmetic.

    python benchmarks/hyenadna_speed.py                       # on the CPU, one thread
    python benchmarks/hyenadna_speed.py --lengths 1000 32000 160000 1000000 --bases 1000
    python benchmarks/hyenadna_speed.py --device cuda --lengths 1000 32000 160000 1000000 --bases 20000000

Plain: float32, PyTorch's grouped convolution, filters and their spectra made anew for every batch, transforms of twice the length.
Weights are random, which changes no time. Every figure is taken in a process of its own, after a warm-up with 1,000 bases, so that
filters of other lengths count; memory is all that the process had at most.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from embedding_quality import markdown
from torch.nn import functional

from dnaclip.encoders import HyenaDna, HyenaDnaConfig, HyenaDnaEncoder
from dnaclip.encoders._hyenadna.tokens import tokenize

if TYPE_CHECKING:
    from collections.abc import Callable

VERSIONS = ("plain", "dnaclip", "dnaclip, bf16 products", "dnaclip, compiled")


def plain(network: HyenaDna, tokens: torch.Tensor) -> torch.Tensor:
    """The last hidden states, (n, length, d), one formula after the other."""
    length = tokens.shape[1]
    hidden = network.embedding(tokens)
    for layer in network.layers:
        mixer = layer.mixer
        u = mixer.in_proj(layer.norm1(hidden)).transpose(1, 2)
        weight, bias = mixer.short_filter.weight, mixer.short_filter.bias
        u = functional.conv1d(u, weight, bias, padding=2, groups=u.shape[1])[..., :length]
        x0, x1, v = u.chunk(3, dim=1)
        v = v * x1
        taps = mixer.long_filter(network.positions, length)
        y = torch.fft.irfft(torch.fft.rfft(v, n=2 * length) * torch.fft.rfft(taps, n=2 * length), n=2 * length)[
            ..., :length
        ]
        hidden = hidden + mixer.out_proj(((y + v * mixer.long_filter.bias[:, None]) * x0).transpose(1, 2))
        hidden = hidden + layer.fc2(functional.gelu(layer.fc1(layer.norm2(hidden)), approximate="tanh"))
    return network.norm(hidden)


def encode_plainly(network: HyenaDna, sequences: list[str], device: str) -> np.ndarray:
    tokens = torch.from_numpy(np.array([tokenize(sequence) for sequence in sequences])).int().to(device)
    at_once = max(32000 // tokens.shape[1], 1)
    with torch.inference_mode():
        return np.concatenate([plain(network, part).mean(1).cpu().numpy() for part in tokens.split(at_once)])


def encode_with(version: str, network: HyenaDna, device: str) -> Callable[[list[str]], np.ndarray]:
    if version == "plain":
        network = network.to(device).eval()
        return lambda sequences: encode_plainly(network, sequences, device)
    precision = "bf16-mixed" if "bf16" in version else "32-true"
    encoder = HyenaDnaEncoder(network, device=device, precision=precision)  # type: ignore[arg-type]
    if "compiled" in version:
        network.compile()
    return encoder.encode


def measure(version: str, length: int, options: argparse.Namespace) -> None:
    """Encode in this process; vectors go to a file, figures to the output."""
    torch.set_num_threads(1)
    cuda = options.device != "cpu"
    clock = time.perf_counter if cuda else time.process_time
    rng = np.random.default_rng(0)
    sequences = ["".join(rng.choice(list("ACGT"), length)) for _ in range(max(options.bases // length, 1))]
    network = HyenaDna(HyenaDnaConfig(d_model=256, n_layer=options.layers, l_max=1_000_002))
    encode = encode_with(version, network, options.device)
    encode([sequences[0][:1000]])
    first = 0.0
    if "compiled" in version:  # once more for every shape
        start = clock()
        encode(sequences)
        first = clock() - start
    start = clock()
    vectors = encode(sequences)
    seconds = clock() - start
    np.save(options.folder / "vectors.npy", vectors)
    memory = torch.cuda.max_memory_allocated() if cuda else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        json.dumps(
            {"rate": sum(map(len, sequences)) / seconds, "GiB": memory / 2**30, "first": max(first - seconds, 0)}
        )
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--lengths", type=int, nargs="+", default=[1000, 8000, 32000])
    parser.add_argument("--bases", type=int, default=64000, help="bases for each measurement, or one sequence")
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--versions", nargs="+", choices=VERSIONS, default=VERSIONS[:3])
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure[0], int(options.measure[1]), options)
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for length in options.lengths:
            reference, rate = None, 0.0
            for version in options.versions:
                command = [sys.executable, *sys.argv, "--folder", folder, "--measure", version, str(length)]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
                row: dict[str, object] = {"length": f"{length:,}", "version": version}
                rows.append(row)
                if done.returncode:
                    row["bases/s"] = f"failed ({done.returncode})"
                    continue
                found = json.loads(done.stdout)
                vectors = np.load(Path(folder) / "vectors.npy")
                reference, rate = (vectors, found["rate"]) if reference is None else (reference, rate)
                norms = np.linalg.norm(vectors, axis=1) * np.linalg.norm(reference, axis=1)
                row |= {
                    "bases/s": f"{found['rate']:,.0f}",
                    "times the first": f"{found['rate'] / rate:.2f}",
                    "GiB at most": f"{found['GiB']:.1f}",
                    "s to compile": f"{found['first']:.0f}" if found["first"] else "",
                    "largest difference": f"{np.abs(vectors - reference).max():.1e}",
                    "cosine": f"{((vectors * reference).sum(1) / norms).min():.6f}",
                    # 24 d^2 of the products, per base and layer.
                    "GFLOP/s": f"{24 * 256**2 * options.layers * found['rate'] / 1e9:,.0f}",
                }
                print(row, file=sys.stderr, flush=True)
    print(markdown(pd.DataFrame(rows).fillna("")))


if __name__ == "__main__":
    main()
