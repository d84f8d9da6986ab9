"""What a trained perturbation VAE says: mean shifts and drawn cells, always the same for the same input."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from dnaclip._errors import InputError
from dnaclip._validate import as_generator, check_count, torch_seed
from dnaclip.models._perturbation.cell_batch import CellBatch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dnaclip.models._perturbation.vae import PerturbationVae

    Targets = Sequence[Mapping[int, np.ndarray]] | None

__all__ = ["encode", "evaluating", "generate", "predict_delta"]

# Cells that are encoded or decoded at once.
BLOCK = 4096


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Switch gradients off inside the block."""
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(was_training)


def encode(model: PerturbationVae, x: Any, centre: np.ndarray | None = None) -> Tensor:
    """Return the mean basal state of cells (n, latent), centred by `centre` or by their own mean."""
    n_genes = model.control_means.shape[1]
    if x.ndim != 2 or x.shape[1] != n_genes or x.shape[0] == 0:
        msg = f"Expression must have the shape (n, {n_genes}) with at least one cell, got {x.shape}."
        raise InputError(msg)
    middle = np.asarray(x.mean(axis=0) if centre is None else _checked("control_mean", centre, n_genes))
    device = model.basis.device
    centres = torch.as_tensor(middle.reshape(1, n_genes), dtype=torch.float32).to(device)
    states = []
    for start in range(0, x.shape[0], BLOCK):
        cells = CellBatch(x[start : start + BLOCK], device)
        states.append(model.cell_encoder(cells, centres, torch.ones(len(cells), 1, device=device))[0])
    return torch.cat(states)


def predict_delta(
    model: PerturbationVae, vectors: np.ndarray, control_x: Any, context_vector: np.ndarray | None, targets: Targets
) -> np.ndarray:
    """See :meth:`PerturbationVae.predict_delta`."""
    with evaluating(model):
        basal = encode(model, control_x) + _context_state(model, context_vector)
        shifts = model.vector_encoder(model.coordinates(vectors))
        nothing = model.vector_encoder(torch.zeros(1, len(model.basis), device=basal.device))
        # The last layer is linear, so it is enough to decode the mean of what comes before it.
        hidden = torch.stack([_mean_hidden(model, basal + shift) for shift in shifts])
        deltas = (hidden - _mean_hidden(model, basal + nothing)) @ model.decoder_out.weight.T
        for row, genes in enumerate(_checked_targets(model, targets, len(shifts))):
            for gene, value in _target_values(model, basal + shifts[row], genes):
                deltas[row, gene] = value.mean()
        return deltas.cpu().numpy()


def generate(
    model: PerturbationVae,
    vectors: np.ndarray,
    n_cells: int,
    control_mean: np.ndarray,
    context_vector: np.ndarray | None,
    targets: Targets,
    rng: int | np.random.Generator | None,
) -> np.ndarray:
    """See :meth:`PerturbationVae.generate`."""
    check_count("n_cells", n_cells)
    n_genes = model.control_means.shape[1]
    control_mean = _checked("control_mean", control_mean, n_genes)
    generator = torch.Generator().manual_seed(torch_seed(as_generator(rng)))
    with evaluating(model):
        shifts = model.vector_encoder(model.coordinates(vectors)) + _context_state(model, context_vector)
        drawn = np.empty((len(shifts), n_cells, n_genes), np.float32)
        for row, genes in enumerate(_checked_targets(model, targets, len(shifts))):
            for start in range(0, n_cells, BLOCK):
                size = min(BLOCK, n_cells - start)
                basal = torch.randn(size, model.config.latent, generator=generator).to(shifts.device)
                block = model.decoder_out(model.decoder(basal + shifts[row]))
                for gene, value in _target_values(model, basal + shifts[row], genes):
                    block[:, gene] = value
                drawn[row, start : start + size] = block.cpu().numpy() + control_mean
    return drawn.reshape(-1, n_genes)


def _mean_hidden(model: PerturbationVae, states: Tensor) -> Tensor:
    """Return the mean of the decoder's last hidden layer over states (n, latent)."""
    return torch.stack([model.decoder(block).sum(0) for block in states.split(BLOCK)]).sum(0) / len(states)


def _target_values(
    model: PerturbationVae, states: Tensor, genes: Mapping[int, np.ndarray]
) -> Iterator[tuple[int, Tensor]]:
    """Yield each targeted gene and what the head says of it in each state, (n,)."""
    if model.target_head is None:
        return
    for gene, vector in genes.items():
        of_gene = model.vector_encoder(model.coordinates(np.asarray(vector)[None])) / 2
        yield gene, model.target_head(torch.cat([states, of_gene.expand(len(states), -1)], dim=1))[:, 0]


def _context_state(model: PerturbationVae, vector: np.ndarray | None) -> Tensor | float:
    if model.context_encoder is None or model.context_dim is None:
        if vector is not None:
            msg = "This model was trained without context vectors: context_vector must be None."
            raise InputError(msg)
        return 0.0
    if vector is None:
        msg = f"This model was trained with context vectors: give context_vector, {model.context_dim} numbers."
        raise InputError(msg)
    vector = _checked("context_vector", vector, model.context_dim)
    return model.context_encoder(torch.tensor(vector, dtype=torch.float32)[None].to(model.basis.device))


def _checked(name: str, values: np.ndarray, length: int) -> np.ndarray:
    values = np.asarray(values, dtype=np.float32).reshape(-1)
    if len(values) != length or not np.isfinite(values).all():
        msg = f"{name} must be {length} finite numbers, got {len(values)}."
        raise InputError(msg)
    return values


def _checked_targets(model: PerturbationVae, targets: Targets, length: int) -> Sequence[Mapping[int, np.ndarray]]:
    if targets is None:
        return [{}] * length
    if model.target_head is None or len(targets) != length:
        msg = f"targets must hold one entry per perturbation ({length}, got {len(targets)}), for a model with a target head."
        raise InputError(msg)
    return targets
