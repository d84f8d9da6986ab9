"""Two processes under torchrun train the same model as one."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy import sparse

from dnaclip.models import LOSSES, ClipModel, Projector, ProjectorConfig
from dnaclip.models._seed import seeded
from dnaclip.train import Feed
from dnaclip.train._perturbation.feed import CellFeed
from dnaclip.train._processes import Processes, check_alike, is_first, launch

if TYPE_CHECKING:
    from collections.abc import Callable

SCRIPT = Path(__file__).with_name("shared_runs.py")
RUNS = runpy.run_path(str(SCRIPT))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[Any]]:
    """What each of two processes came to."""
    folder = tmp_path_factory.mktemp("shared")
    run = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        str(SCRIPT),
        str(folder),
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(run, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr

    def results(name: str) -> list[Any]:
        files = [folder / f"{name}-{rank}" for rank in (0, 1)]
        return [
            (load_file(file.with_suffix(".safetensors")), json.loads(file.with_suffix(".json").read_text()))
            for file in files
        ]

    return results


@pytest.mark.parametrize("name", ["vae", "hybrid", "clip", "clip_in_parts", "fine_tuned", "lora"])
def test_two_processes_come_to_what_one_comes_to(shared: Callable[[str], list[Any]], name: str) -> None:
    if name == "lora":
        pytest.importorskip("peft")
    weights, numbers = RUNS[name]()
    (first, found), (second, also_found) = shared(name)
    assert weights.keys() == first.keys()
    for key, value in weights.items():
        assert torch.equal(first[key], second[key]), key
        np.testing.assert_allclose(first[key], value, rtol=1e-5, atol=1e-5, err_msg=key)
    assert found.keys() == numbers.keys()
    for column, values in numbers.items():
        np.testing.assert_allclose(found[column], values, rtol=1e-5, atol=1e-5, err_msg=column)
        if column != "callbacks":
            np.testing.assert_array_equal(also_found[column], found[column], err_msg=column)


def test_the_first_process_alone_calls_callbacks(shared: Callable[[str], list[Any]]) -> None:
    assert [numbers["callbacks"] for _, numbers in shared("clip")] == [5, 0]


@pytest.mark.parametrize("name", ["vae", "clip"])
def test_resumed_run_equals_uninterrupted_one(shared: Callable[[str], list[Any]], name: str) -> None:
    for (weights, numbers), (resumed, again) in zip(shared(name), shared(f"resumed_{name}"), strict=True):
        assert all(torch.equal(resumed[key], value) for key, value in weights.items())
        for column in numbers.keys() - {"callbacks"}:
            np.testing.assert_array_equal(again[column], numbers[column], err_msg=column)


@pytest.mark.parametrize(("name", "epochs"), [("vae", 1), ("clip", 2)])
def test_the_first_process_alone_writes_checkpoints(shared: Callable[[str], list[Any]], name: str, epochs: int) -> None:
    assert [numbers["checkpoints written"] for _, numbers in shared(f"resumed_{name}")] == [epochs, 0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rng", "The 2 processes differ in 'rng'. .*rng=None draws another seed in each"),
        ("clip rng", "The 2 processes differ in 'rng'"),
        ("device", "device='cuda:0' is one device for 2 processes. Use 'cuda' or 'auto'"),
        ("small", "Batches of 1 cells are too few for 2 processes. Raise batch_size or start fewer"),
        ("odd", "2 processes cannot share batch_size=31 equally. Take a multiple of 2"),
    ],
)
def test_what_cannot_be_shared_is_refused_everywhere(
    shared: Callable[[str], list[Any]], name: str, message: str
) -> None:
    for _, said in shared("refusals"):
        assert re.match(message, said[name])


def feed(processes: Processes) -> CellFeed:
    rng = np.random.default_rng(0)
    x = sparse.random_array((40, 7), density=0.4, format="csr", rng=rng, dtype=np.float32)
    condition, context = rng.integers(0, 5, 40), rng.integers(0, 2, 40)
    return CellFeed(
        x, np.arange(40), condition, context, torch.eye(5), n_contexts=2, latent=3, epsilon=0.1, processes=processes
    )


def test_shares_of_a_batch_are_the_batch() -> None:
    seed = {"seed": 1, "epoch": 1, "batch_size": 13}
    whole = list(feed(Processes()).epoch(**seed))
    shares = [list(feed(Processes(rank, 3)).epoch(**seed)) for rank in range(3)]
    assert [len(batch.cells) for batch in whole] == [14, 13, 13]
    for batch, *parts in zip(whole, *shares, strict=True):
        for name in ("of_condition", "of_context", "drawn", "noise"):
            assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(batch, name))
        rows = torch.cat([part.cells.times(torch.eye(7)) for part in parts])
        assert torch.equal(rows, batch.cells.times(torch.eye(7)))
        assert all(part.n_cells == batch.n_cells and torch.equal(part.moved, batch.moved) for part in parts)


@pytest.mark.parametrize("weights", [None, np.arange(1, 41)])
def test_shares_of_a_batch_of_genes_are_the_batch(weights: np.ndarray | None) -> None:
    data = Feed({"dna": torch.arange(80.0).view(40, 2), "text": torch.ones(40, 1)}, same=np.arange(40), weights=weights)
    seed: dict[str, Any] = {"seed": 1, "epoch": 1, "batch_size": 12}
    shares = [data.epoch(**seed, processes=Processes(rank, 3)) for rank in range(3)]
    for batch, *parts in zip(data.epoch(**seed), *shares, strict=True):
        assert torch.equal(torch.cat([part.inputs["dna"][0] for part in parts]), batch.inputs["dna"][0])
        assert batch.same is not None
        assert all(part.same is not None and torch.equal(part.same, batch.same) for part in parts)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("count", [2, 4])
def test_mean_gradient_of_processes_is_that_of_the_batch(
    loss: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = {name: torch.randn(20, 6, generator=generator, dtype=torch.float64) for name in ("dna", "text")}
    towers = {name: Projector(ProjectorConfig(in_dim=6, out_dim=4), seed=1) for name in inputs}
    model = ClipModel(towers, loss=loss).double()
    everyone = {name: tower(inputs[name]).detach() for name, tower in towers.items()}

    def gradients(processes: Processes) -> list[torch.Tensor]:
        gathered = iter(everyone.values())
        monkeypatch.setattr(
            torch.distributed,
            "all_gather",
            lambda parts, own: [part.copy_(one) for part, one in zip(parts, next(gathered).chunk(count), strict=True)],
        )
        share = processes.share(20)
        own = model({name: (one[share],) for name, one in inputs.items()})
        embeddings = {name: processes.gather(one).flatten(0, 1) for name, one in own.items()}
        value = model.loss(embeddings, same=torch.arange(20) // 2, raw=inputs)
        return [value.detach(), *torch.autograd.grad(value, list(model.parameters()))]

    shares = zip(*(gradients(Processes(rank, count)) for rank in range(count)), strict=True)
    for whole, found in zip(gradients(Processes()), shares, strict=True):
        torch.testing.assert_close(torch.stack(found).mean(0), whole, rtol=1e-12, atol=1e-14)


def test_alone_nothing_is_exchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    values = torch.ones(3, requires_grad=True)
    assert Processes().gather(values).shape == (1, 3)
    assert torch.equal(Processes().mean(values), values)
    check_alike(Processes(), {"rng": 1})
    assert is_first()
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "a run")
    monkeypatch.setenv("RANK", "1")
    assert not is_first()


def test_mixed_precision_takes_batches_as_they_are() -> None:
    fabric, *_ = launch("cpu", "bf16-mixed")

    class Network(torch.nn.Linear):
        def forward(self, batch: Any) -> torch.Tensor:  # type: ignore[override]
            return super().forward(batch.noise) + batch.of_condition.sum()

    batch = next(feed(Processes()).epoch(seed=0, epoch=1, batch_size=13))
    with seeded(0):
        network = Network(3, 2)
    found = fabric.setup(network)(batch)
    torch.testing.assert_close(found, network(batch), rtol=0.01, atol=0.1)
