"""Training settings and the learning rate."""

from __future__ import annotations

import math

import pytest

from dnaclip._errors import InputError
from dnaclip.train import TrainConfig
from dnaclip.train._config import learning_rate


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 1}, "batch_size must be a whole number of at least 2, got 1"),
        ({"batch_size": 32.0}, "batch_size must be a whole number of at least 2, got 32.0"),
        ({"max_epochs": 0}, "max_epochs must be a whole number of at least 1, got 0"),
        ({"max_epochs": None}, "max_epochs must be a whole number of at least 1, got None"),
        ({"patience": 0}, "patience must be a whole number of at least 1 or None, got 0"),
        ({"validation_block": 1}, "validation_block must be a whole number of at least 2 or None, got 1"),
        ({"lr": 0.0}, "lr must be a finite number above 0, got 0.0"),
        ({"lr": float("nan")}, "lr must be a finite number above 0, got nan"),
        ({"weight_decay": -0.1}, "weight_decay must be a finite number of at least 0, got -0.1"),
        ({"warmup_epochs": float("inf")}, "warmup_epochs must be a finite number of at least 0, got inf"),
        ({"grad_clip": 0}, "grad_clip must be a finite number above 0, got 0"),
        ({"schedule": "linear"}, "schedule='linear' is not known. Use one of: 'cosine', 'constant'"),
        ({"precision": "16-mixed"}, "precision='16-mixed' is not known. Use one of: '32-true', 'bf16-mixed'"),
    ],
)
def test_refuses(settings: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        TrainConfig(**settings)


def test_none_where_it_means_something() -> None:
    config = TrainConfig(patience=None, validation_block=None, grad_clip=None)
    assert (config.patience, config.validation_block, config.grad_clip) == (None, None, None)


def test_cosine() -> None:
    config = TrainConfig(lr=0.2, warmup_epochs=1, max_epochs=5)
    assert learning_rate(config, 0.25) == pytest.approx(0.05)
    assert learning_rate(config, 1) == 0.2
    assert learning_rate(config, 2) == pytest.approx(0.1 * (1 + math.cos(math.pi / 4)))
    assert learning_rate(config, 5) == pytest.approx(0)


def test_constant_after_warm_up_and_no_warm_up() -> None:
    config = TrainConfig(lr=0.2, warmup_epochs=0, schedule="constant", max_epochs=5)
    assert {learning_rate(config, epoch) for epoch in (0, 2.5, 5)} == {0.2}


def test_warm_up_as_long_as_the_run_only_rises() -> None:
    config = TrainConfig(lr=0.2, warmup_epochs=4, max_epochs=4)
    rates = [learning_rate(config, epoch / 4) for epoch in range(17)]
    assert rates == sorted(rates)
    assert rates[-1] == 0.2
