"""The HyenaDNA network: long convolutions in place of attention, one base a token."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from dnaclip._errors import InputError
from dnaclip._validate import as_generator, torch_seed
from dnaclip.encoders._hyenadna.filters import LongFilter, Positions, SpectrumCache, fft_length, long_convolution
from dnaclip.encoders._hyenadna.tokens import check_sequences, padded, tokenize

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

__all__ = ["HyenaDna", "HyenaDnaConfig"]

N_TOKENS = 16  # 12 are in use; the published models round up
MLP_BLOCK = 1 << 14  # tokens at once: the hidden layer of 1,000,000 tokens would be 4 GB


@dataclass(frozen=True)
class HyenaDnaConfig:
    """Sizes of a HyenaDNA."""

    d_model: int = 256
    """Length of the vectors."""
    n_layer: int = 8
    l_max: int = 1_000_002
    """Longest sequence, special tokens counted; the time of the filters runs over it."""
    d_inner: int | None = None
    """Width of the layer within the MLP; four times `d_model` in all published models."""

    def __post_init__(self) -> None:
        """Check the sizes."""
        for name in ("d_model", "n_layer", "l_max"):
            if getattr(self, name) < 1:
                msg = f"HyenaDnaConfig: {name}={getattr(self, name)} must be 1 or more."
                raise InputError(msg)
        if self.d_inner is None:
            object.__setattr__(self, "d_inner", 4 * self.d_model)


class HyenaDna(nn.Module):
    """HyenaDNA, from tokens to the hidden states behind the last norm.

    Without dropout: it is 0 in the published models but for the embedding's in training. The state is kept in float32;
    `autocast` on a device lowers the matrix products alone, because positions and filters lose their meaning in bfloat16.

    Parameters
    ----------
    config
        The sizes. Weights are drawn at random, as for a training from scratch.
    rng
        What they are drawn with; PyTorch's global random state stays as it was.

    Attributes
    ----------
    gradient_checkpointing
        Set to true, training keeps only what goes between the layers, and computes the rest again on the way back.

    References
    ----------
    Nguyen et al., HyenaDNA: Long-Range Genomic Sequence Modeling at Single Nucleotide Resolution, NeurIPS 2023.

    Examples
    --------
    >>> import torch
    >>> from dnaclip.encoders import HyenaDna, HyenaDnaConfig
    >>> network = HyenaDna(HyenaDnaConfig(d_model=8, n_layer=2, l_max=64))
    >>> network(torch.tensor([[7, 8, 9, 10]])).shape
    torch.Size([1, 4, 8])
    """

    def __init__(self, config: HyenaDnaConfig, *, rng: int | np.random.Generator | None = 0) -> None:
        super().__init__()
        self.config = config
        self.gradient_checkpointing = False
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(torch_seed(as_generator(rng)))
            self._build(config)

    def _build(self, config: HyenaDnaConfig) -> None:
        self.embedding = nn.Embedding(N_TOKENS, config.d_model)
        self.positions = Positions(config.l_max)
        self.layers = nn.ModuleList([Layer(config, i) for i in range(config.n_layer)])
        self.norm = nn.LayerNorm(config.d_model)
        self.apply(_draw)
        for name, weight in self.named_parameters():
            # The residual stream adds up two branches a layer: their last weights start smaller (GPT-2's rule).
            if name.endswith(("out_proj.weight", "fc2.weight")):
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * config.n_layer))

    def forward(self, tokens: Tensor, cache: SpectrumCache | None = None) -> Tensor:
        """Hidden states (n, length, d_model) of tokens (n, length); `cache` keeps the filters' spectra between calls."""
        length = tokens.shape[1]
        if length > self.config.l_max:
            msg = f"A sequence has {length} tokens; this model reads at most {self.config.l_max}. Cut it into pieces."
            raise InputError(msg)
        cache = cache or SpectrumCache(0)  # keeps nothing: the weights may change between calls
        hidden = self.embedding(tokens)
        for layer in self.layers:
            if self.gradient_checkpointing and torch.is_grad_enabled():
                hidden = checkpoint(layer, hidden, self.positions, cache, use_reentrant=False)
            else:
                hidden = layer(hidden, self.positions, cache)
        return self.norm(hidden)

    def tokenize(self, sequences: Sequence[str], *, length: int | None = None) -> Tensor:
        """Tokens of the first `length` bases of each sequence, as training needs them.

        Parameters
        ----------
        sequences
            One string each. Lower case counts as upper case.
        length
            Bases at most; `None` takes whole sequences, as far as the model can read.

        Returns
        -------
        uint8 (n, longest), padded on the right.

        Raises
        ------
        InputError
            A sequence is empty, not a string, or does not look like DNA, or `length` is more than the model can read.

        Examples
        --------
        >>> from dnaclip.encoders import HyenaDna, HyenaDnaConfig
        >>> HyenaDna(HyenaDnaConfig(d_model=8, n_layer=2, l_max=64)).tokenize(["ACGTACGT", "TTT"], length=4)
        tensor([[ 7,  8,  9, 10],
                [10, 10, 10,  4]], dtype=torch.uint8)
        """
        if length is not None and not 1 <= length <= self.config.l_max:
            msg = f"length={length}: this model reads 1 to {self.config.l_max} tokens."
            raise InputError(msg)
        check_sequences(sequences)
        return torch.from_numpy(padded([tokenize(one[: length or self.config.l_max]) for one in sequences]))


