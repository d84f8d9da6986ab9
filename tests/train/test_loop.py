"""The loop learns, stops, keeps the best weights and repeats itself."""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dnaclip._errors import InputError
from dnaclip.models import ClipModel, Projector, ProjectorConfig
from dnaclip.train import Feed, embed_feed, train_clip


def test_learns_to_retrieve_held_out_genes(problem: Any) -> None:
    model = problem.linear()
    train, validation = problem.feeds()
    config = replace(problem.config, max_epochs=25)
    history = train_clip(model, train, validation, config, device="cpu", progress=False)
    table = history.table
    assert table["validation_loss"][0] > 3.0
    assert history.best_loss < 0.3
    sides = embed_feed(model, validation)
    assert (sides["dna"] @ sides["text"].T).argmax(1).eq(torch.arange(60)).float().mean() > 0.95
    assert list(table["epoch"]) == list(range(len(table)))
    assert math.isnan(table["train_loss"][0])
    assert (table["pairs_per_second"][1:] > 0).all()


def test_reported_losses_are_those_of_the_weights(problem: Any) -> None:
    model, table = problem.run(problem.linear())
    train, validation = problem.feeds()
    sides = embed_feed(model, validation)
    assert model.loss(sides).item() == pytest.approx(table["validation_loss"].min(), rel=1e-5)


def test_untrained_model_is_near_chance_on_unrelated_sides(problem: Any) -> None:
    noise = {"dna": torch.randn(240, 20, generator=torch.Generator().manual_seed(0)), "text": problem.data()["text"]}
    _, table = problem.run(problem.linear(logit_scale=1.0), feeds=problem.split(noise))
    assert table["validation_loss"][0] == pytest.approx(math.log(60), rel=0.02)


@pytest.mark.parametrize("learn_scale", [True, False])
def test_scale_is_learned_or_fixed(problem: Any, learn_scale: Any) -> None:
    _, table = problem.run(problem.linear(learn_scale=learn_scale))
    assert (table["logit_scale"].nunique() > 1) == learn_scale


def test_scale_never_passes_100(problem: Any) -> None:
    # Two equal sides: every step sharpens.
    side = problem.data()["dna"]
    towers = {name: Projector(ProjectorConfig(in_dim=20, out_dim=2)) for name in ("dna", "text")}
    model = ClipModel(towers, logit_scale=60.0)
    config = replace(problem.config, lr=0.1, patience=None)
    _, table = problem.run(model, config=config, feeds=problem.split({"dna": side, "text": side}))
    assert 99.9 < table["logit_scale"].max() < 100.001


def test_groups_reach_both_losses(problem: Any) -> None:
    # With one group for all genes nothing is a negative: both losses are zero.
    _, table = problem.run(feeds=problem.feeds(same=np.zeros(240, dtype=int)))
    assert table["validation_loss"].abs().max() < 1e-5
    assert table["train_loss"][1:].abs().max() < 1e-5


def test_three_modalities_and_a_tower_of_several_tensors(problem: Any) -> None:
    class Mix(torch.nn.Module):
        """Mean of stored vectors by similarity, then a linear map."""

        def __init__(self, memory: torch.Tensor) -> None:
            super().__init__()
            self.memory = torch.nn.Buffer(memory, persistent=False)
            self.gate = torch.nn.Parameter(torch.eye(12, 16))

        def forward(self, neighbours: torch.Tensor, similarity: torch.Tensor) -> torch.Tensor:
            mixed = (self.memory[neighbours] * similarity[..., None]).sum(1)
            return F.normalize(mixed @ self.gate, dim=1)

    data = problem.data()
    neighbours = torch.stack([torch.arange(240), torch.arange(240).roll(1)], 1)
    similarity = torch.tensor([0.9, 0.1]).repeat(240, 1)
    model = ClipModel(
        {
            "dna": Mix(data["text"]),
            "text": Projector(ProjectorConfig(in_dim=12, out_dim=16)),
            "protein": Projector(ProjectorConfig(in_dim=20, out_dim=16), seed=1),
        }
    )
    inputs = {"dna": (neighbours, similarity), "text": data["text"], "protein": data["dna"]}
    _, table = problem.run(model, feeds=problem.split(inputs))
    assert table["validation_loss"].iloc[-1] < 0.5 * table["validation_loss"][0]


