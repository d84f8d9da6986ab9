"""HyenaDNA's long filters: a small network of the position gives as many taps as the sequence has bases."""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn

from dnaclip._errors import InputError

__all__ = ["LongFilter", "Positions", "SpectrumCache", "fft_length", "long_convolution"]

FILTER_WIDTH = 64
N_FEATURES = 5
# exp(-t |delta|) falls to 0.01 at 1.5 contexts in the slowest channel and at 0.3 in the fastest.
TARGET, SLOWEST, FASTEST = 0.01, 1.5, 0.3
SHIFT = 0.05
BLOCK = 1 << 16  # positions at once, so that the hidden layers of a filter of 1,000,000 taps stay small
TRANSFORMED = 1 << 27  # numbers at once: the transforms of 256 channels of 1,000,000 bases would be 6 GB


class Positions(nn.Module):
    """Time and its features at every position of the context: t is (l_max, 1), z is (l_max, 5). All layers share them.

    Time runs over the context of the model, not over the sequence at hand: a shorter sequence reads the first taps of the
    same filter.
    """

    t: Tensor
    z: Tensor

    def __init__(self, l_max: int) -> None:
        super().__init__()
        t = torch.linspace(0, 1, l_max)[:, None]
        angle = 2 * math.pi * torch.arange(l_max, dtype=torch.float32)[:, None] / l_max
        bands = torch.linspace(1e-4, 1, (N_FEATURES - 1) // 2) * angle
        self.register_buffer("t", t)
        self.register_buffer("z", torch.cat([t, torch.cos(bands), -torch.sin(bands)], dim=1))


class LongFilter(nn.Module):
    """The implicit filter of one layer."""

    deltas: Tensor

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.randn(d_model))
        self.freq = nn.Parameter(torch.full((1, FILTER_WIDTH), 10.0))
        widths = [N_FEATURES, FILTER_WIDTH, FILTER_WIDTH, FILTER_WIDTH]
        self.hidden = nn.ModuleList([nn.Linear(i, o) for i, o in zip(widths, widths[1:], strict=False)])
        self.last = nn.Linear(FILTER_WIDTH, d_model, bias=False)
        self.register_buffer("deltas", torch.linspace(math.log(TARGET) / SLOWEST, math.log(TARGET) / FASTEST, d_model))

    def forward(self, positions: Positions, length: int) -> Tensor:
        """The first `length` taps, (d_model, length): k(t) = f(z(t)) (exp(-t |delta|) + 0.05).

        Never in lower precision: a position out of 1,000,000 has no place in the 8 bits of a bfloat16.
        """
        blocks = zip(positions.z[:length].split(BLOCK), positions.t[:length].split(BLOCK), strict=True)
        with torch.autocast(positions.t.device.type, enabled=False):
            return torch.cat([self._f(z) * (torch.exp(-t * self.deltas.abs()) + SHIFT) for z, t in blocks]).T

    def _f(self, z: Tensor) -> Tensor:
        for layer in self.hidden:
            z = torch.sin(self.freq * layer(z))
        return self.last(z)


def fft_length(length: int) -> int:
    """Length of a Fourier transform that convolves `length` bases with as many taps without wrapping around.

    One of 4, 5, 6 or 7 times a power of two: fast to transform, and so few that spectra can be kept.

    Examples
    --------
    >>> from dnaclip.encoders._hyenadna.filters import fft_length
    >>> fft_length(1000), fft_length(1025)
    (2048, 2560)
    """
    needed = max(2 * length - 1, 4)
    power = 1 << (needed.bit_length() - 3)
    return power * math.ceil(needed / power)


def long_convolution(v: Tensor, spectrum: Tensor, n: int) -> Tensor:
    """Causal convolution of v (..., d, length) with the filters whose transform of length `n` is `spectrum`."""
    channels = TRANSFORMED // max(n * math.prod(v.shape[:-2]), 1) or 1
    if channels >= len(spectrum):
        return torch.fft.irfft(torch.fft.rfft(v, n=n) * spectrum, n=n)[..., : v.shape[-1]]
    parts = zip(v.split(channels, dim=-2), spectrum.split(channels), strict=True)
    # Copied, so that what is behind the end of the sequence is not kept.
    return torch.cat([long_convolution(part, of, n).contiguous() for part, of in parts], dim=-2)


class SpectrumCache:
    """Keeps the spectra of the filters of a frozen model, the latest used first, within a limit of bytes."""

    def __init__(self, limit: int) -> None:
        if limit < 0:
            msg = f"The limit of the cache is {limit} bytes; it must be 0 or more."
            raise InputError(msg)
        self.limit = limit
        self._kept: OrderedDict[tuple[int, int], Tensor] = OrderedDict()

    def spectrum(self, layer: int, filter_: LongFilter, positions: Positions, n: int) -> Tensor:
        """Transform, (d_model, n // 2 + 1) complex, of as many taps as fit into `n` without wrapping around."""
        key = (layer, n)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        spectrum = torch.fft.rfft(filter_(positions, min((n + 1) // 2, len(positions.t))), n=n)
        self._kept[key] = spectrum
        while sum(kept.nbytes for kept in self._kept.values()) > self.limit:
            self._kept.popitem(last=False)
        return spectrum
