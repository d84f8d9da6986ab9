"""Training with an encoder inside a tower: what changes, at which rate, in parts, and after an interruption."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import safetensors
import torch

from dnaclip.encoders import HyenaDna, HyenaDnaConfig
from dnaclip.errors import InputError
from dnaclip.models import ClipModel, EncoderTower, Projector, ProjectorConfig, merge_lora
from dnaclip.train import Feed, TrainConfig, embed_feed, train_clip

if TYPE_CHECKING:
    from pathlib import Path

N, N_TRAIN = 96, 64
CONFIG = TrainConfig(batch_size=16, max_epochs=3, lr=0.03, encoder_lr=0.01, warmup_epochs=0.25, patience=None)


@pytest.fixture(scope="module", autouse=True)
def _slow_imports() -> None:
    # No test's own time; the tests skip what is not there.
    with contextlib.suppress(ImportError):
        import_module("peft")


def sequences() -> list[str]:
    """Genes of which each has its own share of each base."""
    rng = np.random.default_rng(0)
    return ["".join(rng.choice(list("ACGT"), rng.integers(12, 24), p=rng.dirichlet([0.5] * 4))) for _ in range(N)]


def hyenadna() -> HyenaDna:
    return HyenaDna(HyenaDnaConfig(d_model=8, n_layer=2, l_max=32))


def bert() -> Any:
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        vocab_size=12,
        max_position_embeddings=32,
        pad_token_id=4,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return transformers.BertModel(config)


def data() -> dict[str, torch.Tensor]:
    texts = torch.tensor([[one.count(base) / len(one) for base in "ACGT"] for one in sequences()])
    return {"dna": hyenadna().tokenize(sequences()), "text": texts}


def model(fine_tune: Any, *, encoder: Any = None, **options: Any) -> ClipModel:
    if fine_tune == "lora":
        pytest.importorskip("peft")
    projector = Projector(ProjectorConfig(in_dim=8, out_dim=4))
    tower = EncoderTower(encoder or hyenadna(), projector, fine_tune=fine_tune, **options)
    return ClipModel({"dna": tower, "text": Projector(ProjectorConfig(in_dim=4, out_dim=4), seed=1)})


def split(inputs: dict[str, torch.Tensor]) -> tuple[Feed, Feed]:
    return Feed(inputs, rows=range(N_TRAIN)), Feed(inputs, rows=range(N_TRAIN, N))


def run(clip: ClipModel, *, config: TrainConfig = CONFIG, **options: Any) -> pd.DataFrame:
    train, validation = split(data())
    settings: dict[str, Any] = {"device": "cpu", "progress": False} | options
    return train_clip(clip, train, validation, config, **settings).table.drop(columns="pairs_per_second")


def encoder_weights(clip: ClipModel) -> dict[str, torch.Tensor]:
    tower: Any = clip.towers["dna"]
    return {name: value.clone() for name, value in tower.encoder.state_dict().items()}


def changed(before: dict[str, torch.Tensor], clip: ClipModel) -> set[str]:
    after = encoder_weights(clip)
    assert after.keys() == before.keys()
    return {name for name, value in before.items() if not torch.equal(value, after[name])}


def equal(one: ClipModel, other: ClipModel) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.parametrize("make", [hyenadna, bert])
@pytest.mark.parametrize("fine_tune", ["none", "lora", "full"])
def test_training_changes_what_it_may(fine_tune: str, make: Any) -> None:
    clip = model(fine_tune, encoder=make())
    before = encoder_weights(clip)
    table = run(clip)
    assert table["validation_loss"].min() < table["validation_loss"][0]
    assert clip.towers["dna"].is_frozen == (fine_tune == "none")
    found = changed(before, clip)
    trained = {name for name in before if ".lora_" in name} if fine_tune == "lora" else set(before)
    fixed = {
        name for name in before if name.startswith(("positions.", "pooler.")) or name.endswith((".deltas", "_ids"))
    }
    assert found == (set() if fine_tune == "none" else trained - fixed)


def test_fine_tuning_finds_what_a_frozen_encoder_does_not_show() -> None:
    class Blind(torch.nn.Module):
        """Sees no difference between bases, until it learns to."""

        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(12, 8))

        def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return self.weight[tokens]

    frozen, full = (run(model(how, encoder=Blind(), padding=4))["validation_loss"].min() for how in ("none", "full"))
    assert frozen == pytest.approx(np.log(N - N_TRAIN), rel=0.02)  # chance
    assert full < frozen - 0.2


def test_a_frozen_encoder_equals_vectors_made_once() -> None:
    clip = model("none")
    tower: Any = clip.towers["dna"]
    once = {"dna": tower.encode(data()["dna"]), "text": data()["text"]}
    table = run(clip)
    plain = ClipModel(
        {
            name: Projector(ProjectorConfig(in_dim=n, out_dim=4), seed=i)
            for i, (name, n) in enumerate((("dna", 8), ("text", 4)))
        }
    )
    history = train_clip(plain, *split(once), CONFIG, device="cpu", progress=False).table
    pd.testing.assert_frame_equal(table, history.drop(columns="pairs_per_second"), rtol=1e-4)


def test_the_encoder_has_its_own_learning_rate() -> None:
    frozen, slow = model("none"), model("full")
    config = replace(CONFIG, grad_clip=None)  # the norm of all gradients would tie the two together
    tables = [run(frozen, config=config), run(slow, config=replace(config, encoder_lr=1e-9))]
    pd.testing.assert_frame_equal(*tables, rtol=1e-4)  # which also says that the rate of the table is the projectors'
    largest = []
    for encoder_lr in (0.003, None):
        clip = model("full")
        before = encoder_weights(clip)
        run(clip, config=replace(CONFIG, max_epochs=1, encoder_lr=encoder_lr))
        largest.append(max((encoder_weights(clip)[name] - value).abs().max().item() for name, value in before.items()))
    assert largest[0] == largest[1] > 1e-3  # a tenth of 0.03 is the default


@pytest.mark.parametrize("fine_tune", ["none", "lora", "full"])
def test_only_what_is_trained_is_in_the_optimiser(fine_tune: str, tmp_path: Path) -> None:
    clip = model(fine_tune)
    run(clip, config=replace(CONFIG, max_epochs=1), checkpoint=tmp_path / "run.safetensors")
    with safetensors.safe_open(tmp_path / "run.safetensors", framework="pt") as file:
        moments = [name for name in file.keys() if name.endswith(".exp_avg")]  # noqa: SIM118  # not a dictionary
    assert len(moments) == sum(weight.requires_grad for weight in clip.parameters())


@pytest.mark.parametrize(("fine_tune", "micro_batch"), [("none", None), ("lora", None), ("lora", 7), ("full", 7)])
def test_resumed_run_equals_uninterrupted_one(fine_tune: str, micro_batch: int | None, tmp_path: Path) -> None:
    config = replace(CONFIG, micro_batch=micro_batch)
    options: dict[str, Any] = {"checkpoint": tmp_path / "run.safetensors", "config": config}

    def stop(_: Any, row: dict[str, float]) -> None:
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    whole = model(fine_tune, encoder=bert())  # which has dropout
    table = run(whole, config=config)
    with pytest.raises(KeyboardInterrupt):
        run(model(fine_tune, encoder=bert()), callbacks=[stop], **options)
    resumed = model(fine_tune, encoder=bert(), seed=7)
    pd.testing.assert_frame_equal(table, run(resumed, resume=True, **options), check_exact=True)
    assert equal(whole, resumed)


def test_a_checkpoint_of_another_way_of_fine_tuning_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.safetensors"
    run(model("none"), checkpoint=path)
    for fine_tune, message in (("full", "trained encoder weights"), ("lora", "trained encoder weights")):
        with pytest.raises(InputError, match=message):
            run(model(fine_tune), checkpoint=path, resume=True)


@pytest.mark.parametrize("fine_tune", ["lora", "full"])
def test_a_run_in_parts_equals_a_run_as_a_whole(fine_tune: str) -> None:
    whole, parts = model(fine_tune), model(fine_tune)
    tables = [run(whole), run(parts, config=replace(CONFIG, micro_batch=7))]
    pd.testing.assert_frame_equal(*tables, rtol=1e-3)
    for name, one in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[name], one, rtol=1e-2, atol=1e-3)


def test_the_validation_loss_is_that_of_the_merged_model() -> None:
    clip = model("lora")
    table = run(clip)
    embedded = embed_feed(merge_lora(clip), Feed(data(), rows=range(N_TRAIN, N)), batch_size=7)
    assert clip.loss(embedded).item() == pytest.approx(table["validation_loss"].min(), rel=1e-4)


def test_a_rate_that_cannot_be() -> None:
    with pytest.raises(InputError, match="encoder_lr must be a finite number above 0, got 0"):
        TrainConfig(encoder_lr=0)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("fine_tune", ["none", "lora", "full"])
def test_cuda_learns_too(fine_tune: str, precision: Any) -> None:
    clip = model(fine_tune)
    table = run(clip, config=replace(CONFIG, precision=precision), device="cuda")
    expected = run(model(fine_tune))
    assert {weight.device.type for weight in clip.parameters()} == {"cuda"}
    assert {weight.dtype for weight in clip.parameters()} == {torch.float32}
    assert table["validation_loss"].min() == pytest.approx(
        expected["validation_loss"].min(), rel=0.02 if precision == "32-true" else 0.2
    )
    merged = merge_lora(clip).cpu()
    assert embed_feed(merged, Feed(data()))["dna"].isfinite().all()
