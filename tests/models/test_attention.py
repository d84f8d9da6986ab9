"""Attention over relatives against its formula in NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from dnaclip.encoders import EVIDENCE
from dnaclip.models import NeighbourAttention


def example(n: int = 6, k: int = 5, d: int = 8) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    values = torch.nn.functional.normalize(torch.randn(n, k, d, generator=generator), dim=-1)
    evidence = 3 * torch.rand(n, k, len(EVIDENCE), generator=generator)
    present = torch.arange(k) < torch.tensor([k, k, 3, 2, 1, 0])[:n, None]
    return values, evidence, present


def by_hand(model: NeighbourAttention, values: np.ndarray, evidence: np.ndarray, present: np.ndarray) -> np.ndarray:
    first, last = model.score[0], model.score[2]
    w1, b1, w2, b2 = (p.detach().numpy().astype(float) for layer in (first, last) for p in layer.parameters())
    beta = model.beta.item()
    out = np.zeros((len(values), values.shape[2]))
    for i in range(len(values)):
        there = np.flatnonzero(present[i])
        if not len(there):
            continue
        v, e = values[i, there].astype(float), evidence[i, there].astype(float)
        hidden = e @ w1.T + b1
        gelu = hidden * 0.5 * (1 + np.vectorize(math.erf)(hidden / math.sqrt(2)))
        # Column 0 of the evidence is log(1 + significance) / 2.
        logits = (gelu @ w2.T + b2)[:, 0] + 2 * e[:, 0]
        a = np.exp(logits) / np.exp(logits).sum()
        logits = logits + 4 * beta * (v @ (a @ v) - a)
        a = np.exp(logits) / np.exp(logits).sum()
        out[i] = a @ v / np.linalg.norm(a @ v)
    return out


@pytest.mark.parametrize("beta", [0.0, 1.0, -2.0])
def test_formula(beta: float) -> None:
    model = NeighbourAttention(seed=3)
    torch.nn.init.constant_(model.beta, beta)
    values, evidence, present = example()
    out = model(values, evidence, present).detach().numpy()
    np.testing.assert_allclose(out, by_hand(model, values.numpy(), evidence.numpy(), present.numpy()), atol=1e-5)


def test_rows_have_length_one_and_genes_without_relatives_are_zero() -> None:
    out = NeighbourAttention()(*example())
    assert out.norm(dim=1).tolist() == pytest.approx([1, 1, 1, 1, 1, 0])
    assert NeighbourAttention()(*(tensor[:0] for tensor in example())).shape == (0, 8)


def test_what_is_absent_and_the_order_do_not_matter() -> None:
    model = NeighbourAttention()
    values, evidence, present = example()
    out = model(values, evidence, present)
    filled = torch.where(present[..., None], values, 100.0)
    torch.testing.assert_close(model(filled, torch.where(present[..., None], evidence, 50.0), present), out)
    turned = [tensor.flip(1) for tensor in (values, evidence, present)]
    torch.testing.assert_close(model(*turned), out)


def test_relatives_that_agree_outvote_a_stranger() -> None:
    model = NeighbourAttention()
    values = torch.eye(4)[[0, 0, 1]][None]
    evidence, present = torch.ones(1, 3, len(EVIDENCE)), torch.ones(1, 3, dtype=torch.bool)
    kin, stranger = model(values, evidence, present)[0, :2].tolist()
    torch.nn.init.zeros_(model.beta)
    kin_alone, stranger_alone = model(values, evidence, present)[0, :2].tolist()
    assert kin_alone / stranger_alone == pytest.approx(2)
    assert kin / stranger > 3


def test_seed_decides_the_weights() -> None:
    one, again, other = (NeighbourAttention(seed=seed).get_parameter("score.0.weight") for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_every_weight_is_learned() -> None:
    model = NeighbourAttention()
    out = model(*example())
    (out * torch.linspace(0, 1, out.numel()).reshape(out.shape)).sum().backward()
    without = [
        name
        for name, weight in model.named_parameters()
        if weight.grad is None or not torch.isfinite(weight.grad).all()
    ]
    assert without == []
    # A bias that is the same for all neighbours changes no weight of a softmax; everything else does.
    still = [
        name for name, weight in model.named_parameters() if weight.grad is not None and weight.grad.abs().max() < 1e-7
    ]
    assert set(still) <= {"score.2.bias"}
