"""Training of the expression network: it learns, resumes bit by bit, and falls back to ridge where it does not help."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from dnaclip._errors import InputError, TrainingError
from dnaclip.models import ExpressionNetConfig
from dnaclip.train import fit_expression_net
from dnaclip.train._expression.fit import fit_expression_model

if TYPE_CHECKING:
    from pathlib import Path

RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(400, 6)).astype(np.float32)
EXPRESSION = (np.abs(VECTORS[:, :3]) + VECTORS[:, 3:4] ** 2).astype(np.float32)
PARTS: dict[str, Any] = {"train": np.arange(300), "validation": np.arange(300, 360)}
RUN: dict[str, Any] = {"device": "cpu", "progress": False}
CONFIG = ExpressionNetConfig(hidden=32, batch_size=50, max_epochs=6, input_dropout=0.0)


@pytest.mark.parametrize(
    "options",
    [*({"loss": loss} for loss in ("mse", "poisson", "poisson_nll", "pearson", "mixture", "mse_pearson"))]
    + [{"variant": variant} for variant in ("loss_prediction", "experts", "ensemble")],
    ids=lambda options: next(iter(options.values())),
)
def test_every_loss_and_variant_learns(options: dict[str, Any]) -> None:
    config = ExpressionNetConfig(hidden=32, batch_size=50, max_epochs=15, input_dropout=0.0, dropout=0.1, **options)
    net, history = fit_expression_net(VECTORS, EXPRESSION, config=config, **PARTS, **RUN)
    predicted = net.predict(VECTORS[360:])[0]
    correlation = np.mean([np.corrcoef(p, o)[0, 1] for p, o in zip(predicted.T, EXPRESSION[360:].T, strict=True)])
    assert correlation > 0.5
    assert history.best_loss == history.table["validation_loss"].min()


def test_resumed_equals_uninterrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dnaclip.train._expression import loop

    whole, history = fit_expression_net(VECTORS, EXPRESSION, config=CONFIG, **PARTS, **RUN)
    real = loop.save_checkpoint

    def stop(path: Path, state: Any, *args: Any, **more: Any) -> None:
        real(path, state, *args, **more)
        if state.epoch == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "save_checkpoint", stop)
    path = tmp_path / "run.safetensors"
    with pytest.raises(KeyboardInterrupt):
        fit_expression_net(VECTORS, EXPRESSION, config=CONFIG, checkpoint=path, **PARTS, **RUN)
    monkeypatch.setattr(loop, "save_checkpoint", real)
    resumed, later = fit_expression_net(
        VECTORS, EXPRESSION, config=CONFIG, checkpoint=path, resume=True, **PARTS, **RUN
    )
    np.testing.assert_array_equal(resumed.predict(VECTORS)[0], whole.predict(VECTORS)[0])
    assert later.table["validation_loss"].tolist() == history.table["validation_loss"].tolist()
    with pytest.raises(InputError, match="belongs to another run"):
        fit_expression_net(VECTORS + 1, EXPRESSION, config=CONFIG, checkpoint=path, resume=True, **PARTS, **RUN)


def test_stops_early_and_keeps_the_best() -> None:
    noise = np.random.default_rng(1).normal(size=EXPRESSION.shape).astype(np.float32)
    config = ExpressionNetConfig(hidden=64, batch_size=20, max_epochs=60, patience=3, input_dropout=0.0, dropout=0.0)
    _, history = fit_expression_net(VECTORS, noise, config=config, **PARTS, **RUN)
    assert len(history.table) == history.best_epoch + 3 < 60


def test_without_validation_the_last_weights_are_kept() -> None:
    parts: dict[str, Any] = {"train": np.arange(300), "validation": np.arange(0)}
    _, history = fit_expression_net(VECTORS, EXPRESSION, config=CONFIG, **parts, **RUN)
    assert history.best_epoch == 6
    assert "validation_loss" not in history.table


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"vectors": VECTORS[:10]}, "one row per gene"),
        ({"expression": np.full_like(EXPRESSION, np.nan)}, "finite"),
        ({"train": np.arange(1)}, "1 genes are left"),
        ({"validation": np.arange(290, 310)}, "10 genes are both"),
        ({"expression": EXPRESSION - 5, "config": ExpressionNetConfig(loss="poisson")}, "below 0"),
        ({"resume": True}, "give checkpoint"),
    ],
)
def test_bad_input(change: dict[str, Any], said: str) -> None:
    given = {"vectors": VECTORS, "expression": EXPRESSION, **PARTS, **RUN} | change
    with pytest.raises(InputError, match=said):
        fit_expression_net(given.pop("vectors"), given.pop("expression"), **given)


def test_a_loss_that_is_no_number_is_an_error() -> None:
    config = ExpressionNetConfig(hidden=8, batch_size=50, lr=1e30, grad_clip=1e30)
    with pytest.raises(TrainingError, match="Try a lower lr"):
        fit_expression_net(VECTORS, EXPRESSION, config=config, **PARTS, **RUN)


@pytest.mark.parametrize("validation", [np.arange(0), np.arange(300, 360)], ids=["drawn", "given"])
def test_a_network_that_does_not_help_has_no_weight(validation: np.ndarray) -> None:
    rng = np.random.default_rng(2)
    linear = (VECTORS @ rng.normal(size=(6, 3))).astype(np.float32)
    run = {"method": "hybrid", "seed": 0, **RUN}
    options = {"n_landmarks": 0, "hidden": 4, "max_epochs": 1}
    model = fit_expression_model(VECTORS, linear, np.arange(300), validation, options=options, **run)
    assert not model.weights.any()
    assert model.ridge is not None
    np.testing.assert_array_equal(model.predict(VECTORS)[0], model.ridge.predict(VECTORS))
    assert model.judged["part"].tolist() == ["level", "pattern"]


@pytest.mark.parametrize("learns", ["expression", "residual"])
def test_a_network_that_helps_is_used(learns: str) -> None:
    run = {"method": "hybrid", "seed": 0, **RUN}
    options = {
        "n_landmarks": 0,
        "hidden": 64,
        "batch_size": 30,
        "max_epochs": 25,
        "input_dropout": 0.0,
        "learns": learns,
    }
    model = fit_expression_model(VECTORS, EXPRESSION, np.arange(300), np.arange(300, 360), options=options, **run)
    assert (model.weights > 0).all()
    assert model.ridge is not None
    errors = [
        ((one - EXPRESSION[360:]) ** 2).mean()
        for one in (model.ridge.predict(VECTORS[360:]), model.predict(VECTORS[360:])[0])
    ]
    assert errors[1] < 0.8 * errors[0]
    # The gradient is that of what is predicted.
    vector, step = VECTORS[5], 5e-3 * np.eye(6, dtype=np.float32)
    slope = (model.predict(vector + step)[0] - model.predict(vector - step)[0]).T / 1e-2
    np.testing.assert_allclose(model.gradient(vector), slope, atol=0.05)
