"""The model in training: two DNA parts, each against the text."""

from __future__ import annotations

import math

import pytest
import torch

from dnaclip.encoders import EVIDENCE
from dnaclip.models import ProjectorConfig, SequenceTextModel, clip_loss

N, K = 8, 3


def make(**options: object) -> SequenceTextModel:
    memory = torch.randn(10, 5, generator=torch.Generator().manual_seed(9))
    return SequenceTextModel(
        ProjectorConfig(in_dim=6, out_dim=4),
        ProjectorConfig(in_dim=5, out_dim=4),
        memory,
        **options,  # type: ignore[arg-type]
    ).eval()


def batch(alone: int = 2) -> dict[str, tuple[torch.Tensor, ...]]:
    """Eight genes, the first of them without relatives."""
    generator = torch.Generator().manual_seed(1)
    neighbours = torch.randint(10, (N, K), generator=generator)
    neighbours[:alone] = -1
    neighbours[alone:, 2] = -1
    evidence = torch.rand(N, K, len(EVIDENCE), generator=generator)
    return {
        "homology": (neighbours, evidence),
        "composition": (torch.randn(N, 6, generator=generator),),
        "text": (torch.randn(N, 5, generator=generator),),
    }


def test_forward_looks_at_the_texts_of_relatives() -> None:
    model, data = make(), batch()
    out = model(data)
    neighbours, evidence = data["homology"]
    # All of the memory through the text projector, then rows of it: no unique, no inverse.
    values = model.text(model.memory)[neighbours.clamp_min(0)]
    torch.testing.assert_close(out["homology"], model.attention(values, evidence, neighbours >= 0))
    torch.testing.assert_close(out["composition"], model.composition(*data["composition"]))
    torch.testing.assert_close(out["text"], model.text(*data["text"]))
    assert out["homology"].norm(dim=1).tolist() == pytest.approx([0, 0, 1, 1, 1, 1, 1, 1])


def test_loss_leaves_genes_without_relatives_out_of_homology() -> None:
    model = make(logit_scale=7.0)
    model.composition_log_scale.data.fill_(math.log(3.0))
    out = model(batch(alone=2))
    same = torch.tensor([0, 1, 2, 2, 3, 4, 5, 6])
    expected = clip_loss(out["composition"], out["text"], 3.0, same=same)
    expected = expected + clip_loss(out["homology"][2:], out["text"][2:], 7.0, same=same[2:])
    torch.testing.assert_close(model.loss(out, same=same), expected)
    assert model.loss(out) > expected


@pytest.mark.parametrize("alone", [N - 1, N])
def test_loss_without_two_genes_with_relatives_is_that_of_composition(alone: int) -> None:
    model = make()
    out = model(batch(alone))
    torch.testing.assert_close(model.loss(out), clip_loss(out["composition"], out["text"], 20.0))


def test_every_weight_is_learned() -> None:
    model = make()
    model.loss(model(batch())).backward()
    without = [name for name, weight in model.named_parameters() if weight.grad is None]
    assert without == []


def test_the_memory_is_no_weight_and_moves_with_the_model() -> None:
    model = make()
    assert "memory" not in model.state_dict()
    assert not any("memory" in name for name, _ in model.named_parameters())
    assert model.to(torch.float64).memory.dtype == torch.float64


def test_both_scales_are_clamped() -> None:
    model = make()
    model.log_scale.data.fill_(10.0)
    model.composition_log_scale.data.fill_(11.0)
    model.clamp_scale()
    assert model.logit_scale.item() == pytest.approx(100)
    assert model.composition_log_scale.exp().item() == pytest.approx(100)


def test_seed_decides_the_weights() -> None:
    one, again, other = (torch.cat([p.flatten() for p in make(seed=s).parameters()]) for s in (4, 4, 5))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert make().modalities == ("homology", "composition", "text")
