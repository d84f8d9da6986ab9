"""Encode DNA with HyenaDNA: one vector a sequence, the mean of the hidden states over its bases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from dnaclip._device import resolve_device
from dnaclip._errors import InputError
from dnaclip._validate import check_choice, check_count
from dnaclip.encoders._hyenadna.batches import batches
from dnaclip.encoders._hyenadna.filters import SpectrumCache
from dnaclip.encoders._hyenadna.network import HyenaDna, HyenaDnaConfig
from dnaclip.encoders._hyenadna.tokens import (
    SPECIAL_TOKENS,
    SpecialTokens,
    check_sequences,
    n_special,
    padded,
    tokenize,
)
from dnaclip.encoders._hyenadna.weights import load_hyenadna
from dnaclip.encoders._pieces import Piece, halved, pieces

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

__all__ = ["HyenaDnaEncoder"]

Precision = Literal["32-true", "bf16-mixed"]
PRECISIONS: tuple[Precision, ...] = ("32-true", "bf16-mixed")
# Bases at once. On a CPU small batches are as fast and stay in the cache; a GPU needs about 15 kB a base.
BASES = {"cpu": 1 << 13, "cuda": 1 << 20}
SPECTRA = {"cpu": 1 << 30, "cuda": 24 << 30}  # bytes


class HyenaDnaEncoder:
    """A frozen HyenaDNA as an encoder of sequences.

    Parameters
    ----------
    model
        A registered name such as `"hyenadna-large-1m"` (:func:`dnaclip.encoders.list` shows all), whose file is fetched at the
        first use; a file of weights in any layout that :func:`load_hyenadna` reads; or a :class:`HyenaDna`.
    special_tokens
        `"none"`, bases alone, as in pre-training; `"sep"` as the tokenizer for transformers does; `"cls_sep"` as the original
        one. Special tokens are read, but do not enter the mean.
    piece_length
        Longest piece that is read at once; by default what the model can read. Longer sequences are cut into pieces without
        overlap, whose means are averaged with their lengths as weights.
    device
        `"auto"`, `"cpu"`, `"cuda"` or `"cuda:1"`.
    precision
        `"bf16-mixed"` lowers the matrix products alone; filters and convolutions stay in float32.
    bases_per_batch
        Bases at once, padded; halved by itself when the memory of a GPU does not suffice.

    Attributes
    ----------
    name
        The model's name or file.

    Raises
    ------
    InputError
        An option is not known, the device is not there, or the weights cannot be read.

    Examples
    --------
    >>> from dnaclip.encoders import HyenaDnaConfig, HyenaDnaEncoder
    >>> encoder = HyenaDnaEncoder.untrained(HyenaDnaConfig(d_model=8, n_layer=2, l_max=64), device="cpu")
    >>> encoder.encode(["ACGT", "TTTTTTTT" * 20]).shape
    (2, 8)
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | HyenaDna = "hyenadna-large-1m",
        *,
        special_tokens: SpecialTokens = "none",
        piece_length: int | None = None,
        device: str | torch.device = "auto",
        precision: Precision = "32-true",
        bases_per_batch: int | None = None,
    ) -> None:
        check_choice("special_tokens", special_tokens, SPECIAL_TOKENS)
        check_choice("precision", precision, PRECISIONS)
        self._device = resolve_device(device)
        self._network = (model if isinstance(model, HyenaDna) else load_hyenadna(_find(model))).to(self._device).eval()
        self.name = "HyenaDna" if isinstance(model, HyenaDna) else str(model)
        self.config = self._network.config
        self.special_tokens, self.precision = special_tokens, precision
        longest = self.config.l_max - n_special(special_tokens)
        for name, value in (("piece_length", piece_length), ("bases_per_batch", bases_per_batch)):
            if value is not None:
                check_count(name, value)
        if piece_length is not None and piece_length > longest:
            msg = f"piece_length={piece_length}, but {self.name} reads at most {longest} bases at once."
            raise InputError(msg)
        self.piece_length = piece_length or longest
        self._bases = bases_per_batch or BASES[self._device.type]
        self._cache = SpectrumCache(SPECTRA[self._device.type])

    @classmethod
    def untrained(
        cls, config: HyenaDnaConfig | None = None, *, rng: int | np.random.Generator | None = 0, **options: object
    ) -> HyenaDnaEncoder:
        """A HyenaDNA with random weights: what the architecture alone makes of a sequence, the control of every result."""
        encoder = cls(HyenaDna(config or HyenaDnaConfig(), rng=rng), **options)  # type: ignore[arg-type]
        encoder.name = "HyenaDNA, untrained"
        return encoder

    def __repr__(self) -> str:
        return f"HyenaDnaEncoder({self.name!r}, device={str(self._device)!r}, precision={self.precision!r})"

    @property
    def settings(self) -> dict[str, object]:
        """The options that change vectors."""
        return {"special_tokens": self.special_tokens, "piece_length": self.piece_length, "precision": self.precision}

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return self.config.d_model

    def encode(self, sequences: Sequence[str], *, progress: bool = False) -> np.ndarray:
        """Turn sequences into vectors.

        Parameters
        ----------
        sequences
            One string each, on the gene's own strand: the model reads from left to right. Lower case counts as upper case.
        progress
            Whether to show a progress bar, in bases.

        Returns
        -------
        float32 (n, dimension): the mean over bases of the hidden states, in the order of `sequences`. A sequence that comes
        twice is encoded once.

        Raises
        ------
        InputError
            A sequence is empty, not a string, or does not look like DNA; or the memory of the GPU does not suffice for one
            piece.
        """
        self.check(sequences)
        distinct = sorted(set(sequences))
        row = {sequence: i for i, sequence in enumerate(distinct)}
        sums = np.zeros((len(distinct), self.dimension))
        todo = batches(
            pieces([len(s) for s in distinct], self.piece_length, even=False),
            bases=self._bases,
            n_special=n_special(self.special_tokens),
        )
        with tqdm(total=sum(map(len, distinct)), unit="base", unit_scale=True, disable=not progress) as bar:
            while todo:
                batch = todo.pop()  # the longest first: if the memory does not suffice, that shows at once
                try:
                    vectors = self._sums(batch, distinct)
                except torch.OutOfMemoryError:
                    todo += self._halved(batch)
                    continue
                for piece, vector in zip(batch, vectors, strict=True):
                    sums[piece.string] += vector
                bar.update(sum(map(len, batch)))
        means = sums / np.array([len(s) for s in distinct], dtype=float).reshape(-1, 1)
        return means.astype(np.float32)[[row[sequence] for sequence in sequences]]

    def check(self, sequences: Sequence[str]) -> None:
        """Raise for sequences that :meth:`encode` would refuse."""
        check_sequences(sequences)

    @torch.inference_mode()
    def _sums(self, batch: list[Piece], sequences: list[str]) -> np.ndarray:
        """Sum over bases of the hidden states, one row a piece."""
        rows = [tokenize(sequences[p.string][p.start : p.stop], self.special_tokens) for p in batch]
        tokens = torch.from_numpy(padded(rows)).int()
        first = 1 if self.special_tokens == "cls_sep" else 0
        last = first + torch.tensor([len(p) for p in batch], device=self._device)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self.precision == "bf16-mixed"):
            hidden = self._network(tokens.to(self._device), self._cache)
        return _masked_sum(hidden.float(), first, last).double().cpu().numpy()

    def _halved(self, batch: list[Piece]) -> list[list[Piece]]:
        shorter = max(len(batch[0]) // 2, 1)
        advice = f"Give piece_length={shorter}, precision='bf16-mixed', or device='cpu'."
        halves, self._bases = halved(batch, self._bases, device=self._device, unit="bases", advice=advice)
        return halves


def _masked_sum(hidden: Tensor, first: int, last: Tensor) -> Tensor:
    """Sum of hidden (n, length, d) over the positions from `first` to before `last` (n,)."""
    position = torch.arange(hidden.shape[1], device=hidden.device)
    inside = ((position >= first) & (position < last[:, None])).to(hidden.dtype)
    return (inside[:, None] @ hidden)[:, 0]


def _find(model: str | os.PathLike[str]) -> Path:
    """File of weights."""
    from dnaclip.datasets import fetch

    return Path(model) if Path(model).is_file() or not isinstance(model, str) or "/" in model else fetch(model)
