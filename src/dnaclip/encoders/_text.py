"""Text encoder: descriptions of genes in, unit vectors out, through sentence-transformers."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dnaclip._device import resolve_device
from dnaclip._errors import DownloadError, InputError, examples
from dnaclip._optional import require
from dnaclip._validate import check_count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch
    from sentence_transformers import SentenceTransformer

__all__ = ["TextEncoder"]

DEFAULT_NAME = "all-MiniLM-L6-v2"
# Settings, vocabularies and weights: no code and nothing pickled.
_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]


class TextEncoder:
    """A frozen sentence-transformers model.

    Nothing is read or fetched before the first use. Needs the extra ``dnaclip[text]``.

    Parameters
    ----------
    name
        ``"all-MiniLM-L6-v2"``, whose files are fetched and verified by SHA-256 with
        :func:`dnaclip.datasets.fetch_group`; else a folder, or a name on the Hugging Face hub, which keeps its files in
        its own cache. Only models with weights as safetensors and without code of their own are read.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.

    Attributes
    ----------
    name
        The model's name or folder.

    Raises
    ------
    InputError
        The device is not known or not there.

    Examples
    --------
    >>> from dnaclip.encoders import TextEncoder
    >>> encoder = TextEncoder()
    >>> encoder.name
    'all-MiniLM-L6-v2'
    >>> encoder.encode(["A kinase.", " "])
    Traceback (most recent call last):
        ...
    dnaclip._errors.InputError: 1 of 2 texts are blank or not a string: text 1 is ' '. ...
    """

    def __init__(self, name: str | os.PathLike[str] = DEFAULT_NAME, *, device: str | torch.device = "auto") -> None:
        self.name = os.fspath(name)
        self._device = resolve_device(device)

    def __repr__(self) -> str:
        return f"TextEncoder({self.name!r}, device={str(self._device)!r})"

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return self.encode([]).shape[1]

    def encode(self, texts: Sequence[str], *, batch_size: int = 64, progress: bool = False) -> np.ndarray:
        """Turn texts into unit vectors.

        A text that comes several times is encoded once. What is beyond the model's limit (256 word pieces for the default
        model) is not read.

        Parameters
        ----------
        texts
            One string each, neither empty nor blank.
        batch_size
            Texts at once; changes time and memory, not the vectors.
        progress
            Whether to show a progress bar.

        Returns
        -------
        float32 (n, dimension), rows of length 1 in the order of `texts`.

        Raises
        ------
        InputError
            A text is blank or not a string, or the model cannot be read.
        DownloadError
            The model's files are not here and cannot be had.
        MissingDependencyError
            sentence-transformers is not installed.
        """
        check_count("batch_size", batch_size)
        texts = _checked(texts)
        # Sorted, so that the batches, and with them the last digits, do not depend on the order of `texts`.
        distinct = sorted(set(texts))
        row = {text: i for i, text in enumerate(distinct)}
        # The model's width is that of any vector: the method that tells it is named differently between versions.
        vectors = self._model.encode(
            distinct or ["width"], batch_size=batch_size, show_progress_bar=progress, normalize_embeddings=True
        )
        return np.asarray(vectors, dtype=np.float32)[[row[text] for text in texts]]

    @cached_property
    def _model(self) -> SentenceTransformer:
        library = require("sentence_transformers", extra="text", purpose="TextEncoder")
        import torch
        from safetensors import SafetensorError

        folder = _find(self.name)
        _check_safe(folder)
        # Weights are drawn at random before they are read: not from the generator of the caller.
        with torch.random.fork_rng(devices=[]), _no_progress_bars():
            try:
                model = library.SentenceTransformer(
                    str(folder),
                    device=str(self._device),
                    trust_remote_code=False,
                    local_files_only=True,
                    model_kwargs={"use_safetensors": True},
                )
            except (OSError, ValueError, RuntimeError, SafetensorError) as error:
                msg = f"sentence-transformers cannot read the text encoder in {str(folder)!r}: {error}"
                raise InputError(msg) from error
        return model.float()  # half precision would make a vector depend on its batch


def _checked(texts: Sequence[str]) -> list[str]:
    if isinstance(texts, str):
        msg = "texts is a single string. Pass a list with one string a text: [text]."
        raise InputError(msg)
    texts = list(texts)
    wrong = [i for i, text in enumerate(texts) if not isinstance(text, str) or not text.strip()]
    if wrong:
        msg = (
            f"{len(wrong)} of {len(texts)} texts are blank or not a string: text {wrong[0]} is {texts[wrong[0]]!r}. "
            f"Drop these or give their text (positions {examples(wrong)})."
        )
        raise InputError(msg)
    return texts


def _find(name: str) -> Path:
    """Folder with the files of a model."""
    from dnaclip.datasets import fetch_group
    from dnaclip.datasets._settings import offline

    if name == DEFAULT_NAME:
        return fetch_group(name)
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download

    repository = name if "/" in name else f"sentence-transformers/{name}"
    try:
        return Path(snapshot_download(repository, allow_patterns=_FILES, local_files_only=offline()))
    except (OSError, ValueError) as error:
        msg = (
            f"There is no text encoder {name!r}: it is not a folder, and the Hugging Face hub gave no {repository!r} "
            f"({type(error).__name__}). Use {DEFAULT_NAME!r}, a folder, or 'owner/model' of a model on the hub."
        )
        raise DownloadError(msg) from error


def _check_safe(folder: Path) -> None:
    """Refuse a model with code of its own or pickled weights: not every version of the library does."""
    try:
        types = [str(module["type"]) for module in json.loads((folder / "modules.json").read_text(encoding="utf-8"))]
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{str(folder)!r} holds no sentence-transformers model: no modules.json that can be read ({error!r})."
        raise InputError(msg) from error
    foreign = [name for name in types if not name.startswith("sentence_transformers.")]
    if foreign:
        msg = f"The text encoder in {str(folder)!r} brings code of its own, which dnaclip does not run: {examples(foreign)}."
        raise InputError(msg)
    pickled = [path.name for path in folder.rglob("pytorch_model*.bin") if not any(path.parent.glob("*.safetensors"))]
    if pickled:
        msg = (
            f"The text encoder in {str(folder)!r} has pickled weights ({examples(pickled)}). Save them as safetensors."
        )
        raise InputError(msg)


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    """Reading the weights takes no time worth a bar; each library's own setting is put back."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from transformers.utils import logging

    shown, hub_hidden = logging.is_progress_bar_enabled(), are_progress_bars_disabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()  # shows the bars of the hub too
        (disable_progress_bars if hub_hidden else enable_progress_bars)()
