"""Each term of the loss is what its definition says."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import sparse
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from dnaclip.models._perturbation.cell_batch import CellBatch
from dnaclip.models._perturbation.loss import (
    adversarial_vectors,
    gaussian_kl,
    gram_matrix,
    linear_squared_error,
    mutual_information,
    reverse_gradient,
)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def cells(density: float) -> tuple[torch.Tensor, CellBatch]:
    x = random(20, 50).abs() * (
        random(20, 50, seed=1) > torch.distributions.Normal(0, 1).icdf(torch.tensor(1 - density))
    )
    return x, CellBatch(sparse.csr_array(x.numpy()), torch.device("cpu"))


@pytest.mark.parametrize("density", [0.05, 0.6])
def test_squared_error_of_a_linear_layer(density: float) -> None:
    x, batch = cells(density)
    leaves = [random(20, 6, seed=2), random(50, 6, seed=3), random(50, 2, seed=4)]
    hidden, weight, offsets = (leaf.requires_grad_() for leaf in leaves)
    of_offset = torch.eye(2)[torch.arange(20) % 3 // 2]
    loss = 3 * linear_squared_error(hidden, weight, offsets, of_offset, batch)
    found = [loss, *torch.autograd.grad(loss, (hidden, weight, offsets))]
    loss = 3 * (hidden @ weight.T + of_offset @ offsets.T - x).square().sum() / 2
    expected = [loss, *torch.autograd.grad(loss, (hidden, weight, offsets))]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("width", [1, 6, 7])
def test_gram_matrix(width: int) -> None:
    weight = random(9, width)
    torch.testing.assert_close(gram_matrix(weight), weight.T @ weight)


def test_kl_is_that_of_torch() -> None:
    mean, log_variance = random(5, 3), random(5, 3, seed=1)
    of = Independent(Normal(mean, (log_variance / 2).exp()), 1)
    standard = Independent(Normal(torch.zeros(3), torch.ones(3)), 1)
    torch.testing.assert_close(gaussian_kl(mean, log_variance), kl_divergence(of, standard).sum())


def test_mutual_information_of_a_gaussian_pair() -> None:
    # With the true log density ratio as statistic the bound is tight: -log(1 - r^2) / 2.
    r, n = 0.8, 200_000
    pair = MultivariateNormal(torch.zeros(2), torch.tensor([[1.0, r], [r, 1.0]]))
    alone = MultivariateNormal(torch.zeros(2), torch.eye(2))
    noise = random(n, 2)
    joint = torch.stack([noise[:, 0], r * noise[:, 0] + math.sqrt(1 - r**2) * noise[:, 1]], dim=1)
    statistic = lambda values: pair.log_prob(values) - alone.log_prob(values)
    bound = mutual_information(statistic(joint), statistic(random(n, 2, seed=1)), n)
    assert bound.item() == pytest.approx(-math.log(1 - r**2) / 2, abs=0.02)


def test_reversed_gradient() -> None:
    values = torch.tensor([1.0, 2.0], requires_grad=True)
    out = reverse_gradient(values, 5.0)
    assert torch.equal(out, values)
    out.square().sum().backward()
    assert values.grad is not None
    assert values.grad.tolist() == [-10.0, -20.0]


def test_adversarial_step_raises_the_loss_and_has_its_length() -> None:
    vectors, goal = random(4, 9), random(4, 9, seed=1)
    vectors[2] = 0
    loss = lambda moved: (moved - goal).square().sum(1)
    moved = adversarial_vectors(vectors, 2 * (vectors - goal), 0.01)
    lengths = (moved - vectors).norm(dim=1)
    torch.testing.assert_close(lengths, 0.01 * 3 * vectors.norm(dim=1), rtol=1e-3, atol=1e-7)
    assert torch.equal(moved[2], vectors[2])  # the control stays the control
    others = [0, 1, 3]
    assert bool((loss(moved) > loss(vectors))[others].all())
