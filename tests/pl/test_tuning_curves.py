"""`pl.tuning_curves`: what is drawn of searches of every kind."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from dnaclip import pl
from dnaclip.errors import InputError


@pytest.fixture
def trials() -> pd.DataFrame:
    """Forty trials at random: everything varies at once."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "lr": 10 ** rng.uniform(-4, -2, 40),
            "loss": rng.choice(["clip", "similarity_penalty"], 40),
            "nmi_dna": rng.uniform(size=40),
            "ari_dna": rng.uniform(size=40),
            "accuracy@10": rng.uniform(size=40),
        }
    )


def test_the_line_is_the_best_of_every_fifth_of_the_range(trials: pd.DataFrame) -> None:
    ax: Any = pl.tuning_curves(trials, ["lr"]).axes[0]
    # Clustering scores go before accuracies where both are there.
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["NMI, DNA", "ARI, DNA"]
    x, y = ax.lines[0].get_data()
    assert len(x) == 5
    assert max(y) == trials["nmi_dna"].max()
    assert ax.get_xscale() == "log"
    assert len(ax.collections[0].get_offsets()) == 40


def test_words_stand_side_by_side(trials: pd.DataFrame) -> None:
    ax: Any = pl.tuning_curves(trials, ["loss"], ["accuracy@10"]).axes[0]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["clip", "similarity penalty"]
    best = trials.groupby("loss")["accuracy@10"].max()
    np.testing.assert_allclose(ax.lines[0].get_ydata(), best.to_numpy())


def test_axes_of_the_caller(trials: pd.DataFrame) -> None:
    figure, axs = plt.subplots(1, 2)
    assert pl.tuning_curves(trials, ["lr", "loss"], axs=axs) is figure
    assert [len(ax.lines) for ax in axs] == [2, 2]
    with pytest.raises(InputError, match="2 axes for 1 settings. Give one per setting"):
        pl.tuning_curves(trials, ["lr"], axs=axs)
    with pytest.raises(InputError, match="nothing to draw"):
        pl.tuning_curves(trials, [])
    with pytest.raises(InputError, match="nothing to draw"):
        pl.tuning_curves(trials[["lr"]], ["lr"])
