"""Train from files larger than memory: how much memory it takes, and how fast rows come at random from the disk.

    python benchmarks/train_mapped.py FOLDER [--pairs 600000] [--steps 24]

Writes float16 vectors of the paper's size (256 and 3,072 numbers, 4 GB for 600,000 pairs) to FOLDER, maps them, checks all
rows, trains some steps on rows from all over the files, and removes the files. The same number of batches is then drawn
without training from the files, with and without what the system keeps of them in memory, and from a copy in memory.
Memory is what the process has for itself (RssAnon): mapped pages, which the system takes back at will, do not count.
"""

from __future__ import annotations

import argparse
import mmap
import os
import threading
import time
from pathlib import Path

import numpy as np
import torch

from dnaclip.models import ClipModel, Projector, ProjectorConfig
from dnaclip.train import Feed, TrainConfig, train_clip

SIZES = {"dna": 256, "text": 3072}
BATCH = 1024


def own_memory() -> float:
    """GiB of this process that are no file's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) / 2**20


class Watch:
    """The most own memory inside the block, above what there was before."""

    def __enter__(self) -> Watch:
        self.before = self.most = own_memory()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.look)
        self.thread.start()
        return self

    def look(self) -> None:
        while not self.ended.wait(0.02):
            self.most = max(self.most, own_memory())

    def __exit__(self, *error: object) -> None:
        self.ended.set()
        self.thread.join()
        print(f"  own memory: {self.before:.2f} GiB before, at most {self.most - self.before:.2f} more", flush=True)


def write(path: Path, pairs: int, width: int) -> None:
    block = np.random.default_rng(width).standard_normal((10_000, width), dtype=np.float32).astype(np.float16)
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f2", "fortran_order": False, "shape": (pairs, width)})
        for start in range(0, pairs, len(block)):
            file.write(np.roll(block, start // len(block), axis=0)[: pairs - start].tobytes())
        os.fsync(file.fileno())


def forget(mapped: dict[str, np.memmap]) -> None:
    """Have the system drop what it keeps of the files in memory."""
    for one in mapped.values():
        one._mmap.madvise(mmap.MADV_DONTNEED)  # pages in use by a mapping would stay
        with Path(str(one.filename)).open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def draw(feed: Feed, name: str) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    rows = sum(len(batch) for batch in feed.epoch(seed=0, epoch=1, batch_size=BATCH))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{name}: {rows / cpu:,.0f} pairs per CPU second, {rows / wall:,.0f} per second", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=int, default=600_000)
    parser.add_argument("--steps", type=int, default=24)
    options = parser.parse_args()
    torch.set_num_threads(1)
    paths = {name: options.folder / f"{name}.npy" for name in SIZES}
    try:
        for name, width in SIZES.items():
            write(paths[name], options.pairs, width)
        size = sum(path.stat().st_size for path in paths.values()) / 2**30
        mapped = {name: np.lib.format.open_memmap(path, mode="r") for name, path in paths.items()}
        forget(mapped)
        print(f"{options.pairs:,} pairs, files of {size:.2f} GiB; all rows checked:")
        with Watch():
            cpu = time.process_time()
            Feed(mapped)
            print(f"  {time.process_time() - cpu:.1f} CPU s")
        order = np.random.default_rng(0).permutation(options.pairs)
        train = Feed(mapped, rows=order[: options.steps * BATCH])
        model = ClipModel({name: Projector(ProjectorConfig(in_dim=width)) for name, width in SIZES.items()})
        print(f"trained, {options.steps} steps of {BATCH:,}:")
        with Watch():
            config = TrainConfig(batch_size=BATCH, max_epochs=1)
            train_clip(model, train, Feed(mapped, rows=order[-BATCH:]), config, device="cpu", progress=False)
        forget(mapped)
        draw(train, "rows from the disk")
        draw(train, "rows that the system still has in memory")
        draw(Feed({name: np.array(one[train.rows]) for name, one in mapped.items()}), "rows of a copy in memory")
    finally:
        for path in paths.values():
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
