"""Encode DNA with Evo 2, through the package `evo2` of its authors."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch

from dnaclip._errors import InputError, MissingDependencyError
from dnaclip._validate import check_count
from dnaclip.encoders._one_by_one import OneByOneEncoder

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Evo2Encoder"]

LAYER = "blocks.28.mlp.l3"  # layers before the last one serve better, by the authors' own account
PIECE_LENGTH = 1 << 15


class Evo2Encoder(OneByOneEncoder):
    """A frozen Evo 2: one vector a sequence, the mean of the hidden states of one layer over its bases.

    Needs the package `evo2` with its own demands on Python, PyTorch and the GPU, see its page; it fetches the weights (7B: about
    14 GB) by its own means, reads them with its own code, and chooses its GPU itself: dnaclip verifies nothing of it. Of several
    processes give each its own `CUDA_VISIBLE_DEVICES`.

    Parameters
    ----------
    model
        Name of the model in the package, such as `"evo2_7b"`; or a loaded model.
    layer
        Name of the layer.
    piece_length
        Longest piece in bases. Longer sequences are cut into pieces of like length without overlap; what the memory of the
        GPU allows decides, not the model, which reads a million.

    Attributes
    ----------
    name
        Name of the model.
    settings
        The options that change vectors.

    Raises
    ------
    MissingDependencyError
        The package is not there.

    References
    ----------
    Brixi et al., Genome modeling and design across all domains of life with Evo 2 (2025).

    Examples
    --------
    >>> from dnaclip.encoders import Evo2Encoder
    >>> Evo2Encoder("evo2_7b", piece_length=0)
    Traceback (most recent call last):
        ...
    dnaclip._errors.InputError: piece_length must be a whole number of at least 1, got 0.
    """

    def __init__(self, model: str | Any = "evo2_7b", *, layer: str = LAYER, piece_length: int = PIECE_LENGTH) -> None:
        check_count("piece_length", piece_length)
        self.name = model if isinstance(model, str) else getattr(model, "model_name", type(model).__name__)
        self.layer, self.piece_length = layer, piece_length
        self._model = _load(model) if isinstance(model, str) else model
        self.settings = {"layer": layer, "piece_length": piece_length}

    def __repr__(self) -> str:
        return f"Evo2Encoder({self.name!r}, layer={self.layer!r})"

    @torch.inference_mode()
    def _sum(self, sequence: str) -> np.ndarray:
        """Sum over bases of the hidden states."""
        device = next(iter(self._model.model.parameters())).device
        tokens = torch.tensor(self._model.tokenizer.tokenize(sequence), dtype=torch.int, device=device)[None]
        try:
            _, found = self._model(tokens, return_embeddings=True, layer_names=[self.layer])
            hidden = found[self.layer]
        except (KeyError, AttributeError) as error:
            msg = f"{self.name!r} has no layer {self.layer!r} ({error}). Its layers are named like {LAYER!r}."
            raise InputError(msg) from error
        return hidden[0].float().sum(0).double().cpu().numpy()


def _load(name: str) -> Any:
    try:
        evo2 = import_module("evo2")
    except ImportError as error:
        msg = (
            "Evo2Encoder needs the package 'evo2'. Install it with: pip install evo2 (Linux, an NVIDIA GPU, and the PyTorch and "
            "flash-attn versions that its page names)."
        )
        raise MissingDependencyError(msg) from error
    return evo2.Evo2(name)
