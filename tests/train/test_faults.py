"""What cannot be trained is refused before, what breaks on the way is explained."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from dnaclip._errors import DnaclipError, InputError, TrainingError
from dnaclip.models import ClipModel, Projector, ProjectorConfig
from dnaclip.train import Feed

if TYPE_CHECKING:
    from pathlib import Path


class BreaksOn(nn.Module):
    """A tower that does something bad from the `n`-th training batch on."""

    def __init__(self, n: int, what: Any) -> None:
        super().__init__()
        self.projector = Projector(ProjectorConfig(in_dim=20, out_dim=16))
        self.n, self.what, self.calls = n, what, 0

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        out = self.projector(features)
        self.calls += self.training
        return self.what(out) if self.training and self.calls >= self.n else out


def model_with(tower: nn.Module) -> ClipModel:
    return ClipModel({"dna": tower, "text": Projector(ProjectorConfig(in_dim=12, out_dim=16), seed=1)})


def fill(value: float) -> Any:
    return lambda out: out * value


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_broken_loss_stops_at_its_step(problem: Any, tmp_path: Path, value: float) -> None:
    # An epoch has 5 steps, so the twelfth batch is step 2 of epoch 3.
    seen: list[dict[str, torch.Tensor]] = []
    model = model_with(BreaksOn(12, fill(value)))
    with pytest.raises(TrainingError) as caught:
        problem.run(
            model,
            checkpoint=tmp_path / "c.safetensors",
            callbacks=[lambda model, row: seen.append(problem.weights(model))],
        )
    message = str(caught.value)
    assert "the loss of epoch 3, step 2 of 5 is nan. The batch held the rows " in message
    assert "and 27 more. All weights are finite, so look at what the towers make of these inputs." in message
    assert "The logit scale was 1" in message
    assert message.endswith("The model has the weights of epoch 2, the best so far.")
    assert len(seen) == 3
    assert all(torch.equal(value, seen[2][name]) for name, value in model.state_dict().items())
    # The checkpoint is that of the last good epoch, and a mended run goes on from it.
    mended, table = problem.run(
        model_with(BreaksOn(10**9, fill(1))), checkpoint=tmp_path / "c.safetensors", resume=True
    )
    whole, expected = problem.run(model_with(BreaksOn(10**9, fill(1))))
    assert table.equals(expected)
    assert problem.equal(mended, whole)


def test_broken_gradient_is_traced_to_the_weights(problem: Any) -> None:
    class InfiniteSlope(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
            return grads[0] * float("inf")

    model = model_with(BreaksOn(7, InfiniteSlope.apply))
    with pytest.raises(TrainingError, match=r"the loss of epoch 2, step 3 of 5 is nan") as caught:
        problem.run(model)
    message = str(caught.value)
    assert "The weights 'log_scale'" in message or "The weights 'towers.dna.projector.layers.0.weight'" in message
    assert "an earlier step was too large: try a lower lr, a longer warmup_epochs or a smaller grad_clip." in message
    assert all(bool(value.isfinite().all()) for value in model.state_dict().values())


def test_broken_validation(problem: Any) -> None:
    class NanInEvaluation(Projector):
        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return super().forward(features) * (1.0 if self.training else float("nan"))

    model = model_with(NanInEvaluation(ProjectorConfig(in_dim=20, out_dim=16)))
    before = problem.weights(model)
    with pytest.raises(TrainingError, match="the validation loss after epoch 0 is nan. All weights are finite"):
        problem.run(model)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_full_memory_says_what_to_lower(problem: Any) -> None:
    def full(out: torch.Tensor) -> torch.Tensor:
        msg = "CUDA out of memory."
        raise torch.OutOfMemoryError(msg)

    with pytest.raises(
        TrainingError, match="The memory of cpu is full in epoch 2 with batch_size=32 and validation_block=4096"
    ):
        problem.run(model_with(BreaksOn(7, full)))


def test_training_error_is_one_of_ours() -> None:
    assert issubclass(TrainingError, DnaclipError)


def test_interrupt_leaves_the_best_weights(problem: Any) -> None:
    def stop(model: ClipModel, row: dict[str, float]) -> None:
        seen.append(problem.weights(model))
        if row["epoch"] == 3:
            raise KeyboardInterrupt

    seen: list[dict[str, torch.Tensor]] = []
    model = problem.model()
    with pytest.raises(KeyboardInterrupt):
        problem.run(model, callbacks=[stop])
    assert all(torch.equal(value, seen[2][name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("config", "options", "message"),
    [
        ({"batch_size": 181}, {}, "batch_size=181 is more than the 180 training pairs. Use at most 180."),
        ({"precision": "bf16-mixed"}, {}, "precision='bf16-mixed' needs a CUDA device, and this run is on cpu. Use"),
        ({}, {"resume": True}, "resume=True needs the file to go on from: give checkpoint."),
        ({}, {"device": "tpu"}, "device='tpu' is not known"),
    ],
)
def test_refused_before_anything_happens(problem: Any, config: dict, options: dict, message: str) -> None:
    model = problem.model()
    before = problem.weights(model)
    with pytest.raises(InputError, match=message):
        problem.run(model, config=replace(problem.config, **config), **options)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_batch_of_the_whole_set_is_fine(problem: Any) -> None:
    _, table = problem.run(config=replace(problem.config, batch_size=180, max_epochs=2))
    assert len(table) == 3


def test_no_folder_for_the_checkpoint(problem: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no folder .*nowhere' for the checkpoint. Make it first."):
        problem.run(checkpoint=tmp_path / "nowhere" / "c.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_train(problem: Any) -> None:
    with pytest.raises(InputError, match="No parameter of the model can be trained"):
        problem.run(problem.model().requires_grad_(requires_grad=False))


@pytest.mark.parametrize("where", ["train", "validation", "both", "neither"])
def test_modalities_must_agree(problem: Any, where: str) -> None:
    data = problem.data()
    other = {"dna": data["dna"], "protein": data["text"]}
    train = Feed(other if where in ("train", "both") else data)
    validation = Feed(other if where in ("validation", "both") else data)
    if where == "neither":
        train = validation = Feed({"dna": data["dna"]})
    with pytest.raises(InputError, match=r"The model has towers for \['dna', 'text'\].*name the same modalities"):
        problem.run(feeds=(train, validation))
