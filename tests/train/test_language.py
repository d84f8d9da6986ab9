"""Pre-training of a DNA language model: what is predicted, does it learn, does it resume to the same bits."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from dnaclip.encoders import HyenaDna, HyenaDnaConfig, HyenaDnaEncoder, load_hyenadna, save_hyenadna
from dnaclip.errors import InputError, TrainingError
from dnaclip.train import LanguageModelConfig, fit_hyenadna
from dnaclip.train._language import loop
from dnaclip.train._language.windows import Windows, predicted

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = LanguageModelConfig(
    window=32, batch_size=8, max_steps=30, steps_per_epoch=10, validation_windows=24, lr=0.03
)


def drawn() -> HyenaDna:
    return HyenaDna(HyenaDnaConfig(d_model=8, n_layer=2, l_max=34))


def genes(n: int = 4, *, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list("ACGT"), int(size))) for size in rng.integers(20, 80, n)]


def run(network: HyenaDna, sequences: list[str], **options: Any) -> Any:
    settings: dict[str, Any] = {"config": SETTINGS, "device": "cpu", "progress": False}
    return fit_hyenadna(network, sequences, sequences, **settings | options)


def test_learns_what_can_be_predicted_and_not_what_cannot() -> None:
    longer = replace(SETTINGS, max_steps=60, steps_per_epoch=20)
    regular, random = (run(drawn(), sequences, config=longer) for sequences in (["ACGT" * 50], genes(400)))
    assert regular.best_loss < 1.5
    assert random.best_loss > 1.9
    assert list(regular.table["epoch"]) == [1, 2, 3]


def test_the_loss_is_in_bits_and_counts_neither_padding_nor_unknown_letters() -> None:
    network = drawn()
    torch.nn.init.zeros_(network.embedding.weight)  # all 16 tokens equally likely
    windows = Windows(["ACGTRN"], 10).draw(3, np.random.default_rng(0))
    assert predicted(windows)[0].tolist() == [True] * 3 + [False, True] + [False] * 4
    assert loop.next_base_loss(network, windows).item() == pytest.approx(math.log2(16))


def test_windows_are_pieces_of_the_genes() -> None:
    sequences = genes(5)
    windows = Windows(sequences, 30).draw(200, np.random.default_rng(1))
    letters = np.array(list("....P..ACGTN"))
    for row in letters[windows.numpy()]:
        found = "".join(row).rstrip("P")
        assert any(found in sequence for sequence in sequences)
        assert len(found) == 30 or found in sequences


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, parts = drawn(), drawn()
    run(whole, genes())

    class Stop(Exception):
        pass

    saved = loop.save_checkpoint

    def stop_after(*args: Any, **options: Any) -> None:
        saved(*args, **options)
        raise Stop

    for _ in range(2):
        monkeypatch.setattr(loop, "save_checkpoint", stop_after)
        with pytest.raises(Stop):
            run(parts, genes(), checkpoint=tmp_path / "run", resume=True)
        parts = drawn()
    monkeypatch.setattr(loop, "save_checkpoint", saved)
    history = run(parts, genes(), checkpoint=tmp_path / "run", resume=True)
    assert len(history.table) == 3
    for name, value in whole.state_dict().items():
        assert torch.equal(value, parts.state_dict()[name]), name


def test_the_trained_network_encodes_and_can_be_kept(tmp_path: Path) -> None:
    network = drawn()
    run(network, genes())
    kept = load_hyenadna(save_hyenadna(network, tmp_path / "model.safetensors"))
    found = [HyenaDnaEncoder(one, device="cpu").encode(genes()) for one in (network, kept)]
    np.testing.assert_array_equal(found[0], found[1])


def test_the_learning_rate_rises_and_falls() -> None:
    config = LanguageModelConfig(max_steps=100, warmup=0.1, lr=1.0)
    rates = [config.learning_rate(step) for step in range(100)]
    assert rates[0] < rates[5] < rates[10] == max(rates) == 1.0
    assert 0.1 <= rates[-1] < 0.11


def test_a_broken_run_says_so_and_keeps_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    network = drawn()
    real, calls = loop.next_base_loss, []

    def breaks(model: torch.nn.Module, windows: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return real(model, windows) * (math.nan if len(calls) > 16 else 1)  # 10 steps and 3 validation batches first

    monkeypatch.setattr(loop, "next_base_loss", breaks)
    with pytest.raises(TrainingError, match="loss of step 13 is nan"):
        run(network, genes())
    assert all(value.isfinite().all() for value in network.parameters())


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="window=64 is more than the 34"):
        run(drawn(), genes(), config=LanguageModelConfig(window=64))
    with pytest.raises(InputError, match="nothing to predict"):
        run(drawn(), ["A", ""])
    with pytest.raises(InputError, match="resume=True needs"):
        run(drawn(), genes(), resume=True)
    with pytest.raises(InputError, match="no folder"):
        run(drawn(), genes(), checkpoint=tmp_path / "none" / "run")
    (tmp_path / "run").write_bytes(b"")
    with pytest.raises(InputError, match="is there already"):
        run(drawn(), genes(), checkpoint=tmp_path / "run")


@pytest.mark.parametrize("wrong", [{"lr": 0.0}, {"warmup": 1.0}, {"window": 1}, {"max_steps": 0}, {"grad_clip": -1.0}])
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        LanguageModelConfig(**wrong)
