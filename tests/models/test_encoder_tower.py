"""A tower with an encoder in it: what it reads, what of it is trained, and adapters that come and go."""

from __future__ import annotations

import contextlib
import copy
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch import nn

from dnaclip.encoders import CompositionEncoder, HyenaDna, HyenaDnaConfig, HyenaDnaEncoder, load_hyenadna, save_hyenadna
from dnaclip.errors import InputError, MissingDependencyError
from dnaclip.models import EncoderTower, Projector, ProjectorConfig, merge_lora

if TYPE_CHECKING:
    from pathlib import Path

SEQUENCES = ["ACGTTGCAACGT", "TTTTTTT", "GATTACAGATTACAGATTACA"]


@pytest.fixture(scope="module", autouse=True)
def _slow_imports() -> None:
    # No test's own time; the tests skip what is not there.
    with contextlib.suppress(ImportError):
        _ = import_module("transformers").BertModel
    with contextlib.suppress(ImportError):
        import_module("peft")


def hyenadna() -> HyenaDna:
    return HyenaDna(HyenaDnaConfig(d_model=8, n_layer=2, l_max=64))


def projector(width: int = 8) -> Projector:
    return Projector(ProjectorConfig(in_dim=width, out_dim=4))


def bert(**options: Any) -> Any:
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    options = {**sizes, **dropout, "vocab_size": 12, "max_position_embeddings": 32, "pad_token_id": 0, **options}
    config = transformers.BertConfig(**options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return transformers.BertModel(config).eval()


def stir(module: nn.Module) -> None:
    """Give adapters weights as if they had been trained: at first they add nothing."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, weight in module.named_parameters():
            if ".lora_B." in name:
                weight.copy_(torch.randn(weight.shape, generator=generator))


def trained(module: nn.Module) -> set[str]:
    return {name for name, weight in module.named_parameters() if weight.requires_grad}


def test_vectors_are_those_of_the_encoder() -> None:
    encoder = hyenadna()
    tokens = encoder.tokenize(SEQUENCES)
    expected = HyenaDnaEncoder(encoder, device="cpu").encode(SEQUENCES)
    np.testing.assert_allclose(EncoderTower(encoder, projector()).encode(tokens).numpy(), expected, atol=1e-5)


def test_tokens_are_cut_and_padded() -> None:
    encoder = hyenadna()
    assert encoder.tokenize(["acgtN", "T"], length=4).tolist() == [[7, 8, 9, 10], [10, 4, 4, 4]]
    assert encoder.tokenize(["A" * 100]).shape == (1, 64)
    with pytest.raises(InputError, match="length=65: this model reads 1 to 64 tokens"):
        encoder.tokenize(SEQUENCES, length=65)
    with pytest.raises(InputError, match="Sequence 1 does not look like DNA"):
        encoder.tokenize(["ACGT", "MKVLEE"])


def test_padding_and_special_tokens_do_not_enter_the_mean() -> None:
    encoder = bert()
    tower = EncoderTower(encoder, projector(), special_tokens=(1, 2))
    short = torch.tensor([[1, 5, 6, 7, 2]])
    long = torch.tensor([[1, 5, 6, 7, 2, 0, 0]])
    with torch.no_grad():
        expected = encoder(input_ids=short).last_hidden_state[:, 1:4].mean(1)
    torch.testing.assert_close(tower.encode(short), expected)
    torch.testing.assert_close(tower.encode(long), expected)
    assert tower(long.to(torch.uint8)).shape == (1, 4)


def test_any_module_of_tokens_and_mask() -> None:
    class Counts(nn.Module):
        def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return nn.functional.one_hot(tokens * mask, 8).float().sum(1)

    tower = EncoderTower(Counts(), projector(), padding=7)
    assert tower.encode(torch.tensor([[1, 1, 7]])).tolist() == [[1, 2, 0, 0, 0, 0, 0, 0]]
    with pytest.raises(InputError, match=r"Counts does not say which token fills up short rows: give padding="):
        EncoderTower(Counts(), projector())


def test_output_that_fits_no_tokens() -> None:
    class Halved(nn.Module):
        def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(tokens), tokens.shape[1] // 2, 8)

    with pytest.raises(InputError, match=r"must give \(n, length, d\) or \(n, d\) for \(1, 4\), got \(1, 2, 8\)"):
        EncoderTower(Halved(), projector(), padding=0)(torch.ones(1, 4, dtype=torch.long))


def test_frozen_means_no_gradient_and_no_dropout() -> None:
    tower = EncoderTower(bert(hidden_dropout_prob=0.5), projector()).train()
    tokens = torch.tensor([[1, 5, 6, 7]])
    assert tower.is_frozen
    assert not tower.encoder.training
    assert tower.projector.training
    assert not tower.encode(tokens).requires_grad
    assert torch.equal(tower.encode(tokens), tower.encode(tokens))
    tower(tokens).sum().backward()
    assert all(weight.grad is None for weight in tower.encoder.parameters())
    assert all(weight.grad is not None for weight in tower.projector.parameters())


def test_full_trains_what_makes_the_hidden_states() -> None:
    encoder = bert(hidden_dropout_prob=0.5)
    tower = EncoderTower(encoder, projector(), fine_tune="full").train()
    assert trained(encoder) == {name for name, _ in encoder.named_parameters() if not name.startswith("pooler.")}
    tokens = torch.tensor([[1, 5, 6, 7]])
    with torch.random.fork_rng(devices=[]):
        assert not torch.equal(tower.encode(tokens), tower.encode(tokens))
        tower(tokens).sum().backward()
    assert all(weight.grad is not None for weight in encoder.parameters() if weight.requires_grad)


@pytest.mark.parametrize("make", [hyenadna, bert])
@pytest.mark.parametrize("fine_tune", ["lora", "full"])
def test_every_weight_that_is_trained_gets_a_gradient(make: Any, fine_tune: Any) -> None:
    if fine_tune == "lora":
        pytest.importorskip("peft")
    tower = EncoderTower(make(), projector(), fine_tune=fine_tune)
    stir(tower)
    tower(torch.tensor([[7, 8, 9, 10], [8, 9, 7, 7]]))[:, 0].sum().backward()
    without = [name for name, weight in tower.named_parameters() if weight.requires_grad and weight.grad is None]
    assert without == []
    assert any(weight.grad.abs().max() > 0 for weight in tower.encoder.parameters() if weight.grad is not None)


def test_gradient_checkpointing_changes_no_gradient() -> None:
    found = []
    for saving in (False, True):
        encoder = hyenadna()
        encoder.gradient_checkpointing = saving
        tower = EncoderTower(encoder, projector(), fine_tune="full")
        tower(torch.tensor([[7, 8, 9, 10]]))[:, 0].sum().backward()
        found.append({name: one.grad for name, one in tower.named_parameters() if one.grad is not None})
    assert found[0].keys() == found[1].keys()
    for name, one in found[0].items():
        torch.testing.assert_close(found[1][name], one)


class TestLora:
    """Adapters by peft."""

    @pytest.fixture(autouse=True)
    def _peft(self) -> None:
        pytest.importorskip("peft")

    @pytest.mark.parametrize("make", [hyenadna, bert])
    def test_starts_as_the_encoder_and_trains_adapters_alone(self, make: Any) -> None:
        tokens = torch.tensor([[7, 8, 9, 10], [8, 9, 7, 7]])
        before = EncoderTower(make(), projector()).encode(tokens)
        tower = EncoderTower(make(), projector(), fine_tune="lora")
        torch.testing.assert_close(tower.encode(tokens), before)
        assert trained(tower.encoder)
        assert all(".lora_" in name and "pooler" not in name for name in trained(tower.encoder))

    def test_targets_rank_and_scale(self) -> None:
        tower = EncoderTower(hyenadna(), projector(), fine_tune="lora", target_modules=["1.fc2"], lora_rank=3)
        assert trained(tower.encoder) == {f"layers.1.fc2.lora_{side}.default.weight" for side in "AB"}
        layer: Any = tower.encoder.get_submodule("layers.1.fc2")
        assert layer.lora_A["default"].weight.shape == (3, 32)
        assert layer.scaling["default"] == pytest.approx(16 / 3)
        targets = {name.split(".")[-4] for name in trained(EncoderTower(hyenadna(), projector(), fine_tune="lora"))}
        assert targets >= {"in_proj", "out_proj", "fc1", "fc2"}

    def test_seed_draws_the_adapters(self) -> None:
        def drawn(seed: int) -> torch.Tensor:
            encoder = EncoderTower(hyenadna(), projector(), fine_tune="lora", seed=seed).encoder
            return encoder.get_parameter("layers.0.fc1.lora_A.default.weight")

        assert torch.equal(drawn(0), drawn(0))
        assert not torch.equal(drawn(0), drawn(1))

    @pytest.mark.parametrize("make", [hyenadna, bert])
    def test_merged_is_a_plain_encoder_that_gives_the_same(self, make: Any) -> None:
        tower = EncoderTower(make(), projector(), fine_tune="lora")
        names, plain = set(make().state_dict()), EncoderTower(make(), projector())
        stir(tower)
        tokens = torch.tensor([[7, 8, 9, 10], [8, 9, 7, 7]])
        expected = tower(tokens).detach()
        assert not torch.allclose(expected, plain(tokens), atol=1e-2)
        assert merge_lora(tower) is tower
        torch.testing.assert_close(tower(tokens), expected, rtol=1e-4, atol=1e-5)
        assert set(tower.encoder.state_dict()) == names
        assert not any(type(one).__module__.startswith("peft") for one in tower.modules())
        assert tower.is_frozen
        assert not tower.train().encoder.training
        again = copy.deepcopy(merge_lora(tower))  # nothing left to merge
        assert torch.equal(again(tokens), tower(tokens))

    def test_merged_encoder_is_loaded_without_peft(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        encoder = hyenadna()
        tower = EncoderTower(encoder, projector(), fine_tune="lora")
        stir(tower)
        save_hyenadna(merge_lora(encoder), tmp_path / "model.safetensors")
        monkeypatch.setitem(sys.modules, "peft", None)
        expected = HyenaDnaEncoder(load_hyenadna(tmp_path / "model.safetensors"), device="cpu").encode(SEQUENCES)
        torch.testing.assert_close(
            torch.from_numpy(expected), tower.encode(hyenadna().tokenize(SEQUENCES)), rtol=1e-4, atol=1e-5
        )

    def test_adapters_can_be_added_again_after_merging_alone(self) -> None:
        tower = EncoderTower(hyenadna(), projector(), fine_tune="lora")
        with pytest.raises(InputError, match=r"has adapters already\. Merge them first: dnaclip\.models\.merge_lora"):
            EncoderTower(tower.encoder, projector(), fine_tune="lora")
        again = EncoderTower(merge_lora(tower.encoder), projector(), fine_tune="lora")
        assert not again.is_frozen

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"target_modules": ["query"]}, "'query': LoRA goes beside linear layers.*called 'in_proj', 'out_proj'"),
            ({"target_modules": []}, "none given, or none there"),
            ({"target_modules": "fc1"}, r"is one string\. Give a list of names: \['fc1'\]"),
            ({"lora_rank": 0}, "lora_rank"),
            ({"lora_alpha": 0.0}, "lora_alpha=0.0 is what adapters are multiplied by"),
        ],
    )
    def test_options_that_cannot_be(self, options: Any, message: str) -> None:
        encoder = hyenadna()
        with pytest.raises(InputError, match=message):
            EncoderTower(encoder, projector(), fine_tune="lora", **options)
        assert set(encoder.state_dict()) == set(hyenadna().state_dict())


def test_without_peft(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingDependencyError, match=r"fine_tune='lora' needs the package 'peft'.*dnaclip\[finetune\]"):
        EncoderTower(hyenadna(), projector(), fine_tune="lora")
    with pytest.raises(MissingDependencyError, match=r"merge_lora needs the package 'peft'"):
        merge_lora(hyenadna())
    assert not EncoderTower(hyenadna(), projector(), fine_tune="full").is_frozen


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EncoderTower(CompositionEncoder(), projector()), "CompositionEncoder and not a torch module"),  # type: ignore[arg-type]
        (lambda: EncoderTower(hyenadna(), projector(), fine_tune="half"), "fine_tune='half' is not known"),  # type: ignore[arg-type]
        (lambda: EncoderTower(hyenadna(), projector(9)), r"gives 8 features and the projector takes 9: .*in_dim=8"),
        (lambda: EncoderTower(bert(), projector(9)), r"gives 8 features and the projector takes 9"),
        (lambda: EncoderTower(hyenadna(), projector())(torch.ones(2, 8)), r"whole numbers.*float32 of shape \(2, 8\)"),
    ],
)
def test_what_does_not_fit(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_a_row_without_a_token_has_no_nan() -> None:
    tower = EncoderTower(hyenadna(), projector())
    assert tower.encode(torch.full((1, 3), 4)).tolist() == [[0.0] * 8]
