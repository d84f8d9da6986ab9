"""The loss against NumPy in float64, its gradient against finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dnaclip._errors import InputError
from dnaclip.models import LOSSES, clip_loss, multimodal_loss


def unit_rows(n: int, d: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((n, d))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def oracle(dna: np.ndarray, text: np.ndarray, t: float, same: np.ndarray | None = None) -> float:
    """Write the equation out, one gene after the other."""
    n, total = len(dna), 0.0
    for i in range(n):
        negatives = [j for j in range(n) if j != i and (same is None or same[j] != same[i])]
        positive = math.exp(t * dna[i] @ text[i])
        to_text = sum(math.exp(t * dna[i] @ text[j]) for j in negatives)
        to_dna = sum(math.exp(t * dna[j] @ text[i]) for j in negatives)
        total += math.log(positive / (positive + to_text)) + math.log(positive / (positive + to_dna))
    return -total / (2 * n)


@pytest.mark.parametrize("t", [0.0, 1.0, 14.3, 100.0])
@pytest.mark.parametrize("groups", [None, [0, 1, 2, 3, 4, 5, 6], [0, 1, 0, 3, 3, 3, 6], [5] * 7])
def test_equals_the_equation(t: float, groups: list[int] | None) -> None:
    dna, text = unit_rows(7, 5, 0), unit_rows(7, 5, 1)
    same = None if groups is None else np.array(groups)
    loss = clip_loss(torch.tensor(dna), torch.tensor(text), t, same=None if same is None else torch.tensor(same))
    assert loss.dtype == torch.float64
    assert loss.item() == pytest.approx(oracle(dna, text, t, same), abs=1e-12)


def test_a_higher_scale_rewards_matched_pairs() -> None:
    # A divisor instead of a factor would turn this around.
    sides = torch.eye(4)
    assert clip_loss(sides, sides, 10.0) < clip_loss(sides, sides, 1.0)


def test_all_genes_of_one_group_leave_nothing_to_learn() -> None:
    dna = torch.tensor(unit_rows(6, 4, 0), requires_grad=True)
    loss = clip_loss(dna, torch.tensor(unit_rows(6, 4, 1)), 20.0, same=torch.zeros(6, dtype=torch.long))
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-12)
    assert dna.grad is not None
    assert dna.grad.abs().max() < 1e-12


def test_masking_removes_exactly_the_gradient_of_the_false_negative() -> None:
    # With two genes of one text and no other gene, nothing is left to push apart; with a third, only that one counts.
    text = torch.tensor(unit_rows(3, 4, 1))
    dna = torch.tensor(unit_rows(3, 4, 0), requires_grad=True)
    scale = torch.tensor(5.0, dtype=torch.float64)
    clip_loss(dna, text, scale, same=torch.tensor([0, 0, 1])).backward()
    assert dna.grad is not None
    # The push on gene 0 lies in the plane of its own text and that of gene 2: gene 1's text has no part in it.
    residual = np.linalg.lstsq(text[[0, 2]].numpy().T, dna.grad[0].numpy(), rcond=None)[1]
    assert residual.item() < 1e-20


@pytest.mark.parametrize("same", [None, torch.tensor([0, 1, 1, 2, 0])])
def test_gradient(same: torch.Tensor | None) -> None:
    dna = torch.tensor(unit_rows(5, 3, 0), requires_grad=True)
    text = torch.tensor(unit_rows(5, 3, 1), requires_grad=True)
    scale = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda *args: clip_loss(*args, same=same), (dna, text, scale))


def test_is_symmetric_and_ignores_the_order_of_genes() -> None:
    dna, text = torch.tensor(unit_rows(9, 4, 0)), torch.tensor(unit_rows(9, 4, 1))
    same = torch.tensor([0, 1, 2, 0, 4, 5, 6, 7, 7])
    order = torch.tensor([4, 2, 8, 0, 1, 7, 3, 6, 5])
    expected = clip_loss(dna, text, 10.0, same=same).item()
    assert clip_loss(text, dna, 10.0, same=same).item() == pytest.approx(expected, abs=1e-13)
    assert clip_loss(dna[order], text[order], 10.0, same=same[order]).item() == pytest.approx(expected, abs=1e-13)


def test_stays_in_float32_under_bfloat16() -> None:
    dna, text = (torch.tensor(unit_rows(64, 16, seed), dtype=torch.float32) for seed in (0, 1))
    plain = clip_loss(dna, text, 100.0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = clip_loss(dna, text, 100.0)
        half = clip_loss(dna.bfloat16(), text.bfloat16(), 100.0)
    assert mixed.dtype == half.dtype == torch.float32
    assert torch.equal(plain, mixed)
    assert half.item() == clip_loss(dna.bfloat16().float(), text.bfloat16().float(), 100.0).item()


def test_worst_case_at_the_largest_scale_is_finite() -> None:
    # Every gene at the far side of its own text and on top of the others': logits of -100 and 100.
    text = F.normalize(torch.ones(8, 3), dim=1)
    loss = clip_loss(-text, text, 100.0)
    assert loss.item() == pytest.approx(math.log(8), rel=1e-5)


@pytest.mark.parametrize(
    ("dna", "text"), [((1, 4), (1, 4)), ((0, 4), (0, 4)), ((3, 4), (4, 4)), ((3, 4), (3, 5)), ((4,), (4,))]
)
def test_refuses_shapes_without_a_contrast(dna: tuple[int, ...], text: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"two matrices of one shape \(n, d\) with n of at least 2") as caught:
        clip_loss(torch.zeros(dna), torch.zeros(text), 1.0)
    assert str(dna) in str(caught.value)


@pytest.mark.parametrize(
    "same", [torch.zeros(3), torch.zeros(4, dtype=torch.long), torch.zeros(3, 1, dtype=torch.long)]
)
def test_refuses_groups_that_are_not_one_integer_per_gene(same: torch.Tensor) -> None:
    with pytest.raises(InputError, match=r"one integer group per gene, shape \(3,\)"):
        clip_loss(torch.eye(3), torch.eye(3), 1.0, same=same)


def test_several_modalities_are_summed_over_their_pairs() -> None:
    a, b, c = (torch.tensor(unit_rows(6, 4, seed)) for seed in range(3))
    expected = clip_loss(a, b, 7.0) + clip_loss(a, c, 7.0) + clip_loss(b, c, 7.0)
    assert multimodal_loss({"dna": a, "text": b, "protein": c}, 7.0).item() == pytest.approx(expected.item())
    assert multimodal_loss({"dna": a, "text": b}, 7.0).item() == clip_loss(a, b, 7.0).item()


def test_unknown_loss_or_single_modality() -> None:
    with pytest.raises(InputError, match="loss='cliip' is not known. Use one of: 'clip'"):
        multimodal_loss({"dna": torch.eye(2), "text": torch.eye(2)}, 1.0, loss="cliip")
    with pytest.raises(InputError, match=r"at least two are needed, got \['dna'\]"):
        multimodal_loss({"dna": torch.eye(2)}, 1.0)


def test_a_new_loss_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        LOSSES, "twice", lambda dna, text, scale, *, same=None: 2 * clip_loss(dna, text, scale, same=same)
    )
    sides = {"dna": torch.eye(3), "text": torch.eye(3)}
    assert multimodal_loss(sides, 0.0, loss="twice").item() == pytest.approx(2 * math.log(3))
