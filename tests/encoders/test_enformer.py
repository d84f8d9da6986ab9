"""Enformer through a stand-in with the calls of its package."""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np
import pytest
import torch

from dnaclip._errors import InputError, MissingDependencyError
from dnaclip.encoders import EnformerEncoder


class Enformer(torch.nn.Module):
    """The states of a bin are the numbers of each token in it: padding, A, C, G, T, others."""

    def __init__(self, n_bins: int = 896) -> None:
        super().__init__()
        self.n_bins = n_bins

    def forward(self, tokens: torch.Tensor, *, return_embeddings: bool) -> Any:
        assert tokens.shape == (1, 196_608)
        assert return_embeddings
        bins = tokens.reshape(1, -1, 128)
        crop = (bins.shape[1] - self.n_bins) // 2
        counts = torch.stack([(bins == token).sum(2) for token in range(-1, 5)], dim=2).float()
        return {"human": None}, counts[:, crop : crop + self.n_bins]


def test_mean_over_the_bins_of_a_sequence() -> None:
    encoder = EnformerEncoder(Enformer(), device="cpu")
    # Each in the middle of the window, whose middle is the edge of two bins.
    vectors = encoder.encode(["acgtn" * 20, "A" * 256, "ACGTN" * 20, "A"])
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors[0], [78, 10, 10, 10, 10, 10])
    np.testing.assert_allclose(vectors[1], [0, 128, 0, 0, 0, 0])
    np.testing.assert_array_equal(vectors[0], vectors[2])
    np.testing.assert_allclose(vectors[3], [127, 1, 0, 0, 0, 0])
    assert encoder.dimension == 6
    assert encoder.encode([]).shape == (0, 6)


def test_bins_weigh_by_their_bases_and_long_sequences_are_cut() -> None:
    encoder = EnformerEncoder(Enformer(), device="cpu")
    # Two pieces of 100,000 bases: 780 bins of 128, and 80 bases in the bin on each side.
    vector = encoder.encode(["A" * 100_000 + "C" * 100_000])[0]
    own = (780 * 128 * 128 + 2 * 80 * 80) / 100_000
    np.testing.assert_allclose(vector[1:3], [own / 2, own / 2], rtol=1e-6)


def test_other_bins_and_strings_are_refused() -> None:
    with pytest.raises(InputError, match=r"shape \(1, 100, 6\) instead of \(1, 896, d\)"):
        EnformerEncoder(Enformer(100), device="cpu").encode(["ACGT"])
    with pytest.raises(InputError, match="blank or not a string"):
        EnformerEncoder(Enformer(), device="cpu").check([" "])


def test_the_package_loads_weights_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "enformer_pytorch", None)
    with pytest.raises(MissingDependencyError, match="pip install enformer-pytorch"):
        EnformerEncoder(device="cpu")
    weights = {"EleutherAI/enformer-official-rough": Enformer()}
    module = types.ModuleType("enformer_pytorch")
    module.from_pretrained = weights.pop  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "enformer_pytorch", module)
    encoder = EnformerEncoder(device="cpu")
    assert not weights
    assert repr(encoder) == "EnformerEncoder('EleutherAI/enformer-official-rough', device='cpu')"
