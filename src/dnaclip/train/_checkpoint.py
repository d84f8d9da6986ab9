"""The state of a training run in one safetensors file, replaced as a whole after each epoch."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import safetensors
import safetensors.torch
import torch
from filelock import FileLock, Timeout

from dnaclip._errors import InputError
from dnaclip._files import write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from torch import Tensor

__all__ = [
    "RunState",
    "check_place",
    "load_checkpoint",
    "locked",
    "remove_checkpoint",
    "restore_optimizer",
    "save_checkpoint",
]

# 2: with a checksum.
FORMAT_VERSION = 2


class RunLength(Protocol):
    """Settings that say when a run ends."""

    @property
    def max_epochs(self) -> int: ...

    @property
    def patience(self) -> int | None: ...


@dataclass
class RunState:
    """How far a run has come; `epoch` is the next one to run, and epoch 0 only measures the untrained model."""

    seed: int
    epoch: int = 0
    best_epoch: int = 0
    best_loss: float = float("inf")
    rows: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)

    def finished(self, config: RunLength) -> bool:
        """Say whether all epochs are run, or `patience` of them brought nothing."""
        out_of_patience = config.patience is not None and self.epoch > self.best_epoch + config.patience
        return self.epoch > config.max_epochs or out_of_patience

    def remember(self, row: dict[str, float], model: torch.nn.Module) -> None:
        """Add a row to the history, and keep the weights when they are the best so far, or when nothing judges them."""
        self.rows.append(row)
        loss = row.get("validation_loss")
        if loss is None or loss < self.best_loss or not self.best:
            self.best_loss, self.best_epoch = row["train_loss"] if loss is None else loss, int(row["epoch"])
            # Where nothing judges, the best weights are those that the model has: only others need a copy.
            judged = loss is not None
            self.best = {name: value.clone() if judged else value for name, value in model.state_dict().items()}


def check_place(path: Path | None, *, resume: bool) -> None:
    """Raise when a run cannot keep its state where it is told to, before costly work."""
    msg = None
    if path is None:
        msg = "resume=True needs the file to go on from: give checkpoint." if resume else None
    elif path.exists() and not resume:
        msg = f"{str(path)!r} is there already. Use resume=True to go on from it, or delete it to start afresh."
    elif not path.parent.is_dir():
        msg = f"There is no folder {str(path.parent)!r} for the checkpoint. Make it first."
    if msg is not None:
        raise InputError(msg)


@contextmanager
def locked(path: Path | None) -> Iterator[None]:
    """Keep other runs away from a checkpoint file; the lock ends with the process, however that ends."""
    if path is None:
        yield
        return
    try:
        # No waiting: a second run on the same file is a mistake, not a queue.
        with FileLock(_lock_of(path), timeout=0):
            yield
    except Timeout as error:
        msg = f"Another run is using {str(path)!r}. Wait for it, or choose another checkpoint."
        raise InputError(msg) from error


def remove_checkpoint(path: Path) -> None:
    """Remove the checkpoint of a finished run, and its lock."""
    path.unlink(missing_ok=True)
    _lock_of(path).unlink(missing_ok=True)


def save_checkpoint(
    path: Path,
    state: RunState,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    config: Any,
    data: Mapping[str, str],
) -> None:
    """Write everything that is needed to go on as if nothing had happened; the old file stays until the new one is whole.

    Parameters
    ----------
    path
        The file.
    state
        How far the run has come.
    model, optimizer
        As they are after the last epoch.
    config, data
        Settings and fingerprints of the data, which must be the same when the run goes on.
    """
    moments = {
        f"optimizer.{index}.{name}": value
        for index, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
    }
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in state.best.items()} | moments
    summary = {
        "format_version": FORMAT_VERSION,
        "seed": state.seed,
        "epoch": state.epoch,
        "best_epoch": state.best_epoch,
        "best_loss": state.best_loss,
        "rows": state.rows,
        "config": asdict(config),
        "data": dict(data),
    }
    stored = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    summary["sha256"] = _checksum(summary, stored)
    write_atomic(path, safetensors.torch.save(stored, metadata={"run": json.dumps(summary)}))


def load_checkpoint(
    path: Path, *, seed: int | None, config: Any, data: Mapping[str, str]
) -> tuple[RunState, dict[str, Tensor], dict[str, Tensor]]:
    """Read a checkpoint and check that it belongs to this run.

    Parameters
    ----------
    path
        The file.
    seed
        Seed of this run, or `None` to take that of the file.
    config, data
        Settings and fingerprints of the data of this run.

    Returns
    -------
    The state, the weights of the model, and the flat state of the optimiser for :func:`restore_optimizer`.

    Raises
    ------
    InputError
        The file is no checkpoint or is damaged, or it belongs to a run with other settings, data or seed.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            run: dict[str, Any] = json.loads(file.metadata()["run"])
        # Read whole rather than mapped: tensors must not change with the file, nor keep it from being replaced.
        tensors = safetensors.torch.load(path.read_bytes())
        if run["format_version"] > FORMAT_VERSION:
            msg = f"{str(path)!r} was written by a newer dnaclip. Update it: pip install -U dnaclip"
            raise InputError(msg)
        told = run.pop("sha256", None)
        if told != _checksum(run, tensors) and not (told is None and run["format_version"] == 1):
            msg = "its content does not fit its checksum"
            raise ValueError(msg)
    except InputError:
        raise
    except (safetensors.SafetensorError, AttributeError, KeyError, TypeError, ValueError) as error:
        msg = f"{str(path)!r} is not a checkpoint of dnaclip, or is damaged ({error!r}). Delete it to start afresh."
        raise InputError(msg) from error
    now = {**asdict(config), **data, "seed": run["seed"] if seed is None else seed}
    then = {**run["config"], **run["data"], "seed": run["seed"]}
    if differs := [f"{key} ({then.get(key)!r} then, {now.get(key)!r} now)" for key in now if now[key] != then.get(key)]:
        msg = (
            f"{str(path)!r} belongs to another run; what differs: {', '.join(differs)}. Resume with the same settings, data "
            "and rng, or delete the file to start afresh."
        )
        raise InputError(msg)
    state = RunState(
        run["seed"], run["epoch"], run["best_epoch"], run["best_loss"], run["rows"], _under("best.", tensors)
    )
    return state, _under("model.", tensors), _under("optimizer.", tensors)


def restore_optimizer(optimizer: torch.optim.Optimizer, moments: Mapping[str, Tensor]) -> None:
    """Put the flat state of a checkpoint back into an optimiser with the same parameters."""
    nested: dict[int, dict[str, Tensor]] = {}
    for key, value in moments.items():
        index, name = key.split(".", 1)
        nested.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": nested, "param_groups": optimizer.state_dict()["param_groups"]})


def _checksum(summary: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of all that a checkpoint holds."""
    digest = hashlib.sha256(json.dumps(summary, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _lock_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
