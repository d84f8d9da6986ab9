"""A batch that is embedded in parts gives the step of the whole batch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
import torch

from dnaclip.models import ClipModel, ProjectorConfig, SequenceTextModel
from dnaclip.train import train_clip
from dnaclip.train._parts import InParts

if TYPE_CHECKING:
    from pathlib import Path


def gradients(model: torch.nn.Module, embed: torch.nn.Module, inputs: Any, **options: Any) -> dict[str, torch.Tensor]:
    model.zero_grad()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        model.loss(embed(inputs), **options).backward()  # type: ignore[operator]
    return {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}


def inputs_of(problem: Any) -> dict[str, tuple[torch.Tensor, ...]]:
    return {name: (one[:100],) for name, one in problem.data().items()}


@pytest.mark.parametrize("size", [1, 33, 100, 1000])
@pytest.mark.parametrize("loss", ["clip", "siglip", "penalized_clip"])
def test_gradients_are_those_of_the_whole_batch(problem: Any, loss: str, size: int) -> None:
    model, inputs = problem.model(dropout=0.0, loss=loss), inputs_of(problem)
    options = {"raw": {name: one for name, (one,) in inputs.items()}, "same": torch.arange(100) // 2}
    whole = gradients(model, model, inputs, **options)
    parts = gradients(model, InParts(model, size), inputs, **options)
    assert whole.keys() == parts.keys() == dict(model.named_parameters()).keys()
    for name, one in whole.items():
        torch.testing.assert_close(parts[name], one, rtol=1e-5, atol=1e-6)


def test_dropout_is_the_same_on_the_way_back(problem: Any) -> None:
    """The gradient is that of the loss that was computed: a graph that is kept gives the same numbers."""

    class Kept(InParts):
        def forward(self, inputs: Any) -> dict[str, torch.Tensor]:
            parts = [self.model({n: (t[i : i + 30],) for n, (t,) in inputs.items()}) for i in range(0, 100, 30)]
            return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

    model, inputs = problem.model(dropout=0.5), inputs_of(problem)
    expected = gradients(model, Kept(model, 30), inputs)
    found = gradients(model, InParts(model, 30), inputs)
    for name, one in expected.items():
        torch.testing.assert_close(found[name], one, rtol=1e-5, atol=1e-7)
    other = gradients(model.eval(), InParts(model, 30), inputs)
    assert not torch.allclose(found["towers.dna.layers.0.weight"], other["towers.dna.layers.0.weight"])


def test_towers_of_several_tensors_and_genes_without_relatives() -> None:
    generator = torch.Generator().manual_seed(0)
    memory = torch.randn(20, 6, generator=generator)
    model = SequenceTextModel(ProjectorConfig(in_dim=5, dropout=0.0), ProjectorConfig(in_dim=6, dropout=0.0), memory)
    neighbours = torch.randint(-1, 20, (50, 3), generator=generator)
    inputs = {
        "homology": (neighbours, torch.rand(50, 3, 5, generator=generator)),
        "composition": (torch.randn(50, 5, generator=generator),),
        "text": (torch.randn(50, 6, generator=generator),),
    }
    whole, parts = gradients(model, model, inputs), gradients(model, InParts(model, 7), inputs)
    for name, one in whole.items():
        torch.testing.assert_close(parts[name], one, rtol=1e-4, atol=1e-6)


def test_towers_never_see_more_than_a_part(problem: Any) -> None:
    seen: dict[bool, list[int]] = {True: [], False: []}

    class Watched(ClipModel):
        def forward(self, batch: Any) -> dict[str, torch.Tensor]:
            seen[self.training].append(len(batch["dna"][0]))
            return super().forward(batch)

    model = Watched(dict(problem.model().towers))
    problem.run(model, config=replace(problem.config, micro_batch=10, max_epochs=1))
    # 5 batches of 32 genes, each part forward and once more on the way back.
    assert sorted(seen[True]) == sorted([10, 10, 10, 2] * 2 * 5)
    assert max(seen[False]) == 10


def test_a_run_in_parts_equals_a_run_as_a_whole(problem: Any) -> None:
    whole, table = problem.run(problem.model(dropout=0.0))
    parts, other = problem.run(problem.model(dropout=0.0), config=replace(problem.config, micro_batch=12))
    pd.testing.assert_frame_equal(table, other, rtol=1e-4)
    for name, one in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[name], one, rtol=1e-3, atol=1e-5)


def test_a_run_in_parts_goes_on_bit_by_bit(problem: Any, tmp_path: Path) -> None:
    config = replace(problem.config, micro_batch=12, max_epochs=4)
    whole, _ = problem.run(config=config)

    def stop(_: Any, row: dict[str, float]) -> None:
        if row["epoch"] == 3:
            raise KeyboardInterrupt

    path = tmp_path / "run.safetensors"
    with pytest.raises(KeyboardInterrupt):
        problem.run(config=config, checkpoint=path, callbacks=[stop])
    again, _ = problem.run(config=config, checkpoint=path, resume=True)
    assert problem.equal(whole, again)


def test_the_log_holds_the_history_also_of_a_resumed_run(problem: Any, tmp_path: Path) -> None:
    train, validation = problem.feeds()
    log, path = tmp_path / "log.csv", tmp_path / "run.safetensors"
    rows = []

    def look(_: Any, row: dict[str, float]) -> None:
        rows.append(len(pd.read_csv(log)) if log.exists() else 0)
        if row["epoch"] == 2 and len(rows) == 3:
            raise KeyboardInterrupt

    options: dict[str, Any] = {"device": "cpu", "checkpoint": path, "log": log, "callbacks": [look], "progress": False}
    with pytest.raises(KeyboardInterrupt):
        train_clip(problem.model(), train, validation, problem.config, **options)
    history = train_clip(problem.model(), train, validation, problem.config, resume=True, **options)
    assert rows == [0, 1, 2, *range(2, 7)]
    pd.testing.assert_frame_equal(pd.read_csv(log), history.table)
    assert sorted(file.name for file in tmp_path.iterdir() if not file.name.startswith(".")) == ["log.csv", path.name]
