"""Encode DNA with Enformer, through the package `enformer_pytorch`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import torch

from dnaclip._device import resolve_device
from dnaclip._errors import InputError, MissingDependencyError
from dnaclip.encoders._one_by_one import OneByOneEncoder

__all__ = ["EnformerEncoder"]

WINDOW, BIN, N_BINS = 196_608, 128, 896
# Only the bins in the middle of the window come out.
READ = BIN * N_BINS
_OTHER, _OUTSIDE = 4, -1
_TOKENS = np.full(256, _OTHER)
_TOKENS[list(b"ACGT")] = range(4)


class EnformerEncoder(OneByOneEncoder):
    """A frozen Enformer: one vector a sequence, the mean of what stands below its heads over the bins of the sequence.

    A sequence of up to 114,688 bases stands in the middle of the window of 196,608 bases that the model reads; around it is
    padding, so that nothing but the sequence itself counts. Longer ones are cut into pieces of like length without overlap. What is not
    A, C, G or T counts as N.

    Needs the package `enformer_pytorch`, which fetches the weights by its own means and reads them with its own code: dnaclip
    verifies nothing of it.

    Parameters
    ----------
    model
        Name of the weights on the Hugging Face hub; or a loaded model of the package.
    device
        `"auto"`, `"cpu"`, `"cuda"` or `"cuda:1"`.

    Attributes
    ----------
    name
        Name of the model.
    settings
        The options that change vectors.

    Raises
    ------
    InputError
        The device is not there.
    MissingDependencyError
        The package is not there.

    References
    ----------
    Avsec et al., Effective gene expression prediction from sequence by integrating long-range interactions, Nature Methods
    (2021).

    Examples
    --------
    >>> from dnaclip.encoders import EnformerEncoder
    >>> EnformerEncoder(device="gpu")
    Traceback (most recent call last):
        ...
    dnaclip._errors.InputError: device='gpu' ...
    """

    piece_length = READ

    def __init__(
        self,
        model: str | torch.nn.Module = "EleutherAI/enformer-official-rough",
        *,
        device: str | torch.device = "auto",
    ) -> None:
        self._device = resolve_device(device)
        self.name = model if isinstance(model, str) else type(model).__name__
        self._model: Any = (_load(model) if isinstance(model, str) else model).to(self._device).eval()
        self.settings = {"model": self.name}

    def __repr__(self) -> str:
        return f"EnformerEncoder({self.name!r}, device={str(self._device)!r})"

    @torch.inference_mode()
    def _sum(self, sequence: str) -> np.ndarray:
        """Sum over bases of the states of the bins that they stand in."""
        start = (WINDOW - len(sequence)) // 2
        tokens = np.full(WINDOW, _OUTSIDE)
        tokens[start : start + len(sequence)] = _TOKENS[np.frombuffer(sequence.encode("ascii", "replace"), np.uint8)]
        _, states = self._model(torch.from_numpy(tokens)[None].to(self._device), return_embeddings=True)
        if states.shape[:2] != (1, N_BINS):
            msg = f"{self.name!r} gives states of shape {tuple(states.shape)} instead of (1, {N_BINS}, d). Load it with target_length={N_BINS}."
            raise InputError(msg)
        bins = (start - (WINDOW - READ) // 2 + np.arange(len(sequence))) // BIN
        weights = torch.from_numpy(np.bincount(bins, minlength=N_BINS)).to(self._device, torch.float32)
        return (weights @ states[0].float()).double().cpu().numpy()


def _load(name: str) -> torch.nn.Module:
    try:
        package = import_module("enformer_pytorch")
    except ImportError as error:
        msg = "EnformerEncoder needs the package 'enformer_pytorch'. Install it with: pip install enformer-pytorch"
        raise MissingDependencyError(msg) from error
    return package.from_pretrained(name)
