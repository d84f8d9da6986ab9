"""Runs that come out the same in one process and in two: a script for torchrun, and what the tests compare it with."""

from __future__ import annotations

import atexit
import json
import os
import sys
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from safetensors.torch import save_file

from dnaclip._errors import InputError
from dnaclip.encoders import HyenaDna, HyenaDnaConfig
from dnaclip.models import ClipModel, EncoderTower, PerturbationVaeConfig, Projector, ProjectorConfig
from dnaclip.models._perturbation.cells import PerturbationCells
from dnaclip.train import Batch, Feed, TrainConfig, fit_vae, train_clip
from dnaclip.train import _loop as clip_loop
from dnaclip.train._checkpoint import save_checkpoint
from dnaclip.train._perturbation import loop as vae_loop
from dnaclip.train._perturbation.feed import CellFeed
from dnaclip.train._perturbation.fit import fit_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dnaclip.train import History

# Weights and numbers of a run.
Result = tuple[dict[str, torch.Tensor], dict[str, Any]]

RANK = int(os.environ.get("RANK", "0"))
N_GENES, D = 15, 6
TARGETS = tuple(f"G{i}" for i in range(8))
CONDITIONS = ((), *((gene,) for gene in TARGETS), ("G0", "G1"), ("G2", "G3"))
# 65 cells a step: one process has a cell more than the other.
VAE = PerturbationVaeConfig(hidden=16, latent=4, batch_size=65, max_epochs=8, patience=2, min_validation=2, lr=2e-3)
CLIP = TrainConfig(batch_size=32, max_epochs=4, lr=0.01)


