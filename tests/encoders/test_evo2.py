"""Evo 2 through a stand-in with the calls of its package."""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np
import pytest
import torch

from dnaclip._errors import InputError, MissingDependencyError
from dnaclip.encoders import Evo2Encoder

LAYER = "blocks.28.mlp.l3"


class Tokenizer:
    def tokenize(self, text: str) -> list[int]:
        return list(text.encode())


class Evo2:
    """Hidden state of a base: a table's row of it plus that of the base before it, so that the model is causal."""

    def __init__(self, name: str) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.model = torch.nn.Embedding(256, 16, dtype=torch.bfloat16)
        self.tokenizer = Tokenizer()
        self.name, self.seen = name, list[str]()

    def __call__(self, ids: torch.Tensor, *, return_embeddings: bool, layer_names: list[str]) -> Any:
        assert ids.dtype == torch.int
        assert ids.shape[0] == 1
        assert return_embeddings
        self.seen.append(bytes(ids[0].tolist()).decode())
        hidden = self.model(ids.long())
        hidden[:, 1:] += hidden[:, :-1].clone()
        return (None, None), {name: hidden for name in layer_names if name == LAYER}


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("evo2")
    module.Evo2 = Evo2  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "evo2", module)


@pytest.mark.usefixtures("package")
def test_mean_over_bases_in_pieces() -> None:
    encoder = Evo2Encoder("evo2_7b", piece_length=8)
    assert encoder.dimension == 16
    model = encoder._model
    model.seen.clear()
    vectors = encoder.encode(["acgtacgtacgt", "ACGTACGTACGT", "AC"])
    assert vectors.shape == (3, 16)
    assert vectors.dtype == np.float32
    assert model.seen == ["GTACGT", "ACGTAC", "AC"]  # pieces of like length, the longest first
    parts = [model(torch.tensor([list(text)], dtype=torch.int), return_embeddings=True, layer_names=[LAYER])[1][LAYER]
             for text in (b"ACGTAC", b"GTACGT")]  # fmt: skip
    expected = torch.cat([part[0].float() for part in parts]).mean(0).detach().numpy()
    np.testing.assert_allclose(vectors[0], expected, atol=1e-6)
    np.testing.assert_array_equal(vectors[0], vectors[1])


@pytest.mark.usefixtures("package")
def test_refuses_other_layers_and_strings() -> None:
    with pytest.raises(InputError, match="no layer 'blocks.99'"):
        Evo2Encoder("evo2_7b", layer="blocks.99").encode(["ACGT"])
    with pytest.raises(InputError, match="blank or not a string"):
        Evo2Encoder("evo2_7b").check([""])
    assert Evo2Encoder("evo2_7b").encode([]).shape == (0, 16)


def test_takes_a_loaded_model_too() -> None:
    assert Evo2Encoder(Evo2("x")).encode(["ACGT"]).shape == (1, 16)
    assert repr(Evo2Encoder(Evo2("x"))) == f"Evo2Encoder('Evo2', layer='{LAYER}')"


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "evo2", None)
    with pytest.raises(MissingDependencyError, match="pip install evo2"):
        Evo2Encoder("evo2_7b")
