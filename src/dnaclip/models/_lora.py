"""Low-rank adapters (LoRA) by the library peft: put into a network, and merged into its weights again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from torch import nn

from dnaclip._errors import InputError, examples
from dnaclip._optional import require
from dnaclip._validate import check_count
from dnaclip.models._seed import seeded

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["add_lora", "merge_lora"]

Module = TypeVar("Module", bound=nn.Module)


def add_lora(
    network: nn.Module,
    *,
    rank: int = 8,
    alpha: float = 16.0,
    target_modules: Sequence[str] | None = None,
    seed: int = 0,
) -> None:
    """Freeze a network and put an adapter beside some of its linear layers, which changes nothing before it is trained.

    Parameters
    ----------
    network
        Changed in place.
    rank
        Rank of the adapters.
    alpha
        What they add is multiplied by `alpha / rank`.
    target_modules
        Names of linear layers, whole or their last parts, such as `"fc1"`; `None` takes all.
    seed
        Seed of their initial weights.

    Raises
    ------
    InputError
        A name is of no linear layer, a number is out of range, or there are adapters already.
    MissingDependencyError
        peft is not installed.
    """
    check_count("lora_rank", rank)
    if not alpha > 0:
        msg = f"lora_alpha={alpha!r} is what adapters are multiplied by, over the rank: use a number above 0."
        raise InputError(msg)
    if isinstance(target_modules, str):
        msg = f"target_modules={target_modules!r} is one string. Give a list of names: [{target_modules!r}]."
        raise InputError(msg)
    peft = require("peft", extra="finetune", purpose="fine_tune='lora'")
    if hasattr(network, "peft_config"):
        msg = "The encoder has adapters already. Merge them first: dnaclip.models.merge_lora(encoder)."
        raise InputError(msg)
    linear = [name for name, one in network.named_modules() if isinstance(one, nn.Linear)]
    wanted = linear if target_modules is None else target_modules
    unknown = [one for one in wanted if not any(_is_called(name, one) for name in linear)]
    if unknown or not wanted:
        short = dict.fromkeys(name.rpartition(".")[2] for name in linear)
        msg = (
            f"target_modules: {examples(unknown) if unknown else 'none given, or none there'}: LoRA goes beside linear layers, "
            f"and those of the encoder are called {', '.join(map(repr, short)) or '(it has none)'}. Choose among these, or "
            "use fine_tune='full'."
        )
        raise InputError(msg)
    chosen = [name for name in linear if any(_is_called(name, one) for one in wanted)]
    # As one pattern: a list would be matched by endings, which a short whole name has in common with others.
    pattern = "|".join(map(re.escape, chosen))
    with seeded(seed):
        peft.inject_adapter_in_model(peft.LoraConfig(r=rank, lora_alpha=alpha, target_modules=pattern), network)


def merge_lora(module: Module) -> Module:
    """Add trained LoRA adapters to the weights that they stand beside, and take them out.

    Afterwards the network is a plain one again: what it gives is the same up to rounding, and it is saved and loaded
    without peft. Without adapters nothing happens.

    Parameters
    ----------
    module
        An encoder, an :class:`EncoderTower` or a whole :class:`ClipModel`; changed in place.

    Returns
    -------
    The same module. The merged encoder stays frozen.

    Raises
    ------
    MissingDependencyError
        peft is not installed.

    References
    ----------
    Hu et al. (2022), LoRA: low-rank adaptation of large language models, ICLR, section 4.1.

    Examples
    --------
    >>> from dnaclip.encoders import HyenaDna, HyenaDnaConfig
    >>> from dnaclip.models import EncoderTower, Projector, ProjectorConfig, merge_lora
    >>> encoder = HyenaDna(HyenaDnaConfig(d_model=8, n_layer=2, l_max=64))
    >>> tower = EncoderTower(encoder, Projector(ProjectorConfig(in_dim=8, out_dim=4)), fine_tune="lora")
    >>> type(encoder.layers[0].fc1).__module__
    'peft.tuners.lora.layer'
    >>> type(merge_lora(tower).encoder.layers[0].fc1)
    <class 'torch.nn.modules.linear.Linear'>
    """
    require("peft", extra="finetune", purpose="merge_lora")
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, one in list(module.named_modules()):
        if isinstance(one, BaseTunerLayer):
            one.merge()
            parent, _, child = name.rpartition(".")
            setattr(module.get_submodule(parent), child, one.get_base_layer())
        elif hasattr(one, "peft_config"):
            del one.peft_config
    return module


def _is_called(name: str, wanted: str) -> bool:
    return name == wanted or name.endswith(f".{wanted}")