def cells() -> tuple[PerturbationCells, np.ndarray, dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    genes = {gene: rng.standard_normal(D) for gene in TARGETS}
    vectors = np.array([sum((genes[gene] for gene in condition), np.zeros(D)) for condition in CONDITIONS])
    condition = np.tile(np.repeat(np.arange(len(CONDITIONS)), 12), 2)
    x = rng.random((len(condition), N_GENES)) + (vectors @ rng.standard_normal((D, N_GENES)) * 0.3)[condition]
    return (
        PerturbationCells(
            x=np.where(rng.random(x.shape) < 0.5, 0, x).astype(np.float32),
            condition=condition.astype(np.int32),
            context=np.repeat(np.arange(2, dtype=np.int32), len(condition) // 2),
            conditions=CONDITIONS,
            contexts=("one line", "another"),
            genes=tuple(f"G{i}" for i in range(N_GENES)),
        ),
        vectors,
        genes,
    )


def vae(**options: Any) -> Result:
    """Everything that the network can do: contexts, the head of targeted genes, early stopping."""
    some, vectors, genes = cells()
    settings: dict[str, Any] = {
        "config": VAE,
        "validation": [3, 5, 9],
        "context_vectors": np.eye(2),
        "gene_vectors": genes,
    } | options
    model, history = fit_vae(some, vectors, device="cpu", progress=False, **settings)
    return model.state_dict(), table(history)


def resumed(run: Callable[..., Result], feed: Any, path: Path) -> Result:
    """Break a run off in the middle of its third epoch, in all processes, and go on with it."""
    epoch_of = feed.epoch
    written: list[int] = []

    def interrupted(self: Any, *, epoch: int, **options: Any) -> Iterator[Any]:
        for step, batch in enumerate(epoch_of(self, epoch=epoch, **options)):
            if (epoch, step) == (3, 1):
                raise KeyboardInterrupt
            yield batch

    feed.epoch = interrupted
    with suppress(KeyboardInterrupt):
        run(checkpoint=path)
    feed.epoch = epoch_of
    for module in (vae_loop, clip_loop):
        setattr(module, "save_checkpoint", counted(save_checkpoint, written))  # noqa: B010
    weights, numbers = run(checkpoint=path, resume=True)
    return weights, numbers | {"checkpoints written": len(written)}


def counted(function: Callable[..., None], calls: list[int]) -> Callable[..., None]:
    def call(*arguments: Any, **options: Any) -> None:
        calls.append(1)
        function(*arguments, **options)

    return call


def hybrid() -> Result:
    """All methods and the network, weighed on held-out perturbations by an inner network."""
    some, vectors, genes = cells()
    everyone = np.ones(len(some.condition), dtype=bool)
    model = fit_model(
        some,
        everyone,
        ~everyone,
        genes,
        method="hybrid",
        options={"hidden": 8, "latent": 2, "max_epochs": 2, "batch_size": 90},
        device="cpu",
        progress=False,
    )
    delta, std = model.predict(list(CONDITIONS[1:]), np.zeros(len(CONDITIONS) - 1, dtype=np.int64))
    return {"delta": torch.as_tensor(delta), "std": torch.as_tensor(std)}, {"weights": model.parts["weight"].tolist()}


def clip(**options: Any) -> Result:
    """Negatives in both halves of a batch, groups that are none, and augmentation."""
    rng = np.random.default_rng(1)
    hidden = rng.standard_normal((120, 8))
    inputs = {name: (hidden @ rng.standard_normal((8, 12))).astype(np.float32) for name in ("dna", "text")}
    towers = {name: Projector(ProjectorConfig(in_dim=12, out_dim=8, hidden=(16,)), seed=1) for name in inputs}
    model = ClipModel(towers)
    same, weights = np.arange(120) // 2, np.linspace(1, 2, 120)
    train = Feed(inputs, rows=range(90), same=same, weights=weights, transform=dimmed)
    seen: list[float] = []
    settings: dict[str, Any] = {"config": CLIP} | options
    history = train_clip(
        model,
        train,
        Feed(inputs, rows=range(90, 120)),
        device="cpu",
        progress=False,
        callbacks=[lambda _, row: seen.append(row["epoch"])],
        **settings,
    )
    return model.state_dict(), table(history) | {"callbacks": len(seen)}


def clip_in_parts() -> Result:
    """The same, with no more than five genes of each process inside the towers."""
    return clip(config=replace(CLIP, micro_batch=5))


def fine_tuned(fine_tune: Literal["lora", "full"] = "full") -> Result:
    """An encoder within a tower, embedded in parts."""
    rng = np.random.default_rng(2)
    encoder = HyenaDna(HyenaDnaConfig(d_model=8, n_layer=1, l_max=16))
    dna = EncoderTower(encoder, Projector(ProjectorConfig(in_dim=8, out_dim=4)), fine_tune=fine_tune)
    model = ClipModel({"dna": dna, "text": Projector(ProjectorConfig(in_dim=6, out_dim=4))})
    tokens, texts = rng.integers(7, 11, (48, 12)).astype(np.uint8), rng.random((48, 6), dtype=np.float32)
    inputs: dict[str, np.ndarray] = {"dna": tokens, "text": texts}
    config = replace(CLIP, batch_size=16, max_epochs=2, micro_batch=5)
    train, validation = Feed(inputs, rows=range(32)), Feed(inputs, rows=range(32, 48))
    return model.state_dict(), table(train_clip(model, train, validation, config, device="cpu", progress=False))


def lora() -> Result:
    """The same with adapters."""
    return fine_tuned("lora")


def dimmed(batch: Batch, generator: torch.Generator) -> Batch:
    (text,) = batch.inputs["text"]
    return replace(batch, inputs=batch.inputs | {"text": (text * torch.rand(len(text), 1, generator=generator),)})


def refusals() -> Result:
    """What is said, in every process, when they cannot train together."""
    runs = {
        "rng": lambda: vae(rng=None),
        "device": lambda: fit_vae(*cells()[:2], device="cuda:0", progress=False),
        "small": lambda: vae(config=replace(VAE, batch_size=2), train=np.isin(np.arange(264), [0, 132, 133])),
        "odd": lambda: clip(config=replace(CLIP, batch_size=31)),
        "clip rng": lambda: clip(rng=None),
    }
    said = {}
    for name, one in runs.items():
        try:
            one()
        except InputError as error:
            said[name] = str(error)
    return {}, said


def table(history: History) -> dict[str, Any]:
    speeds = ["cells_per_second", "pairs_per_second"]
    return {str(name): list(values) for name, values in history.table.drop(columns=speeds, errors="ignore").items()}


def all_runs(folder: Path) -> Iterator[tuple[str, Result]]:
    yield "vae", vae()
    yield "hybrid", hybrid()
    yield "clip", clip()
    yield "fine_tuned", fine_tuned()
    if find_spec("peft"):
        yield "lora", lora()
    yield "clip_in_parts", clip_in_parts()
    yield "resumed_vae", resumed(vae, CellFeed, folder / "vae.safetensors")
    yield "resumed_clip", resumed(clip, Feed, folder / "clip.safetensors")
    yield "refusals", refusals()


def check_parted() -> None:
    """Fail if the processes are still joined when Python ends: threads of gloo then abort now and then."""
    if torch.distributed.is_initialized():
        print("The process group was not destroyed.", file=sys.stderr, flush=True)
        os._exit(1)


if __name__ == "__main__":
    atexit.register(check_parted)  # called after what training registers
    torch.set_num_threads(1)
    out = Path(sys.argv[1])
    for name, (weights, found) in all_runs(out):
        save_file({key: value.contiguous() for key, value in weights.items()}, out / f"{name}-{RANK}.safetensors")
        (out / f"{name}-{RANK}.json").write_text(json.dumps(found), encoding="utf-8")
