"""A small problem that every test of the loop trains on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from dnaclip.models import ClipModel, Projector, ProjectorConfig
from dnaclip.train import Feed, TrainConfig, train_clip

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

N = 240
N_TRAIN = 180


class Problem:
    """Two linear views of one hidden vector per gene, and a short run on them."""

    config = TrainConfig(batch_size=32, max_epochs=6, lr=0.02, warmup_epochs=0.5)

    def data(self) -> dict[str, torch.Tensor]:
        rng = np.random.default_rng(1)
        hidden = rng.standard_normal((N, 8))
        views = {"dna": hidden @ rng.standard_normal((8, 20)), "text": hidden @ rng.standard_normal((8, 12))}
        return {
            name: torch.tensor(view + 0.01 * rng.standard_normal(view.shape), dtype=torch.float32)
            for name, view in views.items()
        }

    def split(self, inputs: dict[str, Any], **options: Any) -> tuple[Feed, Feed]:
        return Feed(inputs, rows=range(N_TRAIN), **options), Feed(inputs, rows=range(N_TRAIN, N), **options)

    def feeds(self, **options: Any) -> tuple[Feed, Feed]:
        return self.split(self.data(), **options)

    def model(
        self, *, hidden: tuple[int, ...] = (24,), dropout: float = 0.2, seed: int = 0, **options: Any
    ) -> ClipModel:
        towers = {
            name: Projector(ProjectorConfig(in_dim=d, out_dim=16, hidden=hidden, dropout=dropout), seed=seed + i)
            for i, (name, d) in enumerate((("dna", 20), ("text", 12)))
        }
        return ClipModel(towers, **options)

    def linear(self, **options: Any) -> ClipModel:
        return self.model(hidden=(), dropout=0.0, **options)

    def run(
        self, model: ClipModel | None = None, *, feeds: tuple[Feed, Feed] | None = None, **options: Any
    ) -> tuple[ClipModel, pd.DataFrame]:
        """Train and return the model and the history, without the speed, which differs between equal runs."""
        model = model or self.model()
        settings: dict[str, Any] = {"config": self.config, "device": "cpu", "progress": False} | options
        train, validation = feeds or self.feeds()
        history = train_clip(model, train, validation, **settings)
        return model, history.table.drop(columns="pairs_per_second", errors="ignore")

    def weights(self, model: ClipModel) -> dict[str, torch.Tensor]:
        return {name: value.clone() for name, value in model.state_dict().items()}

    def equal(self, one: ClipModel, other: ClipModel) -> bool:
        mine, theirs = one.state_dict(), other.state_dict()
        return all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    # These matrices are tiny: on a busy machine a second thread would only be waited for.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _disk_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    # A checkpoint after each of these tiny epochs would make the tests wait for the disk, and measure nothing else.
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def problem() -> Problem:
    return Problem()
