"""Paired tensors that stay on the training device, and the batches drawn from them."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from dnaclip._errors import InputError, examples
from dnaclip.models._seed import mix_seed
from dnaclip.train._processes import ALONE, Processes

__all__ = ["Batch", "Feed", "Transform"]

# Rows looked at in one go when the data are checked: few enough for the processor's cache.
_CHUNK = 1024


@dataclass(frozen=True)
class Batch:
    """Some genes: what the towers get, and what the loss must know.

    Parameters
    ----------
    inputs
        Modality to the tensors of its tower, each with the genes of the batch in front; of several processes that share
        the batch, each has its part of them.
    same
        Integer group of each gene (genes of one group are no negatives of each other), or `None`.
    rows
        Which rows of the feed's tensors these are.

    Examples
    --------
    A transform that switches the text of some genes off:

    >>> import torch
    >>> from dataclasses import replace
    >>> from dnaclip.train import Batch
    >>> def drop_text(batch: Batch, generator: torch.Generator) -> Batch:
    ...     (text,) = batch.inputs["text"]
    ...     kept = torch.rand(len(batch), 1, generator=generator) < 0.9
    ...     return replace(batch, inputs=batch.inputs | {"text": (text * kept,)})
    """

    inputs: dict[str, tuple[Tensor, ...]]
    same: Tensor | None
    rows: Tensor

    def __len__(self) -> int:
        return len(self.rows)


Transform = Callable[[Batch, torch.Generator], Batch]


class Feed:
    """Paired tensors of several modalities, and batches of them in a seeded order.

    Parameters
    ----------
    inputs
        Modality to a tensor or array, or to a sequence of them when its tower takes several; all have one length in front,
        and position i belongs to the same gene everywhere. Floating-point values are handed out as float32,
        whatever width they are kept in. Arrays are not copied: of a mapped file (`numpy.load(path, mmap_mode="r")`) only the
        rows of a batch are read.
    rows
        Rows that belong to this feed; `None` takes all. The feeds of training and validation can share their tensors.
    same
        Integer group of each row of the tensors; genes of one group, such as those with identical text, are not used as
        negatives of each other.
    weights
        Positive sampling weight of each row of the tensors. Every batch is then drawn by weight, without a gene
        twice in it; an epoch has as many batches as without weights, but a gene may come several times or not at all.
    transform
        Called with every batch and a seeded generator on the batch's device; returns the batch to use. This is the place
        for augmentation.

    Raises
    ------
    InputError
        Lengths differ, there are fewer than two rows, a row does not exist, or a value is not finite.

    Examples
    --------
    >>> import torch
    >>> from dnaclip.train import Feed
    >>> feed = Feed({"dna": torch.ones(10, 6), "text": torch.ones(10, 3)}, rows=range(8))
    >>> [batch.inputs["dna"][0].shape for batch in feed.epoch(seed=0, epoch=1, batch_size=4)]
    [torch.Size([4, 6]), torch.Size([4, 6])]
    """

    def __init__(
        self,
        inputs: Mapping[str, Tensor | np.ndarray | Sequence[Tensor | np.ndarray]],
        *,
        rows: Sequence[int] | np.ndarray | Tensor | None = None,
        same: Tensor | np.ndarray | None = None,
        weights: Tensor | np.ndarray | None = None,
        transform: Transform | None = None,
    ) -> None:
        self.inputs = {
            name: tuple(_tensor(one) for one in ((value,) if isinstance(value, (Tensor, np.ndarray)) else value))
            for name, value in inputs.items()
        }
        tensors = [tensor for group in self.inputs.values() for tensor in group]
        n = len(tensors[0]) if tensors else 0
        self.rows = torch.arange(n) if rows is None else _row_numbers(rows)
        self.same = None if same is None else _tensor(same)
        self.weights = None if weights is None else _tensor(weights).double()
        self.transform = transform
        self._check(n)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def device(self) -> torch.device:
        """Where the tensors are."""
        return self.rows.device

    def to(self, device: torch.device | str) -> Feed:
        """Return the same feed with its tensors on `device`."""
        moved = copy(self)
        moved.inputs = {name: tuple(one.to(device) for one in group) for name, group in self.inputs.items()}
        moved.rows = self.rows.to(device)
        moved.same = None if self.same is None else self.same.to(device)
        moved.weights = None if self.weights is None else self.weights.to(device)
        return moved

    def epoch(self, *, seed: int, epoch: int, batch_size: int, processes: Processes = ALONE) -> Iterator[Batch]:
        """Yield the batches of one epoch, the same for the same `seed` and `epoch`; an incomplete last one is dropped.

        Every process draws the same batches and takes its share of their inputs.
        """
        order = self.rows[_permutation(len(self), mix_seed(seed, epoch)).to(self.device)]
        weights = None if self.weights is None else self.weights[self.rows]
        generator = torch.Generator(self.device).manual_seed(mix_seed(seed, epoch, 1))
        for start in range(0, len(self) - batch_size + 1, batch_size):
            if weights is None:
                rows = order[start : start + batch_size]
            else:
                rows = self.rows[torch.multinomial(weights, batch_size, generator=generator)]
            yield self._take(rows, generator, processes)

    def in_order(self, batch_size: int = 4096) -> Iterator[Batch]:
        """Yield every row once, in the order of `rows`."""
        generator = torch.Generator(self.device).manual_seed(0)
        for rows in self.rows.split(batch_size):
            yield self._take(rows, generator)

    def fingerprint(self) -> str:
        """Digest of row choice, groups, weights, and of 1,000 evenly spaced rows: tells data sets apart, cheaply."""
        digest = hashlib.sha256()
        some = self.rows[torch.linspace(0, len(self) - 1, min(len(self), 1000)).long().to(self.device)]
        parts = [("rows", self.rows), ("same", self.same), ("weights", self.weights)]
        parts += [(name, one[some]) for name, group in self.inputs.items() for one in group]
        for name, part in parts:
            digest.update(f"{name} {None if part is None else (part.dtype, tuple(part.shape))}".encode())
            if part is not None:
                digest.update(part.cpu().contiguous().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    def _take(self, rows: Tensor, generator: torch.Generator, processes: Processes = ALONE) -> Batch:
        own = processes.share(len(rows))
        # A transform sees the whole batch, so that what it draws does not depend on the number of processes.
        taken = rows[own] if self.transform is None else rows
        inputs = {name: tuple(_as_float32(one[taken]) for one in group) for name, group in self.inputs.items()}
        batch = Batch(inputs, None if self.same is None else self.same[rows], rows)
        if self.transform is None:
            return batch
        batch = self.transform(batch, generator)
        return replace(batch, inputs={name: tuple(one[own] for one in group) for name, group in batch.inputs.items()})

    def _check(self, n: int) -> None:
        lengths = {f"{name}[{i}]": len(one) for name, group in self.inputs.items() for i, one in enumerate(group)}
        for name, extra in (("same", self.same), ("weights", self.weights)):
            if extra is not None:
                lengths[name] = len(extra) if extra.ndim == 1 else -1
        if len(set(lengths.values())) > 1:
            msg = f"Paired tensors must have one length, with `same` and `weights` one-dimensional, got {lengths}."
            raise InputError(msg)
        if len(self.rows) < 2:
            msg = f"A contrastive loss tells genes apart: at least two pairs are needed, got {len(self.rows)}."
            raise InputError(msg)
        outside = self.rows[(self.rows < 0) | (self.rows >= n)]
        if len(outside) or len(self.rows.unique()) < len(self.rows):
            what = f"{examples(outside.tolist())} are outside 0..{n - 1}" if len(outside) else "some come twice"
            msg = f"rows must be different row numbers of the {n} pairs: {what}."
            raise InputError(msg)
        if self.weights is not None and not bool(((self.weights > 0) & self.weights.isfinite())[self.rows].all()):
            msg = "weights must be finite numbers above 0. To leave a row out, leave it out of `rows`."
            raise InputError(msg)
        for name, group in self.inputs.items():
            for i, one in enumerate(group):
                bad = _non_finite(one, self.rows) if one.is_floating_point() else []
                if bad:
                    msg = (
                        f"{len(bad)} rows of {name}[{i}] hold NaN or infinite values, for instance {examples(bad)}. "
                        "Leave genes that lack a modality out of `rows`."
                    )
                    raise InputError(msg)


def _tensor(value: Tensor | np.ndarray) -> Tensor:
    if isinstance(value, np.ndarray):
        with warnings.catch_warnings():
            # A feed writes to nothing, so that a read-only array, such as a mapped file, needs no copy.
            warnings.filterwarnings("ignore", "The given NumPy array is not writable")
            return torch.from_numpy(value.copy() if min(value.strides, default=0) < 0 else value)
    return value.detach()


def _row_numbers(rows: Sequence[int] | np.ndarray | Tensor) -> Tensor:
    numbers = np.asarray(rows)
    if numbers.ndim != 1 or (len(numbers) and numbers.dtype.kind not in "iu"):
        msg = (
            f"rows must be a list of row numbers, got {numbers.dtype} of shape {numbers.shape}. For a mask use "
            "numpy.flatnonzero(mask)."
        )
        raise InputError(msg)
    return torch.from_numpy(numbers.astype(np.int64))


def _permutation(n: int, seed: int) -> Tensor:
    """Shuffle on the CPU, so that the order is the same on every device."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))


def _as_float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _non_finite(tensor: Tensor, rows: Tensor) -> list[int]:
    bad: list[int] = []
    for chunk in rows.split(_CHUNK):
        values = tensor[chunk].flatten(1) if tensor.ndim > 1 else tensor[chunk, None]
        # A sum is fast, and finite for all rows but those that are not, or whose sum is too large for their precision.
        doubtful = ~values.sum(1).isfinite()
        bad += chunk[doubtful][~values[doubtful].isfinite().all(1)].tolist()
    return bad
