"""A DNA encoder that is frozen, fine-tuned by LoRA, or fine-tuned in full: the group `fine-tuning` of ablations.py."""

from __future__ import annotations

import logging
from copy import deepcopy
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from dnaclip.encoders import HyenaDna, HyenaDnaConfig, load_hyenadna
from dnaclip.models import ClipModel, EncoderTower, Projector, ProjectorConfig
from dnaclip.train import Feed, Recipe, TrainConfig, embed_feed, train_clip

if TYPE_CHECKING:
    from pathlib import Path

    from dnaclip.train import PreparedPairs

logger = logging.getLogger(__name__)
# Bases read of each gene, genes to learn from and to stop by, the untrained encoder, the settings.
BASES, N_TRAIN, N_VALIDATION = 512, 1500, 300
UNTRAINED = HyenaDnaConfig(d_model=64, n_layer=2, l_max=BASES + 2)
PROJECTORS = TrainConfig(batch_size=256, max_epochs=60, patience=8, lr=1e-3, weight_decay=0.1)
FINE_TUNING = TrainConfig(batch_size=64, max_epochs=2, lr=3e-4, warmup_epochs=0.3)
ENCODER_LR = {"lora": 1e-3, "full": 3e-4}


class Standardised(torch.nn.Module):
    """A projector of features with mean 0 and standard deviation 1 over training genes: means of hidden states differ little."""

    def __init__(self, features: torch.Tensor, projector: Projector) -> None:
        super().__init__()
        self.register_buffer("mean", features.mean(0))
        self.register_buffer("std", features.std(0) + 1e-6)
        self.projector = projector

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.projector((features - self.mean) / self.std)


class FineTuning:
    """One encoder with one seed: projectors on frozen vectors first, and from there on all that may change.

    The encoder that stays frozen has these further epochs too, so that what differs is the encoder alone.
    """

    def __init__(self, prepared: PreparedPairs, sequences: list[str], weights: Path | None, seed: int) -> None:
        self.prepared, self.seed = prepared, seed
        self.encoder = load_hyenadna(weights) if weights else HyenaDna(UNTRAINED, rng=seed)
        self.tokens = self.encoder.tokenize(sequences, length=BASES)
        self.texts = prepared.texts[prepared.text_of]
        rng = np.random.default_rng(0)
        self.train, self.validation = (
            np.sort(rng.permutation(prepared.rows(part))[:n])
            for part, n in (("train", N_TRAIN), ("validation", N_VALIDATION))
        )

    @cached_property
    def frozen(self) -> ClipModel:
        """Both projectors, trained on vectors that the encoder made once, with the encoder in front of one."""
        recipe, width = Recipe(), self.encoder.config.d_model
        rows = np.concatenate([self.train, self.validation])
        tower = EncoderTower(self.encoder, torch.nn.Identity())
        with torch.no_grad():
            vectors = torch.cat([tower.encode(self.tokens[part]) for part in torch.from_numpy(rows).split(16)])
        dna = ProjectorConfig(in_dim=width, out_dim=recipe.dimension)
        text = ProjectorConfig(
            in_dim=self.texts.shape[1],
            out_dim=recipe.dimension,
            hidden=recipe.text_hidden,
            dropout=recipe.text_dropout,
        )
        projector = Standardised(vectors[: len(self.train)], Projector(dna, seed=2 * self.seed))
        model = ClipModel(
            {"DNA": projector, "text": Projector(text, seed=2 * self.seed + 1)}, logit_scale=recipe.logit_scale
        )
        inputs, same = {"DNA": vectors, "text": self.texts[rows]}, self.prepared.text_of[rows]
        feeds = (Feed(inputs, rows=part, same=same) for part in np.split(np.arange(len(rows)), [len(self.train)]))
        train_clip(model, *feeds, PROJECTORS, rng=self.seed, device="cpu", progress=False)
        model.towers["DNA"] = EncoderTower(self.encoder, projector)
        return model

    def __call__(self, fine_tune: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Vectors of genes and of texts, with a row per pair; only those of test genes are computed."""
        model = deepcopy(self.frozen)
        inputs, same = {"DNA": self.tokens, "text": self.texts}, self.prepared.text_of
        tower = model.towers["DNA"]
        model.towers["DNA"] = EncoderTower(tower.encoder, tower.projector, fine_tune=fine_tune, seed=self.seed)
        settings = replace(FINE_TUNING, encoder_lr=ENCODER_LR.get(fine_tune))
        feeds = (Feed(inputs, rows=rows, same=same) for rows in (self.train, self.validation))
        history = train_clip(model, *feeds, settings, rng=self.seed, device="cpu", progress=False)
        logger.info("%s: best epoch %d\n%s", fine_tune, history.best_epoch, history.table)
        test = self.prepared.rows("test")
        found = {name: np.full((len(self.texts), Recipe().dimension), np.nan, np.float32) for name in inputs}
        for name, vectors in embed_feed(model, Feed(inputs, rows=test), batch_size=16).items():
            found[name][test] = vectors.numpy()
        return {"DNA": found["DNA"]}, found["text"]
