"""The VAE's loss is that of the published model, and what it predicts follows from its input alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import sparse

from dnaclip._errors import InputError
from dnaclip.models import PerturbationVae, PerturbationVaeConfig, save_folder
from dnaclip.models._perturbation import predict as predict
from dnaclip.models._perturbation.batch import PerturbationBatch
from dnaclip.models._perturbation.cell_batch import CellBatch

if TYPE_CHECKING:
    from pathlib import Path

N_GENES, D, N = 12, 5, 40
CONFIG = PerturbationVaeConfig(hidden=16, latent=3)


def make(config: PerturbationVaeConfig = CONFIG, *, n_contexts: int = 2, **options: Any) -> PerturbationVae:
    means = np.random.default_rng(1).random((n_contexts, N_GENES))
    return PerturbationVae(config, basis=np.eye(4, D), control_means=means, **options)


def make_batch(**options: Any) -> tuple[PerturbationBatch, torch.Tensor]:
    rng = np.random.default_rng(2)
    x = np.where(rng.random((N, N_GENES)) < 0.15, rng.random((N, N_GENES)), 0).astype(np.float32)
    normal = lambda *shape: torch.as_tensor(rng.standard_normal(shape), dtype=torch.float32)
    hot = lambda n: F.one_hot(torch.as_tensor(rng.integers(0, n, N)), n).float()
    vectors = normal(3, 4)
    vectors[0] = 0
    cells = CellBatch(sparse.csr_array(x), torch.device("cpu"))
    moved = (vectors + 0.1 * normal(3, 4)).requires_grad_()
    batch = PerturbationBatch(cells, vectors, moved, torch.arange(3), hot(3), hot(2), hot(3), normal(N, 3), N)
    return replace(batch, **options), torch.as_tensor(x)


def written_out(model: PerturbationVae, batch: PerturbationBatch, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """The loss with every vector encoded once per cell and every cell centred and rebuilt in full."""
    encoder, config = model.cell_encoder, model.config
    centred = x - batch.of_context @ model.control_means
    mean, log_variance = encoder.head(encoder.rest(centred @ encoder.weight + encoder.bias)).chunk(2, dim=1)
    z = mean + (log_variance / 2).exp() * batch.noise
    p = batch.of_condition @ batch.vectors
    s, drawn = (model.vector_encoder(which @ batch.moved) for which in (batch.of_condition, batch.drawn))
    c = torch.zeros(())
    parts = {}
    if model.context_encoder and model.context_decoder and batch.context_vectors is not None:
        t = batch.of_context @ batch.context_vectors
        c = model.context_encoder(t)
        parts["context"] = (model.context_decoder(c) - t).square().sum(1).mean()
    rebuilt = model.decoder_out(model.decoder(z + s + c))
    parts |= {
        "reconstruction": (rebuilt - centred).square().sum(1).mean() / 2,
        "kl": (mean.square() + log_variance.exp() - log_variance - 1).sum(1).mean() / 2,
        "vector": (model.vector_decoder(s) - p).square().sum(1).mean() / 2,
    }
    joint, marginal = model.statistics(mean, [(s + c).detach(), (drawn + c).detach()])
    parts["mi"] = joint.mean() - marginal.exp().mean().log()
    parts["loss"] = (
        parts["reconstruction"]
        + config.kl_weight * parts["kl"]
        + config.vector_weight * parts["vector"]
        + config.mi_weight * parts["mi"]
        + config.context_weight * parts.get("context", torch.zeros(()))
    )
    return parts


@pytest.mark.parametrize("contexts", [False, True])
def test_loss_and_gradients_are_those_of_the_loss_written_out(*, contexts: bool) -> None:
    vectors = torch.randn(2, 6, generator=torch.Generator().manual_seed(5)) if contexts else None
    batch, x = make_batch(context_vectors=vectors)
    model = make(context_dim=6 if contexts else None)
    parts = model(batch)
    parts["loss"].backward()
    found = {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}
    model.zero_grad()
    expected = written_out(model, batch, x)
    expected["loss"].backward()
    for name in expected.keys() - {"loss"}:
        torch.testing.assert_close(parts[name], expected[name], rtol=1e-4, atol=1e-5)
    for name, one in model.named_parameters():
        gradient = one.grad
        assert gradient is not None
        if name.startswith("statistics."):  # learns to raise the bound, at its own scale
            gradient = -gradient / model.config.mi_weight
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-4)


def test_without_mutual_information_the_statistics_network_rests() -> None:
    batch, _ = make_batch()
    model = make(replace(CONFIG, mi_weight=0.0))
    parts = model(batch)
    parts["loss"].backward()
    assert "mi" not in parts
    assert all(one.grad is None for one in model.statistics.parameters())


def test_target_head_learns_from_the_cells_it_is_given() -> None:
    targets = {
        "target_cell": torch.tensor([0, 7]),
        "target_vectors": torch.ones(2, 4),
        "target_value": torch.tensor([1e3, 2e3]),
        "n_targets": 2,
    }
    batch, _ = make_batch(**targets)
    model = make(target_head=True)
    parts = model(batch)
    assert parts["target"].item() == pytest.approx((1e6 + 4e6) / 2, rel=0.01)
    parts["target"].backward()
    assert model.target_head is not None
    assert all(one.grad is not None for one in model.target_head.parameters())


def test_a_batch_without_targeted_genes_costs_nothing_for_them() -> None:
    empty = {"target_cell": torch.empty(0, dtype=torch.long), "target_vectors": torch.empty(0, 4)}
    batch, _ = make_batch(**empty, target_value=torch.empty(0))
    parts = make(target_head=True)(batch)
    assert parts["target"].item() == 0
    assert bool(parts["loss"].isfinite())


RNG = np.random.default_rng(3)
VECTORS = RNG.standard_normal((4, D))
CONTROLS = np.where(RNG.random((30, N_GENES)) < 0.3, RNG.random((30, N_GENES)), 0).astype(np.float32)


def test_prediction_is_the_mean_shift_of_the_decoded_cells() -> None:
    model = make()
    centred = torch.as_tensor(CONTROLS - CONTROLS.mean(0))
    encoder = model.cell_encoder
    with torch.no_grad():
        z = encoder.head(encoder.rest(centred @ encoder.weight + encoder.bias))[:, :3]
        decode = lambda p: model.decoder_out(model.decoder(z + model.vector_encoder(p @ model.basis.T))).mean(0)
        expected = [decode(p) - decode(p * 0) for p in torch.as_tensor(VECTORS, dtype=torch.float32)]
    np.testing.assert_allclose(model.predict_delta(VECTORS, CONTROLS), torch.stack(expected).numpy(), atol=1e-6)


def test_prediction_is_the_same_whatever_the_form_and_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make()
    first = model.predict_delta(VECTORS, CONTROLS)
    assert first.dtype == np.float32
    assert np.array_equal(first, model.predict_delta(VECTORS, CONTROLS))
    np.testing.assert_allclose(first, model.predict_delta(VECTORS, sparse.csr_matrix(CONTROLS)), atol=1e-5)
    np.testing.assert_allclose(first[2:3], model.predict_delta(VECTORS[2:3], CONTROLS), atol=1e-6)
    np.testing.assert_allclose(first, model.predict_delta(VECTORS, CONTROLS + 5), atol=1e-4)  # centred on themselves
    monkeypatch.setattr(predict, "BLOCK", 7)
    np.testing.assert_allclose(first, model.predict_delta(VECTORS, CONTROLS), atol=1e-5)


def test_nothing_done_shifts_nothing() -> None:
    assert not make().predict_delta(np.zeros((1, D)), CONTROLS).any()


def test_generated_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    model, mean = make(), np.arange(N_GENES)
    cells = model.generate(VECTORS, 9, mean, rng=4)
    assert cells.shape == (36, N_GENES)
    assert np.array_equal(cells, model.generate(VECTORS, 9, mean, rng=4))
    assert not np.array_equal(cells, model.generate(VECTORS, 9, mean, rng=5))
    np.testing.assert_allclose(model.generate(VECTORS, 9, mean + 1, rng=4), cells + 1, atol=1e-5)
    monkeypatch.setattr(predict, "BLOCK", 4)
    assert len(np.unique(model.generate(VECTORS, 9, mean), axis=0)) == 36  # blocks do not repeat their noise


def test_embeddings() -> None:
    model = make()
    z = model.embed(sparse.csr_array(CONTROLS), CONTROLS.mean(0))
    s = model.embed_vectors(VECTORS)
    assert (z.shape, s.shape) == ((30, 3), (4, 3))
    np.testing.assert_allclose(z, model.embed(CONTROLS + 2, CONTROLS.mean(0) + 2), atol=1e-5)


def test_target_head_overrules_the_decoder() -> None:
    model = make(target_head=True)
    targets: list[dict[int, np.ndarray]] = [{}, {3: VECTORS[0]}, {3: VECTORS[1], 5: VECTORS[0]}, {}]
    plain = model.predict_delta(VECTORS, CONTROLS)
    changed = model.predict_delta(VECTORS, CONTROLS, targets=targets) != plain
    assert [np.flatnonzero(row).tolist() for row in changed] == [[], [3], [3, 5], []]
    cells = (
        model.generate(VECTORS, 2, np.zeros(N_GENES)),
        model.generate(VECTORS, 2, np.zeros(N_GENES), targets=targets),
    )
    assert np.flatnonzero((cells[0] != cells[1]).any(0)).tolist() == [3, 5]


def test_contexts_change_the_prediction() -> None:
    model = make(context_dim=2)
    one, other = (model.predict_delta(VECTORS, CONTROLS, np.array(vector)) for vector in ([1, 0], [0, 1]))
    assert not np.allclose(one, other)
    assert model.generate(VECTORS, 2, np.zeros(N_GENES), np.ones(2)).shape == (8, N_GENES)


@pytest.mark.parametrize("options", [{}, {"context_dim": 2, "target_head": True}])
def test_saved_and_loaded(tmp_path: Path, options: dict[str, Any]) -> None:
    model = make(seed=3, **options)
    model.save(tmp_path / "vae")
    again = PerturbationVae.load(tmp_path / "vae")
    assert again.config == model.config
    assert all(torch.equal(again.state_dict()[name], value) for name, value in model.state_dict().items())
    context = np.ones(2) if options else None
    assert np.array_equal(
        again.predict_delta(VECTORS, CONTROLS, context), model.predict_delta(VECTORS, CONTROLS, context)
    )


def test_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    save_folder(tmp_path / "other", {"w": torch.ones(1)}, {"kind": "toy"}, "# Toy")
    with pytest.raises(InputError, match="kind 'toy'"):
        PerturbationVae.load(tmp_path / "other")


def test_initial_weights_follow_from_the_seed() -> None:
    one, same, other = (make(seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["decoder.0.weight"], other["decoder.0.weight"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: model.predict_delta(VECTORS[:, :3], CONTROLS), r"shape \(k, 5\), got \(4, 3\)"),
        (lambda model: model.predict_delta(VECTORS * np.nan, CONTROLS), "finite"),
        (lambda model: model.predict_delta(VECTORS, CONTROLS[:, :4]), r"\(n, 12\)"),
        (lambda model: model.predict_delta(VECTORS, CONTROLS[:0]), "at least one cell"),
        (lambda model: model.predict_delta(VECTORS, CONTROLS, np.ones(2)), "without context vectors"),
        (lambda model: model.predict_delta(VECTORS, CONTROLS, targets=[{}] * 4), "with a target head"),
        (lambda model: model.generate(VECTORS, 0, CONTROLS[0]), "n_cells"),
        (lambda model: model.generate(VECTORS, 1, CONTROLS[0, :3]), "control_mean must be 12"),
        (lambda model: make(context_dim=2).predict_delta(VECTORS, CONTROLS), "with context vectors"),
        (lambda model: PerturbationVaeConfig(latent=0), "latent must be a whole number of at least 1"),
        (lambda model: PerturbationVaeConfig(lr=0.0), "lr must be a finite number above 0"),
        (lambda model: PerturbationVaeConfig(mi_weight=-1.0), "mi_weight must be a finite number of at least 0"),
    ],
)
def test_what_does_not_fit_is_refused(call: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call(make())
