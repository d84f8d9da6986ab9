"""What happens before the first step: do the parts fit, and where do they run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from dnaclip._errors import InputError, examples
from dnaclip.models import EncoderTower
from dnaclip.train._checkpoint import check_place
from dnaclip.train._parts import InParts

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lightning_fabric import Fabric
    from torch import Tensor

    from dnaclip.models import ClipModel
    from dnaclip.train._config import TrainConfig
    from dnaclip.train._feed import Feed
    from dnaclip.train._processes import Processes

__all__ = ["check_fit", "encoder_weights", "load_weights", "set_up"]


def set_up(model: ClipModel, config: TrainConfig, fabric: Fabric) -> tuple[Any, Any]:
    """Move the model to the device and make its optimiser, and what averages gradients over processes."""
    model.to(fabric.device)
    of_encoders = encoder_weights(model)
    others = [parameter for parameter in model.parameters() if parameter not in of_encoders]
    encoder_share = 0.1 if config.encoder_lr is None else config.encoder_lr / config.lr
    # The encoder has been trained before, so it takes smaller steps than what is new.
    groups = [*_groups(others, config, 1.0), *_groups(of_encoders, config, encoder_share)]
    optimizer = torch.optim.AdamW(groups, lr=config.lr, fused=True)
    whole = model if config.micro_batch is None else InParts(model, config.micro_batch)
    return fabric.setup(whole, optimizer)


def encoder_weights(model: ClipModel) -> dict[torch.nn.Parameter, None]:
    """Weights of the encoders within the towers, trained or not, in a fixed order, by which a checkpoint knows them again."""
    encoders = [one.encoder for one in model.modules() if isinstance(one, EncoderTower)]
    return dict.fromkeys(weight for encoder in encoders for weight in encoder.parameters())


def _groups(parameters: Iterable[torch.nn.Parameter], config: TrainConfig, share: float) -> list[dict[str, Any]]:
    """Split what is trained into matrices, whose weights decay, and the rest."""
    learned = [parameter for parameter in parameters if parameter.requires_grad]
    return [
        {
            "params": [one for one in learned if one.ndim >= 2],
            "weight_decay": config.weight_decay,
            "share_of_lr": share,
        },
        {"params": [one for one in learned if one.ndim < 2], "weight_decay": 0.0, "share_of_lr": share},
    ]


def check_fit(
    model: ClipModel,
    train: Feed,
    validation: Feed,
    config: TrainConfig,
    device: torch.device,
    checkpoint: Path | None,
    processes: Processes,
    *,
    resume: bool,
) -> None:
    """Raise when something does not fit together, before costly work."""
    msg = None
    strangers = [name for name in (*train.inputs, *validation.inputs) if name not in model.modalities]
    if strangers or len(train.inputs) != len(validation.inputs) or len(train.inputs) != len(model.modalities):
        msg = (
            f"The model has towers for {list(model.modalities)}, the training feed holds {list(train.inputs)} and the "
            f"validation feed {list(validation.inputs)}: all three must name the same modalities."
        )
    elif config.batch_size > len(train):
        msg = f"batch_size={config.batch_size} is more than the {len(train)} training pairs. Use at most {len(train)}."
    elif config.batch_size % processes.count:
        msg = f"{processes.count} processes cannot share batch_size={config.batch_size} equally. Take a multiple of {processes.count}."
    elif config.precision == "bf16-mixed" and device.type != "cuda":
        msg = f"precision='bf16-mixed' needs a CUDA device, and this run is on {device}. Use precision='32-true'."
    elif not any(parameter.requires_grad for parameter in model.parameters()):
        msg = "No parameter of the model can be trained: requires_grad is False for all of them."
    if msg is not None:
        raise InputError(msg)
    check_place(checkpoint, resume=resume)


def load_weights(model: torch.nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    own = model.state_dict()
    # Checked here, because load_state_dict would copy what fits before it complains.
    differs = [
        name
        for name in sorted({*own, *weights})
        if name not in own or name not in weights or own[name].shape != weights[name].shape
    ]
    if differs:
        msg = f"The weights in {str(path)!r} are those of another model; what differs: {examples(differs)}."
        raise InputError(msg)
    model.load_state_dict(weights)