def test_frozen_tower_stays_as_it_is(problem: Any) -> None:
    model = problem.linear()
    model.towers["text"].requires_grad_(requires_grad=False)
    before = problem.weights(model)
    problem.run(model)
    after = model.state_dict()
    assert torch.equal(before["towers.text.layers.0.weight"], after["towers.text.layers.0.weight"])
    assert not torch.equal(before["towers.dna.layers.0.weight"], after["towers.dna.layers.0.weight"])


def test_weight_decay_is_for_matrices_only(problem: Any) -> None:
    # With one group for all genes the loss is zero and decay the only force. AdamW still moves each weight by up to lr
    # per step on rounding noise, so the learning rate is tiny and the decay huge.
    config = replace(
        problem.config, weight_decay=1e4, lr=1e-6, schedule="constant", warmup_epochs=0, max_epochs=2, patience=None
    )
    seen = []
    model = problem.linear()
    before = problem.weights(model)
    problem.run(
        model,
        config=config,
        feeds=problem.feeds(same=np.zeros(240, dtype=int)),
        callbacks=[lambda model, row: seen.append(problem.weights(model))],
    )
    shrunk = {name: (value.norm() / before[name].norm()).item() for name, value in seen[-1].items()}
    assert shrunk["towers.dna.layers.0.weight"] == pytest.approx(0.99**10, abs=1e-3)
    assert shrunk["towers.dna.layers.0.bias"] == pytest.approx(1, abs=1e-3)
    assert shrunk["log_scale"] == pytest.approx(1, abs=1e-3)


def test_best_weights_are_kept_and_patience_stops(problem: Any) -> None:
    # Nothing can be learned from noise, so the validation loss soon rises.
    rng = np.random.default_rng(0)
    noise = {
        name: torch.tensor(rng.standard_normal((240, d)), dtype=torch.float32)
        for name, d in (("dna", 20), ("text", 12))
    }
    train, validation = problem.split(noise)
    seen = []
    model = problem.model(dropout=0.0)
    history = train_clip(
        model,
        train,
        validation,
        replace(problem.config, max_epochs=40, patience=3),
        device="cpu",
        progress=False,
        callbacks=[lambda model, row: seen.append(problem.weights(model))],
    )
    losses = history.table["validation_loss"]
    assert len(losses) == history.best_epoch + 1 + 3 < 40
    assert losses.idxmin() == history.best_epoch
    assert history.best_loss == losses.min()
    assert all(torch.equal(value, seen[history.best_epoch][name]) for name, value in model.state_dict().items())
    assert not model.training


def test_no_patience_runs_to_the_end(problem: Any) -> None:
    _, table = problem.run(config=replace(problem.config, max_epochs=4, patience=None))
    assert len(table) == 5


def test_blocks_of_the_validation_set(problem: Any) -> None:
    whole, twenty, odd = (
        problem.run(config=replace(problem.config, max_epochs=1, validation_block=block))[1] for block in (None, 20, 59)
    )
    assert whole["validation_loss"][0] > twenty["validation_loss"][0]  # more candidates, harder task
    # A last gene that would be alone joins the block before it.
    assert odd["validation_loss"][0] == whole["validation_loss"][0]
    # Validation draws no random numbers that training would miss.
    assert whole["train_loss"][1] == twenty["train_loss"][1]


def test_callbacks_add_columns(problem: Any) -> None:
    def accuracy(model: ClipModel, row: dict[str, Any]) -> None:
        assert not model.training
        row["accuracy"] = np.float32(row["epoch"] / 10)

    _, table = problem.run(callbacks=[accuracy])
    assert table["accuracy"].tolist() == pytest.approx([epoch / 10 for epoch in range(7)])


