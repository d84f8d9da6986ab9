"""Random numbers for torch code that takes no generator (weight initialisation, dropout), without touching global state."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["mix_seed", "seeded"]


def mix_seed(seed: int, *keys: int) -> int:
    """Derive a 63-bit seed from a seed and some counters, such as the epoch: near numbers give unrelated streams."""
    return int(np.random.SeedSequence([seed, *keys]).generate_state(1, np.uint64)[0] >> np.uint64(1))


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Seed torch's default generators inside the block, and put them back as they were afterwards.

    Parameters
    ----------
    seed
        Seed for the CPU's generator and, when there is one, for that of the CUDA device.
    device
        Device in use inside the block.
    """
    cuda = [device.index or 0] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        # torch.manual_seed would seed every device of the machine, and only those forked here are put back.
        torch.default_generator.manual_seed(seed)
        for index in cuda:
            torch.cuda.default_generators[index].manual_seed(seed)
        yield
