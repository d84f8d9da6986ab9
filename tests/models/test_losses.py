"""The losses against NumPy in float64, their gradients against finite differences, tiles against the whole."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dnaclip._errors import InputError, MissingKeyError
from dnaclip.models import LOSSES, clip_loss, multimodal_loss, siglip_loss, similarity_penalty
from dnaclip.models._losses import clip as clip_module
from dnaclip.models._losses import siglip as siglip_module
from dnaclip.models._losses import tiles


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


SIGLIP_GROUPS = [None, [0, 1, 2, 3, 4, 5, 6], [0, 1, 0, 3, 3, 3, 6]]


@pytest.mark.parametrize("groups", SIGLIP_GROUPS)
@pytest.mark.parametrize(("t", "b"), [(0.0, 0.0), (10.0, -10.0), (80.0, 3.0)])
def test_siglip_equals_the_equation(t: float, b: float, groups: list[int] | None) -> None:
    dna, text = unit_rows(7, 5, 0), unit_rows(7, 5, 1)
    total = 0.0
    for i in range(7):
        for j in range(7):
            if i == j or groups is None or groups[i] != groups[j]:
                z = 1 if i == j else -1
                total += math.log1p(math.exp(-z * (t * dna[i] @ text[j] + b)))
    same = None if groups is None else torch.tensor(groups)
    loss = siglip_loss(torch.tensor(dna), torch.tensor(text), t, b, same=same)
    assert loss.item() == pytest.approx(total / 7, rel=1e-12)


def test_siglip_draws_matched_pairs_together() -> None:
    # With the sign as printed in the paper this would be the other way round.
    sides = torch.eye(4)
    assert siglip_loss(sides, sides, 10.0, -5.0) < siglip_loss(sides, sides.roll(1, 0), 10.0, -5.0)


@pytest.mark.parametrize("shape", [(9, 4, 3), (5, 4, 12)])
def test_the_penalty_compares_gram_matrices(shape: tuple[int, int, int]) -> None:
    n, d, p = shape
    s, raw = unit_rows(n, d, 0), np.random.default_rng(1).normal(size=(n, p)) * 7
    x = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    expected = ((s @ s.T - x @ x.T) ** 2).mean()
    embeddings = torch.tensor(s, requires_grad=True)
    assert similarity_penalty(embeddings, torch.tensor(raw)).item() == pytest.approx(expected, abs=1e-12)
    assert torch.autograd.gradcheck(lambda rows: similarity_penalty(rows, torch.tensor(raw)), (embeddings,))
    assert similarity_penalty(torch.tensor(x), torch.tensor(raw)).item() == pytest.approx(0, abs=1e-12)


def tiled(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (clip_module, siglip_module):
        monkeypatch.setattr(module, "TILED_FROM", 2)
    monkeypatch.setattr(tiles, "TILE", 4)


@pytest.mark.parametrize("t", [1.0, 14.3, 100.0])
@pytest.mark.parametrize("groups", [None, [0, 1, 2, 0, 4, 5, 6, 7, 4, 0, 10]])
@pytest.mark.parametrize("name", ["clip", "siglip"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tiles_equal_the_whole(
    name: str, groups: list[int] | None, t: float, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = None if groups is None else torch.tensor(groups)

    def run() -> list[torch.Tensor]:
        leaves = [torch.tensor(unit_rows(11, 6, seed), dtype=dtype, requires_grad=True) for seed in (0, 1)]
        leaves += [torch.tensor(value, dtype=dtype, requires_grad=True) for value in (t, -3.0)]
        loss = siglip_loss(*leaves, same=same) if name == "siglip" else clip_loss(*leaves[:3], same=same)
        used = leaves if name == "siglip" else leaves[:3]
        return [loss, *torch.autograd.grad(loss, used)]

    whole = run()
    tiled(monkeypatch)
    tolerance = 1e-11 if dtype == torch.float64 else 1e-5
    for found, expected in zip(run(), whole, strict=True):
        torch.testing.assert_close(found, expected, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_tiles_equal_the_whole_at_every_size(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(n: int) -> list[torch.Tensor]:
        dna, text = (side[:n].clone().requires_grad_() for side in sides)
        same = groups[:n] if n % 2 else None
        loss = (
            siglip_loss(dna, text, 10.0, -5.0, same=same) if name == "siglip" else clip_loss(dna, text, 20.0, same=same)
        )
        return [loss, *torch.autograd.grad(loss, (dna, text))]

    sides = [torch.tensor(unit_rows(300, 6, seed)) for seed in (0, 1)]
    groups = torch.tensor(np.random.default_rng(2).integers(0, 100, 300))
    whole = [run(n) for n in range(2, 301)]
    tiled(monkeypatch)
    for n, expected in enumerate(whole, 2):
        monkeypatch.setattr(tiles, "TILE", (40, 128, 299)[n % 3])
        for found, one in zip(run(n), expected, strict=True):
            torch.testing.assert_close(found, one, atol=1e-11, rtol=1e-11, msg=f"{n} genes")


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_gradients_of_tiles_are_right(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tiled(monkeypatch)
    leaves = [torch.tensor(unit_rows(6, 3, seed), requires_grad=True) for seed in (0, 1)]
    leaves += [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (5.0, -2.0)]
    same = torch.tensor([0, 1, 0, 3, 4, 4])
    if name == "siglip":
        assert torch.autograd.gradcheck(lambda *args: siglip_loss(*args, same=same), leaves)
    else:
        assert torch.autograd.gradcheck(lambda *args: clip_loss(*args, same=same), leaves[:3])


def test_no_column_is_lost_when_logits_lie_far_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    # Against the largest logit, 100, those of the last column vanish in float32: exp(-200).
    dna = torch.tensor([[1.0, 0.0]] * 5 + [[0.0, 1.0]])
    text = torch.tensor([[1.0, 0.0]] * 5 + [[-1.0, 0.0]])
    whole = clip_loss(dna, text, 100.0)
    tiled(monkeypatch)
    assert clip_loss(dna, text, 100.0).item() == pytest.approx(whole.item(), rel=1e-6)


def test_three_modalities_pair_up_or_meet_at_an_anchor() -> None:
    a, b, c = (torch.tensor(unit_rows(5, 4, seed)) for seed in range(3))
    sides = {"dna": a, "text": b, "protein": c}
    with_text = clip_loss(a, b, 7.0) + clip_loss(b, c, 7.0)
    assert multimodal_loss(sides, 7.0, anchor="text").item() == pytest.approx(with_text.item())
    assert multimodal_loss(sides, 7.0).item() == pytest.approx((with_text + clip_loss(a, c, 7.0)).item())


@pytest.mark.parametrize("loss", ["clip", "siglip"])
def test_genes_that_lack_a_modality_are_left_out_of_its_pairs(loss: str) -> None:
    a, b, c = (torch.tensor(unit_rows(6, 4, seed)) for seed in range(3))
    c[[1, 4]] = 0
    kept = [0, 2, 3, 5]
    same = torch.tensor([0, 1, 2, 0, 4, 5])
    options: dict[str, Any] = {"loss": loss, "bias": -2.0}
    expected = multimodal_loss({"a": a, "b": b}, 7.0, same=same, **options)
    for side in (a, b):
        expected = expected + multimodal_loss({"s": side[kept], "c": c[kept]}, 7.0, same=same[kept], **options)
    found = multimodal_loss({"a": a, "b": b, "c": c}, 7.0, same=same, partial=True, **options)
    assert found.item() == pytest.approx(expected.item())


def test_a_modality_that_no_gene_shares_leaves_nothing_to_learn() -> None:
    a = torch.eye(4, requires_grad=True)
    loss = multimodal_loss({"a": a, "b": torch.zeros(4, 4)}, 7.0, partial=True)
    loss.backward()
    assert loss.item() == 0
    assert a.grad is not None
    assert not a.grad.any()


def test_the_penalised_loss_adds_one_penalty_a_modality() -> None:
    a, b = (torch.tensor(unit_rows(6, 4, seed)) for seed in range(2))
    raw = {"a": torch.tensor(unit_rows(6, 9, 3)), "b": torch.tensor(unit_rows(6, 5, 4))}
    expected = clip_loss(a, b, 7.0) + 0.5 * (similarity_penalty(a, raw["a"]) + similarity_penalty(b, raw["b"]))
    found = multimodal_loss({"a": a, "b": b}, 7.0, loss="penalized_clip", raw=raw, penalty=0.5)
    assert found.item() == pytest.approx(expected.item())


def test_what_a_loss_needs_is_asked_for() -> None:
    sides = {"a": torch.eye(3), "b": torch.eye(3)}
    assert LOSSES == ("clip", "siglip", "penalized_clip")
    with pytest.raises(InputError, match="needs a bias"):
        multimodal_loss(sides, 1.0, loss="siglip")
    with pytest.raises(InputError, match="give these as raw"):
        multimodal_loss(sides, 1.0, loss="penalized_clip")
    with pytest.raises(MissingKeyError, match="'text' is not in the modalities"):
        multimodal_loss(sides, 1.0, anchor="text")
    with pytest.raises(InputError, match="same genes"):
        similarity_penalty(torch.eye(3), torch.eye(4))
    with pytest.raises(InputError, match="two matrices"):
        siglip_loss(torch.eye(3), torch.eye(4), 1.0, 0.0)