def test_same_rng_same_bits(problem: Any) -> None:
    (one, table), (two, again), (three, other) = (problem.run(rng=rng) for rng in (5, 5, 6))
    pd.testing.assert_frame_equal(table, again, check_exact=True)
    assert problem.equal(one, two)
    assert not problem.equal(one, three)
    assert not table.equals(other)


def test_rng_may_be_a_generator(problem: Any) -> None:
    (one, _), (two, _) = (problem.run(rng=np.random.default_rng(3)) for _ in range(2))
    assert problem.equal(one, two)
    with pytest.raises(InputError, match=r"rng must be an int, a numpy.random.Generator or None, got str"):
        problem.run(rng="zero")


def test_augmentation_is_seeded(problem: Any) -> None:
    def noise(batch: Any, generator: torch.Generator) -> Any:
        noisy = {
            name: (one + 0.1 * torch.randn(one.shape, generator=generator),) for name, (one,) in batch.inputs.items()
        }
        return replace(batch, inputs=noisy)

    train, validation = problem.feeds()
    noisy = Feed(problem.data(), rows=range(180), transform=noise)
    (one, _), (two, _) = (problem.run(feeds=(noisy, validation)) for _ in range(2))
    plain, _ = problem.run(feeds=(train, validation))
    assert problem.equal(one, two)
    assert not problem.equal(one, plain)


def test_dropout_differs_from_epoch_to_epoch(problem: Any) -> None:
    class Recorder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.projector = Projector(ProjectorConfig(in_dim=20, out_dim=16))
            self.drawn: list[float] = []

        def forward(self, features: torch.Tensor) -> torch.Tensor:
            if self.training:
                self.drawn.append(torch.rand(()).item())
            return self.projector(features)

    tower = Recorder()
    model = ClipModel({"dna": tower, "text": Projector(ProjectorConfig(in_dim=12, out_dim=16))})
    problem.run(model)
    assert len(tower.drawn) == len(set(tower.drawn)) == 6 * 5


def test_global_random_state_is_not_used(problem: Any) -> None:
    first, _ = problem.run()
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(99)
        second, _ = problem.run()
    assert problem.equal(first, second)


@pytest.mark.parametrize("error", [None, RuntimeError("stop"), KeyboardInterrupt()])
def test_global_random_state_is_not_changed(problem: Any, error: BaseException | None) -> None:
    def stop(model: ClipModel, row: dict[str, float]) -> None:
        if error is not None and row["epoch"] == 2:
            raise error

    before = torch.random.get_rng_state()
    with contextlib.nullcontext() if error is None else pytest.raises(type(error)):
        problem.run(callbacks=[stop])
    assert torch.equal(before, torch.random.get_rng_state())


def test_progress_bar_counts_pairs(problem: Any, capsys: pytest.CaptureFixture[str]) -> None:
    problem.run(config=replace(problem.config, max_epochs=2))
    assert capsys.readouterr() == ("", "")
    problem.run(config=replace(problem.config, max_epochs=2), progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "320/320" in err  # 2 epochs of 5 batches of 32
    assert "pair/s" in err
    assert "validation=" in err


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_cuda_learns_the_same(problem: Any, precision: Any) -> None:
    config = replace(problem.config, max_epochs=25, precision=precision)
    on_cpu, _ = problem.run(problem.linear(), config=replace(config, precision="32-true"))
    on_gpu, table = problem.run(problem.linear(), config=config, device="cuda")
    assert on_gpu.log_scale.device.type == "cuda"
    assert on_gpu.log_scale.dtype == torch.float32
    assert table["validation_loss"].min() < 0.3
    (_, validation) = problem.feeds()
    cpu, gpu = embed_feed(on_cpu, validation), embed_feed(on_gpu, validation.to("cuda"))
    close = F.cosine_similarity(cpu["dna"], gpu["dna"].cpu()).min()
    assert close > (0.999 if precision == "32-true" else 0.9)


@pytest.mark.gpu
def test_cuda_random_state_is_not_changed(problem: Any) -> None:
    before = torch.cuda.get_rng_state()
    problem.run(device="cuda")
    assert torch.equal(before, torch.cuda.get_rng_state())