class Layer(nn.Module):
    """h + Hyena(norm(h)), then h + MLP(norm(h))."""

    def __init__(self, config: HyenaDnaConfig, index: int) -> None:
        super().__init__()
        d = config.d_model
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.mixer = HyenaOperator(d, index)
        self.fc1, self.fc2 = nn.Linear(d, config.d_inner or 4 * d), nn.Linear(config.d_inner or 4 * d, d)

    def forward(self, hidden: Tensor, positions: Positions, cache: SpectrumCache) -> Tensor:
        hidden = hidden + self.mixer(self.norm1(hidden), positions, cache)
        return torch.cat([part + self._mlp(self.norm2(part)) for part in hidden.split(MLP_BLOCK, dim=1)], dim=1)

    def _mlp(self, x: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(x), approximate="tanh")).to(x.dtype)


class HyenaOperator(nn.Module):
    """The Hyena operator of order 2: y = x0 (k * (x1 v) + D x1 v), where x0, x1 and v are short convolutions of the input."""

    def __init__(self, d_model: int, index: int) -> None:
        super().__init__()
        self.index = index
        self.in_proj = nn.Linear(d_model, 3 * d_model)
        self.out_proj = nn.Linear(d_model, d_model)
        self.short_filter = nn.Conv1d(3 * d_model, 3 * d_model, 3, groups=3 * d_model)
        self.long_filter = LongFilter(d_model)

    def forward(self, x: Tensor, positions: Positions, cache: SpectrumCache) -> Tensor:
        # Channels before positions from here on, as the transform wants them; the product brings them there for nothing.
        if type(self.in_proj) is nn.Linear:
            weight = self.in_proj.weight.expand(len(x), -1, -1)
            u = torch.baddbmm(self.in_proj.bias[:, None], weight, x.mT).to(x.dtype)
        else:  # an adapter around the layer, which must be called
            u = self.in_proj(x).mT.contiguous().to(x.dtype)
        x0, x1, v = self._short(u).chunk(3, dim=1)
        del u  # 3 GB of 1,000,000 bases
        v = v * x1
        n = fft_length(v.shape[-1])
        y = long_convolution(v, cache.spectrum(self.index, self.long_filter, positions, n), n)
        y = torch.addcmul(y, v, self.long_filter.bias[:, None]) * x0
        return self.out_proj(y.mT).to(x.dtype)

    def _short(self, u: Tensor) -> Tensor:
        """Causal convolution of each channel over three bases; three products are faster than a grouped convolution."""
        first, second, third = self.short_filter.weight.unbind(dim=2)
        y = torch.addcmul(self.short_filter.bias[:, None], u, third)  # type: ignore[index]
        y[..., 1:].addcmul_(u[..., :-1], second)
        y[..., 2:].addcmul_(u[..., :-2], first)
        return y


def _draw(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
