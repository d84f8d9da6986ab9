"""Training the perturbation VAE: it learns, it is reproducible, and a run that was cut off goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dask.array
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

from dnaclip._errors import InputError, TrainingError
from dnaclip.models import PerturbationVaeConfig
from dnaclip.models._perturbation.cells import PerturbationCells
from dnaclip.train import fit_vae
from dnaclip.train._perturbation import loop as loop
from dnaclip.train._perturbation.feed import CellFeed, TargetGenes
from dnaclip.train._perturbation.setup import span_basis

if TYPE_CHECKING:
    from pathlib import Path

N_GENES, D = 20, 6
TARGETS = tuple(f"G{i}" for i in range(10))
CONDITIONS = ((), *((gene,) for gene in TARGETS), ("G0", "G1"), ("G2", "G3"))
CONFIG = PerturbationVaeConfig(hidden=16, latent=4, batch_size=64, max_epochs=3, lr=5e-3, min_validation=1)


def problem(
    *, per_condition: int = 15, n_contexts: int = 1, zeros: float = 0.1
) -> tuple[PerturbationCells, np.ndarray, dict[str, np.ndarray]]:
    """Cells whose mean shifts are a linear map of the perturbation vector."""
    rng = np.random.default_rng(0)
    genes = {gene: rng.standard_normal(D) for gene in TARGETS}
    vectors = np.array([sum((genes[gene] for gene in condition), np.zeros(D)) for condition in CONDITIONS])
    condition = np.tile(np.repeat(np.arange(len(CONDITIONS)), per_condition), n_contexts)
    context = np.repeat(np.arange(n_contexts), len(CONDITIONS) * per_condition)
    base = rng.random((n_contexts, N_GENES)) + 3
    shifts = vectors @ rng.standard_normal((D, N_GENES)) * 0.3
    x = base[context] + shifts[condition] + 0.1 * rng.standard_normal((len(condition), N_GENES))
    cells = PerturbationCells(
        x=np.where(rng.random(x.shape) < zeros, 0, x).astype(np.float32),
        condition=condition.astype(np.int32),
        context=context.astype(np.int32),
        conditions=CONDITIONS,
        contexts=tuple(f"line {i}" for i in range(n_contexts)),
        genes=tuple(f"G{i}" for i in range(N_GENES)),
    )
    return cells, vectors, genes


def run(cells: PerturbationCells | None = None, **options: Any) -> tuple[dict[str, torch.Tensor], pd.DataFrame]:
    own, vectors, _ = problem()
    settings: dict[str, Any] = {"config": CONFIG, "device": "cpu", "progress": False} | options
    model, history = fit_vae(cells or own, settings.pop("vectors", vectors), **settings)
    assert not model.training
    return model.state_dict(), history.table.drop(columns="cells_per_second")


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_predicts_perturbations_that_it_never_saw() -> None:
    cells, vectors, _ = problem(per_condition=20, zeros=0)
    held_out = np.array([3, 11])
    config = replace(CONFIG, hidden=32, max_epochs=30)
    model, history = fit_vae(
        cells, vectors, config=config, train=~np.isin(cells.condition, held_out), device="cpu", progress=False
    )
    mean = lambda condition: cells.x[cells.condition == condition].mean(0)
    predicted = model.predict_delta(vectors[held_out], cells.x[cells.condition == 0])
    for delta, condition in zip(predicted, held_out, strict=True):
        assert np.corrcoef(delta, mean(condition) - mean(0))[0, 1] > 0.65
    losses = history.table["reconstruction"]
    assert losses.iloc[-1] < losses.iloc[0]


def test_the_best_epoch_is_kept_and_training_stops() -> None:
    cells, vectors, _ = problem()
    config = replace(CONFIG, max_epochs=200, patience=4, lr=2e-2)
    model, history = fit_vae(cells, vectors, config=config, validation=[3, 4, 11], device="cpu", progress=False)
    table = history.table
    assert len(table) < 200
    assert len(table) == history.best_epoch + 4
    assert table["validation_pcc"].to_numpy().argmax() + 1 == history.best_epoch
    np.testing.assert_allclose(table["validation_loss"], 1 - table["validation_pcc"])
    judge = loop.Validation(cells, cells.x, ~np.isin(cells.condition, [3, 4, 11]), np.array([3, 4, 11]), vectors, None)
    assert judge(model)["validation_loss"] == history.best_loss


def test_a_few_validation_conditions_decide_nothing() -> None:
    few = replace(CONFIG, max_epochs=6, patience=1, lr=2e-2, min_validation=4)
    weights, table = run(validation=[3, 4, 11], config=few)
    assert len(table) == 6
    assert "validation_loss" not in table
    assert table["validation_pcc"].notna().all()
    cells, _, _ = problem()
    unjudged, _ = run(train=~np.isin(cells.condition, [3, 4, 11]), config=few)
    assert all(torch.equal(weights[name], unjudged[name]) for name in weights)


def test_validation_leaves_targeted_genes_out() -> None:
    cells, vectors, _ = problem()
    everyone = np.ones(len(cells.condition), bool)
    shifts: list[np.ndarray] = []

    class Guess:
        def predict_delta(self, *_: Any) -> np.ndarray:
            return shifts[0]

    mean = lambda condition: cells.x[cells.condition == condition].mean(0)
    guess = mean(11) - mean(0)
    guess[[0, 1]] = 1e3  # condition 11 targets G0 and G1, which are also measured
    shifts.append(guess[None])
    judge = loop.Validation(cells, cells.x, everyone, np.array([11]), vectors, None)
    assert judge(Guess())["validation_pcc"] == pytest.approx(1)  # type: ignore[arg-type]


def test_same_seed_same_bits() -> None:
    one, other, third = run(rng=1), run(rng=1), run(rng=2)
    assert equal(one[0], other[0])
    pd.testing.assert_frame_equal(one[1], other[1], check_exact=True)
    assert not equal(one[0], third[0])


@pytest.mark.parametrize(
    "form",
    [
        sparse.csr_matrix,
        sparse.csc_array,
        lambda x: dask.array.from_array(x, chunks=(50, 20)),
        lambda x: x.astype(np.float64),
    ],
    ids=["csr", "csc", "dask", "float64"],
)
def test_every_form_of_expression_gives_the_same_model(form: Any) -> None:
    cells, _, _ = problem()
    expected, _ = run(cells)
    found, _ = run(replace(cells, x=form(cells.x)))
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-4)


def test_cells_outside_train_are_not_looked_at() -> None:
    cells, _, _ = problem()
    train = np.random.default_rng(1).random(len(cells.condition)) < 0.7
    expected, _ = run(cells, train=train)
    x = cells.x.copy()
    x[~train] += 7
    assert equal(run(replace(cells, x=x), train=train)[0], expected)


def test_validation_conditions_are_not_trained_on() -> None:
    cells, _, _ = problem()
    train = cells.condition != 4
    once, _ = run(cells, train=train, validation=[4], config=replace(CONFIG, max_epochs=1))
    assert equal(run(cells, train=train, config=replace(CONFIG, max_epochs=1))[0], once)


def test_each_context_is_centred_on_its_own_controls() -> None:
    cells, vectors, _ = problem(n_contexts=2)
    plain, table = run(cells, vectors=vectors)
    moved, again = run(replace(cells, x=cells.x + 5 * cells.context[:, None].astype(np.float32)), vectors=vectors)
    np.testing.assert_allclose(moved["control_means"][1], plain["control_means"][1] + 5, rtol=1e-5)
    np.testing.assert_allclose(again["reconstruction"], table["reconstruction"], rtol=1e-3)


def test_context_vectors_are_learned_from() -> None:
    cells, vectors, _ = problem(n_contexts=2)
    of_contexts = np.eye(2, dtype=np.float32)
    for array in (vectors, of_contexts):  # as pandas hands them out
        array.setflags(write=False)
    model, history = fit_vae(
        cells, vectors, config=CONFIG, context_vectors=of_contexts, validation=[5], device="cpu", progress=False
    )
    assert history.table["context"].iloc[-1] < history.table["context"].iloc[0]
    assert "validation_pcc" in history.table
    assert model.predict_delta(vectors, cells.x[:9], of_contexts[0]).shape == (len(vectors), N_GENES)


def feed(**options: Any) -> CellFeed:
    cells, vectors, genes = problem()
    targets = TargetGenes(cells, {gene: vector for gene, vector in genes.items() if gene != "G1"})
    known = targets, torch.as_tensor(targets.vectors), np.ones((1, N_GENES), np.float32)
    rows = np.arange(0, len(cells.condition), 2)
    table = torch.as_tensor(vectors, dtype=torch.float32)
    settings: dict[str, Any] = {"n_contexts": 1, "latent": 3, "targets": known} | options
    return CellFeed(sparse.csr_array(cells.x), rows, cells.condition, cells.context, table, **settings)


def test_batches_hold_each_cell_once_with_its_own_condition_and_target() -> None:
    cells, vectors, genes = problem()
    seen = []
    for batch in feed().epoch(seed=0, epoch=1, batch_size=40):
        x = batch.cells.times(torch.eye(N_GENES)).numpy()
        # Which cell is it? Expression is different in each.
        rows = np.array([np.flatnonzero((cells.x == row).all(1))[0] for row in x])
        seen += rows.tolist()
        np.testing.assert_allclose(
            (batch.of_condition @ batch.vectors).numpy(), vectors[cells.condition[rows]], rtol=1e-5
        )
        assert {tuple(row) for row in batch.drawn.tolist()} <= {tuple(row) for row in batch.of_condition.tolist()}
        assert batch.target_cell is not None
        assert batch.target_value is not None
        assert batch.target_vectors is not None
        expected = [
            (cell, gene) for cell, row in enumerate(rows) for gene in CONDITIONS[cells.condition[row]] if gene != "G1"
        ]
        assert batch.target_cell.tolist() == [cell for cell, _ in expected]
        values = [cells.x[rows[cell], cells.genes.index(gene)] - 1 for cell, gene in expected]
        np.testing.assert_allclose(batch.target_value.numpy(), values, rtol=1e-5)
        np.testing.assert_allclose(batch.target_vectors.numpy(), [genes[gene] for _, gene in expected], rtol=1e-5)
    assert sorted(seen) == list(range(0, len(cells.condition), 2))


def test_batches_are_of_nearly_equal_size_and_differ_between_epochs() -> None:
    one = feed(targets=None)
    sizes = [len(batch.cells) for batch in one.epoch(seed=0, epoch=1, batch_size=34)]
    assert (sum(sizes), max(sizes) - min(sizes), max(sizes)) == (98, 1, 33)
    assert (one.steps(34), one.steps(65), one.steps(66), one.steps(10_000)) == (3, 2, 1, 1)
    noise = [next(one.epoch(seed=0, epoch=epoch, batch_size=40)).noise for epoch in (1, 1, 2)]
    assert torch.equal(noise[0], noise[1])
    assert not torch.equal(noise[0], noise[2])


def test_adversarial_steps_follow_the_gradient_of_the_last_step() -> None:
    one = feed(targets=None, epsilon=0.1)
    first, second, *_ = one.epoch(seed=0, epoch=1, batch_size=40)
    assert torch.equal(first.moved, first.vectors)
    first.moved.backward(torch.ones_like(first.moved))
    one.learn_directions(first)
    batches = one.epoch(seed=0, epoch=1, batch_size=40)
    again = next(batches)
    assert torch.equal(again.moved, again.vectors)  # each epoch starts anew
    again.moved.backward(torch.ones_like(again.moved))
    one.learn_directions(again)
    second = next(batches)
    known = torch.isin(second.conditions, again.conditions)
    step = 0.1 * second.vectors.norm(dim=1, keepdim=True) * known[:, None]
    torch.testing.assert_close(second.moved.detach() - second.vectors, step.expand_as(second.vectors))


def test_target_head_is_trained() -> None:
    cells, vectors, genes = problem()
    model, history = fit_vae(cells, vectors, config=CONFIG, gene_vectors=genes, device="cpu", progress=False)
    assert model.target_head is not None
    assert history.table["target"].iloc[-1] < history.table["target"].iloc[0]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vae.safetensors"


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_resumed_run_equals_uninterrupted_one(path: Path, epoch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, table = run(validation=[3])
    with monkeypatch.context() as cut:
        steps = [0]

        def interrupted(*arguments: Any) -> Any:
            steps[0] += 1
            if steps[0] == 3 * epoch - 1:  # there are three steps in an epoch: this is the middle of one
                raise KeyboardInterrupt
            return original(*arguments)

        original = CellFeed._take
        cut.setattr(CellFeed, "_take", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(validation=[3], checkpoint=path)
    assert path.exists() == (epoch > 1)
    resumed, again = run(validation=[3], checkpoint=path, resume=True)
    assert equal(resumed, whole)
    pd.testing.assert_frame_equal(again, table, check_exact=True)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"config": replace(CONFIG, latent=5)}, "latent"),
        ({"rng": 5}, "seed"),
        ({"vectors": problem()[1] * 2}, "cells"),
        ({"cells": replace(problem()[0], x=problem()[0].x + 1)}, "cells"),
        ({"validation": [2]}, "validation"),
    ],
)
def test_checkpoint_of_another_run_is_refused(path: Path, changed: dict[str, Any], message: str) -> None:
    run(checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(InputError, match=f"belongs to another run; what differs: .*{message}"):
        run(checkpoint=path, resume=True, **changed)
    assert path.read_bytes() == before


def test_finished_run_resumes_at_once(path: Path) -> None:
    whole, _ = run(checkpoint=path)
    assert equal(run(checkpoint=path, resume=True)[0], whole)


def test_loss_that_is_no_number_stops_training(path: Path) -> None:
    with pytest.raises(
        TrainingError, match="Training stopped: the loss of epoch 1, step . of 3.* Try a lower lr than 1e"
    ):
        run(config=replace(CONFIG, lr=1e30, grad_clip=None), checkpoint=path)
    assert not path.exists()


def test_basis_keeps_what_is_between_the_training_vectors() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((4, 2)) @ rng.standard_normal((2, 30))
    basis = span_basis(vectors)
    assert basis.shape == (2, 30)
    np.testing.assert_allclose(basis @ basis.T, np.eye(2), atol=1e-6)
    np.testing.assert_allclose(vectors @ basis.T @ basis, vectors, atol=1e-5)
    assert np.array_equal(span_basis(rng.standard_normal((9, 5))), np.eye(5))
    assert span_basis(np.zeros((3, 5))).shape == (1, 5)  # no perturbation at all


CELLS, VECTORS, GENES = problem()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vectors": VECTORS[:5]}, "one row for each of the 13 conditions"),
        ({"vectors": VECTORS * np.nan}, "finite"),
        ({"vectors": VECTORS + 1}, "control: its vector must be zeros"),
        ({"train": np.arange(len(CELLS.condition))}, "True or False"),
        ({"train": CELLS.condition > 0}, "No control cell to train on in 'line 0'"),
        ({"train": CELLS.condition > 99}, "0 cells are left"),
        ({"validation": [0]}, "from 1 to 12"),
        ({"validation": [13]}, "from 1 to 12"),
        ({"context_vectors": np.ones((3, 2))}, "one row for each of the 1 contexts"),
        ({"gene_vectors": {"G0": np.ones(3)}}, "vectors of length 6"),
        ({"precision": "bf16-mixed"}, "needs a CUDA device"),
        ({"precision": "16"}, "precision='16' is not known"),
        ({"resume": True}, "give checkpoint"),
        ({"checkpoint": "no/such/folder/file"}, "There is no folder"),
        ({"cells": replace(CELLS, x=np.where(CELLS.x > 3.9, np.nan, CELLS.x))}, "NaN or infinite"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(**options)


def test_a_checkpoint_is_not_written_over(path: Path) -> None:
    path.write_bytes(b"something")
    with pytest.raises(InputError, match="is there already"):
        run(checkpoint=path)
    assert path.read_bytes() == b"something"
