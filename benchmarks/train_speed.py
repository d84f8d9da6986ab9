"""Seconds for an epoch of CLIP training over vectors of the paper's size, beside a straightforward loop, and memory of the loss.

    python benchmarks/train_speed.py [--pairs 300000] [--batches 1024 8192] [--loss-batches 1024 8192 65536] [--device cpu]

Vectors are synthetic: 256 numbers for the DNA, 3,072 for the text, brought to 128 by linear projectors or with a hidden layer
of 512. Each way is timed over one epoch, without set-up, and scaled to 300,000 pairs: dnaclip's loop; the least that it has
to do, which is both projectors and our loss, forward and backward, over batches in order, without an optimiser; and a plain
loop with a DataLoader over a TensorDataset, the same model and AdamW, and the loss as one matrix. Each loss runs in a process
of its own; its memory is the most that the process held above what it held before.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time

import numpy as np
import pandas as pd
import torch
from embedding_quality import markdown
from torch.nn import functional

from dnaclip.models import ClipModel, Projector, ProjectorConfig, clip_loss, siglip_loss
from dnaclip.train import Feed, TrainConfig, train_clip

SIZES = {"dna": 256, "text": 3072}
WHOLE = 300_000


def model_of(hidden: tuple[int, ...]) -> ClipModel:
    return ClipModel({name: Projector(ProjectorConfig(in_dim=d, hidden=hidden), seed=0) for name, d in SIZES.items()})


Seconds = tuple[float, float]
"""Of a clock on the wall, and of the processor."""


def clocks() -> Seconds:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter(), time.process_time()


def since(start: Seconds) -> Seconds:
    now = clocks()
    return now[0] - start[0], now[1] - start[1]


def ours(data: dict[str, torch.Tensor], hidden: tuple[int, ...], batch: int, device: str) -> Seconds:
    """From the end of the epoch that measures the untrained model to that of the next one, with a tiny validation."""
    few = Feed(data, rows=range(64))
    config = TrainConfig(batch_size=batch, max_epochs=1, patience=None)
    ends: list[Seconds] = []
    train_clip(
        model_of(hidden),
        Feed(data),
        few,
        config,
        device=device,
        callbacks=[lambda model, row: ends.append(clocks())],
    )
    return ends[1][0] - ends[0][0], ends[1][1] - ends[0][1]


def least(data: dict[str, torch.Tensor], hidden: tuple[int, ...], batch: int, device: str) -> Seconds:
    model = model_of(hidden).to(device)
    data = {name: one.to(device) for name, one in data.items()}
    start = clocks()
    for i in range(0, len(data["dna"]) - batch + 1, batch):
        sides = model({name: (one[i : i + batch],) for name, one in data.items()})
        model.zero_grad()
        model.loss(sides).backward()
    return since(start)


def plain(data: dict[str, torch.Tensor], hidden: tuple[int, ...], batch: int, device: str) -> Seconds:
    """The loop that one writes first."""
    model = model_of(hidden).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(data["dna"], data["text"]), batch_size=batch, shuffle=True, drop_last=True
    )
    start = clocks()
    for dna, text in loader:
        sides = model({"dna": (dna.to(device),), "text": (text.to(device),)})
        logits = model.logit_scale * sides["dna"] @ sides["text"].T
        right = torch.arange(len(logits), device=device)
        loss = (functional.cross_entropy(logits, right) + functional.cross_entropy(logits.T, right)) / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return since(start)


def loss_memory(loss: str, batch: int, threads: int, answer: multiprocessing.SimpleQueue) -> None:
    """Send the CPU seconds and the peak memory, in GiB, of one loss and its gradient."""
    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(0)
    sides = [functional.normalize(torch.randn(batch, 128, generator=generator), dim=1) for _ in range(2)]
    for side in sides:
        side.requires_grad_()
    torch.ones(64, 64).requires_grad_().matmul(torch.ones(64, 64)).sum().backward()  # what the first backward loads
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    if loss == "plain InfoNCE":
        logits = 20.0 * sides[0] @ sides[1].T
        (logits.logsumexp(1) + logits.logsumexp(0) - 2 * logits.diagonal()).mean().div(2).backward()
    elif loss == "InfoNCE":
        clip_loss(*sides, 20.0).backward()
    else:
        siglip_loss(*sides, 10.0, -10.0).backward()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer.put((time.process_time() - start, (after - before) / 2**20))


def loss_table(batches: list[int], threads: int, largest_plain: int) -> pd.DataFrame:
    context = multiprocessing.get_context("spawn")
    rows = []
    for batch in batches:
        row: dict[str, object] = {"batch": f"{batch:,}"}
        for loss in ("plain InfoNCE", "InfoNCE", "SigLIP"):
            if loss == "plain InfoNCE" and batch > largest_plain:
                row[loss] = "-"
                continue
            answer = context.SimpleQueue()
            child = context.Process(target=loss_memory, args=(loss, batch, threads, answer))
            child.start()
            seconds, memory = answer.get()
            child.join()
            row[loss] = f"{seconds:.2f} s, {memory:.3f} GiB"
        rows.append(row)
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=WHOLE)
    parser.add_argument("--batches", type=int, nargs="*", default=[1024, 8192])
    parser.add_argument("--loss-batches", type=int, nargs="*", default=[1024, 4096, 8192, 16_384, 32_768, 65_536])
    parser.add_argument("--largest-plain", type=int, default=16_384, help="above it one matrix takes too much memory")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    if options.batches:
        rng = np.random.default_rng(0)
        data = {
            name: torch.from_numpy(rng.standard_normal((options.pairs, d), dtype=np.float32))
            for name, d in SIZES.items()
        }
        rows = []
        for name, hidden in {"linear": (), "MLP 512": (512,)}.items():
            for batch in options.batches:
                part = WHOLE / (options.pairs // batch * batch)
                row: dict[str, object] = {"projectors": name, "batch": f"{batch:,}"}
                for kind, run in {"dnaclip": ours, "least": least, "plain loop": plain}.items():
                    wall, cpu = run(data, hidden, batch, options.device)
                    row[kind] = f"{cpu * part:.1f}"
                    row[f"{kind}, wall"] = f"{wall * part:.1f}"
                rows.append(row)
        where = f"{options.device}, {options.threads} threads"
        print(f"{where}, CPU and wall seconds an epoch of {WHOLE:,}\n\n{markdown(pd.DataFrame(rows))}\n", flush=True)
    if options.loss_batches:
        print(markdown(loss_table(options.loss_batches, options.threads, options.largest_plain)))


if __name__ == "__main__":
    main()
