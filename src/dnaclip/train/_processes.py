"""Several processes that train one model together, one device each, as `torchrun` starts them."""

from __future__ import annotations

import atexit
import os
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from dnaclip._device import resolve_device
from dnaclip._errors import InputError, examples

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lightning_fabric import Fabric

__all__ = ["ALONE", "Processes", "check_alike", "is_first", "launch"]


# Of models: sent to the other processes once, and not at every step. What says so has another name in newer torch.
_NEW_NAME = "forward_sync_buffers" in signature(torch.nn.parallel.DistributedDataParallel).parameters
_BUFFERS_ARE_CONSTANTS: dict[str, Any] = {"forward_sync_buffers" if _NEW_NAME else "broadcast_buffers": False}


@dataclass(frozen=True)
class Processes:
    """Who trains together, and what they tell each other. By default a process is alone.

    Each takes its share of every batch, and all hold the same weights. The loss is that of the whole batch, computed by
    each of them from what all gathered, so that it does not depend on how many there are.

    Parameters
    ----------
    rank
        Number of this process.
    count
        How many there are.

    Examples
    --------
    >>> from dnaclip.train._processes import Processes
    >>> [range(7)[Processes(rank, 3).share(7)] for rank in range(3)]
    [range(0, 3), range(3, 5), range(5, 7)]
    """

    rank: int = 0
    count: int = 1

    def share(self, n: int) -> slice:
        """Return which of n things are for this process: shares differ by one at most."""
        least, more = divmod(n, self.count)
        start = self.rank * least + min(self.rank, more)
        return slice(start, start + least + (self.rank < more))

    def gather(self, values: Tensor) -> Tensor:
        """Return the values (...) of all processes, (count, ...); they must have the same shape.

        Gradients flow into the own values alone, `count` times: the mean over processes, which is taken of the gradients
        of weights afterwards, then is the gradient of the loss of the whole batch.
        """
        if self.count == 1:
            return values[None]
        parts = [torch.empty_like(values) for _ in range(self.count)]
        torch.distributed.all_gather(parts, values.detach().contiguous())
        parts[self.rank] = values + (self.count - 1) * (values - values.detach())
        return torch.stack(parts)

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean of the values of all processes."""
        return self.gather(values).mean(0)


# What most runs are.
ALONE = Processes()


def is_first() -> bool:
    """Whether this is the process that writes files: the only one, or the first of those that `torchrun` started."""
    return not _by_torchrun() or os.environ["RANK"] == "0"


def _by_torchrun() -> bool:
    return "TORCHELASTIC_RUN_ID" in os.environ


def launch(device: str | torch.device, precision: str) -> tuple[Fabric, torch.device, Processes]:
    """Join the processes that `torchrun` started, if it did, and return what runs the training here, where, and with whom.

    Raises
    ------
    InputError
        The device is not there, or is one for several processes.
    """
    from lightning_fabric import Fabric  # slow to import, and only training needs it
    from lightning_fabric.strategies import DDPStrategy

    count = int(os.environ["WORLD_SIZE"]) if _by_torchrun() else 1
    if count > 1 and ":" in str(device):
        msg = f"device={str(device)!r} is one device for {count} processes. Use 'cuda' or 'auto': each takes its own."
        raise InputError(msg)
    target = resolve_device(device)
    if count == 1:
        where: dict[str, Any] = {"devices": 1 if target.index is None else [target.index]}
    else:
        if target.type == "cuda":
            target = resolve_device(f"cuda:{os.environ['LOCAL_RANK']}")
        here = int(os.environ["LOCAL_WORLD_SIZE"])
        where = {"devices": here, "num_nodes": count // here, "strategy": DDPStrategy(**_BUFFERS_ARE_CONSTANTS)}
    if precision == "bf16-mixed":
        from dnaclip.train._autocast import Autocast

        where["plugins"] = Autocast(target.type)
    fabric = Fabric(accelerator=target.type, **where)
    fabric.launch()
    if count > 1:
        # Threads of gloo that outlive Python abort the process, after all its work is done.
        atexit.unregister(_leave)
        atexit.register(_leave)
    return fabric, target, Processes(fabric.global_rank, fabric.world_size)


def _leave() -> None:
    """Part from the other processes."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def check_alike(processes: Processes, things: Mapping[str, Any]) -> None:
    """Raise, in all processes, when their data or settings are not the same."""
    if processes.count == 1:
        return
    everyone: list[Any] = [None] * processes.count
    torch.distributed.all_gather_object(everyone, dict(things))
    differs = [name for name in things if any(other[name] != everyone[0][name] for other in everyone)]
    if differs:
        msg = (
            f"The {processes.count} processes differ in {examples(differs)}. Give all the same data, settings, rng and "
            "files; rng=None draws another seed in each."
        )
        raise InputError(msg)
