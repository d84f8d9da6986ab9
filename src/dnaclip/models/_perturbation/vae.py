"""A VAE of cells under perturbation that keeps the basal state of a cell apart from what was done to it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from dnaclip._errors import InputError
from dnaclip.models._folder import load_folder, save_folder
from dnaclip.models._perturbation.config import PerturbationVaeConfig
from dnaclip.models._perturbation.loss import (
    gaussian_kl,
    linear_squared_error,
    mutual_information,
    reverse_gradient,
)
from dnaclip.models._perturbation.nets import CellEncoder, StatisticsNetwork, network
from dnaclip.models._perturbation.predict import encode, evaluating, generate, predict_delta
from dnaclip.models._seed import seeded

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from dnaclip.models._perturbation.batch import PerturbationBatch

__all__ = ["PerturbationVae"]

KIND = "perturbation-vae"
CARD = """# Perturbation VAE

A disentangled variational autoencoder of expression under perturbation, trained with dnaclip. Read it with
`dnaclip.models.PerturbationVae.load(folder)`.
"""


class PerturbationVae(nn.Module):
    """Disentangled VAE of expression under perturbation (the model of scLAMBDA, written anew).

    A cell's expression, minus the control mean of its context, is rebuilt from its basal state z, the state s of the
    perturbation vector, and the state c of the context: `decoder(z + s + c)`. A bound of the mutual information
    between z and s + c is kept low, so that z of a control cell can be combined with s of a perturbation never seen.

    What differs from the published model, and why:

    * A vector is encoded and decoded once per condition and step, not once per cell; cells hold an index.
    * Vectors are written in an orthonormal basis of the span of the training conditions' vectors. Nothing that is
      learned from these can depend on what lies outside: those weights would stay at their random start. The
      adversarial step has the same length as in the original coordinates.
    * The adversarial direction is one per condition. It comes from the gradient of the last step that held the condition,
      which that step knows anyway, so no pass is made for it alone ("free" adversarial training).
    * The statistics network and the encoder learn from one pass, through a reversed gradient, instead of in turn.
    * The error of the decoder's last layer comes from its Gram matrix (see `linear_squared_error`): the same values and
      gradients without a dense matrix of cells times genes.

    Parameters
    ----------
    config
        Settings.
    basis
        Orthonormal rows (r, d).
    control_means
        Mean expression of the control cells of each context (n_contexts, n_genes).
    context_dim
        Dimension of the context vectors; `None` for a model without them.
    target_head
        Whether targeted genes are predicted by a network of their own.
    seed
        Seed of the initial weights; torch's global random state stays as it is.

    References
    ----------
    Wang et al. (2024), Modeling and predicting single-cell multi-gene perturbation responses with scLAMBDA, bioRxiv.
    Shafahi et al. (2019), Adversarial training for free!, NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from dnaclip.models import PerturbationVae, PerturbationVaeConfig
    >>> config = PerturbationVaeConfig(hidden=8, latent=2)
    >>> vae = PerturbationVae(config, basis=np.eye(3, 5), control_means=np.zeros((1, 6)))
    >>> vae.predict_delta(np.ones((4, 5)), np.ones((7, 6))).shape
    (4, 6)
    """

    basis: Tensor
    control_means: Tensor

    def __init__(
        self,
        config: PerturbationVaeConfig,
        *,
        basis: np.ndarray,
        control_means: np.ndarray,
        context_dim: int | None = None,
        target_head: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.config = config
        self.context_dim = context_dim
        self.register_buffer("basis", torch.as_tensor(basis, dtype=torch.float32))
        self.register_buffer("control_means", torch.as_tensor(control_means, dtype=torch.float32))
        hidden, latent, rank, n_genes = config.hidden, config.latent, len(basis), control_means.shape[1]
        with seeded(seed):
            self.cell_encoder = CellEncoder(n_genes, hidden, latent)
            self.vector_encoder = network(rank, hidden, hidden, latent)
            self.decoder = network(latent, hidden, hidden, last=False)
            self.decoder_out = nn.Linear(hidden, n_genes)
            self.vector_decoder = network(latent, hidden, hidden, rank)
            self.statistics = StatisticsNetwork(latent, hidden)
            self.context_encoder = network(context_dim, hidden, hidden, latent) if context_dim else None
            self.context_decoder = network(latent, hidden, hidden, context_dim) if context_dim else None
            self.target_head = network(2 * latent, hidden, 1) if target_head else None

    def coordinates(self, vectors: np.ndarray) -> Tensor:
        """Write perturbation vectors (k, d) in the model's basis, (k, r)."""
        vectors = np.asarray(vectors)
        if vectors.ndim != 2 or vectors.shape[1] != self.basis.shape[1] or not np.isfinite(vectors).all():
            msg = f"vectors must be finite numbers of shape (k, {self.basis.shape[1]}), got {vectors.shape}."
            raise InputError(msg)
        return torch.tensor(vectors, dtype=torch.float32).to(self.basis.device) @ self.basis.T

    def forward(self, batch: PerturbationBatch) -> dict[str, Tensor]:
        """Return the loss of the whole batch, under `"loss"`, and its parts, each a mean over cells.

        Gradients are those of the cells that are here.
        """
        config, n = self.config, batch.n_cells
        mean, log_variance = self.cell_encoder(batch.cells, self.control_means, batch.of_context)
        z = mean + (log_variance / 2).exp() * batch.noise
        context, context_error = self._context(batch)
        state = z if context is None else z + context

        s = self.vector_encoder(batch.moved)
        perturbed = state + batch.of_condition @ s
        # Cells are rebuilt as they are, with the control mean of their context.
        offsets = self.decoder_out.bias[:, None] + self.control_means.T
        sums = {
            "reconstruction": linear_squared_error(
                self.decoder(perturbed), self.decoder_out.weight, offsets, batch.of_context, batch.cells
            ),
            "kl": gaussian_kl(mean, log_variance),
            "vector": (batch.of_condition.sum(0) @ (self.vector_decoder(s) - batch.vectors).square()).sum() / 2,
        }
        if context_error is not None:
            sums["context"] = context_error
        if self.target_head is not None and batch.target_cell is not None:
            with torch.no_grad():
                gene = self.vector_encoder(batch.target_vectors) / 2
            inputs = torch.cat([perturbed[batch.target_cell], gene], dim=1)
            sums["target"] = (self.target_head(inputs)[:, 0] - batch.target_value).square().sum()
        if config.mi_weight:
            fixed, offset = s.detach(), 0 if context is None else context.detach()
            partners = [batch.of_condition @ fixed + offset, batch.drawn @ fixed + offset]
            joint, marginal = self.statistics(reverse_gradient(mean, config.mi_weight), partners)
            sums |= {"joint": joint.sum(), "marginal": marginal.logsumexp(0)}

        # The same numbers of each process that shares the batch: from here on all of them compute the same.
        everywhere = batch.gather(torch.stack([value.float() for value in sums.values()])).unbind(1)
        of_all = dict(zip(sums, everywhere, strict=True))
        parts: dict[str, Tensor] = {
            name: of_all[name].sum() / n for name in ("reconstruction", "kl", "vector", "context") if name in sums
        }
        weights = {"kl": config.kl_weight, "vector": config.vector_weight, "context": config.context_weight}
        if "target" in sums:
            parts["target"] = of_all["target"].sum() / max(batch.n_targets, 1)
            weights["target"] = config.target_weight
        if config.mi_weight:
            parts["mi"] = mutual_information(of_all["joint"], of_all["marginal"], n)
            # The statistics network raises the bound; behind the reversed gradient the encoder lowers it.
            weights["mi"] = -1.0
        return parts | {"loss": torch.stack([weights.get(name, 1.0) * part for name, part in parts.items()]).sum()}

    def _context(self, batch: PerturbationBatch) -> tuple[Tensor | None, Tensor | None]:
        """Return the state of each cell's context (n, latent), and the summed error of rebuilding the context vectors."""
        if self.context_encoder is None or self.context_decoder is None:
            return None, None
        states = self.context_encoder(batch.context_vectors)
        errors = (self.context_decoder(states) - batch.context_vectors).square().sum(1)
        return batch.of_context @ states, batch.of_context.sum(0) @ errors

    @property
    def epsilon(self) -> float:
        """Size of the adversarial step in each coordinate of the basis, for the length it has in those of the vectors."""
        rank, dimension = self.basis.shape
        return self.config.epsilon * (dimension / max(rank, 1)) ** 0.5

    def predict_delta(
        self,
        vectors: np.ndarray,
        control_x: Any,
        context_vector: np.ndarray | None = None,
        *,
        targets: Sequence[Mapping[int, np.ndarray]] | None = None,
    ) -> np.ndarray:
        """Predict the mean shift that each perturbation causes in given control cells.

        Parameters
        ----------
        vectors
            Perturbation vectors (k, d): the sum of the vectors of the genes.
        control_x
            Expression of control cells (n, n_genes), array or CSR, as measured; the mean of these cells is taken off.
        context_vector
            Vector of their context (e,), for a model with context vectors.
        targets
            For a model with a target head: of each perturbation, position of a targeted gene to its own vector (d,).

        Returns
        -------
        Shifts, float32 (k, n_genes), against what the model makes of the same cells without a perturbation.

        Raises
        ------
        InputError
            A shape does not fit the model.
        """
        return predict_delta(self, vectors, control_x, context_vector, targets)

    def generate(
        self,
        vectors: np.ndarray,
        n_cells: int,
        control_mean: np.ndarray,
        context_vector: np.ndarray | None = None,
        *,
        targets: Sequence[Mapping[int, np.ndarray]] | None = None,
        rng: int | np.random.Generator | None = 0,
    ) -> np.ndarray:
        """Draw cells under each perturbation, from basal states drawn from their prior.

        Parameters
        ----------
        vectors
            Perturbation vectors (k, d).
        n_cells
            Cells of each perturbation.
        control_mean
            Mean expression of control cells (n_genes,), which the shifts are added to.
        context_vector, targets
            As in :meth:`predict_delta`.
        rng
            Seed or generator.

        Returns
        -------
        Expected expression, float32 (k * n_cells, n_genes), the cells of the first perturbation first. Spread comes from
        the basal states alone: counting noise is not added, and values slightly below 0 can occur.

        Raises
        ------
        InputError
            A shape does not fit the model.
        """
        return generate(self, vectors, n_cells, control_mean, context_vector, targets, rng)

    def embed(self, x: Any, control_mean: np.ndarray) -> np.ndarray:
        """Return the mean basal state z of cells, float32 (n, latent).

        Parameters
        ----------
        x
            Expression (n, n_genes), array or CSR.
        control_mean
            Mean expression of the control cells of their context (n_genes,).
        """
        with evaluating(self):
            return encode(self, x, control_mean).cpu().numpy()

    def embed_vectors(self, vectors: np.ndarray) -> np.ndarray:
        """Return the state s of perturbation vectors (k, d), float32 (k, latent); z + s is the state of a perturbed cell."""
        with evaluating(self):
            return self.vector_encoder(self.coordinates(vectors)).cpu().numpy()

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the model folder, whole or not at all; see :func:`dnaclip.models.save_folder`."""
        config = {
            "kind": KIND,
            "settings": asdict(self.config),
            "context_dim": self.context_dim,
            "target_head": self.target_head is not None,
        }
        return save_folder(folder, self.state_dict(), config, CARD)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> PerturbationVae:
        """Read a model folder, on the CPU; its checksum is verified.

        Raises
        ------
        InputError
            The folder is not a model folder, was changed, or holds another kind of model.
        """
        config, tensors = load_folder(folder)
        if config.get("kind") != KIND:
            msg = f"{str(folder)!r} holds a model of kind {config.get('kind')!r}, not {KIND!r}."
            raise InputError(msg)
        model = cls(
            PerturbationVaeConfig(**config["settings"]),
            basis=tensors["basis"].numpy(),
            control_means=tensors["control_means"].numpy(),
            context_dim=config["context_dim"],
            target_head=config["target_head"],
        )
        model.load_state_dict(tensors)
        return model.eval()
