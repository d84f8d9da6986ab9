"""Laws that losses, indices and stacks keep whatever they are given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dnaclip.models import VectorIndex, clip_loss, load_folder, save_folder, siglip_loss
from dnaclip.models._losses import clip as clip_module
from dnaclip.models._losses import siglip as siglip_module
from dnaclip.models._losses import tiles
from dnaclip.models._perturbation.evidence import Evidence, beyond_noise

if TYPE_CHECKING:
    from collections.abc import Callable

SEEDS = st.integers(0, 2**32 - 1)
QUICK = settings(max_examples=40)


def siglip(dna: torch.Tensor, text: torch.Tensor, scale: float, *, same: torch.Tensor | None = None) -> torch.Tensor:
    return siglip_loss(dna, text, scale, -2.0, same=same)


LOSSES: st.SearchStrategy[Any] = st.sampled_from([clip_loss, siglip])


def sides(seed: int, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    dna, text = rng.normal(size=(2, n, 5))
    return tuple(torch.tensor(x / np.linalg.norm(x, axis=1, keepdims=True)) for x in (dna, text))  # type: ignore[return-value]


@QUICK
@given(SEEDS, st.integers(2, 25), st.floats(0, 30), LOSSES)
def test_a_loss_is_the_same_from_both_sides_and_in_any_order(
    seed: int, n: int, t: float, loss: Callable[..., torch.Tensor]
) -> None:
    dna, text = sides(seed, n)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(n))
    expected = loss(dna, text, t).item()
    assert loss(text, dna, t).item() == pytest.approx(expected, abs=1e-10)
    assert loss(dna[order], text[order], t).item() == pytest.approx(expected, abs=1e-10)


@QUICK
@given(SEEDS, st.integers(2, 40), st.integers(1, 45), LOSSES)
def test_tiles_of_any_size_equal_the_whole(seed: int, n: int, tile: int, loss: Callable[..., torch.Tensor]) -> None:
    dna, text = sides(seed, n)
    same = torch.from_numpy(np.random.default_rng(seed).integers(0, max(1, n // 2), size=n))
    whole = loss(dna, text, 10.0, same=same).item()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "TILE", tile)
        for module in (clip_module, siglip_module):
            patch.setattr(module, "TILED_FROM", 2)
        assert loss(dna, text, 10.0, same=same).item() == pytest.approx(whole, abs=1e-12)


@QUICK
@given(SEEDS, st.integers(1, 60), st.integers(1, 8), st.integers(1, 70))
def test_an_index_returns_each_row_once_the_nearest_first(seed: int, n: int, n_queries: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    base, queries = rng.normal(size=(n, 4)), rng.normal(size=(n_queries, 4))
    rows, similarity = VectorIndex(base).search(queries, k)
    assert rows.shape == (n_queries, min(k, n))
    assert all(len(set(row)) == len(row) for row in rows.tolist())
    assert (np.diff(similarity, axis=1) <= 1e-6).all()
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (queries, base)]
    best = -np.sort(-(unit[0] @ unit[1].T), axis=1)[:, : min(k, n)]
    np.testing.assert_allclose(similarity, best, atol=1e-5)


@settings(max_examples=15)
@given(
    config=st.dictionaries(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(
            lambda key: key not in ("format", "format_version", "dnaclip_version", "weights_sha256")
        ),
        st.none()
        | st.booleans()
        | st.integers(-(2**53), 2**53)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(codec="utf-8"), max_size=9)
        | st.lists(st.integers(-9, 9), max_size=3),
        max_size=5,
    ),
    shapes=st.lists(st.lists(st.integers(0, 4), max_size=3), min_size=1, max_size=4),
)
def test_any_model_folder_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, config: dict[str, Any], shapes: list[list[int]]
) -> None:
    rng = np.random.default_rng(0)
    tensors = {f"w{i}": rng.normal(size=shape).astype(np.float32) for i, shape in enumerate(shapes)}
    folder = save_folder(tmp_path_factory.mktemp("any") / "model", tensors, config, "any")
    found, again = load_folder(folder)
    assert {key: found[key] for key in config} == config
    for name, value in tensors.items():
        np.testing.assert_array_equal(again[name].numpy(), value)


@QUICK
@given(SEEDS, st.integers(0, 60), st.integers(2, 6))
def test_weights_of_a_stack_are_shares_and_no_worse_than_the_fallback(seed: int, n_rows: int, n_parts: int) -> None:
    rng = np.random.default_rng(seed)
    observed, parts = rng.normal(size=(n_rows, 7)), rng.normal(size=(n_parts, n_rows, 7))
    evidence, fallback = Evidence.of(observed, parts), np.eye(n_parts)[0]
    weights = evidence.weights(fallback)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1)
    if n_rows:
        # What the fallback would have been is among what was searched, so the error cannot be larger.
        assert evidence.noise(weights).sum() <= evidence.noise(fallback).sum() * (1 + 1e-6)


@QUICK
@given(SEEDS, st.integers(2, 50), st.floats(0.1, 100))
def test_a_gain_and_its_opposite_are_never_both_beyond_noise(seed: int, n: int, scale: float) -> None:
    gains = np.random.default_rng(seed).normal(0.3, 1, size=n)
    assert not (beyond_noise(gains) and beyond_noise(-gains))
    assert beyond_noise(gains) == beyond_noise(scale * gains)
