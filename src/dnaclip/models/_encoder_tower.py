"""A tower that reads tokens: an encoder, the mean over positions, and a projector."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from dnaclip._errors import InputError
from dnaclip._validate import check_choice
from dnaclip.encoders._huggingface.loading import HEADS
from dnaclip.encoders._hyenadna import HyenaDna
from dnaclip.encoders._hyenadna.tokens import PAD
from dnaclip.models._lora import add_lora

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["EncoderTower"]

FINE_TUNE = ("none", "lora", "full")
# The projections of HyenaDNA. The small networks that make its long filters are left as they are.
HYENADNA_TARGETS = ("in_proj", "out_proj", "fc1", "fc2")


class EncoderTower(nn.Module):
    """An encoder and a projector as one tower of a :class:`ClipModel`, so that training can change the encoder too.

    The tower takes tokens, (n, length) whole numbers with padding in short rows, and projects the mean of the hidden
    states over the positions that are neither padding nor special. Long inputs need much memory in training: see
    `micro_batch` of :class:`~dnaclip.train.TrainConfig`, `gradient_checkpointing` of HyenaDNA, and transformers' own switch.

    Parameters
    ----------
    encoder
        A :class:`~dnaclip.encoders.HyenaDna`, a model of transformers, or any module that is called as
        `encoder(tokens, mask)`, with tokens int64 (n, length) and a boolean mask of what is not padding, and returns hidden
        states (n, length, d) or vectors (n, d). It is not copied: training changes it in place. To encode with it
        afterwards, make a new :class:`~dnaclip.encoders.HyenaDnaEncoder` of it; an old one remembers filters.
    projector
        From d features to rows of length 1, such as a :class:`Projector`.
    fine_tune
        `"none"` freezes the encoder, `"full"` trains all of its weights, and `"lora"` trains low-rank adapters beside its
        linear layers (extra ``dnaclip[finetune]``), which :func:`merge_lora` puts into its weights afterwards.
    padding
        The token that fills up short rows; known for HyenaDNA and most models of transformers.
    special_tokens
        Tokens that are read but do not enter the mean, such as those for start and end.
    lora_rank
        Rank of the adapters.
    lora_alpha
        What they add is multiplied by `lora_alpha / lora_rank`.
    target_modules
        Names of the linear layers that get adapters, whole or their last parts. `None` takes all of the encoder, of
        HyenaDNA the projections in and out and the two layers of the MLP.
    seed
        Seed of the adapters' initial weights.

    Raises
    ------
    InputError
        The encoder is no torch module, its width is not what the projector takes, or an option is not known or missing.
    MissingDependencyError
        `fine_tune="lora"` without peft.

    References
    ----------
    Hu et al. (2022), LoRA: low-rank adaptation of large language models, ICLR.

    Examples
    --------
    >>> from dnaclip.encoders import HyenaDna, HyenaDnaConfig
    >>> from dnaclip.models import EncoderTower, Projector, ProjectorConfig
    >>> encoder = HyenaDna(HyenaDnaConfig(d_model=8, n_layer=2, l_max=64))
    >>> projector = Projector(ProjectorConfig(in_dim=8, out_dim=4))
    >>> tower = EncoderTower(encoder, projector, fine_tune="full")
    >>> tower(encoder.tokenize(["ACGTACGT", "ACG"])).shape
    torch.Size([2, 4])
    """

    def __init__(
        self,
        encoder: nn.Module,
        projector: nn.Module,
        *,
        fine_tune: Literal["none", "lora", "full"] = "none",
        padding: int | None = None,
        special_tokens: Sequence[int] = (),
        lora_rank: int = 8,
        lora_alpha: float = 16.0,
        target_modules: Sequence[str] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_choice("fine_tune", fine_tune, FINE_TUNE)
        if not isinstance(encoder, nn.Module):
            msg = (
                f"encoder is a {type(encoder).__name__} and not a torch module, so there is nothing in it to train. Use "
                "dnaclip.encoders.load_hyenadna(file), a model of transformers or another torch.nn.Module; or encode once "
                "and train a Projector on the vectors."
            )
            raise InputError(msg)
        self._of_transformers = "input_ids" in signature(encoder.forward).parameters
        self.padding = _padding(encoder) if padding is None else padding
        self.special_tokens = tuple(special_tokens)
        _check_width(encoder, projector)
        if fine_tune == "lora":
            targets = HYENADNA_TARGETS if isinstance(encoder, HyenaDna) and target_modules is None else target_modules
            if targets is None:
                targets = [name for name, one in encoder.named_modules() if isinstance(one, nn.Linear)]
                targets = [name for name in targets if not HEADS.search(f"{name}.")]
            add_lora(encoder, rank=lora_rank, alpha=lora_alpha, target_modules=targets, seed=seed)
        else:
            for name, parameter in encoder.named_parameters():
                # A head plays no part in hidden states: it would get no gradient, which several processes do not bear.
                parameter.requires_grad_(fine_tune == "full" and not HEADS.search(name))
        self.encoder, self.projector = encoder, projector
        self.train(self.training)

    @property
    def is_frozen(self) -> bool:
        """Whether no weight of the encoder is trained."""
        return not any(parameter.requires_grad for parameter in self.encoder.parameters())

    def train(self, mode: bool = True) -> EncoderTower:  # noqa: FBT001, FBT002  # torch's signature
        """Switch dropout on or off; that of a frozen encoder stays off."""
        super().train(mode)
        self.encoder.train(mode and not self.is_frozen)
        return self

    def forward(self, tokens: Tensor) -> Tensor:
        """Embed tokens (n, length) as rows of length 1, (n, out_dim); a row without a token has a mean of zeros."""
        return self.projector(self.encode(tokens))

    def encode(self, tokens: Tensor) -> Tensor:
        """Mean of the hidden states, float32 (n, d), of tokens (n, length): what the projector gets."""
        if tokens.ndim != 2 or tokens.is_floating_point():
            msg = (
                f"Tokens must be whole numbers, (n, length), got {tokens.dtype} of shape {tuple(tokens.shape)}. Vectors that "
                "an encoder has made already go into a Projector."
            )
            raise InputError(msg)
        tokens = tokens.long()
        mask = tokens != self.padding
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.is_frozen):
            hidden = self._hidden(tokens, mask).float()
            if hidden.ndim == 2:
                return hidden
            if hidden.shape[:2] != tokens.shape:
                msg = f"The encoder must give (n, length, d) or (n, d) for {tuple(tokens.shape)}, got {tuple(hidden.shape)}."
                raise InputError(msg)
            for token in self.special_tokens:
                mask = mask & (tokens != token)
            return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)

    def _hidden(self, tokens: Tensor, mask: Tensor) -> Tensor:
        if isinstance(self.encoder, HyenaDna):  # causal: padding on the right is not seen
            return self.encoder(tokens)
        if not self._of_transformers:
            return self.encoder(tokens, mask)
        output = self.encoder(input_ids=tokens, attention_mask=mask.long())
        last = getattr(output, "last_hidden_state", None)
        return output[0] if last is None else last


def _padding(encoder: nn.Module) -> int:
    if isinstance(encoder, HyenaDna):
        return PAD
    known = getattr(getattr(encoder, "config", None), "pad_token_id", None)
    if known is None:
        msg = f"{type(encoder).__name__} does not say which token fills up short rows: give padding=."
        raise InputError(msg)
    return known


def _check_width(encoder: nn.Module, projector: nn.Module) -> None:
    sizes: Any = getattr(encoder, "config", None)
    width = getattr(sizes, "d_model", None) if isinstance(encoder, HyenaDna) else getattr(sizes, "hidden_size", None)
    taken = getattr(getattr(projector, "config", None), "in_dim", None)
    if width is not None and taken is not None and width != taken:
        msg = (
            f"The encoder gives {width} features and the projector takes {taken}: use ProjectorConfig(in_dim={width})."
        )
        raise InputError(msg)
