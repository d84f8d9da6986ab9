"""Encode strings with a frozen transformer: one vector a string, the mean of its hidden states over tokens."""

from __future__ import annotations

import inspect
import os
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from dnaclip._device import resolve_device
from dnaclip._errors import InputError
from dnaclip._validate import check_choice, check_count
from dnaclip.encoders._huggingface.loading import load, take
from dnaclip.encoders._huggingface.tokens import PROBE, batches, frame, longest_input, tokenize
from dnaclip.encoders._pieces import Piece, halved, pieces
from dnaclip.encoders._strings import KINDS, Kind, clean

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["HuggingFaceEncoder"]

Precision = Literal["32-true", "bf16-mixed"]
PRECISIONS: tuple[Precision, ...] = ("32-true", "bf16-mixed")
TOKENS = {"cpu": 1 << 11, "cuda": 1 << 16}


class HuggingFaceEncoder:
    """A frozen model of the Hugging Face hub as an encoder of DNA, proteins or text.

    Strings longer than the model reads are cut into pieces of like length, without overlap; special tokens stand around each
    piece and do not enter the mean. The vector is the mean over all tokens of all pieces, so long pieces weigh more.

    Needs the extra ``dnaclip[huggingface]``. Only weights as safetensors are read, and no code of a model runs unless its
    name is repeated as `trust_remote_code`, with the commit that you have read as `revision`; such a model may have its weights
    in the older form too, of which PyTorch reads tensors alone.

    Parameters
    ----------
    model
        `"owner/model"` on the hub, or a folder. :func:`dnaclip.encoders.load` knows some by shorter names. Or a model of
        transformers that you have loaded yourself, with its `tokenizer`: for those whose code you have and trust.
    kind
        What the model reads. `"dna"` and `"protein"` are written in upper case first; the stop `*` at the end of a protein is
        dropped.
    layer
        Whose hidden states: -1 the model's output, 0 the embeddings, 1 the first layer, and so on; negative numbers count
        from the last one.
    max_tokens
        Longest piece in tokens, special ones included; by default what the model's files say.
    multiple_of
        Pad to a multiple of so many tokens, where a model wants that. Padding does not enter the mean.
    tokenizer
        Of a loaded model.
    revision
        Commit, tag or branch on the hub.
    trust_remote_code
        The name of the model again, to run the Python code that it brings. Read that code first.
    device
        `"auto"`, `"cpu"`, `"cuda"` or `"cuda:1"`.
    precision
        `"bf16-mixed"` lowers the matrix products alone.
    tokens_per_batch
        Tokens at once, padded; halved by itself when the memory of a GPU does not suffice. A model that takes no
        `attention_mask` sees its padding, so pieces of one length alone go together.
    name
        What to call the encoder; by default `model`.

    Attributes
    ----------
    name
        What it is called.
    settings
        The options that change vectors.

    Raises
    ------
    InputError
        An option is not known, the model brings code that was not trusted, or its files do not fit together.
    DownloadError
        The model is not there.
    MissingDependencyError
        transformers is not installed.

    Examples
    --------
    >>> from dnaclip.encoders import HuggingFaceEncoder
    >>> HuggingFaceEncoder("facebook/esm2_t6_8M_UR50D", kind="rna")
    Traceback (most recent call last):
        ...
    dnaclip._errors.InputError: kind='rna' is not known. Use one of: 'dna', 'protein', 'text'.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | torch.nn.Module,
        *,
        kind: Kind = "dna",
        layer: int = -1,
        max_tokens: int | None = None,
        multiple_of: int = 1,
        tokenizer: Any = None,
        revision: str | None = None,
        trust_remote_code: str | None = None,
        device: str | torch.device = "auto",
        precision: Precision = "32-true",
        tokens_per_batch: int | None = None,
        name: str | None = None,
    ) -> None:
        check_choice("kind", kind, KINDS)
        check_choice("precision", precision, PRECISIONS)
        counts = {"max_tokens": max_tokens, "multiple_of": multiple_of, "tokens_per_batch": tokens_per_batch}
        for option, value in counts.items():
            if value is not None:
                check_count(option, value)
        self.kind, self.precision = kind, precision
        self._device = resolve_device(device)
        if isinstance(model, torch.nn.Module):
            self.model = name or type(model).__name__
            loaded = take(model, tokenizer)
        else:
            self.model = os.fspath(model)
            loaded = load(self.model, revision=revision, trust_remote_code=trust_remote_code, extra="huggingface")
        self.name = name or self.model
        self._tokenizer, network, config, has_head = loaded
        if getattr(network.config, "is_encoder_decoder", False):
            network = network.get_encoder()
        if config.get("model_type") == "big_bird":
            # Sparse attention draws its pattern from NumPy's global generator, and changes with what was read before.
            with torch.random.fork_rng(devices=[]):
                network.set_attention_type("original_full")
        self._network: Any = network.to(self._device).eval()
        self._masks = _takes_mask(self._network)
        self._frame = frame(self._tokenizer)
        self._longest = self._checked_length(max_tokens, longest_input(self._tokenizer, config))
        self._layer = self._checked_layer(layer, has_head=has_head)
        self._tokens, self._multiple_of = tokens_per_batch or TOKENS[self._device.type], multiple_of
        self.settings = {"model": self.model, "revision": revision, "layer": layer, "max_tokens": self._longest}
        if multiple_of > 1:
            self.settings["multiple_of"] = multiple_of

    def __repr__(self) -> str:
        return f"HuggingFaceEncoder({self.name!r}, kind={self.kind!r}, device={str(self._device)!r})"

    @cached_property
    def dimension(self) -> int:
        """Length of the vectors, tried out: what configs call it differs, and some models give twice of that."""
        tokens = self._tokenizer(PROBE, add_special_tokens=False)["input_ids"]
        return self._sums([Piece(0, 0, 1)], [tokens]).shape[1]

    def check(self, strings: Sequence[str]) -> None:
        """Raise an InputError for a string that :meth:`encode` would refuse; long ones are tried by their start."""
        tokenize(self._tokenizer, [string[:1000] for string in clean(strings, self.kind)], self.kind)

    def encode(self, strings: Sequence[str], *, progress: bool = False) -> np.ndarray:
        """Turn strings into vectors.

        Parameters
        ----------
        strings
            Sequences or texts, one string each.
        progress
            Whether to show a progress bar, in tokens.

        Returns
        -------
        float32 (n, dimension), in the order of `strings`. A string that comes twice is encoded once.

        Raises
        ------
        InputError
            A string is blank, not a string or not what the model reads; or the memory of the GPU does not suffice for one
            piece.
        """
        cleaned = clean(strings, self.kind)
        distinct = sorted(set(cleaned))
        row = {string: i for i, string in enumerate(distinct)}
        tokens = tokenize(self._tokenizer, distinct, self.kind)
        lengths = [len(found) for found in tokens]
        sums = np.zeros((len(distinct), self.dimension))
        cut = pieces(lengths, self._longest - len(self._frame))
        todo = batches(cut, self._tokens, one_length=not self._masks)
        with tqdm(total=sum(lengths), unit="token", unit_scale=True, disable=not progress) as bar:
            while todo:
                batch = todo.pop()  # the longest first: if the memory does not suffice, that shows at once
                try:
                    vectors = self._sums(batch, tokens)
                except torch.OutOfMemoryError:
                    todo += self._halved(batch)
                    continue
                for piece, vector in zip(batch, vectors, strict=True):
                    sums[piece.string] += vector
                bar.update(sum(map(len, batch)))
        means = sums / np.array(lengths, dtype=float).reshape(-1, 1)
        return means.astype(np.float32)[[row[string] for string in cleaned]]

    @torch.inference_mode()
    def _sums(self, batch: list[Piece], tokens: list[list[int]]) -> np.ndarray:
        """Sum over tokens of the hidden states, special ones left out, one row a piece."""
        rows = [[*self._frame.before, *tokens[p.string][p.start : p.stop], *self._frame.after] for p in batch]
        width = -(-max(map(len, rows)) // self._multiple_of) * self._multiple_of
        padding = self._tokenizer.pad_token_id or 0
        ids = torch.tensor([row + [padding] * (width - len(row)) for row in rows], device=self._device)
        place = torch.arange(width, device=self._device)
        lengths = torch.tensor([len(row) for row in rows], device=self._device)[:, None]
        mask = (place < lengths).long()
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self.precision == "bf16-mixed"):
            hidden = self._hidden(ids, mask).float()
        if hidden.shape[1] != width:
            msg = (
                f"This layer of {self.name!r} has {hidden.shape[1]} states for {width} tokens, so that no mean over tokens can "
                "be taken: choose another layer."
            )
            raise InputError(msg)
        inside = (place >= len(self._frame.before)) & (place < lengths - len(self._frame.after))
        return (inside.float()[:, None] @ hidden)[:, 0].double().cpu().numpy()

    def _hidden(self, ids: Tensor, mask: Tensor) -> Tensor:
        # Code of others does not always know the option, so it is given only where it is needed.
        wanted: dict[str, Any] = {} if self._layer is None else {"output_hidden_states": True}
        if self._masks:
            wanted["attention_mask"] = mask
        output = self._network(input_ids=ids, **wanted)
        if self._layer is not None:
            return output.hidden_states[self._layer]
        last = getattr(output, "last_hidden_state", None)
        return output[0] if last is None else last

    def _checked_length(self, wanted: int | None, known: int | None) -> int:
        length = wanted or known
        if length is None:
            msg = f"The files of {self.name!r} do not say how many tokens it reads at once: give max_tokens."
            raise InputError(msg)
        if known is not None and length > known:
            msg = f"max_tokens={wanted}, but {self.name!r} reads at most {known} tokens at once."
            raise InputError(msg)
        if length <= len(self._frame):
            msg = f"max_tokens={length} leaves no room beside the {len(self._frame)} special tokens of {self.name!r}."
            raise InputError(msg)
        return length

    def _checked_layer(self, layer: int, *, has_head: bool) -> int | None:
        """Index into the hidden states, None for the output."""
        config = self._network.config
        n = getattr(config, "num_hidden_layers", None) or getattr(config, "n_layer", None)
        if isinstance(layer, bool) or not isinstance(layer, int) or (n and not -n - 1 <= layer <= n):
            msg = f"layer={layer!r} is not there: {self.name!r} has {n} layers, so -{n}-1 to {n} can be chosen."
            raise InputError(msg)
        return None if layer == -1 and not has_head else layer

    def _halved(self, batch: list[Piece]) -> list[list[Piece]]:
        advice = "Give a smaller max_tokens, precision='bf16-mixed', or device='cpu'."
        halves, self._tokens = halved(batch, self._tokens, device=self._device, unit="tokens", advice=advice)
        return halves


def _takes_mask(network: torch.nn.Module) -> bool:
    known = inspect.signature(network.forward).parameters
    return "attention_mask" in known or any(each.kind is each.VAR_KEYWORD for each in known.values())
