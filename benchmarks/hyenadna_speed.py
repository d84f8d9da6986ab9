"""Bases per second of the HyenaDNA encoder, beside the same network written plainly, and beside the arithmetic.

    python benchmarks/hyenadna_speed.py                       # on the CPU, one thread
    python benchmarks/hyenadna_speed.py --device cuda --lengths 1000 32000 160000 1000000 --bases 20000000

Plain: float32, PyTorch's grouped convolution, filters and their spectra made anew for every batch, transforms of twice the length.
Weights are random, which changes no time.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
import torch
from embedding_quality import markdown
from torch.nn import functional

from dnaclip.encoders import HyenaDna, HyenaDnaConfig, HyenaDnaEncoder
from dnaclip.encoders._hyenadna.tokens import tokenize


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


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--lengths", type=int, nargs="+", default=[1000, 8000, 32000])
    parser.add_argument("--bases", type=int, default=64000, help="bases for each measurement")
    parser.add_argument("--layers", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cuda = options.device != "cpu"
    clock = time.perf_counter if cuda else time.process_time

    rng = np.random.default_rng(0)
    network = HyenaDna(HyenaDnaConfig(d_model=256, n_layer=options.layers, l_max=max(*options.lengths, 160_000) + 2))
    rows = []
    for length in options.lengths:
        sequences = ["".join(rng.choice(list("ACGT"), length)) for _ in range(max(options.bases // length, 1))]
        n = sum(map(len, sequences))
        encoders = {
            "dnaclip": HyenaDnaEncoder(network, device=options.device),
            "dnaclip, bf16 products": HyenaDnaEncoder(network, device=options.device, precision="bf16-mixed"),
        }
        seconds, vectors = {}, {}
        for name, encoder in encoders.items():
            encoder.encode(sequences[:1])
            start = clock()
            vectors[name] = encoder.encode(sequences)
            seconds[name] = clock() - start
        tokens = torch.from_numpy(np.array([tokenize(sequence) for sequence in sequences])).int().to(options.device)
        with torch.inference_mode():
            plain(network, tokens[:1])
            start = clock()
            vectors["plain"] = np.concatenate(
                [plain(network, part).mean(1).cpu().numpy() for part in tokens.split(max(32000 // length, 1))]
            )
            seconds["plain"] = clock() - start
        product = (vectors["plain"] * vectors["dnaclip, bf16 products"]).sum(1)
        norms = [np.linalg.norm(vectors[name], axis=1) for name in ("plain", "dnaclip, bf16 products")]
        rows.append(
            {"length": length}
            | {f"{name}, bases/s": f"{n / seconds[name]:,.0f}" for name in ("plain", *encoders)}
            | {f"{name}, times plain": f"{seconds['plain'] / seconds[name]:.2f}" for name in encoders}
            | {
                "largest difference to plain": f"{np.abs(vectors['plain'] - vectors['dnaclip']).max():.1e}",
                "cosine, bf16": f"{(product / norms[0] / norms[1]).min():.6f}",
                # 24 d^2 of the products, per base and layer.
                "GFLOP/s": f"{24 * 256**2 * options.layers * n / seconds['dnaclip'] / 1e9:,.0f}",
            }
        )
    print(markdown(pd.DataFrame(rows)))


if __name__ == "__main__":
    main()
